"""The torch op on a GPU: the bits of the CPU, on torch's current stream, without waiting. See test_cuda_graphs.py and
test_cuda_models.py, too."""

import threading
import time

import pytest
import torch

import ropeline
from conftest import Call, fresh_spec, moved, needs_cuda, needs_two, same, there
from ropeline._library import library
from test_compile import FORMS

pytestmark = needs_cuda


# --- the bits --------------------------------------------------------------------------------------------------------


def angles_of(source, dtype, rotary_dim, tokens):
    """Angles for a spec, what else the spec must say, and the tensors of a call [2, tokens, ..]."""
    random = torch.Generator().manual_seed(5)
    positions = torch.randint(0, 40, (2, tokens), generator=random)
    rows = torch.randn(2, tokens, rotary_dim // 2, generator=random)
    if source == "frequencies":
        return ropeline.frequencies(1e6, rotary_dim), {}, {"positions": positions * 100_003}
    if source == "cos_sin_cache":
        table = torch.randn(40, rotary_dim, generator=random)
        others = {"positions": positions.int(), "cos_sin_cache": table}
        return ropeline.cos_sin_cache(rotary_dim), {"positions": "int32"}, others
    wide = torch.cat((rows, rows), -1) if source == "dup" else rows.repeat_interleave(2, -1)
    tensors = {"cos": wide.cos().to(dtype), "sin": wide.sin().to(dtype)}
    return ropeline.rows(rotary_dim, source), {"table": ropeline.spec.dtype_name(dtype)}, tensors


SHAPES = {
    "qwen3": {"q": 32, "k": 4, "head_dim": 128},
    "partial": {"q": 6, "k": 3, "head_dim": 96, "rotary_dim": 32},
    "odd": {"q": 3, "k": 1, "head_dim": 40, "tokens": 1},
    "gemma": {"q": 4, "k": 1, "head_dim": 256, "tokens": 300},
}
CASES = [
    *((dtype, style, source, "qwen3") for dtype in ("float32", "bfloat16", "float16")
      for style, source in (("neox", "dup"), ("neox", "frequencies"), ("interleaved", "repeat"))),
    *(("bfloat16", "neox", source, shape) for source in ("frequencies", "cos_sin_cache") for shape in SHAPES),
    *(("bfloat16", "interleaved", "cos_sin_cache", shape) for shape in ("partial", "gemma")),
]  # fmt: skip


def case(dtype, style, source, shape):
    sizes = {"tokens": 7, **SHAPES[shape]}
    q_heads, k_heads, head_dim, tokens = (sizes[name] for name in ("q", "k", "head_dim", "tokens"))
    dtype, rotary_dim = getattr(torch, dtype), sizes.get("rotary_dim", head_dim)
    angles, others, tensors = angles_of(source, dtype, rotary_dim, tokens)
    spec = ropeline.qk_norm_rope_spec(
        q_heads,
        k_heads,
        head_dim,
        norm=ropeline.rms_norm(rounding="inner"),
        rope=ropeline.rope(angles, style=style, rounding="products", table="dtype"),
        dtype=dtype,
        **others,
    )
    random = torch.Generator().manual_seed(6)
    for name in ("q_weight", "k_weight"):
        tensors[name] = (1 + 0.3 * torch.randn(head_dim, generator=random)).to(dtype)
    q, k = (torch.randn(2, tokens, heads, head_dim, generator=random).to(dtype) for heads in (q_heads, k_heads))
    return spec, q, k, tensors


@pytest.mark.parametrize("dtype, style, source, shape", CASES)
def test_every_form_has_the_bits_of_the_cpu(dtype, style, source, shape):
    spec, q, k, tensors = case(dtype, style, source, shape)
    expected = ropeline.qk_norm_rope(q, k, spec, **tensors)
    assert not torch.equal(expected[0], q)

    q_gpu, k_gpu, tensors = there(q), there(k), there(tensors)
    got = ropeline.qk_norm_rope(q_gpu, k_gpu, spec, **tensors)
    assert same(got, expected) and got[0].is_cuda and same((q_gpu, k_gpu), (q, k))

    turned = [t.transpose(1, 2).contiguous() for t in (q_gpu, k_gpu)]
    got = ropeline.qk_norm_rope(*turned, spec, heads_first=True, **tensors)
    assert same([t.transpose(1, 2) for t in got], expected)

    width = q[0, 0].numel(), k[0, 0].numel()
    buffer = torch.full((*q.shape[:2], sum(width) + 32), 7.0, dtype=q.dtype, device="cuda")
    buffer[..., : width[0]], buffer[..., width[0] : sum(width)] = q_gpu.flatten(-2), k_gpu.flatten(-2)
    ropeline.qk_norm_rope_(buffer[..., : sum(width) + 16], spec, **tensors)
    q_part, k_part, rest = buffer.split((*width, 32), -1)
    assert same((q_part, k_part), [t.flatten(-2) for t in expected]) and (rest == 7).all()

    ropeline.qk_norm_rope_sep_(q_gpu, k_gpu, spec, **tensors)
    assert same((q_gpu, k_gpu), expected)


def test_zero_tokens_are_legal():
    call = moved(Call())
    empty = {**call.tensors, "cos": call.tensors["cos"][:, :0], "sin": call.tensors["sin"][:, :0]}
    q, k = ropeline.qk_norm_rope(call.q[:, :0], call.k[:, :0], call.spec, **empty)
    assert q.shape == (2, 0, 4, 64) and k.shape == (2, 0, 2, 64) and q.is_cuda


@pytest.mark.parametrize("name", ["k", "q_weight", "k_weight", "cos", "sin"])
@pytest.mark.parametrize("stays", ["cpu", "cuda:0"])
def test_a_tensor_on_another_device_is_a_value_error_that_names_it(name, stays):
    call = Call()
    device = "cuda:0" if stays == "cpu" else "cpu"
    arguments = there({"q": call.q, "k": call.k, **call.tensors}, device)
    arguments[name] = arguments[name].to(stays)
    before = arguments["q"].clone()
    with pytest.raises(ValueError, match=rf"^{name}: is on {stays}, the plan runs on {device}(:\w+)?$"):
        ropeline.qk_norm_rope_sep_(spec=call.spec, **arguments)
    assert torch.equal(arguments["q"], before)


# --- streams, and no waiting -----------------------------------------------------------------------------------------


def test_it_runs_on_the_current_stream_of_torch():
    """The values arrive on that stream after a pause: a kernel on any other stream would have read the old ones."""
    call, stream = Call(), torch.cuda.Stream()
    expected = ropeline.qk_norm_rope(call.q, call.k, call.spec, **call.tensors)
    moved(call)
    ropeline.prepare(call.spec, "cuda")
    q, k = torch.zeros_like(call.q), torch.zeros_like(call.k)
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        assert library.cuda_stream(0) == stream.cuda_stream
        torch.cuda._sleep(100_000_000)
        q.copy_(call.q), k.copy_(call.k)
        ropeline.qk_norm_rope_sep_(q, k, call.spec, **call.tensors)
    assert library.cuda_stream(0) == torch.cuda.current_stream().cuda_stream != stream.cuda_stream
    stream.synchronize()
    assert same((q, k), expected)


@pytest.mark.parametrize("form", FORMS)
def test_it_waits_for_nothing(form):
    function, arguments = FORMS[form]
    arguments = arguments(moved(Call()))
    function(*arguments)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.cuda._sleep(400_000_000)
        function(*arguments)
        assert not torch.cuda.current_stream().query(), "the call returned after the stream had run dry"
    finally:
        torch.cuda.set_sync_debug_mode("default")
        torch.cuda.synchronize()


def test_threads_that_ask_for_one_new_spec_at_once_all_get_it():
    call = moved(Call())
    call.spec = fresh_spec()
    expected = ropeline.qk_norm_rope(*there([call.q, call.k], "cpu"), call.spec, **there(call.tensors, "cpu"))
    results, gate = [None] * 8, threading.Barrier(8)

    def run(place):
        with torch.cuda.stream(torch.cuda.Stream()) as _:
            gate.wait()
            results[place] = ropeline.qk_norm_rope(call.q, call.k, call.spec, **call.tensors)
            torch.cuda.current_stream().synchronize()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result and same(result, expected) for result in results)


def test_a_plan_that_is_ready_is_found_at_once():
    """Preparing again is a look-up: the op's first call is not a compile in disguise."""
    spec = Call().spec
    ropeline.prepare(spec, "cuda")
    started = time.perf_counter()
    for _ in range(1000):
        ropeline.prepare(spec, "cuda")
    assert time.perf_counter() - started < 0.1


# --- gradients -------------------------------------------------------------------------------------------------------


def slopes(call, dq, dk):
    leaves = [call.q, call.k, call.tensors["q_weight"], call.tensors["k_weight"]]
    leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    q, k, q_weight, k_weight = leaves
    y = ropeline.qk_norm_rope(q, k, call.spec, **{**call.tensors, "q_weight": q_weight, "k_weight": k_weight})
    torch.autograd.backward(y, [dq, dk])
    return [leaf.grad for leaf in leaves]


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_gradients_equal_those_of_the_cpu(dtype, tolerance):
    call = Call(dtype=dtype)
    dq, dk = torch.randn(call.q.shape).to(dtype), torch.randn(call.k.shape).to(dtype)
    expected = slopes(call, dq, dk)
    for got, theirs in zip(slopes(moved(call), dq.cuda(), dk.cuda()), expected):
        assert got.is_cuda and got.dtype == theirs.dtype
        torch.testing.assert_close(got.cpu(), theirs, rtol=tolerance, atol=tolerance * theirs.abs().max().item())


# --- several devices -------------------------------------------------------------------------------------------------


@needs_two
def test_each_device_has_a_plan_of_its_own():
    call = Call()
    expected = ropeline.qk_norm_rope(call.q, call.k, call.spec, **call.tensors)
    for device in ("cuda:1", "cuda:0", "cuda:1"):
        q, k, tensors = there([call.q, call.k, call.tensors], device)
        got = ropeline.qk_norm_rope(q, k, call.spec, **tensors)
        assert same(got, expected) and str(got[0].device) == device
        assert torch.cuda.current_device() == 0


@needs_two
def test_tensors_on_two_gpus_are_refused():
    call = moved(Call(), "cuda:1")
    with pytest.raises(ValueError, match="^k: is on cuda:0, the plan runs on cuda:1$"):
        ropeline.qk_norm_rope(call.q, call.k.to("cuda:0"), call.spec, **call.tensors)
