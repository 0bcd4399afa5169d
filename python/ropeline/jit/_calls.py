"""The JIT's C functions (python/binding/jit_c_api.h), and what they throw."""

from __future__ import annotations

import ctypes
import json
from typing import Any

from .._library import library

_c = library._c
_TEXT, _HANDLE, _INT = ctypes.POINTER(ctypes.c_char_p), ctypes.c_void_p, ctypes.c_int
ARGUMENTS = {
    "ropeline_jit_build": [ctypes.c_char_p, _TEXT, ctypes.POINTER(_HANDLE), ctypes.POINTER(ctypes.c_int64)],
    "ropeline_jit_load": [ctypes.c_char_p, _INT, _HANDLE, ctypes.POINTER(_HANDLE), _TEXT],
    "ropeline_jit_release": [_HANDLE],
    "ropeline_jit_kernel": [_HANDLE, _INT, ctypes.POINTER(_HANDLE)],
    "ropeline_jit_allow_shared_bytes": [_HANDLE, _INT],
    "ropeline_jit_launch": [_HANDLE, ctypes.c_char_p],
    "ropeline_jit_statistics": [_TEXT],
    "ropeline_jit_cache_status": [_TEXT],
    "ropeline_jit_compiler_status": [_TEXT],
    "ropeline_jit_error": [],
}
for _name, _types in ARGUMENTS.items():
    getattr(_c, _name).argtypes = _types
_c.ropeline_jit_error.restype = ctypes.c_char_p
_c.ropeline_jit_release.restype = None

launch, release = _c.ropeline_jit_launch, _c.ropeline_jit_release


class Error(RuntimeError):
    """What went wrong in the JIT; str() says it all in one text."""

    stage: str  #: "source", "compiler", "compile", "cache", "driver", "load" or "launch"
    sentence: str  #: what went wrong, with names and values
    hint: str  #: what would help; may be empty
    options: list[str]  #: the compiler's, when it was asked
    log: str  #: the compiler's, in full

    def __init__(self, text: str, stage: str, sentence: str, hint: str = "", options: Any = (), log: str = "") -> None:
        super().__init__(text, stage, sentence, hint, options, log)
        self.stage, self.sentence, self.hint, self.options, self.log = stage, sentence, hint, list(options), log

    def __str__(self) -> str:
        return str(self.args[0])


Error.__module__ = "ropeline.jit"  # where it is public


def check(status: int) -> None:
    """Raises what the call of this thread that returned the status has left."""
    if not status:
        return
    text, parts = _c.ropeline_error().decode(errors="replace"), _c.ropeline_jit_error()
    if parts:
        raise Error(text, **json.loads(parts))
    library._check(status)


def source_error(sentence: str, hint: str = "") -> Error:
    """An error of the program's text, as C++ says them."""
    text = f"jit source: {sentence}" + (f"\nhint: {hint}" if hint else "")
    return Error(text, "source", sentence, hint)


def ask(name: str) -> dict[str, Any]:
    text = ctypes.c_char_p()
    check(getattr(_c, f"ropeline_jit_{name}")(ctypes.byref(text)))
    facts: dict[str, Any] = json.loads(text.value or b"")
    return facts


def build(program: str) -> tuple[dict[str, Any], bytes]:
    facts, image, size = ctypes.c_char_p(), ctypes.c_void_p(), ctypes.c_int64()
    check(_c.ropeline_jit_build(program.encode(), ctypes.byref(facts), ctypes.byref(image), ctypes.byref(size)))
    return json.loads(facts.value or b""), ctypes.string_at(image.value or 0, size.value)


def load(program: str, device: int, stream: int) -> tuple[int, dict[str, Any]]:
    module, facts = ctypes.c_void_p(), ctypes.c_char_p()
    check(_c.ropeline_jit_load(program.encode(), device, stream, ctypes.byref(module), ctypes.byref(facts)))
    return module.value or 0, json.loads(facts.value or b"")


def kernel(module: int, index: int) -> int:
    handle = ctypes.c_void_p()
    check(_c.ropeline_jit_kernel(module, index, ctypes.byref(handle)))
    return handle.value or 0


def allow_shared_bytes(handle: int, count: int) -> None:
    check(_c.ropeline_jit_allow_shared_bytes(handle, count))
