"""The torch op in CUDA graphs: captured by hand, and by torch.compile."""

import pytest
import torch
from torch._inductor import cudagraph_trees

import ropeline
from conftest import Call, fresh_spec, moved, needs_cuda, same, there
from test_compile import FORMS

pytestmark = needs_cuda
OPS = torch.ops.ropeline


# --- by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_captured_call_replays_with_other_data(form):
    function, arguments = FORMS[form]
    call = moved(Call(dtype=torch.float32))
    inputs = arguments(call)
    ropeline.prepare(call.spec, "cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = function(*inputs)
    for factor in (1.0, -3.0, 0.25):
        for tensor in (t for t in inputs if isinstance(t, torch.Tensor)):
            tensor.mul_(factor).add_(0.01)
        graph.replay()
        assert same(captured, function(*there(inputs, "cpu")))


def test_a_first_call_that_is_captured_says_what_to_do():
    call = moved(Call())
    call.spec = fresh_spec()
    q = call.q.clone()
    run = lambda: ropeline.qk_norm_rope_sep_(q, call.k, call.spec, **call.tensors)  # noqa: E731
    with pytest.raises(RuntimeError) as caught, torch.cuda.graph(torch.cuda.CUDAGraph()):
        torch.zeros(1, device="cuda")
        run()
    assert str(caught.value) == (
        f"spec: {call.spec.id} is not prepared for cuda:0, which a stream that is being captured into a graph does not "
        'allow; call the op once before the capture, or ropeline.prepare(spec, "cuda:0")'
    )
    ropeline.prepare(call.spec, "cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    assert torch.equal(q, call.q), "a capture runs nothing"
    expected = ropeline.qk_norm_rope(*there([call.q, call.k], "cpu"), call.spec, **there(call.tensors, "cpu"))
    graph.replay()
    assert same((q, call.k), expected)


def test_a_gradient_is_captured_once_it_is_prepared():
    def slope(q, call):
        y, _ = ropeline.qk_norm_rope(q, call.k, call.spec, **call.tensors)
        return torch.autograd.grad(y.square().sum(), q)[0]

    warm, call = moved(Call(dtype=torch.float32)), moved(Call(dtype=torch.float32, head_dim=80))
    slope(warm.q.requires_grad_(), warm)  # torch's own kernels; the specs of the other head_dim stay unknown
    ropeline.prepare(call.spec, "cuda", gradient=True)
    q, graph = call.q.clone().requires_grad_(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = slope(q, call)
    with torch.no_grad():
        q.mul_(-2).add_(0.5)
    graph.replay()
    assert torch.equal(captured, slope(q, call))


# --- torch.compile ---------------------------------------------------------------------------------------------------


def test_opcheck():
    call = moved(Call())
    qkv = torch.cat((call.q.flatten(-2), call.k.flatten(-2)), -1)
    torch.library.opcheck(OPS.qk_norm_rope_.default, (qkv, *call.parameters()))
    torch.library.opcheck(OPS.qk_norm_rope_sep_.default, (call.q, call.k, *call.parameters()))
    torch.library.opcheck(OPS.qk_norm_rope.default, (call.q, call.k, *call.parameters()))


@pytest.mark.parametrize("form", FORMS)
def test_one_compiled_graph_for_any_number_of_tokens(form):
    function, arguments = FORMS[form]
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(function, fullgraph=True, dynamic=True)
    for tokens in (5, 9, 33):
        inputs = arguments(moved(Call(tokens=tokens, dtype=torch.float32)))
        assert same(compiled(*inputs), function(*there(inputs, "cpu")))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("form", FORMS)
def test_reduce_overhead_puts_it_into_cuda_graphs(form):
    function, arguments = FORMS[form]
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(function, fullgraph=True, mode="reduce-overhead")
    inputs = arguments(moved(Call(dtype=torch.float32)))
    for step in range(5):
        for tensor in (t for t in inputs if isinstance(t, torch.Tensor)):
            tensor.mul_(1 - 0.4 * step).add_(0.01)
        torch.compiler.cudagraph_mark_step_begin()
        assert same(compiled(*inputs), function(*there(inputs, "cpu")))
    assert torch._dynamo.utils.counters["inductor"]["cudagraph_skips"] == 0
    assert list(cudagraph_trees.get_manager(0, create_if_none_exists=False).get_roots()), "nothing was captured"
