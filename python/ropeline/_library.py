"""The shared library behind this package: where it is, and its plain C functions (python/binding/c_api.h)."""

import ctypes
import json
import pathlib

import torch

_PATH = pathlib.Path(__file__).with_name("libropeline_torch.so")
_TEXT = ctypes.POINTER(ctypes.c_char_p)
_INVALID_ARGUMENT = 1


class Library:
    """One loaded library. Loading it registers its torch ops."""

    def __init__(self, path):
        # RTLD_LOCAL: two of them can be loaded side by side. torch is imported above, so its symbols are there.
        self._c = ctypes.CDLL(str(path))
        self._c.ropeline_error.restype = self._c.ropeline_version.restype = ctypes.c_char_p

    def _check(self, status):
        if status:
            kind = ValueError if status == _INVALID_ARGUMENT else RuntimeError
            raise kind(self._c.ropeline_error().decode())

    def _text(self, function, *arguments):
        text = ctypes.c_char_p()
        self._check(getattr(self._c, function)(*arguments, ctypes.byref(text)))
        return text.value.decode()

    def version(self):
        return self._c.ropeline_version().decode()

    def parse_spec(self, text):
        return self._text("ropeline_spec_parse", text.encode())

    def register_spec(self, text):
        number = ctypes.c_int64()
        self._check(self._c.ropeline_spec_register(text.encode(), ctypes.byref(number)))
        return number.value

    def spec_of(self, number):
        return self._text("ropeline_spec_of", ctypes.c_int64(number))

    def why_unsupported(self, text):
        return self._text("ropeline_spec_supports", text.encode())

    def gradient(self, number):
        return json.loads(self._text("ropeline_spec_gradient", ctypes.c_int64(number)))

    def families(self):
        return json.loads(self._text("ropeline_families"))

    def describe(self, config, dtype):
        return json.loads(self._text("ropeline_describe", config.encode(), dtype.encode()))

    def layer(self, config, index, dtype):
        return self._text("ropeline_layer", config.encode(), index, dtype.encode())

    def cos_sin_table(self, frequencies, positions, mode, cos, sin):
        addresses = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (positions, cos, sin)]
        count, capacity = ctypes.c_int64(positions.numel()), ctypes.c_int64(min(cos.numel(), sin.numel()))
        text, mode = json.dumps(frequencies).encode(), mode.encode()
        self._check(self._c.ropeline_cos_sin_table(text, addresses[0], count, mode, *addresses[1:], capacity))

    def cpu_targets(self):
        return json.loads(self._text("ropeline_cpu_targets"))

    def threads(self):
        return self._c.ropeline_threads()

    def set_threads(self, count):
        self._check(self._c.ropeline_set_threads(count))

    def default_threads(self, count):
        self._check(self._c.ropeline_default_threads(count))


library = Library(_PATH)
library.default_threads(torch.get_num_threads())
