"""The published formulas behind the drop-in signatures, in double precision, and what their tests share.

RMSNorm: Zhang and Sennrich 2019. Rotation: Su et al. 2021 (RoFormer). YaRN: Peng et al. 2023, with the ends of the
ramp given. Interleaved M-RoPE: Qwen3-VL.
"""

import pytest
import torch

from conftest import needs_cuda

DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]


def frequencies(base, rotary_dim, factor=1.0, low=0.0, high=0.0):
    """[rotary_dim / 2], radians per position."""
    i = torch.arange(rotary_dim // 2, dtype=torch.float64)
    f = base ** (-2 * i / rotary_dim)
    if factor == 1:
        return f
    ramp = ((i - low) / (high - low if high != low else 0.001)).clamp(0, 1)
    return f / factor * ramp + f * (1 - ramp)


def angles(positions, frequencies, attention_factor=1.0, axes=None):
    """cos and sin [T, rotary_dim / 2]. positions [T], or [3, T] with the row of each frequency in axes."""
    positions = positions.cpu().double()
    positions = positions[:, None] if axes is None else positions[torch.tensor(axes)].T
    phase = positions * frequencies
    return phase.cos() * attention_factor, phase.sin() * attention_factor


def normalised(x, weight, eps, offset=0.0):
    """x [.., D]."""
    return x * (x.square().mean(-1, keepdim=True) + eps).rsqrt() * (weight.cpu().double() + offset)


def rotated(x, cos, sin, is_neox):
    """x [T, H, D]; the first 2 * cos.shape[-1] elements of each head are rotated."""
    n, cos, sin = cos.shape[-1], cos[:, None], sin[:, None]
    first = slice(0, n) if is_neox else slice(0, 2 * n, 2)
    second = slice(n, 2 * n) if is_neox else slice(1, 2 * n, 2)
    y = x.clone()
    y[..., first] = x[..., first] * cos - x[..., second] * sin
    y[..., second] = x[..., second] * cos + x[..., first] * sin
    return y


def layer(qkv, heads, weights, eps, cos, sin, is_neox, offset=0.0):
    """A packed qkv [T, N] after norm and rope of q and k. heads: of q, k and v; weights: of q and k, or None."""
    x = qkv.cpu().double().unflatten(1, (sum(heads), -1))
    q, k, v = x.split(heads, 1)
    if weights is not None:
        q, k = normalised(q, weights[0], eps, offset), normalised(k, weights[1], eps, offset)
    return torch.cat((rotated(q, cos, sin, is_neox), rotated(k, cos, sin, is_neox), v), 1).flatten(1)


def assert_near(got, want):
    """Within one rounding to the dtype of `got`, and 2e-6 of the largest number for the arithmetic before it. The
    originals' own tests allow more."""
    allowed = want.abs() * (torch.finfo(got.dtype).eps / 2) + 2e-6 * want.abs().max()
    error = (got.cpu().double() - want).abs()
    assert (error <= allowed).all(), (
        f"{(error > allowed).sum()} of {error.numel()}, worst {(error - allowed).max():.3g}"
    )


class OpsCalled(torch.utils._python_dispatch.TorchDispatchMode):
    """The names of the torch ops that run inside."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, op, types, arguments=(), named=None):
        self.names.append(str(op))
        return op(*arguments, **(named or {}))


class Step(torch.nn.Module):
    """What a model does: something, the call, something. The plain numbers of the call are the module's, as they are in
    the engines, and its tensors come from outside."""

    def __init__(self, op, numbers):
        super().__init__()
        self.op, self.numbers = op, numbers

    def forward(self, qkv, tensors):
        qkv = qkv * 2
        self.op(qkv, **self.numbers, **tensors)
        return qkv + 1


def assert_one_graph(op, calls, backend):
    """A compiled Step gives the bits of the eager one for each (qkv, arguments by name), in one graph for all."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    for qkv, arguments in calls:
        tensors = {name: a for name, a in arguments.items() if isinstance(a, torch.Tensor)}
        step = Step(op, {name: a for name, a in arguments.items() if name not in tensors})
        for tensor in (qkv, tensors["position_ids"]):
            torch._dynamo.mark_dynamic(tensor, 0)
        compiled = torch.compile(Step.forward, fullgraph=True, backend=backend)
        assert torch.equal(compiled(step, qkv, tensors), step(qkv, tensors))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


BACKENDS = ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)]


def assert_no_allocation_and_no_wait(call):
    """On a GPU: the allocator is not asked, and nothing waits for the device."""
    call()
    torch.cuda.synchronize()
    asked = torch.cuda.memory_stats()["allocation.all.allocated"]
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.cuda._sleep(200_000_000)
        call()
        assert not torch.cuda.current_stream().query(), "the call returned after the stream had run dry"
    finally:
        torch.cuda.set_sync_debug_mode("default")
        torch.cuda.synchronize()
    assert torch.cuda.memory_stats()["allocation.all.allocated"] == asked


def assert_replays(call, tensors, expected):
    """On a GPU: `call` in a CUDA graph, replayed with other data, gives what `expected` gives on that data. tensors:
    what it writes, which are tripled in between."""
    call()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    for tensor in tensors:
        tensor.mul_(3)
    want = expected()
    graph.replay()
    for got, right in zip(tensors, want):
        assert torch.equal(got.cpu(), right.cpu())
