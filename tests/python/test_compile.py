"""What torch itself checks of an op, and what torch.compile makes of it."""

import re

import pytest
import torch
from torch._inductor.utils import run_and_get_code

import ropeline
from conftest import Call

OPS = torch.ops.ropeline


def qkv(call):
    return torch.cat((call.q.flatten(-2), call.k.flatten(-2)), -1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_opcheck(dtype):
    call = Call(dtype=dtype)
    torch.library.opcheck(OPS.qk_norm_rope_.default, (qkv(call), *call.parameters()))
    torch.library.opcheck(OPS.qk_norm_rope_sep_.default, (call.q, call.k, *call.parameters()))
    torch.library.opcheck(OPS.qk_norm_rope.default, (call.q, call.k, *call.parameters()))


def test_opcheck_with_a_gradient():
    call = Call(dtype=torch.float32)
    call.tensors["q_weight"].requires_grad_(), call.q.requires_grad_()
    torch.library.opcheck(OPS.qk_norm_rope.default, (call.q, call.k, *call.parameters()))


def packed_in_place(x, *parameters):
    x = x * 2
    OPS.qk_norm_rope_.default(x, *parameters)
    return x + 1


def separate_in_place(q, k, *parameters):
    q, k = q * 2, k * 2
    OPS.qk_norm_rope_sep_.default(q, k, *parameters)
    return q + 1, k + 1


def functional(q, k, *parameters):
    q, k = OPS.qk_norm_rope.default(q * 2, k * 2, *parameters)
    return q + 1, k + 1


FORMS = {
    "packed": (packed_in_place, lambda call: (qkv(call), *call.parameters())),
    "separate": (separate_in_place, lambda call: (call.q, call.k, *call.parameters())),
    "functional": (functional, lambda call: (call.q, call.k, *call.parameters())),
}
# The packed form is the one that reads and writes views of one tensor; the full run takes the others as well.
FORM_NAMES = [name if name == "packed" else pytest.param(name, marks=pytest.mark.slow) for name in FORMS]


def flat(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("form", FORM_NAMES)
def test_one_graph_for_any_number_of_tokens(form):
    function, arguments = FORMS[form]
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(function, fullgraph=True, dynamic=True)
    for tokens in (5, 9, 33):
        call = Call(tokens=tokens, dtype=torch.float32)
        for ours, theirs in zip(flat(compiled(*arguments(call))), flat(function(*arguments(call)))):
            assert torch.equal(ours, theirs)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("form", FORM_NAMES)
def test_inductor_adds_no_copy(form):
    """One kernel before the op, one after it, and no buffer but theirs: the generated code says so."""
    function, arguments = FORMS[form]
    torch._dynamo.reset()
    call = Call(tokens=5)
    _, (code,) = run_and_get_code(torch.compile(function, fullgraph=True), *arguments(call))
    body = code[code.index("def call(") : code.index("runner =")]
    kernels = re.findall(r"^ +(cpp_fused_\w+)\(", body, re.M)
    assert len(kernels) == 2 and "mul" in kernels[0] and "add" in kernels[1], body
    assert len(re.findall(r"torch\.ops\.ropeline\.\w+\.default\(", body)) == 1, body
    buffers = {"packed": 2, "separate": 4, "functional": 2}[form]
    assert body.count("empty_strided_cpu(") == buffers and "clone" not in body and "copy" not in body, body


def test_a_compiled_gradient_equals_the_eager_one():
    call = Call(dtype=torch.float32)

    def loss(q, k, weight):
        q, k = ropeline.qk_norm_rope(q, k, call.spec, **{**call.tensors, "q_weight": weight})
        return q.square().sum() + k.sum()

    def slopes(function):
        leaves = [t.clone().requires_grad_() for t in (call.q, call.k, call.tensors["q_weight"])]
        function(*leaves).backward()
        return [leaf.grad for leaf in leaves]

    torch._dynamo.reset()
    for ours, theirs in zip(slopes(torch.compile(loss, fullgraph=True)), slopes(loss)):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)
