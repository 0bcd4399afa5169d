"""TensorRT-LLM's fused_qk_norm_rope over the op: the matrix of its own test, its flags, its name."""

import inspect

import pytest
import torch

import dropin_formulas as formulas
from conftest import needs_cuda, same
from dropin_formulas import BACKENDS, DEVICES, OpsCalled, assert_near, assert_one_graph
from ropeline.dropin import tensorrt_llm

TAIL = ("factor", "low", "high", "attention_factor", "is_qk_norm", "use_gemma", "use_mrope")


class Call:
    def __init__(self, head_dim=128, heads=(16, 8, 8), tokens=5, is_neox=True, part=1.0, device="cpu", tail=()):
        random = torch.Generator().manual_seed(0)
        self.heads, self.rotary_dim = heads, int(head_dim * part)
        self.qkv = torch.randn(tokens, sum(heads) * head_dim, generator=random).to(device, torch.bfloat16)
        weights = [(5 * torch.randn(head_dim, generator=random)).to(device, torch.bfloat16) for _ in "qk"]
        self.arguments = {
            **dict(zip(("num_heads_q", "num_heads_k", "num_heads_v"), heads)),
            "head_dim": head_dim,
            "rotary_dim": self.rotary_dim,
            "eps": 1e-5,
            **dict(zip(("q_weight", "k_weight"), weights)),
            "base": 1e4,
            "is_neox": is_neox,
            "position_ids": torch.arange(tokens, dtype=torch.int32, device=device) + 100,
            **dict(zip(TAIL, tail)),
        }

    def run(self, op=tensorrt_llm.fused_qk_norm_rope, **others):
        qkv = self.qkv.clone()
        assert op(qkv, **{**self.arguments, **others}) is None
        return qkv

    def formula(self, positions=None):
        a = {**dict(zip(TAIL, (1.0, 0.0, 0.0, 1.0, True, False, False))), **self.arguments}
        frequencies = formulas.frequencies(a["base"], self.rotary_dim, a["factor"], a["low"], a["high"])
        positions = a["position_ids"] if positions is None else positions
        cos, sin = formulas.angles(positions, frequencies, a["attention_factor"])
        weights = (a["q_weight"], a["k_weight"]) if a["is_qk_norm"] else None
        offset = 1.0 if a["use_gemma"] else 0.0
        return formulas.layer(self.qkv, self.heads, weights, a["eps"], cos, sin, a["is_neox"], offset)


# --- TensorRT-LLM's matrix, 200 cases, and the 80 of its older form ---------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("part", [1.0, 0.5])
@pytest.mark.parametrize("is_neox", [False, True])
@pytest.mark.parametrize("tokens", [1, 3, 8, 32, pytest.param(256, marks=pytest.mark.slow)])
@pytest.mark.parametrize("heads", [(16, 8, 8), (32, 8, 8), (40, 8, 8), (64, 8, 8), (24, 8, 8)])
@pytest.mark.parametrize("head_dim", [64, 128])
def test_it_is_the_formula(head_dim, heads, tokens, is_neox, part, device):
    call = Call(head_dim, heads, tokens, is_neox, part, device)
    got = call.run()
    assert_near(got, call.formula())
    if device == "cuda":
        assert same(got, Call(head_dim, heads, tokens, is_neox, part).run())
    if part == 1.0:
        del call.arguments["rotary_dim"]
        assert torch.equal(call.run(tensorrt_llm.fused_qk_norm_rope_of_whole_heads), got)


# --- the flags -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("is_neox", [False, True])
@pytest.mark.parametrize("tail", [(2.5, 4.0, 32.0, 0.9), (4.0, 7.0, 7.0, 1.1)])
def test_yarn(tail, is_neox, device):
    call = Call(is_neox=is_neox, tail=tail, device=device)
    assert_near(call.run(), call.formula())


@pytest.mark.parametrize("device", DEVICES)
def test_gemma_is_one_plus_the_weight(device):
    call = Call(part=0.5, tail=(1.0, 0.0, 0.0, 1.0, True, True), device=device)
    assert_near(call.run(), call.formula())


@pytest.mark.parametrize("device", DEVICES)
def test_without_the_norm_weights_are_not_read(device):
    call = Call(tail=(1.0, 0.0, 0.0, 1.0, False), device=device)
    assert_near(call.run(), call.formula())
    assert torch.equal(call.run(k_weight=call.arguments["k_weight"] * float("nan")), call.run())


@pytest.mark.parametrize("device", DEVICES)
def test_without_mrope_the_first_row_of_positions_counts(device):
    call = Call(device=device)
    rows = torch.stack([call.arguments["position_ids"], *torch.full((2, 5), 7, device=device)]).int()
    with OpsCalled() as called:
        got = call.run(position_ids=rows)
    assert torch.equal(got, call.run())
    assert called.names == ["aten.clone.default", "aten.select.int", "ropeline.qk_norm_rope_.default"]


def test_the_rows_that_feed_the_frequencies_of_mrope():
    """Those of Qwen3-VL: of 20 frequencies in sections (8, 6, 6), 1, 4 ... 16 go to the second row, 2, 5 ... 17 to the
    third."""
    rows = [0] * 20
    for i in (1, 4, 7, 10, 13, 16):
        rows[i], rows[i + 1] = 1, 2
    assert tensorrt_llm._axes(20, 6, 6) == tuple(rows)
    assert tensorrt_llm._axes(4, 11, 1) == (0, 1, 2, 0) and tensorrt_llm._axes(4, 0, 0) == (0, 0, 0, 0)


def test_the_order_of_the_arguments():
    names = list(inspect.signature(tensorrt_llm.fused_qk_norm_rope).parameters)
    assert " ".join(names) == (
        "qkv num_heads_q num_heads_k num_heads_v head_dim rotary_dim eps q_weight k_weight base is_neox position_ids "
        "factor low high attention_factor is_qk_norm use_gemma use_mrope mrope_section1 mrope_section2"
    )
    older = list(inspect.signature(tensorrt_llm.fused_qk_norm_rope_of_whole_heads).parameters)
    assert older == [*names[:5], *names[6:16]]


WRONG = [
    ({"num_heads_k": 7}, r"qkv: shape \[5, 4096\] must be \[num_tokens, 3968\], 16 q, 7 k and 8 v heads of 128"),
    ({"q_weight": torch.ones(64).bfloat16()}, r"q_weight: shape \[64\] must be \[128\]"),
    ({"position_ids": torch.zeros(2, 5).int()}, r"position_ids: shape \[2, 5\] must be \[num_tokens\] or \[3, num_tok"),
    ({"position_ids": torch.zeros(3, 4).int()}, r"position_ids: shape \[4\] must be \[5\]"),
    ({"use_mrope": True}, r"position_ids: shape \[5\] must be \[3, num_tokens\]"),
    ({"rotary_dim": 130}, "q.rope: rotary_dim 130 exceeds head_dim 128"),
    ({"factor": -2.0}, "q.rope: factor -2 must be from 1"),
]


def test_mrope_is_refused_until_the_op_has_axes():
    call, qkv = Call(), Call().qkv
    with pytest.raises(RuntimeError, match=r"^q.rope: axes \(M-RoPE\) is not run by this version$"):
        rows = torch.zeros(3, 5).int()
        mrope = {"use_mrope": True, "mrope_section1": 20, "mrope_section2": 20}
        tensorrt_llm.fused_qk_norm_rope(qkv, **{**call.arguments, "position_ids": rows, **mrope})
    assert torch.equal(qkv, call.qkv)


@pytest.mark.parametrize("wrong, sentence", WRONG)
def test_a_wrong_call_is_a_runtime_error_that_names_the_argument(wrong, sentence):
    call, qkv = Call(), Call().qkv
    with pytest.raises(RuntimeError, match=f"^{sentence}"):
        tensorrt_llm.fused_qk_norm_rope(qkv, **{**call.arguments, **wrong})
    assert torch.equal(qkv, call.qkv)


# --- the name, compiled, captured ------------------------------------------------------------------------------------


@pytest.fixture
def registered():
    if not tensorrt_llm.register():
        pytest.skip("tensorrt_llm is loaded and has the name")
    return torch.ops.trtllm.fused_qk_norm_rope


@pytest.mark.parametrize("device", DEVICES)
def test_the_op_of_that_name_takes_every_argument_list(registered, device):
    call = Call(device=device)
    for tail in ((1.0, 0.0, 0.0, 1.0, True), (1.0, 0.0, 0.0, 1.0, True, False, False, 0, 0)):
        qkv = call.qkv.clone()
        registered(qkv, *call.arguments.values(), *tail)
        assert torch.equal(qkv, call.run())
    whole, qkv = [a for name, a in call.arguments.items() if name != "rotary_dim"], call.qkv.clone()
    registered(qkv, *whole, 1.0, 0.0, 0.0, 1.0)
    assert torch.equal(qkv, call.run())
    torch.library.opcheck(registered.default, (call.qkv, *call.arguments.values()))
    torch.library.opcheck(registered.whole_heads, (call.qkv, *whole))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("form", ["function", "op"])
def test_one_graph_for_any_number_of_tokens(form, device, backend, registered):
    op = registered if form == "op" else tensorrt_llm.fused_qk_norm_rope
    calls = (Call(tokens=tokens, device=device) for tokens in (5, 9, 33))
    assert_one_graph(op, ((call.qkv, call.arguments) for call in calls), backend)


@needs_cuda
def test_a_call_on_a_gpu_allocates_nothing_waits_for_nothing_and_is_captured():
    call = Call(tokens=64, device="cuda")
    step = lambda: tensorrt_llm.fused_qk_norm_rope(call.qkv, **call.arguments)  # noqa: E731
    formulas.assert_no_allocation_and_no_wait(step)
    formulas.assert_replays(step, [call.qkv], lambda: [call.run()])
