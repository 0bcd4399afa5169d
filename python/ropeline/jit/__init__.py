"""The JIT for kernels of one's own: a .cuh runs on torch tensors, without nvcc, a host compiler or CUDA's headers.

    from ropeline import jit

    module = jit.load("scale.cuh", kernels=["scale<float, 4>"])
    module.kernel().launch(blocks, 256, y, x, 0.5, y.numel())

`load` compiles for the current device, in the process, or finds the binary in the cache (docs/jit.md). A kernel knows
its parameters: a launch converts each argument to the parameter's own type, and refuses what does not fit it.

`cache_once` remembers what a function made, once per arguments and device. `custom_op` makes a torch op of a function
that launches, for torch.compile(fullgraph=True).
"""

from ._calls import Error
from .arguments import Parameter
from .kernel import Kernel
from .once import cache_once
from .op import custom_op
from .program import Build, KernelFacts, Module, build, cache_status, compiler_status, load, statistics

__all__ = [
    "Build",
    "Error",
    "Kernel",
    "KernelFacts",
    "Module",
    "Parameter",
    "build",
    "cache_once",
    "cache_status",
    "compiler_status",
    "custom_op",
    "load",
    "statistics",
]
