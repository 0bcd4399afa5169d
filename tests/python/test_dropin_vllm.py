"""vLLM's fused_qk_norm_rope over the op: the matrix of vLLM's own test, its formula, its name."""

import inspect

import pytest
import torch

import dropin_formulas as formulas
from conftest import needs_cuda, same
from dropin_formulas import BACKENDS, DEVICES, OpsCalled, assert_near, assert_one_graph
from ropeline.dropin import vllm_ops


class Call:
    def __init__(self, *, tokens=4, heads=(16, 4, 4), head_dim=128, ratio=1.0, dtype=torch.bfloat16, device="cpu"):
        random = torch.Generator().manual_seed(13)
        self.heads, self.head_dim = heads, head_dim
        self.qkv = torch.randn(tokens, sum(heads) * head_dim, generator=random).to(device, dtype)
        self.weights = [(1 + 0.1 * torch.randn(head_dim, generator=random)).to(device, dtype) for _ in "qk"]
        self.positions = torch.arange(tokens, device=device)
        rotary_dim = int(head_dim * ratio)
        cos, sin = formulas.angles(torch.arange(4096), formulas.frequencies(1e4, rotary_dim))
        self.cache = torch.cat((cos, sin), -1).to(device, dtype)

    def rest(self, is_neox=True, eps=1e-6):
        return *self.heads, self.head_dim, eps, *self.weights, self.cache, is_neox, self.positions

    def by_name(self):
        names = list(inspect.signature(vllm_ops.fused_qk_norm_rope).parameters)[1:]
        return dict(zip(names, self.rest()))

    def run(self, is_neox=True, eps=1e-6, op=vllm_ops.fused_qk_norm_rope, more=()):
        qkv = self.qkv.clone()
        assert op(qkv, *self.rest(is_neox, eps), *more) is None
        return qkv

    def formula(self, is_neox, eps):
        cos, sin = self.cache.cpu().double()[self.positions.cpu()].chunk(2, -1)
        return formulas.layer(self.qkv, self.heads, self.weights, eps, cos, sin, is_neox)


# --- vLLM's matrix, 24 cases -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.25])
@pytest.mark.parametrize("eps", [1e-5, 1e-6])
@pytest.mark.parametrize("is_neox", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_is_the_formula(dtype, is_neox, eps, ratio, device):
    call = Call(dtype=dtype, ratio=ratio, device=device)
    got = call.run(is_neox, eps)
    assert_near(got, call.formula(is_neox, eps))
    assert same(got, Call(dtype=dtype, ratio=ratio).run(is_neox, eps))


# --- the arguments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.75, 0.625])
def test_a_rotary_dim_that_is_no_power_of_two(ratio):
    call = Call(ratio=ratio, tokens=33)
    assert_near(call.run(True, 1e-6), call.formula(True, 1e-6))


@pytest.mark.parametrize("table", [torch.float32, torch.float16])
def test_the_cache_may_have_a_dtype_of_its_own(table):
    call = Call()
    call.cache = call.cache.to(table)
    assert_near(call.run(), call.formula(True, 1e-6))


@pytest.mark.parametrize("hint", [-1, 1, 8])
def test_the_later_argument_list_ends_with_a_hint_that_changes_nothing(hint):
    call = Call()
    assert torch.equal(call.run(more=(hint,)), call.run())


def test_the_order_of_the_arguments():
    assert " ".join(inspect.signature(vllm_ops.fused_qk_norm_rope).parameters) == (
        "qkv num_heads_q num_heads_k num_heads_v head_dim eps q_weight k_weight cos_sin_cache is_neox position_ids "
        "forced_token_heads_per_warp"
    )


def test_a_position_beyond_the_cache_is_nan_and_no_wild_read():
    call = Call()
    call.positions[1] = 4096
    got = call.run().unflatten(1, (24, 128))
    assert got[1, :20].isnan().all() and not got[[0, 2, 3]].isnan().any() and not got[1, 20:].isnan().any()


def test_no_copy_is_made():
    call = Call()
    with OpsCalled() as called:
        vllm_ops.fused_qk_norm_rope(call.qkv, *call.rest())
    assert called.names == ["ropeline.qk_norm_rope_.default"]


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"num_heads_v": 3}, r"qkv: shape \[4, 3072\] must be \[num_tokens, 2944\], 16 q, 4 k and 3 v heads of 128"),
        ({"q_weight": torch.ones(128)[None].bfloat16()}, r"q_weight: shape \[1, 128\] must be \[128\]"),
        ({"k_weight": torch.ones(128).half()}, "k_weight: dtype fp16 differs from the spec's bf16"),
        ({"cos_sin_cache": torch.ones(128)}, r"cos_sin_cache: shape \[128\] must be \[max_position, rotary_dim\]"),
        ({"cos_sin_cache": torch.ones(9, 130)}, "q.rope: rotary_dim 130 exceeds head_dim 128"),
        ({"cos_sin_cache": torch.ones(9, 63)}, "q.rope: rotary_dim 63 must be even"),
        ({"position_ids": torch.arange(4)[:, None]}, r"position_ids: shape \[4, 1\] must be \[4\]"),
        ({"position_ids": torch.arange(4).short()}, "position_ids: dtype torch.int16 is neither"),
    ],
)
def test_a_wrong_call_is_a_runtime_error_that_names_the_argument(wrong, sentence):
    call = Call()
    arguments = {"qkv": call.qkv.clone(), **call.by_name()}
    with pytest.raises(RuntimeError, match=f"^{sentence}"):
        vllm_ops.fused_qk_norm_rope(**{**arguments, **wrong})
    assert torch.equal(arguments["qkv"], call.qkv)


# --- the name, compiled, captured ------------------------------------------------------------------------------------


@pytest.fixture
def registered():
    if not vllm_ops.register():
        pytest.skip("vllm is loaded and has the name")
    return torch.ops._C.fused_qk_norm_rope


@pytest.mark.parametrize("device", DEVICES)
def test_the_op_of_that_name_takes_both_argument_lists(registered, device):
    call = Call(device=device)
    assert same([call.run(op=registered), call.run(op=registered, more=(-1,))], [call.run()] * 2)
    torch.library.opcheck(registered.default, (call.qkv, *call.rest()))
    torch.library.opcheck(registered.default, (call.qkv, *call.rest(), 4))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("form", ["function", "op"])
def test_one_graph_for_any_number_of_tokens(form, device, backend, registered):
    op = registered if form == "op" else vllm_ops.fused_qk_norm_rope
    calls = (Call(tokens=tokens, device=device) for tokens in (5, 9, 33))
    assert_one_graph(op, ((call.qkv, call.by_name()) for call in calls), backend)


@needs_cuda
def test_a_call_on_a_gpu_allocates_nothing_waits_for_nothing_and_is_captured(registered):
    call = Call(tokens=64, device="cuda")
    for op in (vllm_ops.fused_qk_norm_rope, registered):
        step = lambda op=op: op(call.qkv, *call.rest())  # noqa: E731
        formulas.assert_no_allocation_and_no_wait(step)
        formulas.assert_replays(step, [call.qkv], lambda: [call.run()])
