"""What the JIT asks of torch: the current device and stream, and to be left alone by its compiler."""

from __future__ import annotations

from typing import Any, Callable, TypeVar, cast

import torch

Function = TypeVar("Function", bound=Callable[..., Any])


def current_device() -> int:
    """torch's current CUDA device: the first one while torch has not touched CUDA, which asking leaves so."""
    return torch.cuda.current_device() if torch.cuda.is_initialized() else 0


def device_index(device: Any) -> int:
    """The number of a CUDA device given as "cuda:1", a torch.device, 1 or None (the current one; -1 without a GPU)."""
    if device is None:
        return torch.cuda.current_device() if torch.cuda.is_available() else -1
    if isinstance(device, int):
        return device
    device = torch.device(device)
    if device.type != "cuda":
        raise ValueError(f"device: {device} is not a CUDA device")
    return torch.cuda.current_device() if device.index is None else device.index


def _stream_of(device: int) -> int:
    return torch.cuda.current_stream(device).cuda_stream


# The handle alone, without a Stream object around it: what Inductor's own code calls. CUDA builds of torch have it.
current_stream: Callable[[int], int] = getattr(torch._C, "_cuda_getCurrentRawStream", _stream_of)


def untraced(function: Function) -> Function:
    """Dynamo calls the function as it is, and looks neither into it nor into what it calls.

    This is torch.compiler.disable without its wrapper, which would cost a microsecond at every launch, and without
    importing Dynamo, which takes a second.
    """
    try:
        frames = torch._C._dynamo.eval_frame
        skip = frames._FrameAction.SKIP
        frames.set_code_exec_strategy(function.__code__, frames._FrameExecStrategy(skip, skip))
    except AttributeError:  # a torch that has moved its private parts
        return cast(Function, torch.compiler.disable(function))
    function._torchdynamo_disable = True  # type: ignore[attr-defined]
    function._torchdynamo_disable_msg = "it runs kernels of Ropeline's JIT; ropeline.jit.custom_op makes an op of it"  # type: ignore[attr-defined]
    return function
