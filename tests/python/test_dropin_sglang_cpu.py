"""sglang's CPU op fused_qk_norm_rope_cpu over ours, as a function and behind its name in torch.ops.sgl_kernel."""

import inspect
import subprocess
import sys

import pytest
import torch

import dropin_formulas as formulas
import ropeline
from dropin_formulas import BACKENDS, OpsCalled, assert_near, assert_one_graph
from ropeline.dropin import sglang


class Call:
    """q and k are views of one qkv, as sglang's models have them."""

    def __init__(self, tokens=7, heads=(4, 2), head_dim=64, rotary_dim=None, dtype=torch.bfloat16, table=torch.float32):
        random = torch.Generator().manual_seed(tokens + head_dim)
        self.heads, self.head_dim, self.rotary_dim = heads, head_dim, rotary_dim or head_dim
        self.qkv = torch.randn(tokens, (heads[0] + 2 * heads[1]) * head_dim, generator=random).to(dtype)
        self.weights = [torch.randn(head_dim, generator=random).to(dtype) for _ in "qk"]
        self.positions = torch.randint(0, 50, (tokens,), generator=random)
        phases = torch.randn(50, self.rotary_dim // 2, generator=random)
        self.cache = torch.cat((phases.cos(), phases.sin()), -1).to(table)

    def split(self, qkv):
        q, k = (n * self.head_dim for n in self.heads)
        return qkv.split((q, k, k), -1)

    def rest(self, is_neox=True):
        return *self.weights, 1e-6, is_neox, self.positions, self.cache, self.rotary_dim

    def run(self, is_neox, op=sglang.fused_qk_norm_rope_cpu):
        qkv = self.qkv.clone()
        assert op(*self.split(qkv)[:2], *self.rest(is_neox)) is None
        return qkv

    def formula(self, is_neox):
        cos, sin = self.cache.double()[self.positions].chunk(2, -1)
        heads = *self.heads, self.heads[1]
        return formulas.layer(self.qkv, heads, self.weights, 1e-6, cos, sin, is_neox)


SHAPES = [
    {},
    {"tokens": 128, "heads": (32, 4), "head_dim": 128},
    {"tokens": 1, "heads": (8, 8), "head_dim": 256},
    {"head_dim": 128, "rotary_dim": 64},
    {"head_dim": 96, "rotary_dim": 96},
]


@pytest.mark.parametrize("is_neox", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_formula_and_v_is_left_alone(shape, dtype, is_neox):
    for table in (torch.float32, dtype):  # sglang holds the cache in either
        call = Call(dtype=dtype, table=table, **shape)
        assert_near(call.run(is_neox), call.formula(is_neox))


def test_it_is_our_op_bit_for_bit():
    call = Call()
    angles, norm = ropeline.cos_sin_cache(64), ropeline.rms_norm(1e-6)
    spec = ropeline.qk_norm_rope_spec(4, 2, 64, norm=norm, rope=ropeline.rope(angles, style="interleaved"))
    q, k = (x.unflatten(1, (-1, 64)) for x in call.split(call.qkv)[:2])
    weights = dict(zip(("q_weight", "k_weight"), call.weights))
    out = ropeline.qk_norm_rope(q, k, spec, positions=call.positions, cos_sin_cache=call.cache, **weights)
    assert torch.equal(torch.cat(out, 1).flatten(1), call.run(False)[:, : 6 * 64])


def test_no_copy_is_made():
    call = Call()
    q, k, _ = call.split(call.qkv)
    with OpsCalled() as called:
        sglang.fused_qk_norm_rope_cpu(q, k, *call.rest())
    assert called.names == ["aten.view.default", "aten.view.default", "ropeline.qk_norm_rope_sep_.default"]


def test_the_order_of_the_arguments():
    assert " ".join(inspect.signature(sglang.fused_qk_norm_rope_cpu).parameters) == (
        "q k q_weight k_weight eps is_neox position_ids cos_sin_cache rotary_dim"
    )


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"q": torch.ones(7, 100).bfloat16()}, r"q: shape \[7, 100\] must be \[num_tokens, heads \* 64\]"),
        ({"q": torch.ones(7, 0).bfloat16()}, r"q: shape \[7, 0\] must be \[num_tokens, heads \* 64\], one head"),
        ({"k": torch.ones(7, 0).bfloat16()}, r"k: shape \[7, 0\] must be \[num_tokens, heads \* 64\], one head"),
        ({"k": torch.ones(7, 2, 64).bfloat16()}, r"k: shape \[7, 2, 64\] must be \[num_tokens, heads \* 64\]"),
        ({"k": torch.ones(6, 128).bfloat16()}, r"k: 6 tokens in shape \[6, 2, 64\], the call has 7"),
        ({"q": torch.ones(7, 256).double()}, "q: dtype: torch.float64 is not one of"),
        ({"k_weight": torch.ones(32).bfloat16()}, r"k_weight: shape \[32\] must be \[64\]"),
        ({"position_ids": torch.arange(8)}, r"position_ids: shape \[8\] must be \[7\]"),
        ({"cos_sin_cache": torch.ones(50, 32)}, r"cos_sin_cache: shape \[50, 32\] must be \[P, 64\]"),
        ({"cos_sin_cache": torch.ones(50, 64).long()}, "cos_sin_cache: dtype: torch.int64 is not one of"),
        ({"rotary_dim": 66}, "q.rope: rotary_dim 66 exceeds head_dim 64"),
    ],
)
def test_a_wrong_call_is_a_runtime_error_that_names_the_argument(wrong, sentence):
    call = Call()
    q, k, _ = call.split(call.qkv.clone())
    arguments = dict(zip(inspect.signature(sglang.fused_qk_norm_rope_cpu).parameters, (q, k, *call.rest())))
    with pytest.raises(RuntimeError, match=f"^{sentence}"):
        sglang.fused_qk_norm_rope_cpu(**{**arguments, **wrong})
    assert torch.equal(q, call.split(call.qkv)[0]) and torch.equal(k, call.split(call.qkv)[1])


# --- the name --------------------------------------------------------------------------------------------------------


def run_alone(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_name_is_taken_only_when_asked():
    program = """
import torch
from ropeline.dropin import sglang
print(hasattr(torch.ops.sgl_kernel, "fused_qk_norm_rope_cpu"))
print(sglang.register(), sglang.register())
print(hasattr(torch.ops.sgl_kernel, "fused_qk_norm_rope_cpu"))
"""
    assert run_alone(program) == ["False", "True", "True", "True"]


def test_a_name_that_is_taken_stays_with_its_owner():
    program = """
import torch
theirs = torch.library.Library("sgl_kernel", "FRAGMENT")
theirs.define("fused_qk_norm_rope_cpu(Tensor q) -> Tensor")
theirs.impl("fused_qk_norm_rope_cpu", lambda q: q + 1, "CPU")
from ropeline.dropin import sglang
print(sglang.register(), torch.ops.sgl_kernel.fused_qk_norm_rope_cpu(torch.ones(())).item())
"""
    assert run_alone(program) == ["False", "2.0"]


@pytest.fixture
def registered():
    assert sglang.register()
    return torch.ops.sgl_kernel.fused_qk_norm_rope_cpu


def test_the_op_of_that_name_is_the_function(registered):
    call = Call(tokens=33)
    assert torch.equal(call.run(True, registered), call.run(True))


def test_opcheck(registered):
    call = Call()
    q, k, _ = call.split(call.qkv)
    torch.library.opcheck(registered.default, (q, k, *call.rest()))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("form", ["function", "op"])
def test_one_graph_for_any_number_of_tokens(form, backend, registered):
    op = registered if form == "op" else sglang.fused_qk_norm_rope_cpu
    head_dim, names = Call().head_dim, list(inspect.signature(sglang.fused_qk_norm_rope_cpu).parameters)

    def packed(qkv, **rest):
        op(qkv[:, : 4 * head_dim], qkv[:, 4 * head_dim : 6 * head_dim], **rest)

    calls = (Call(tokens) for tokens in (5, 9, 33))
    assert_one_graph(packed, ((call.qkv, dict(zip(names[2:], call.rest()))) for call in calls), backend)
