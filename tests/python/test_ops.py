"""The three forms of the op: equal to each other and to the scalar reference, with errors that say what is wrong."""

import json

import pytest
import torch

import ropeline
from conftest import Call

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def packed(call, extra=0):
    """q, k and `extra` more columns in one buffer with a gap after each row."""
    q, k = call.q.flatten(-2), call.k.flatten(-2)
    width = q.shape[-1] + k.shape[-1] + extra
    buffer = torch.full((*q.shape[:-1], width + 8), 7.0, dtype=q.dtype)
    qkv = buffer[..., :width]
    qkv[..., : q.shape[-1]], qkv[..., q.shape[-1] : q.shape[-1] + k.shape[-1]] = q, k
    return buffer, qkv


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [{}, {"head_dim": 128, "q": 8, "k": 8}, {"head_dim": 160, "rotary_dim": 40}])
def test_every_form_equals_the_reference_bit_for_bit(reference, dtype, shape):
    call = Call(dtype=dtype, **shape)
    q, k = reference.functional(call.q, call.k, *call.parameters(), False)

    q1, k1 = ropeline.qk_norm_rope(call.q, call.k, call.spec, **call.tensors)
    assert torch.equal(q1, q) and torch.equal(k1, k)

    buffer, qkv = packed(call, extra=16)
    ropeline.qk_norm_rope_(qkv, call.spec, **call.tensors)
    width = call.q[0, 0].numel()
    assert torch.equal(qkv[..., :width], q.flatten(-2))
    assert torch.equal(qkv[..., width : width + call.k[0, 0].numel()], k.flatten(-2))
    assert (buffer[..., width + call.k[0, 0].numel() :] == 7).all(), "columns that are not q or k were touched"

    ropeline.qk_norm_rope_sep_(call.q, call.k, call.spec, **call.tensors)
    assert torch.equal(call.q, q) and torch.equal(call.k, k)


def test_the_planted_reference_is_not_the_op_itself(reference):
    assert reference.library._c._handle != ropeline._library._c._handle


def test_heads_first_is_the_same_memory_read_the_other_way(call):
    q, k = ropeline.qk_norm_rope(call.q, call.k, call.spec, **call.tensors)
    for contiguous in (False, True):
        q_turned, k_turned = call.q.transpose(1, 2).clone(), call.k.transpose(1, 2).clone()
        if contiguous:
            q_turned, k_turned = q_turned.contiguous(), k_turned.contiguous()
        out = ropeline.qk_norm_rope(q_turned, k_turned, call.spec, heads_first=True, **call.tensors)
        assert torch.equal(out[0].transpose(1, 2), q) and torch.equal(out[1].transpose(1, 2), k)
        assert out[0].stride() == q_turned.stride(), "the output is laid out like the input"
        ropeline.qk_norm_rope_sep_(q_turned, k_turned, call.spec, heads_first=True, **call.tensors)
        assert torch.equal(q_turned.transpose(1, 2), q) and torch.equal(k_turned.transpose(1, 2), k)


def test_without_a_batch_and_with_rows_shared_by_the_batch(call):
    call.tensors.update(cos=call.tensors["cos"][:1], sin=call.tensors["sin"][:1])
    q, k = ropeline.qk_norm_rope(call.q, call.k, call.spec, **call.tensors)
    alone = {**call.tensors, "cos": call.tensors["cos"][0], "sin": call.tensors["sin"][0]}
    for b in range(len(q)):
        q_alone, k_alone = ropeline.qk_norm_rope(call.q[b], call.k[b], call.spec, **alone)
        assert torch.equal(q_alone, q[b]) and torch.equal(k_alone, k[b])


@pytest.mark.parametrize("positions", ["int32", "int64"])
def test_a_table_by_position_gives_what_its_rows_give(call, positions):
    table = torch.randn(9, 64)
    make = lambda angles, **others: ropeline.qk_norm_rope_spec(  # noqa: E731
        4, 2, 64, norm=ropeline.rms_norm(), rope=ropeline.rope(angles), **others
    )
    weights = {name: call.tensors[name] for name in ("q_weight", "k_weight")}
    index = torch.tensor([[3, 8, 0, 1, 1], [5, 2, 7, 4, 6]], dtype=getattr(torch, positions))
    by_table = make(ropeline.cos_sin_cache(64), positions=positions)
    q, k = ropeline.qk_norm_rope(call.q, call.k, by_table, positions=index, cos_sin_cache=table, **weights)
    cos, sin = table[index.long()].split(32, dim=-1)
    by_rows = make(ropeline.rows(64, "half"))
    expected = ropeline.qk_norm_rope(call.q, call.k, by_rows, cos=cos, sin=sin, **weights)
    assert torch.equal(q, expected[0]) and torch.equal(k, expected[1])


def test_frequencies_need_only_positions(call):
    spec = ropeline.qk_norm_rope_spec(
        4, 2, 64, norm=ropeline.rms_norm(weight="none"), rope=ropeline.rope(ropeline.frequencies(1e6, 64))
    )
    positions = torch.tensor([0, 1, 5, 131071, 2**31 - 1])
    q, _ = ropeline.qk_norm_rope(call.q, call.k, spec, positions=positions)
    cos, sin = ropeline.cos_sin_table(ropeline.frequencies(1e6, 64), positions)
    rows = ropeline.qk_norm_rope_spec(
        4, 2, 64, norm=ropeline.rms_norm(weight="none"), rope=ropeline.rope(ropeline.rows(64, "half"))
    )
    assert torch.equal(q, ropeline.qk_norm_rope(call.q, call.k, rows, cos=cos, sin=sin)[0])


def test_a_position_outside_the_table_makes_that_token_nan(call):
    spec = ropeline.qk_norm_rope_spec(
        4, 2, 64, norm=ropeline.rms_norm(weight="none"), rope=ropeline.rope(ropeline.cos_sin_cache(64))
    )
    index = torch.tensor([0, 9, 1, -1, 2**40])
    q, k = ropeline.qk_norm_rope(call.q, call.k, spec, positions=index, cos_sin_cache=torch.randn(9, 64))
    assert torch.equal(q.isnan().all(-1).all(-1)[0], torch.tensor([False, True, False, True, True]))
    assert torch.equal(k.isnan().any(-1).any(-1)[0], torch.tensor([False, True, False, True, True]))


def test_zero_tokens_are_legal(call):
    empty = {**call.tensors, "cos": call.tensors["cos"][:, :0], "sin": call.tensors["sin"][:, :0]}
    q, k = ropeline.qk_norm_rope(call.q[:, :0], call.k[:, :0], call.spec, **empty)
    assert q.shape == (2, 0, 4, 64) and k.shape == (2, 0, 2, 64)


def test_a_token_does_not_depend_on_its_neighbours_or_on_threads(call):
    before = ropeline.threads()
    many = Call(q=32, k=4, head_dim=128, tokens=300, batch=1)
    q, _ = ropeline.qk_norm_rope(many.q, many.k, many.spec, **many.tensors)
    try:
        for count in (1, 2, 3):
            ropeline.set_threads(count)
            assert torch.equal(ropeline.qk_norm_rope(many.q, many.k, many.spec, **many.tensors)[0], q)
    finally:
        ropeline.set_threads(before)
    at = slice(137, 138)
    row = {**many.tensors, "cos": many.tensors["cos"][:, at], "sin": many.tensors["sin"][:, at]}
    assert torch.equal(ropeline.qk_norm_rope(many.q[:, at], many.k[:, at], many.spec, **row)[0], q[:, at])


# --- errors ----------------------------------------------------------------------------------------------------------


def bad(change):
    """The call with one thing changed: arguments of qk_norm_rope_sep_."""
    call = Call()
    arguments = {"q": call.q, "k": call.k, "spec": call.spec, **call.tensors}
    for name, new in change.items():
        arguments[name] = new(arguments[name]) if callable(new) else new
    return arguments


@pytest.mark.parametrize(
    "change, message",
    [
        ({"q": lambda q: q.float()}, "q: dtype fp32 differs from the spec's bf16"),
        (
            {"q": lambda q: q.double()},
            "q: dtype float64 is none of float32, float16, bfloat16, int64, int32, float8_e4m3fn",
        ),
        ({"q": lambda q: q[0, 0]}, "q: rank 2 must be 3 [T, H, D] or 4 [B, T, H, D]"),
        ({"q": lambda q: q[None]}, "q: rank 5 is not 0 to 4"),
        ({"q": lambda q: q[:, :, :3]}, "q: 3 heads in shape [2, 5, 3, 64], the spec has 4"),
        ({"q": lambda q: q[..., :48]}, "q: head_dim 48 in shape [2, 5, 4, 48], the spec has 64"),
        (
            {"q": lambda q: q.transpose(2, 3).contiguous().transpose(2, 3)},
            "q: stride 4 of the last dimension must be 1",
        ),
        ({"k": lambda k: k[:, :4]}, "k: 4 tokens in shape [2, 4, 2, 64], the call has 5"),
        ({"q_weight": None}, "q_weight: missing, the norm of q has a weight [64]"),
        ({"k_weight": lambda w: w[:32]}, "k_weight: shape [32] must be [64]"),
        ({"k_weight": lambda w: w.float()}, "k_weight: dtype fp32 differs from the spec's bf16"),
        ({"cos": None}, "cos: missing, the rope reads rows of it"),
        ({"cos": lambda c: c[..., :32]}, "cos: shape [2, 5, 32] must be [5, 64] or [2, 5, 64]"),
        ({"sin": lambda s: s.half()}, "sin: dtype fp16 differs from the spec's bf16"),
        ({"positions": torch.arange(5)}, "positions: given, but no stream makes angles from them"),
        ({"cos_sin_cache": torch.ones(3, 64)}, "cos_sin_cache: given, but no rope of the spec reads it"),
        (
            {"spec": 12345},
            "spec: 12345 is not registered in this process; ropeline.Spec.from_json(text).id registers it",
        ),
    ],
)
def test_a_wrong_argument_is_a_value_error_and_writes_nothing(change, message):
    arguments = bad(change)
    q, k = arguments["q"].clone(), arguments["k"].clone()
    versions = arguments["q"]._version, arguments["k"]._version
    with pytest.raises(ValueError) as caught:
        ropeline.qk_norm_rope_sep_(**arguments)
    assert str(caught.value) == message
    assert versions == (arguments["q"]._version, arguments["k"]._version)
    assert torch.equal(arguments["q"], q) and torch.equal(arguments["k"], k)


def test_a_call_without_positions_says_so(call):
    spec = ropeline.qk_norm_rope_spec(4, 2, 64, rope=ropeline.rope(ropeline.frequencies(1e4, 64)))
    with pytest.raises(ValueError, match="^positions: missing, the angles are made from them$"):
        ropeline.qk_norm_rope(call.q, call.k, spec)


def test_with_heads_first_an_error_says_which_order_it_shows(call):
    q, k = call.q.transpose(1, 2), call.k.transpose(1, 2)
    for op in (ropeline.qk_norm_rope_sep_, ropeline.qk_norm_rope):
        with pytest.raises(ValueError) as caught:
            op(q[:, :3], k, call.spec, heads_first=True, **call.tensors)
        assert str(caught.value) == (
            "q: 3 heads in shape [2, 5, 3, 64], the spec has 4 (heads_first: this is said of [B, T, H, D])"
        )


def test_a_missing_stream_is_named(call):
    for op in (ropeline.qk_norm_rope_sep_, ropeline.qk_norm_rope):
        with pytest.raises(ValueError, match="^k: missing; one stream alone goes packed, through qk_norm_rope_$"):
            op(call.q, None, call.spec, **call.tensors)


def test_one_stream_alone_goes_packed(call):
    q, _ = ropeline.qk_norm_rope(call.q, call.k, call.spec, **call.tensors)
    alone = json.loads(call.spec.json)
    del alone["k"], call.tensors["k_weight"]
    ropeline.qk_norm_rope_(call.q.flatten(-2), ropeline.Spec.from_json(alone), **call.tensors)
    assert torch.equal(call.q, q)


def test_overlapping_q_and_k_are_refused(call):
    buffer = torch.zeros(2, 5, 6, 64, dtype=torch.bfloat16)
    with pytest.raises(ValueError, match="^q: overlaps k; an output equals its own input exactly"):
        ropeline.qk_norm_rope_sep_(buffer[:, :, :4], buffer[:, :, 3:5], call.spec, **call.tensors)
    with pytest.raises(ValueError, match=r"^q: strides \[1920, 0, 64, 1\] of shape .* make elements overlap$"):
        shared = buffer[:, :1, :4].expand(2, 5, 4, 64)
        ropeline.qk_norm_rope_sep_(shared, call.k, call.spec, **call.tensors)


def test_errors_of_the_packed_form(call):
    for qkv, message in [
        (torch.zeros(2, 5, 383, dtype=torch.bfloat16), "qkv: width 383 is below 384, the 4 q and 2 k heads of 64"),
        (torch.zeros(384, dtype=torch.bfloat16), r"qkv: rank 1 must be 2 \[T, N\] or 3 \[B, T, N\]"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}$"):
            ropeline.qk_norm_rope_(qkv, call.spec, **call.tensors)


def test_the_raw_op_raises_the_same_value_error(call):
    with pytest.raises(ValueError, match="^q: dtype fp32 differs from the spec's bf16$"):
        torch.ops.ropeline.qk_norm_rope_sep_.default(call.q.float(), call.k, *call.parameters())


def test_a_tensor_elsewhere_is_refused(call):
    with pytest.raises(ValueError, match="^k: is on cpu, the call runs on meta$"):
        ropeline.qk_norm_rope(call.q.to("meta"), call.k, call.spec, **call.tensors)
