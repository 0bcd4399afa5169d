"""Programs: from a text or a file to a binary, and to a module on a device."""

from __future__ import annotations

import json
import math
import os
import pathlib
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

import torch

from . import _calls, _torch
from .arguments import Parameter
from .kernel import Kernel

Path = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class KernelFacts:
    """What the compiler says of one kernel. The numbers are zero for PTX, which is not machine code yet."""

    expression: str  #: as in `kernels`
    symbol: str  #: its mangled name in the image
    registers: int  #: per thread
    stack_bytes: int  #: per thread
    spill_store_bytes: int  #: per thread
    spill_load_bytes: int  #: per thread
    shared_bytes: int  #: static shared memory per block
    parameters: tuple[Parameter, ...] | None  #: None where the image does not tell them


@dataclass(frozen=True)
class Build:
    """A binary, and how it was had."""

    origin: str  #: "memory", "pack", "read-only folder", "cache" or "compiled"
    milliseconds: float  #: of this look-up or compile
    path: str  #: the entry or pack that holds it; empty when it lives in memory only
    key: str  #: the SHA-256 of everything that the code depends on
    architecture: str  #: "sm_90"; "compute_90" when the image is PTX
    compiler: str  #: "13.0.88"
    kernels: tuple[KernelFacts, ...]
    image: bytes = field(repr=False)  #: a cubin, or PTX


def _facts_of(kernels: Iterable[dict[str, Any]]) -> tuple[KernelFacts, ...]:
    def one(facts: dict[str, Any]) -> KernelFacts:
        parameters = facts.pop("parameters")
        known = None if parameters is None else tuple(Parameter(**p) for p in parameters)
        return KernelFacts(parameters=known, **facts)

    return tuple(map(one, kernels))


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        hint = "" if path.is_absolute() else f"a relative path starts from the working directory, {os.getcwd()}"
        raise _calls.source_error(f"{path}: {error.strerror}", hint) from None
    except UnicodeDecodeError as error:
        raise _calls.source_error(f"{path}: {error}") from None


def _words(words: str | Iterable[Path]) -> list[str]:
    """A list of strings; one string is not a list of letters."""
    return [words] if isinstance(words, str) else [os.fspath(word) for word in words]


def _seconds(limit: float) -> float:
    seconds = float(limit)
    if not 0 < seconds < math.inf:
        raise ValueError(f"compile_limit: {limit!r} is not a number of seconds above 0")
    return seconds


def _program(
    path: Path | None,
    kernels: str | Iterable[str],
    text: str | None,
    name: str | None,
    flags: Iterable[str],
    headers: Mapping[str, str] | None,
    include_folders: Iterable[Path],
    architecture: str | None,
    minimal: bool,
    pin_compiler: bool,
    compile_limit: float,
) -> str:
    """The program as JSON, for C++."""
    if (path is None) == (text is None):
        raise TypeError("a program is either a file or text=...: give one of them")
    for word, value, example in (
        ("architecture", architecture, "sm_90"),
        ("text", text, "..."),
        ("name", name, "k.cu"),
    ):
        if not isinstance(value, (str, type(None))):
            raise TypeError(f"{word}: {value!r} is not a string such as {example!r}")
    folders = _words(include_folders)
    if path is not None:
        file = pathlib.Path(path)
        text, name, folders = _read(file), name or file.name, [str(file.absolute().parent), *folders]
    program = {
        "name": name or "kernel.cu",
        "text": text,
        "kernels": _words(kernels),
        "headers": dict(headers or {}),
        "include_folders": folders,
        "flags": _words(flags),
        "architecture": architecture or "",
        "minimal": bool(minimal),
        "pin_compiler": bool(pin_compiler),
        "compile_limit": _seconds(compile_limit),
    }
    printed = json.dumps(program, ensure_ascii=False)
    try:
        printed.encode()
    except UnicodeEncodeError:
        which = next(key for key, value in program.items() if "\\udc" in json.dumps(value))
        raise ValueError(f"{which}: {program[which]!r} is not UTF-8") from None
    return printed


def build(
    path: Path | None = None,
    *,
    kernels: str | Iterable[str],
    text: str | None = None,
    name: str | None = None,
    flags: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
    include_folders: Iterable[Path] = (),
    architecture: str | None = None,
    minimal: bool = True,
    pin_compiler: bool = False,
    compile_limit: float = 60.0,
) -> Build:
    """Finds or compiles a program without loading it. Takes what `load` takes, but for the device.

    Needs no GPU when `architecture` is given. Raises Error.
    """
    program = _program(
        path, kernels, text, name, flags, headers, include_folders, architecture, minimal, pin_compiler, compile_limit
    )
    facts, image = _calls.build(program)
    return Build(kernels=_facts_of(facts.pop("kernels")), image=image, **facts)


class Module:
    """A program on one device, uploaded. `load` makes them."""

    device: int  #: the number of its CUDA device
    key: str  #: the SHA-256 of everything that the code depends on
    architecture: str
    compiler: str
    kernels: tuple[KernelFacts, ...]

    def __init__(self, handle: int, facts: dict[str, Any]) -> None:
        self._handle = handle
        self.device, self.key = facts["device"], facts["key"]
        self.architecture, self.compiler = facts["architecture"], facts["compiler"]
        self.kernels = _facts_of(facts["kernels"])
        # At the end of the process the driver may be gone before us.
        weakref.finalize(self, _calls.release, handle).atexit = False

    def kernel(self, expression: str | int = 0) -> Kernel:
        """The kernel of that name expression, or of that place in `kernels`."""
        known = [facts.expression for facts in self.kernels]
        if expression in known:
            return Kernel(self, known.index(expression))
        if isinstance(expression, int) and 0 <= expression < len(known):
            return Kernel(self, expression)
        raise ValueError(f"kernel {expression!r}: the module has {', '.join(known)}")

    __getitem__ = kernel


def load(
    path: Path | None = None,
    *,
    kernels: str | Iterable[str],
    device: Any = None,
    text: str | None = None,
    name: str | None = None,
    flags: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
    include_folders: Iterable[Path] = (),
    architecture: str | None = None,
    minimal: bool = True,
    pin_compiler: bool = False,
    compile_limit: float = 60.0,
) -> Module:
    """Compiles a program for a device, or finds it compiled, and uploads it.

    path: a .cuh or .cu file; or text="...", with name="scale.cu" for the compiler's messages.
    kernels: the name expressions that are wanted, such as "scale<float, 4>".
    flags: the compiler's, one word each ("-DWIDTH=4"); no -I. include_folders: where includes are looked for, after
    the file's own folder. headers: {name: text} of includes that are no files. minimal: NVRTC's --minimal, faster, but
    without textures, surfaces and device-side launches. pin_compiler: a binary of another NVRTC is not taken.
    compile_limit: seconds. architecture: "sm_90a", "compute_90"; the device's own when None.
    device: "cuda:1", a torch.device or a number; torch's current device when None.

    Raises Error. Refused while the current stream is being captured, unless the program is loaded already: load before.
    A second call is a look-up, but it reads the files and computes the key again: keep the module, or let `cache_once`.
    """
    program = _program(
        path, kernels, text, name, flags, headers, include_folders, architecture, minimal, pin_compiler, compile_limit
    )
    index = _torch.device_index(device)
    stream = _torch.current_stream(index) if torch.cuda.is_initialized() else 0
    return Module(*_calls.load(program, index, stream))


def statistics() -> dict[str, int]:
    """How many binaries came from where in this process: memory_hits, cache_hits, compiles, bad_entries ..."""
    return _calls.ask("statistics")


def cache_status() -> dict[str, Any]:
    """The cache folder: folder, readable, writable, and the reason why not."""
    return _calls.ask("cache_status")


def compiler_status() -> dict[str, Any]:
    """NVRTC, which this opens: path, version, architectures, and the reason why there is none."""
    return _calls.ask("compiler_status")
