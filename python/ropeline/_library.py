"""The shared library behind this package: where it is, and its plain C functions (python/binding/c_api.h)."""

import ctypes
import json
import operator
import os
import pathlib
import sys

import torch

_PATH = pathlib.Path(__file__).with_name("libropeline_torch.so")
_INVALID_ARGUMENT = 1
CPU = -1  # as a device; others are numbers of CUDA devices

_STRING, _INT, _INT64, _DATA = ctypes.c_char_p, ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
_TEXT = ctypes.POINTER(ctypes.c_char_p)
_ARGUMENTS = {
    "ropeline_error": [],
    "ropeline_version": [],
    "ropeline_spec_parse": [_STRING, _TEXT],
    "ropeline_spec_register": [_STRING, ctypes.POINTER(_INT64)],
    "ropeline_spec_of": [_INT64, _TEXT],
    "ropeline_spec_supports": [_STRING, _INT, _TEXT],
    "ropeline_spec_prepare": [_INT64, _INT],
    "ropeline_spec_gradient": [_INT64, _TEXT],
    "ropeline_families": [_TEXT],
    "ropeline_describe": [_STRING, _STRING, _TEXT],
    "ropeline_layer": [_STRING, _INT, _STRING, _TEXT],
    "ropeline_cos_sin_table": [_STRING, _DATA, _INT64, _STRING, _DATA, _DATA, _INT64],
    "ropeline_cuda_stream": [_INT, ctypes.POINTER(_DATA)],
    "ropeline_python_prefix": [_STRING],
    "ropeline_cpu_targets": [_TEXT],
    "ropeline_threads": [],
    "ropeline_set_threads": [_INT],
    "ropeline_default_threads": [_INT],
}


def _integer(name, value, type=_INT):
    """The value as an integer that the C type holds; ctypes would keep the low bits of any other."""
    number, bits = operator.index(value), 8 * ctypes.sizeof(type)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError(f"{name}: {number} is not a {bits}-bit integer")
    return number


def to_json(value):
    """JSON text. It has no number for nan and infinity: they go as strings, and C++ refuses them by field."""
    return json.dumps(json.loads(json.dumps(value), parse_constant=str))


class Library:
    """One loaded library. Loading it registers its torch ops."""

    def __init__(self, path):
        # RTLD_LOCAL: two of them can be loaded side by side. torch is imported above, so its symbols are there.
        self._c = ctypes.CDLL(str(path))
        for name, types in _ARGUMENTS.items():
            getattr(self._c, name).argtypes = types
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
        return self._text("ropeline_spec_of", _integer("spec", number, _INT64))

    def why_unsupported(self, text, device=CPU):
        return self._text("ropeline_spec_supports", text.encode(), device)

    def prepare(self, number, device):
        self._check(self._c.ropeline_spec_prepare(_integer("spec", number, _INT64), device))

    def gradient(self, number):
        return json.loads(self._text("ropeline_spec_gradient", _integer("spec", number, _INT64)))

    def families(self):
        return json.loads(self._text("ropeline_families"))

    def describe(self, config, dtype):
        return json.loads(self._text("ropeline_describe", config.encode(), dtype.encode()))

    def layer(self, config, index, dtype):
        return self._text("ropeline_layer", config.encode(), _integer("layer", index), dtype.encode())

    def cos_sin_table(self, frequencies, positions, mode, cos, sin):
        rows = positions.data_ptr(), positions.numel()
        out = cos.data_ptr(), sin.data_ptr(), min(cos.numel(), sin.numel())
        self._check(self._c.ropeline_cos_sin_table(to_json(frequencies).encode(), *rows, mode.encode(), *out))

    def cuda_stream(self, device):
        stream = ctypes.c_void_p()
        self._check(self._c.ropeline_cuda_stream(device, ctypes.byref(stream)))
        return stream.value or 0

    def python_prefix(self, folder):
        self._check(self._c.ropeline_python_prefix(os.fsencode(folder)))

    def cpu_targets(self):
        return json.loads(self._text("ropeline_cpu_targets"))

    def threads(self):
        return self._c.ropeline_threads()

    def set_threads(self, count):
        self._check(self._c.ropeline_set_threads(_integer("threads", count)))

    def default_threads(self, count):
        self._check(self._c.ropeline_default_threads(_integer("threads", count)))


library = Library(_PATH)
library.default_threads(torch.get_num_threads())
# pip puts NVRTC beside torch, or into this interpreter's own packages. Naming a folder opens nothing.
library.python_prefix(pathlib.Path(torch.__file__).parents[1])
library.python_prefix(sys.prefix)
