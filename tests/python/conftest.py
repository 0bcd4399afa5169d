"""Fixtures: the scalar reference behind the same ops, and ways to watch or replace the ops of a switched model."""

import contextlib
import itertools
import os

import pytest
import torch

import ropeline
import ropeline.transformers as switched
from reference import Reference, build_reference
from ropeline import jit, ops

os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def reference():
    """ROPELINE_REFERENCE_LIBRARY names one that is built already."""
    return Reference(os.environ.get("ROPELINE_REFERENCE_LIBRARY") or build_reference())


@contextlib.contextmanager
def ops_replaced(in_place, functional):
    """Switched layers call these two instead of the library's ops."""
    kept = switched.qk_norm_rope_sep_, switched.qk_norm_rope
    switched.qk_norm_rope_sep_, switched.qk_norm_rope = in_place, functional
    try:
        yield
    finally:
        switched.qk_norm_rope_sep_, switched.qk_norm_rope = kept


class Counter:
    def __init__(self):
        self.in_place = self.functional = 0


@contextlib.contextmanager
def ops_counted():
    """Counts the calls of both ops."""
    count, in_place, functional = Counter(), switched.qk_norm_rope_sep_, switched.qk_norm_rope

    def counting_in_place(*arguments):
        count.in_place += 1
        return in_place(*arguments)

    def counting_functional(*arguments):
        count.functional += 1
        return functional(*arguments)

    with ops_replaced(counting_in_place, counting_functional):
        yield count


@contextlib.contextmanager
def norm_weight_wrong(factor=1.01):
    """The op with both norm weights scaled: a planted fault that every comparison must see."""
    in_place, functional = switched.qk_norm_rope_sep_, switched.qk_norm_rope

    def wrong(op):
        return lambda q, k, q_weight, k_weight, *rest: op(q, k, q_weight * factor, k_weight * factor, *rest)

    with ops_replaced(wrong(in_place), wrong(functional)):
        yield


@pytest.fixture
def call():
    """One call of the op with random tensors, of a spec as Qwen3 has it."""
    return Call()


@pytest.fixture(scope="session")
def nvrtc():
    """A machine with the compiler; what needs it is skipped by name elsewhere."""
    status = jit.compiler_status()
    if not status["path"]:
        pytest.skip(f"not run: no NVRTC: {status['reason'].splitlines()[0]}")
    return status


ROUNDINGS = {"fused": ({}, {}), "model": ({"rounding": "inner"}, {"rounding": "products", "table": "dtype"})}


class Call:
    def __init__(
        self, q=4, k=2, head_dim=64, tokens=5, batch=2, dtype=torch.bfloat16, rotary_dim=None, rounding="model"
    ):
        random = torch.Generator().manual_seed(0)
        rotary_dim = rotary_dim or head_dim
        of_norm, of_rope = ROUNDINGS[rounding]
        self.spec = ropeline.qk_norm_rope_spec(
            q,
            k,
            head_dim,
            norm=ropeline.rms_norm(**of_norm),
            rope=ropeline.rope(ropeline.rows(rotary_dim), **of_rope),
            dtype=dtype,
            table=ropeline.spec.dtype_name(dtype),
        )
        self.q = torch.randn(batch, tokens, q, head_dim, generator=random).to(dtype)
        self.k = torch.randn(batch, tokens, k, head_dim, generator=random).to(dtype)
        angles = torch.randn(batch, tokens, rotary_dim // 2, generator=random)
        angles = torch.cat((angles, angles), -1)
        self.tensors = {
            "q_weight": (1 + 0.3 * torch.randn(head_dim, generator=random)).to(dtype),
            "k_weight": (1 + 0.3 * torch.randn(head_dim, generator=random)).to(dtype),
            "cos": angles.cos().to(dtype),
            "sin": angles.sin().to(dtype),
        }

    def parameters(self):
        """What the raw ops take after q and k."""
        return ops._parameters(self.spec, **self.tensors)


# --- on a GPU --------------------------------------------------------------------------------------------------------

_ABSENCE = ropeline.supports(Call().spec, "cuda") or ("" if torch.cuda.is_available() else "torch has no CUDA")
needs_cuda = pytest.mark.skipif(bool(_ABSENCE), reason=f"no CUDA device: {_ABSENCE}")
needs_two = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no second CUDA device")


def there(tensors, device="cuda"):
    """Copies on that device, of a tensor or of those in a list or dict; what is no tensor stays as it is."""
    if isinstance(tensors, dict):
        return {name: there(tensor, device) for name, tensor in tensors.items()}
    if isinstance(tensors, (list, tuple)):
        return [there(tensor, device) for tensor in tensors]
    return tensors.to(device) if isinstance(tensors, torch.Tensor) else tensors


def moved(call, device="cuda"):
    call.q, call.k, call.tensors = there(call.q, device), there(call.k, device), there(call.tensors, device)
    return call


def same(got, expected):
    """Bit for bit, wherever they are."""
    got, expected = ([t] if isinstance(t, torch.Tensor) else list(t) for t in (got, expected))
    return len(got) == len(expected) and all(torch.equal(a.cpu(), b.cpu()) for a, b in zip(got, expected))


_fresh = itertools.count(1)


def fresh_spec():
    """A spec that nobody has prepared on any device, for the tensors of Call()."""
    norm = ropeline.rms_norm(1e-6 * (1 + next(_fresh) / 1024))
    return ropeline.qk_norm_rope_spec(4, 2, 64, norm=norm, rope=ropeline.rope(ropeline.rows(64)), table="bf16")
