"""sglang's downcast_fp8 over kv_cast: the matrix of sglang's own test.

Its kernel divides one by the scale, and multiplies by that, in the dtype of k; ours in fp32. So where 1 / scale is a
number of that dtype the codes are equal, and where not they are at most one step apart.
"""

import inspect

import pytest
import torch

import dropin_formulas as formulas
from conftest import needs_cuda, same
from dropin_formulas import DEVICES
from ropeline.dropin import sglang

DTYPES = [torch.bfloat16, torch.float16]
on_each = pytest.mark.parametrize("device", DEVICES)
in_each = pytest.mark.parametrize("dtype", DTYPES)


def call(tokens, heads, dim, rows, dtype, device, scale=1.0):
    random = torch.Generator().manual_seed(tokens + dim)
    k, v = (torch.randn(tokens, heads, dim, generator=random).to(device, dtype) for _ in range(2))
    outputs = [torch.zeros(rows, heads, dim, dtype=torch.uint8, device=device) for _ in range(2)]
    scales = [torch.tensor([scale], device=device) for _ in range(2)]
    return k, v, *outputs, *scales, torch.arange(tokens, device=device)


def codes(x, scale, inner):
    """E4M3(x * (1 / scale)), with 1 / scale and the product rounded to the dtype `inner`."""
    inverse = torch.tensor(1.0, dtype=inner) / torch.tensor(scale, dtype=torch.float32).to(inner)
    scaled = (x.cpu().to(inner) * inverse).clamp(-448, 448)
    return scaled.to(torch.float8_e4m3fn).view(torch.uint8)


def scattered(codes, loc, rows, mult=1, offset=0):
    out = torch.zeros(rows, *codes.shape[1:], dtype=torch.uint8)
    out[loc.cpu() * mult + offset] = codes
    return out


def assert_one_step_apart(a, b):
    """The codes of a sign are ordered as its numbers are."""
    step = (a.cpu().int() & 0x7F) - (b.cpu().int() & 0x7F)
    assert (step.abs() <= 1).all() and ((a.cpu() ^ b.cpu()) & 0x80 == 0).all()


# --- sglang's matrix -------------------------------------------------------------------------------------------------


@on_each
@in_each
@pytest.mark.parametrize("shape", [(4, 8, 128, 16), (1, 4, 64, 8)])
def test_equal_to_the_reference_where_the_scale_is_one(shape, dtype, device):
    tensors = call(*shape, dtype, device)
    sglang.downcast_fp8(*tensors)
    k, v, k_out, v_out, _, _, loc = tensors
    assert same([k_out, v_out], [scattered(codes(x, 1.0, dtype), loc, shape[3]) for x in (k, v)])
    assert k_out[: shape[0]].any() and not k_out[shape[0] :].any() and not v_out[shape[0] :].any()


@on_each
@in_each
@pytest.mark.parametrize("scale", [0.5, 2.0, 0.1])
def test_scales(scale, dtype, device):
    tensors = call(4, 4, 64, 8, dtype, device, scale)
    sglang.downcast_fp8(*tensors)
    for x, out in zip(tensors[:2], tensors[2:4]):
        assert same(out[:4], codes(x, scale, torch.float32))
        assert_one_step_apart(out[:4], codes(x, scale, dtype))
        assert scale == 0.1 or same(out[:4], codes(x, scale, dtype))


@on_each
@in_each
def test_numbers_beyond_448_saturate(dtype, device):
    tensors = call(2, 1, 8, 4, dtype, device)
    tensors[0].fill_(1000), tensors[1].fill_(-1000)
    sglang.downcast_fp8(*tensors)
    assert (tensors[2][:2] == 0x7E).all() and (tensors[3][:2] == 0xFE).all()


@on_each
@in_each
def test_loc_says_which_rows_are_written(dtype, device):
    k, v, k_out, v_out, *scales, _ = call(3, 2, 32, 10, dtype, device)
    loc = torch.tensor([0, 5, 9], device=device)
    sglang.downcast_fp8(k, v, k_out, v_out, *scales, loc)
    assert same([k_out, v_out], [scattered(codes(x, 1.0, dtype), loc, 10) for x in (k, v)])


@on_each
@in_each
@pytest.mark.parametrize("mult, offset", [(2, 0), (1, 3), (2, 1)])
def test_mult_and_offset(mult, offset, dtype, device):
    rows = 2 * mult + offset + 4
    tensors = call(2, 2, 32, rows, dtype, device)
    sglang.downcast_fp8(*tensors, mult=mult, offset=offset)
    k, v, k_out, v_out, _, _, loc = tensors
    assert same([k_out, v_out], [scattered(codes(x, 1.0, dtype), loc, rows, mult, offset) for x in (k, v)])


@on_each
@in_each
def test_numbers_about_the_largest(dtype, device):
    numbers = [0.0, 1.0, -1.0, 100.0, -100.0, 447.0, -447.0, 448.0, -448.0, 449.0, -449.0, 1000.0, -1000.0]
    tensors = call(len(numbers), 1, 8, len(numbers), dtype, device)
    values = torch.tensor(numbers, dtype=dtype, device=device)[:, None, None].expand(-1, 1, 8)
    tensors[0].copy_(values), tensors[1].copy_(-values)
    sglang.downcast_fp8(*tensors)
    assert same(tensors[2:4], [codes(x, 1.0, dtype) for x in tensors[:2]])


# --- the rest --------------------------------------------------------------------------------------------------------


def test_the_order_of_the_arguments():
    signature = inspect.signature(sglang.downcast_fp8)
    assert str(signature) == "(k, v, k_out, v_out, k_scale, v_scale, loc, mult=1, offset=0)"


def test_locs_of_int32_and_outputs_of_fp8_are_taken():
    k, v, k_out, v_out, *scales, loc = call(4, 2, 64, 8, torch.bfloat16, "cpu")
    sglang.downcast_fp8(k, v, k_out, v_out, *scales, loc)
    narrow = [torch.zeros_like(k_out).view(torch.float8_e4m3fn) for _ in range(2)]
    sglang.downcast_fp8(k, v, *narrow, *scales, loc.int())
    assert same([x.view(torch.uint8) for x in narrow], [k_out, v_out])


@pytest.mark.parametrize(
    "place, wrong, sentence",
    [
        (0, torch.ones(4, 2, 64), "k: dtype fp32 must be bf16 or fp16"),
        (1, torch.ones(3, 2, 64).bfloat16(), r"v: shape \[3, 2, 64\] differs from k's \[4, 2, 64\]"),
        (2, torch.zeros(8, 2, 64).bfloat16(), "k_out: dtype bf16 must be fp8_e4m3"),
        (3, torch.zeros(8, 2, 32, dtype=torch.uint8), r"v_out: shape \[8, 2, 32\] must be"),
        (4, torch.ones(2), r"k_scale: shape \[2\] must be"),
        (6, torch.arange(3), r"loc: shape \[3\] must be \[4\]"),
    ],
)
def test_a_wrong_call_is_a_runtime_error_that_names_the_argument(place, wrong, sentence):
    arguments = list(call(4, 2, 64, 8, torch.bfloat16, "cpu"))
    outputs = arguments[2:4]
    arguments[place] = wrong
    with pytest.raises(RuntimeError, match=f"^{sentence}"):
        sglang.downcast_fp8(*arguments)
    assert not outputs[0].any() and not outputs[1].any()


@on_each
def test_under_torch_compile(device):
    def step(k, v, *rest):
        sglang.downcast_fp8(k * 2, v, *rest)
        return rest[0] + rest[1]

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    ours, theirs = (call(4, 2, 64, 8, torch.bfloat16, device) for _ in range(2))
    assert torch.equal(compiled(*ours), step(*theirs)) and ours[2].any()


@needs_cuda
def test_a_call_on_a_gpu_allocates_nothing_and_waits_for_nothing():
    tensors = call(64, 8, 128, 80, torch.bfloat16, "cuda")
    formulas.assert_no_allocation_and_no_wait(lambda: sglang.downcast_fp8(*tensors))
