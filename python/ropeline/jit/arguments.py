"""From Python values to a kernel's parameters.

A kernel's mangled name has the types of its parameters, and its image their sizes, so a launch needs no signature: each
argument becomes the parameter's own type, and one that does not fit is refused by place, type and value.

| parameter | argument |
|---|---|
| `float*`, `__nv_bfloat16 const*`, `long long*` ... | a tensor of that dtype, or None for a null pointer |
| `unsigned short*`, `char*`, `unsigned*` ...: plain bits | a tensor whose elements have that size, or None |
| `void*`, and a pointer to a type of one's own | any tensor, or None |
| `float`, `double`, `__half` | float or int |
| `int`, `unsigned long`, ... | int, within its range |
| `bool` | bool |
| a struct | a ctypes.Structure, or bytes, of exactly its size |

Any parameter takes a ctypes value of its size and kind: c_float for float, c_void_p for a pointer. A kernel that is
extern "C" has no types in its name: it takes tensors, None and ctypes values alone.
"""

from __future__ import annotations

import ctypes
import operator
import re
import struct
from dataclasses import dataclass
from typing import Any, Callable

import torch


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel."""

    type: str  #: "float const*", as a demangler writes it; empty for a kernel that is extern "C"
    offset: int  #: in the kernel's parameter memory
    bytes: int

    def __str__(self) -> str:
        return self.type or f"{self.bytes} bytes"


# What a pointee has to be, for the types whose meaning is known. An unsigned type and char are bits of a size.
_DTYPES = {
    "float": torch.float32,
    "double": torch.float64,
    "__half": torch.float16,
    "__nv_bfloat16": torch.bfloat16,
    "__nv_fp8_e4m3": torch.float8_e4m3fn,
    "__nv_fp8_e5m2": torch.float8_e5m2,
    "signed char": torch.int8,
    "short": torch.int16,
    "int": torch.int32,
    "long": torch.int64,
    "long long": torch.int64,
    "bool": torch.bool,
}
_SIZES = {
    "char": 1,
    "unsigned char": 1,
    "unsigned short": 2,
    "unsigned int": 4,
    "unsigned long": 8,
    "unsigned long long": 8,
}
_FLOATS = {"float": "f", "double": "d", "__half": "e"}
_INTEGERS = {
    "char": "b",
    "signed char": "b",
    "unsigned char": "B",
    "short": "h",
    "unsigned short": "H",
    "int": "i",
    "unsigned int": "I",
    "long": "q",
    "unsigned long": "Q",
    "long long": "q",
    "unsigned long long": "Q",
}


class Refused(Exception):
    """Why an argument does not fit; the launch adds which one it is."""


Convert = Callable[[Any], Any]


def _pointee(type: str) -> str:
    return re.sub(r"\b(const|volatile)\b", "", type[:-1]).strip()


def pointer(parameter: Parameter, device: int) -> Convert:
    """The address of a tensor's first element."""
    name = _pointee(parameter.type) if parameter.type else ""
    dtype, size = _DTYPES.get(name), _SIZES.get(name)

    def explain(value: Any) -> int:
        if value is None:
            return 0
        if isinstance(value, ctypes.c_void_p):
            return value.value or 0
        if not hasattr(value, "data_ptr"):
            raise Refused(f"wants a tensor, got {_described(value)}")
        if value.device.type != "cuda":
            raise Refused(f"a tensor on {value.device}; the kernel runs on cuda:{device}")
        if value.get_device() != device:
            raise Refused(f"a tensor on {value.device}; the kernel was loaded for cuda:{device}")
        raise Refused(f"wants {dtype or f'elements of {size} bytes'}, the tensor is {value.dtype}")

    def address(tensor: Any) -> int:
        try:
            fits = tensor.get_device() == device
            fits = fits and (dtype is None or tensor.dtype is dtype) and (size is None or tensor.itemsize == size)
            return tensor.data_ptr() if fits else explain(tensor)
        except AttributeError:
            return explain(tensor)

    return address


def _described(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor on {value.device}"
    shown, name = repr(value), type(value).__name__
    return shown if shown.startswith(name) else f"{name} {shown}"


def _from_ctypes(value: Any, code: str) -> Any:
    """The number in a ctypes value of exactly that code, else a refusal."""
    size, is_float = struct.calcsize("<" + code), code in "fde"
    if ctypes.sizeof(value) != size or (value._type_ in "fdg") != is_float:
        raise Refused(f"wants {'a float' if is_float else 'an int'} of {size} bytes, got {_described(value)}")
    return value.value


def number(code: str, kinds: tuple[type, ...]) -> Convert:
    """A Python number of those kinds, or what calls itself one without being a tensor, as numpy's scalars do."""
    exact = code not in "fde"

    def convert(value: Any) -> Any:
        if type(value) in kinds:
            return value
        if isinstance(value, torch.Tensor):
            raise Refused(f"wants a number, got {_described(value)}: reading it would wait for the GPU; pass .item()")
        if isinstance(value, ctypes._SimpleCData):
            return _from_ctypes(value, code)
        try:
            return operator.index(value) if exact else value.__float__()
        except (TypeError, AttributeError):
            raise Refused(f"wants {kinds[0].__name__}, got {_described(value)}") from None

    return convert


def truth(value: Any) -> bool:
    if isinstance(value, ctypes.c_bool):
        return value.value
    if type(value) is not bool:
        raise Refused(f"wants bool, got {_described(value)}")
    return value


def memory(size: int) -> Convert:
    """The bytes of a struct."""

    def convert(value: Any) -> bytes:
        if isinstance(value, (ctypes.Structure, ctypes.Union, ctypes.Array, ctypes._SimpleCData)):
            value = bytes(value)
        if not isinstance(value, bytes):
            raise Refused(f"wants a ctypes value or bytes, got {_described(value)}")
        if len(value) != size:
            raise Refused(f"wants {size} bytes, got {len(value)}")
        return value

    return convert


def untyped(parameter: Parameter, device: int) -> Convert:
    """A parameter whose type nothing tells: tensors and None where a pointer fits, else a ctypes value of its size."""
    address, bits = pointer(parameter, device), memory(parameter.bytes)

    def convert(value: Any) -> Any:
        if parameter.bytes == 8 and (value is None or hasattr(value, "data_ptr")):
            return struct.pack("<Q", address(value))
        if isinstance(value, (bool, int, float)):
            raise Refused(f'the kernel is extern "C", which hides the type: give {value!r} as a ctypes value')
        return bits(value)

    return convert


def _conversion(parameter: Parameter, device: int) -> tuple[str, Convert]:
    """struct's code of a parameter, and how a value becomes what struct takes."""
    name = parameter.type
    if not name:
        return f"{parameter.bytes}s", untyped(parameter, device)
    if name.endswith("*"):
        return "Q", pointer(parameter, device)
    if name == "bool":
        return "?", truth
    if name in _FLOATS:
        return _FLOATS[name], number(_FLOATS[name], (float, int))
    if name in _INTEGERS:
        return _INTEGERS[name], number(_INTEGERS[name], (int,))
    return f"{parameter.bytes}s", memory(parameter.bytes)


def conversions(parameters: tuple[Parameter, ...], device: int) -> list[tuple[str, Convert]]:
    """For each parameter struct's code, and how a value becomes what struct takes."""
    return [_conversion(parameter, device) for parameter in parameters]


def layout(parameters: tuple[Parameter, ...], codes: list[str]) -> str:
    """struct's format of the parameter memory."""
    format, end = "", 0
    for parameter, code in zip(parameters, codes):
        format += f"{parameter.offset - end}x{code}"
        end = parameter.offset + parameter.bytes
    return format
