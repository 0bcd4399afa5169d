"""The kernel of scale.cuh on torch tensors, and as an op that torch.compile keeps."""

import pathlib

import torch

from ropeline import jit


@jit.cache_once  # one kernel per width and device
def scale_kernel(width: int) -> jit.Kernel:
    file = pathlib.Path(__file__).with_name("scale.cuh")
    return jit.load(file, kernels=[f"scale<float, {width}>"]).kernel()


@jit.custom_op("example::scale", mutates_args=["y"])
def scale(y: torch.Tensor, x: torch.Tensor, factor: float) -> None:
    n, width, block = x.numel(), 4, 256
    scale_kernel(width).launch(-(-n // (width * block)), block, y, x, factor, n)


@torch.compile(fullgraph=True)
def half_plus_one(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    scale(y, x, 0.5)
    return y + 1


if __name__ == "__main__":
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device: jit.build(..., architecture='sm_90') compiles without one")
    x = torch.arange(1 << 20, dtype=torch.float32, device="cuda")
    wrong = (half_plus_one(x) != 0.5 * x + 1).sum().item()
    print(f"{scale_kernel(4).facts.registers} registers; {wrong} of {x.numel()} values differ")
