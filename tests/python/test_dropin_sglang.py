"""sglang's signatures over the op: the matrix of sglang's own tests, its formulas, its way to fail."""

import inspect
import logging

import pytest
import torch

import dropin_formulas as formulas
import ropeline
from conftest import Call as AnyCall
from conftest import needs_cuda, same
from dropin_formulas import BACKENDS, DEVICES, OpsCalled, assert_near, assert_one_graph
from ropeline.dropin import sglang


class Call:
    """A call of fused_qk_norm_rope, by name."""

    def __init__(
        self,
        head_dim,
        tokens,
        is_neox,
        *,
        device="cpu",
        heads=(4, 2, 2),
        rotary_dim=None,
        base=1e4,
        yarn=(1.0, 1.0, 32.0, 1.0),
        dtype=torch.bfloat16,
        positions=None,
        weights="random",
    ):
        random = torch.Generator().manual_seed(head_dim * tokens + is_neox)
        self.heads, self.rotary_dim = heads, head_dim if rotary_dim is None else rotary_dim
        weight = [torch.randn(head_dim, generator=random).abs() + 0.5 for _ in "qk"]
        if weights == "ones":
            weight = [torch.ones(head_dim) for _ in "qk"]
        positions = torch.arange(tokens) if positions is None else torch.tensor(positions)
        self.qkv = torch.randn(tokens, sum(heads) * head_dim, generator=random).to(device, dtype)
        self.arguments = {
            **dict(zip(("num_heads_q", "num_heads_k", "num_heads_v"), heads)),
            "head_dim": head_dim,
            "eps": 1e-5,
            "q_weight": weight[0].to(device, dtype),
            "k_weight": weight[1].to(device, dtype),
            "base": base,
            "is_neox": is_neox,
            "position_ids": positions.to(device, torch.int32),
            **dict(zip(("factor", "low", "high", "attention_factor"), yarn)),
            "rotary_dim": rotary_dim,
        }

    def run(self, **others):
        qkv = self.qkv.clone()
        sglang.fused_qk_norm_rope(qkv, **{**self.arguments, **others})
        return qkv

    def formula(self):
        a = self.arguments
        frequencies = formulas.frequencies(a["base"], self.rotary_dim, a["factor"], a["low"], a["high"])
        cos, sin = formulas.angles(a["position_ids"], frequencies, a["attention_factor"])
        weights = a["q_weight"], a["k_weight"]
        return formulas.layer(self.qkv, self.heads, weights, a["eps"], cos, sin, a["is_neox"])

    def by_hand(self):
        """The same layer by a spec that is spelled here, through the form that makes new tensors."""
        a, (q, k, _) = self.arguments, self.heads
        angles = ropeline.frequencies(a["base"], self.rotary_dim)
        style = "neox" if a["is_neox"] else "interleaved"
        norm, rope = ropeline.rms_norm(a["eps"]), ropeline.rope(angles, style=style)
        spec = ropeline.qk_norm_rope_spec(q, k, a["head_dim"], norm=norm, rope=rope, positions="int32")
        x = self.qkv.unflatten(1, (sum(self.heads), -1))
        tensors = {name: a[name] for name in ("q_weight", "k_weight")}
        out = ropeline.qk_norm_rope(x[:, :q], x[:, q : q + k], spec, positions=a["position_ids"], **tensors)
        return torch.cat((*out, x[:, q + k :]), 1).flatten(1)


# --- the 34 cases of sglang's test -----------------------------------------------------------------------------------

HEAD_DIMS, STYLES = [64, 128, 256], [False, True]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("is_neox", STYLES)
@pytest.mark.parametrize("tokens", [1, 16, 128])
@pytest.mark.parametrize("head_dim", HEAD_DIMS)
def test_whole_heads(head_dim, tokens, is_neox, device):
    call = Call(head_dim, tokens, is_neox, device=device, weights="ones")
    assert_near(call.run(), call.formula())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("is_neox", STYLES)
@pytest.mark.parametrize("head_dim", HEAD_DIMS)
def test_half_of_each_head_rotated(head_dim, is_neox, device):
    call = Call(head_dim, 16, is_neox, device=device, heads=(2, 2, 2), rotary_dim=head_dim // 2, weights="ones")
    assert_near(call.run(), call.formula())


YARN = 2.5, 4.0, 32.0, 0.9


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("head_dim", HEAD_DIMS)
def test_yarn(head_dim, device):
    call = Call(head_dim, 32, False, device=device, heads=(2, 2, 2), base=5e5, yarn=YARN, weights="ones")
    assert_near(call.run(), call.formula())


@pytest.mark.parametrize("device", DEVICES)
def test_rotary_dim_is_head_dim_unless_it_is_given(device):
    call = Call(128, 8, False, device=device, heads=(2, 2, 2), positions=[0] * 8)
    assert torch.equal(call.run(), call.run(rotary_dim=128))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("is_neox", STYLES)
@pytest.mark.parametrize("head_dim", HEAD_DIMS)
def test_two_builds_agree(head_dim, is_neox, device):
    """The original compares its two builds within 1e-2; here another form of the op, bit for bit, on the CPU, too."""
    call = Call(head_dim, 32, is_neox, device=device)
    got = call.run()
    assert torch.equal(got, call.by_hand())
    assert same(got, Call(head_dim, 32, is_neox).run())
    assert_near(got, call.formula())


# --- what the arguments mean -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("is_neox", STYLES)
@pytest.mark.parametrize("yarn", [YARN, (4.0, 7.0, 7.0, 1.1), (4.0, 0.0, -1.0, 1.0), (40.0, 3.5, 20.25, 1.2)])
def test_yarn_at_long_positions(yarn, is_neox, device):
    """Also with equal ends of the ramp, with ends that changed places, and with ends between the frequencies."""
    positions = [0, 127, 4095, 32_768, 131_071, 1_000_000]
    call = Call(128, 6, is_neox, device=device, base=1e6, rotary_dim=64, yarn=yarn, positions=positions)
    assert_near(call.run(), call.formula())


def test_a_factor_of_one_is_no_yarn_whatever_low_and_high_are():
    call = Call(64, 16, True)
    assert torch.equal(call.run(), call.run(low=5.0, high=9.0))
    assert not torch.equal(call.run(), call.run(low=5.0, high=9.0, factor=2.0))


def test_attention_factor_counts_without_yarn():
    call = Call(64, 16, True, yarn=(1.0, 0.0, 0.0, 0.5))
    assert_near(call.run(), call.formula())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_dtypes_that_the_original_has_not(dtype, device):
    call = Call(96, 16, True, device=device, rotary_dim=48, dtype=dtype)
    assert_near(call.run(), call.formula())


def test_positions_of_int64_are_taken_as_they_are():
    call = Call(64, 16, True)
    wide = call.arguments["position_ids"].long()
    with OpsCalled() as called:
        got = call.run(position_ids=wide)
    assert torch.equal(got, call.run())
    assert called.names == ["aten.clone.default", "ropeline.qk_norm_rope_.default"], "no cast, no copy"


def test_the_form_with_the_tensors_first_is_the_same():
    call, qkv = Call(64, 16, True), Call(64, 16, True).qkv
    a = {**call.arguments, "rotary_dim": 64}
    names = list(inspect.signature(sglang.fused_qk_norm_rope_out).parameters)[1:]
    sglang.fused_qk_norm_rope_out(qkv, *(a[name] for name in names))
    assert torch.equal(qkv, call.run())


def test_the_order_of_the_arguments():
    tail = "factor low high attention_factor rotary_dim"
    assert " ".join(inspect.signature(sglang.fused_qk_norm_rope).parameters) == (
        "qkv num_heads_q num_heads_k num_heads_v head_dim eps q_weight k_weight base is_neox position_ids " + tail
    )
    assert " ".join(inspect.signature(sglang.fused_qk_norm_rope_out).parameters) == (
        "qkv q_weight k_weight position_ids num_heads_q num_heads_k num_heads_v head_dim eps base is_neox " + tail
    )
    assert list(inspect.signature(sglang.can_use_fused_qk_norm_rope).parameters)[:4] == [
        *("head_dim", "is_neox", "dtype", "yarn")
    ]


@pytest.mark.parametrize("heads", [(4, 0, 2), (0, 3, 3), (3, 1, 0)])
def test_streams_without_heads(heads):
    call = Call(64, 5, True, heads=heads)
    assert_near(call.run(), call.formula())


def test_a_rotary_dim_of_nothing_is_the_norm_alone():
    call = Call(64, 5, False, rotary_dim=0)
    assert_near(call.run(), call.formula())


def test_rows_with_a_gap_need_no_copy():
    call = Call(64, 5, True)
    buffer = torch.full((5, 600), 7.0).bfloat16()
    buffer[:, :512] = call.qkv
    sglang.fused_qk_norm_rope(buffer[:, :512], **call.arguments)
    assert torch.equal(buffer[:, :512], call.run()) and (buffer[:, 512:] == 7).all()


# --- wrong calls -----------------------------------------------------------------------------------------------------

WRONG = [
    ({"num_heads_v": 3}, r"qkv: shape \[5, 512\] must be \[num_tokens, 576\], 4 q, 2 k and 3 v heads of 64"),
    ({"q_weight": torch.ones(63).bfloat16()}, r"q_weight: shape \[63\] must be \[64\]"),
    ({"k_weight": torch.ones(64).half()}, "k_weight: dtype fp16 differs from the spec's bf16"),
    ({"q_weight": torch.ones(64).half()}, "q_weight: fp16 must be bf16"),
    ({"q_weight": torch.ones(64).double()}, "q_weight: dtype: torch.float64 is not one of"),
    ({"position_ids": torch.arange(4).int()}, r"position_ids: shape \[4\] must be \[5\]"),
    ({"position_ids": torch.arange(5.0)}, "position_ids: dtype torch.float32 is neither torch.int32 nor torch.int64"),
    ({"rotary_dim": 66}, "q.rope: rotary_dim 66 exceeds head_dim 64"),
    ({"rotary_dim": 31}, "q.rope: rotary_dim 31 must be even"),
    ({"base": 0.0}, "q.rope: base 0 must be a finite number of at least 1"),
    ({"eps": -1.0}, "q.norm: eps -1 must be"),
    ({"factor": 0.5}, "q.rope: factor 0.5 must be from 1"),
    ({"factor": 2.0, "high": float("inf")}, '.*high: "Infinity" is not a finite number'),
    ({"attention_factor": 0.0}, "attention_factor: 0.0 must be above 0"),
    ({"num_heads_q": -4, "num_heads_v": 10}, "num_heads_q: -4 is not from 0"),
]


@pytest.mark.parametrize("wrong, sentence", WRONG)
def test_a_wrong_call_is_a_runtime_error_that_names_the_argument(wrong, sentence):
    call = Call(64, 5, True)
    qkv = call.qkv.clone()
    with pytest.raises(RuntimeError, match=f"^{sentence}"):
        sglang.fused_qk_norm_rope(qkv, **{**call.arguments, **wrong})
    assert torch.equal(qkv, call.qkv) and qkv._version == 0


@pytest.mark.parametrize(
    "qkv, sentence",
    [
        (lambda x: x.flatten(), r"qkv: shape \[2560\] must be \[num_tokens, 512\]"),
        (lambda x: x.double(), "qkv: dtype: torch.float64 is not one of"),
        (lambda x: x.t().contiguous().t(), "qkv, its q heads: stride 5 of the last dimension must be 1"),
        (lambda x: torch.cat((x.flatten(), x[0, :1]))[1:].view(5, 512), "qkv, its q heads: base is aligned to 2 bytes"),
    ],
)
def test_a_wrong_qkv_is_named(qkv, sentence):
    call = Call(64, 5, True)
    with pytest.raises(RuntimeError, match=f"^{sentence}"):
        sglang.fused_qk_norm_rope(qkv(call.qkv), **call.arguments)


@pytest.mark.parametrize("name", ["qkv", "q_weight", "position_ids"])
def test_what_is_no_tensor_is_a_type_error(name):
    call = Call(64, 5, True)
    with pytest.raises(TypeError, match=f"^{name}: None must be a tensor$"):
        sglang.fused_qk_norm_rope(**{"qkv": call.qkv, **call.arguments, name: None})


@needs_cuda
@pytest.mark.parametrize("name", ["q_weight", "k_weight", "position_ids"])
def test_a_tensor_on_another_device_is_named(name):
    call = Call(64, 5, True, device="cuda")
    with pytest.raises(RuntimeError, match=f"^{name}: is on cpu, the plan runs on cuda"):
        call.run(**{name: call.arguments[name].cpu()})


# --- whether it can be used ------------------------------------------------------------------------------------------


@pytest.fixture
def warnings_of_sglang(caplog):
    def forget():
        sglang._prepare.cache_clear()
        sglang._warn.cache_clear()

    forget()
    with caplog.at_level(logging.WARNING, logger="ropeline.dropin.sglang"):
        yield lambda: [record.getMessage() for record in caplog.records]
    forget()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("yarn", [False, True])
def test_it_can_be_used_where_it_prepares(device, yarn, warnings_of_sglang):
    for head_dim in HEAD_DIMS:
        assert sglang.can_use_fused_qk_norm_rope(head_dim, True, torch.bfloat16, yarn, device=device) is True
    assert warnings_of_sglang() == []


@pytest.mark.parametrize(
    "head_dim, dtype, reason",
    [(100, torch.bfloat16, "head_dim: 100 must be a multiple of 8"), (64, torch.float64, "activation: dtype: torch.f")],
)
def test_a_layer_that_is_refused_is_one_warning(head_dim, dtype, reason, warnings_of_sglang):
    for _ in range(3):
        assert sglang.can_use_fused_qk_norm_rope(head_dim, True, dtype, device="cpu") is False
    (sentence,) = warnings_of_sglang()
    assert sentence.startswith(f"fused_qk_norm_rope cannot be used: {reason}")


def test_a_build_that_fails_is_one_warning(warnings_of_sglang, monkeypatch):
    def prepare(number, device):
        raise RuntimeError("qk_norm_rope: no NVRTC was found")

    monkeypatch.setattr(sglang.library, "prepare", prepare)
    for _ in range(3):
        assert sglang.can_use_fused_qk_norm_rope(64, True, torch.bfloat16, device="cuda:0") is False
    assert warnings_of_sglang() == ["fused_qk_norm_rope cannot be used: qk_norm_rope: no NVRTC was found"]


def test_a_reason_that_passes_is_forgotten(warnings_of_sglang, monkeypatch):
    reasons = ["a capture is under way", "out of memory", "a capture is under way"]
    prepared = []

    def prepare(number, device):
        if reasons:
            raise RuntimeError(reasons.pop(0))
        prepared.append(device)

    monkeypatch.setattr(sglang.library, "prepare", prepare)
    answers = [sglang.can_use_fused_qk_norm_rope(64, True, torch.bfloat16, device="cuda:0") for _ in range(5)]
    assert answers == [False] * 3 + [True] * 2
    assert len(prepared) == 1, "a yes is remembered"
    head = "fused_qk_norm_rope cannot be used: "
    assert warnings_of_sglang() == [head + "a capture is under way", head + "out of memory"]


@pytest.mark.skipif(not ropeline.supports(AnyCall().spec, "cuda"), reason="a GPU is here")
def test_without_a_gpu_the_answer_is_no(warnings_of_sglang):
    assert sglang.can_use_fused_qk_norm_rope(64, True, torch.bfloat16) is False
    assert warnings_of_sglang()[0].startswith("fused_qk_norm_rope cannot be used: cuda:0: no CUDA driver: ")


@needs_cuda
def test_after_a_yes_nothing_is_left_to_compile():
    heads = {"num_heads_q": 6, "num_heads_k": 2}
    assert sglang.can_use_fused_qk_norm_rope(192, False, torch.bfloat16, **heads)
    compiles = ropeline.jit.statistics()["compiles"]
    call = Call(192, 5, False, heads=(6, 2, 2), device="cuda")
    assert_near(call.run(), call.formula())
    assert ropeline.jit.statistics()["compiles"] == compiles


# --- compiled, captured, nothing hidden ------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("device", DEVICES)
def test_one_graph_for_any_number_of_tokens(device, backend):
    calls = (Call(64, tokens, True, device=device) for tokens in (5, 9, 33))
    assert_one_graph(sglang.fused_qk_norm_rope, ((call.qkv, call.arguments) for call in calls), backend)


@needs_cuda
def test_a_call_on_a_gpu_allocates_nothing_and_waits_for_nothing():
    call = Call(128, 64, True, device="cuda")
    formulas.assert_no_allocation_and_no_wait(lambda: sglang.fused_qk_norm_rope(call.qkv, **call.arguments))


@needs_cuda
def test_a_call_is_captured_into_a_cuda_graph():
    call = Call(128, 64, True, device="cuda")
    step = lambda: sglang.fused_qk_norm_rope(call.qkv, **call.arguments)  # noqa: E731
    formulas.assert_replays(step, [call.qkv], lambda: [call.run()])
