"""A kernel on its device, and its launch."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, Union

from . import _calls, _torch
from .arguments import Refused, conversions, layout

if TYPE_CHECKING:
    from .program import KernelFacts, Module

Dims = Union[int, "Sequence[int]"]
_HEADER = "<6I2IQ"  # RopelineLaunch: grid, block, shared bytes, overlap, stream
_FREE_SHARED_BYTES = 48 << 10  # static and dynamic together; a kernel has to ask for more


def _three(name: str, dims: Dims) -> tuple[int, int, int]:
    if type(dims) is int:
        return dims, 1, 1
    if not isinstance(dims, Sequence) or not 1 <= len(dims) <= 3:
        raise ValueError(f"{name} {dims!r}: an int, or one to three of them")
    x, y, z, *_ = (*dims, 1, 1)
    return x, y, z


class Kernel:
    """A kernel on the device that it was loaded for. `Module.kernel` makes them; they keep their module alive."""

    facts: KernelFacts  #: what the compiler says of it, and its parameters
    device: int  #: the number of its CUDA device

    def __init__(self, module: Module, index: int) -> None:
        self.facts, self.device, self._module = module.kernels[index], module.device, module
        self._handle = _calls.kernel(module._handle, index)
        known = module.architecture.startswith("sm_")  # PTX does not say its static shared memory
        self._shared_limit = _FREE_SHARED_BYTES - self.facts.shared_bytes if known else 0
        if self.facts.parameters is None:
            raise _calls.source_error(f"kernel {self.facts.expression}: its image does not say what parameters it has")
        pairs = conversions(self.facts.parameters, self.device)
        self._codes, self._converts = [code for code, _ in pairs], [convert for _, convert in pairs]
        self._pack = struct.Struct(_HEADER + layout(self.facts.parameters, self._codes)).pack

    def launch(
        self,
        grid: Dims,
        block: Dims,
        *arguments: Any,
        shared_bytes: int = 0,
        stream: Any = None,
        overlap_previous: bool = False,
    ) -> None:
        """Queues the kernel; does not wait for it.

        grid, block: a number, or up to three. arguments: one for each parameter (ropeline.jit.arguments has the table).
        shared_bytes: dynamic shared memory per block. stream: a torch.cuda.Stream or a raw handle; torch's current
        stream of the kernel's device when None. overlap_previous: programmatic dependent launch, sm_90 and up: the
        kernel may start before the stream's previous one ends, and must run griddepcontrol.wait before it reads what
        that one writes.

        Raises ValueError or TypeError for an argument that does not fit, Error with stage "launch" for what the
        driver refuses. Legal while the stream is being captured. The tensors have to live until the kernel has run,
        as torch's allocator sees to for those of the same stream.
        """
        if len(arguments) != len(self._converts):
            raise TypeError(f"{self}: takes {len(self._converts)} arguments, got {len(arguments)}")
        if stream is None:
            stream = _torch.current_stream(self.device)
        elif type(stream) is not int:
            stream = stream.cuda_stream
        if shared_bytes > self._shared_limit:
            self._allow_shared_bytes(shared_bytes)
        try:
            record = self._pack(
                *(grid if type(grid) is tuple and len(grid) == 3 else _three("grid", grid)),
                *(block if type(block) is tuple and len(block) == 3 else _three("block", block)),
                shared_bytes,
                overlap_previous,
                stream,
                *[convert(value) for convert, value in zip(self._converts, arguments)],
            )
        except (Refused, struct.error, OverflowError):
            self._explain(grid, block, shared_bytes, arguments)
            raise
        status = _calls.launch(self._handle, record)
        if status:
            _calls.check(status)

    def __getitem__(self, shape: tuple[Dims, Dims]) -> Callable[..., None]:
        """kernel[grid, block](*arguments) is kernel.launch(grid, block, *arguments)."""
        if type(shape) is not tuple or len(shape) != 2:
            raise TypeError(f"{self}: kernel[grid, block](...), got kernel[{shape!r}]")
        return functools.partial(self.launch, *shape)

    def _allow_shared_bytes(self, count: int) -> None:
        """Above 48 KiB a kernel has to ask, once. What is more than the device has is an error here."""
        _calls.allow_shared_bytes(self._handle, count)
        self._shared_limit = max(self._shared_limit, count)

    def _explain(self, grid: Dims, block: Dims, shared_bytes: int, arguments: tuple[Any, ...]) -> None:
        """Raises what is wrong with a launch that could not be packed."""
        for place, (parameter, value) in enumerate(zip(self.facts.parameters or (), arguments)):
            at = f"{self}: argument {place} ({parameter})"
            try:
                struct.pack("<" + self._codes[place], self._converts[place](value))
            except Refused as refused:
                raise ValueError(f"{at}: {refused}") from None
            except (struct.error, OverflowError):
                raise ValueError(f"{at}: {value!r} is out of its range") from None
        for name, dims in (("grid", grid), ("block", block)):
            if any(type(d) is not int or not 0 < d < 2**32 for d in _three(name, dims)):
                raise ValueError(f"{self}: {name} {dims!r}: each is an int from 1 on")
        raise ValueError(f"{self}: shared_bytes {shared_bytes!r} or the stream is out of range") from None

    def __repr__(self) -> str:
        listed = "?" if self.facts.parameters is None else ", ".join(map(str, self.facts.parameters))
        return f"{self.facts.expression}({listed})"


_torch.untraced(Kernel.launch)
