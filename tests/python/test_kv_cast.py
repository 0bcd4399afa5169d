"""The op kv_cast, against PyTorch's own conversion to FP8."""

import pytest
import torch

import ropeline
from conftest import needs_cuda

E4M3 = torch.float8_e4m3fn


def expected(x, scale):
    """PyTorch's conversion does not saturate, so the largest number is put in its place before."""
    inverse = 1 / torch.as_tensor(scale, dtype=torch.float32)
    return (x.float() * inverse).clamp(-448, 448).to(E4M3)


def cache(rows, heads=4, dim=64):
    return torch.full((rows, heads, dim), 0x55, dtype=torch.uint8).view(E4M3)


def scales(k=0.02, v=0.3):
    return torch.tensor(k), torch.tensor([v])


def call(tokens=7, rows=20, heads=4, dim=64, dtype=torch.bfloat16, slots=torch.int64):
    torch.manual_seed(3)
    k, v = (torch.randn(tokens, heads, dim).mul(5).to(dtype) for _ in range(2))
    return k, v, cache(rows, heads, dim), cache(rows, heads, dim), *scales(), torch.randperm(rows)[:tokens].to(slots)


def same(a, b):
    return torch.equal(a.view(torch.uint8), b.view(torch.uint8))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("slots", [torch.int32, torch.int64])
def test_rows_get_pytorchs_bits_and_others_nothing(dtype, slots):
    k, v, k_cache, v_cache, k_scale, v_scale, loc = call(dtype=dtype, slots=slots)
    wanted_k, wanted_v = k_cache.clone(), v_cache.clone()
    wanted_k[loc.long()], wanted_v[loc.long()] = expected(k, 0.02), expected(v, 0.3)
    ropeline.kv_cast(k, v, k_cache, v_cache, k_scale, v_scale, loc)
    assert same(k_cache, wanted_k) and same(v_cache, wanted_v)


def test_every_bf16_number():
    bits = torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16).view(128, 8, 64)
    k_cache, v_cache = cache(128, 8), cache(128, 8)
    ropeline.kv_cast(bits, bits, k_cache, v_cache, *scales(1.0, 3.0), torch.arange(128))
    number = ~bits.isnan()
    for got, scale in (k_cache, 1.0), (v_cache, 3.0):
        assert same(got[number], expected(bits, scale)[number])
        assert (got.view(torch.uint8)[~number] == 0x7F).all()


def test_rows_follow_mult_and_offset_and_tokens_without_one_are_skipped():
    k, v, k_cache, v_cache, *parameters, _ = call()
    untouched = k_cache.clone()
    ropeline.kv_cast(k, v, k_cache, v_cache, *parameters, torch.tensor([3, -1, 0, 10, 2**40, 6, -(2**62)]), 3, 1)
    wanted = untouched.clone()
    wanted[[10, 1, 19]] = expected(k, 0.02)[[0, 2, 5]]
    assert same(k_cache, wanted)


@pytest.mark.parametrize("shift", [0, 1, 2, 4])
def test_packed_and_unaligned_tensors(shift):
    buffer = torch.randn(7, shift + 3 * 256).bfloat16()
    k, v = (buffer[:, shift + n : shift + n + 256].view(7, 4, 64) for n in (256, 512))
    both = torch.zeros(20, 2, 4, 64, dtype=torch.uint8).view(E4M3)
    ropeline.kv_cast(k, v, both[:, 0], both[:, 1], *scales(), torch.arange(7))
    assert same(both[:7, 0], expected(k, 0.02)) and same(both[:7, 1], expected(v, 0.3))


def test_under_torch_compile():
    def step(k, v, *rest):
        ropeline.kv_cast(k * 2, v, *rest)
        return rest[0]

    k, v, k_cache, v_cache, *parameters = call()
    eager = k_cache.clone()
    step(k, v, eager, v_cache.clone(), *parameters)
    torch.compile(step, fullgraph=True, backend="aot_eager")(k, v, k_cache, v_cache, *parameters)
    assert same(k_cache, eager)


def test_the_schema_says_what_is_written():
    assert str(torch.ops.ropeline.kv_cast.default._schema).startswith(
        "ropeline::kv_cast(Tensor k, Tensor v, Tensor(a!) k_cache, Tensor(b!) v_cache, "
    )


def test_wrong_calls_are_value_errors_that_name_the_tensor():
    k, v, k_cache, v_cache, k_scale, v_scale, loc = call()
    for arguments, sentence in [
        ((k[0], v, k_cache, v_cache, k_scale, v_scale, loc), "k: rank 2 must be 3"),
        ((k.float(), v, k_cache, v_cache, k_scale, v_scale, loc), "k: dtype fp32 must be bf16 or fp16"),
        ((k, v.half(), k_cache, v_cache, k_scale, v_scale, loc), "v: dtype fp16 differs from k's bf16"),
        ((k, v[:6], k_cache, v_cache, k_scale, v_scale, loc), r"v: shape \[6, 4, 64\] differs from k's \[7, 4, 64\]"),
        ((k[..., :60], v, k_cache, v_cache, k_scale, v_scale, loc), "k: head_dim: 60 must be a multiple of 8"),
        ((k, v, k_cache, k_cache, k_scale, v_scale, loc), "k_cache: overlaps v_cache"),
        ((k, v, k_cache.bfloat16(), v_cache, k_scale, v_scale, loc), "k_cache: dtype bf16 must be fp8_e4m3"),
        ((k, v, k_cache.double(), v_cache, k_scale, v_scale, loc), "k_cache: dtype float64 .*float8_e4m3fn"),
        ((k.view(torch.uint8), v, k_cache, v_cache, k_scale, v_scale, loc), "k: dtype uint8 is none of float32"),
        ((k, v, k_cache, v_cache, k_scale.half(), v_scale, loc), "k_scale: dtype fp16 must be fp32"),
        ((k, v, k_cache, v_cache, k_scale, v_scale, loc[:6]), r"loc: shape \[6\] must be \[7\]"),
        ((k, v, k_cache, v_cache, k_scale, v_scale, loc.float()), "loc: dtype fp32 must be int32 or int64"),
        ((k, v, k_cache, v_cache, k_scale, v_scale, loc, 0), "mult: 0 must be at least 1"),
    ]:
        versions = k_cache._version, v_cache._version
        with pytest.raises(ValueError, match=f"^{sentence}"):
            ropeline.kv_cast(*arguments)
        assert versions == (k_cache._version, v_cache._version), sentence


@pytest.mark.parametrize("at", [4, 5])
def test_a_scale_that_is_no_tensor_is_named(at):
    arguments = list(call())
    arguments[at] = 0.5
    with pytest.raises(TypeError, match=f"^{['k_scale', 'v_scale'][at - 4]}: 0.5 must be a float32 tensor"):
        ropeline.kv_cast(*arguments)


def test_a_cache_of_bytes_holds_the_same_codes():
    k, v, k_cache, v_cache, *rest = call()
    k_bytes, v_bytes = k_cache.view(torch.uint8).clone(), v_cache.view(torch.uint8).clone()
    ropeline.kv_cast(k, v, k_cache, v_cache, *rest)
    ropeline.kv_cast(k, v, k_bytes, v_bytes, *rest)
    assert same(k_bytes, k_cache) and same(v_bytes, v_cache)
    assert k_bytes._version == 1


def test_prepare_kv_cast_takes_what_a_call_takes():
    ropeline.prepare_kv_cast(4, 64, "cpu")
    ropeline.prepare_kv_cast(4, 64, "cpu", dtype=torch.float16, loc_dtype=torch.int32)
    with pytest.raises(ValueError, match="^k: heads: 0 is not from 1 to 8192"):
        ropeline.prepare_kv_cast(0, 64, "cpu")
    with pytest.raises(ValueError, match="^loc: dtype fp32 must be int32 or int64"):
        ropeline.prepare_kv_cast(4, 64, "cpu", loc_dtype=torch.float32)


def test_tensors_that_need_a_gradient_are_refused():
    k, *rest = call()
    k.requires_grad_()
    with pytest.raises(RuntimeError, match="kv_cast has no gradient"):
        ropeline.kv_cast(k, *rest)
    with torch.no_grad():
        ropeline.kv_cast(k, *rest)


@needs_cuda
def test_a_gpu_gives_the_same_bits_also_in_a_graph():
    host = call()
    gpu = [t.cuda() for t in host]
    ropeline.kv_cast(*host)
    ropeline.kv_cast(*gpu)
    assert same(gpu[2].cpu(), host[2]) and same(gpu[3].cpu(), host[3])
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        ropeline.kv_cast(*gpu)
    gpu[0].copy_(host[0] * 3)
    graph.replay()
    ropeline.kv_cast(host[0] * 3, *host[1:])
    assert same(gpu[2].cpu(), host[2])


def capture(gpu):
    with torch.cuda.graph(torch.cuda.CUDAGraph()):
        ropeline.kv_cast(*gpu)


@needs_cuda
def test_the_first_call_of_a_layer_is_refused_during_a_capture():
    gpu = [t.cuda() for t in call(heads=3)]
    with pytest.raises(RuntimeError, match=r'kv_cast: \{"heads":3,"head_dim":64,.*prepare_kv_cast\(3, 64, "cuda:0"'):
        capture(gpu)


@needs_cuda
def test_a_prepared_layer_is_captured_whatever_its_strides():
    ropeline.prepare_kv_cast(5, 64, "cuda")
    capture([t.cuda() for t in call(heads=5)])
    buffer = torch.randn(4, 2 * 5 * 64 + 1).bfloat16().cuda()
    k, v = (buffer[:, n : n + 320].view(4, 5, 64) for n in (0, 320))
    capture([k, v, *(t.cuda() for t in call(tokens=4, heads=5)[2:])])
