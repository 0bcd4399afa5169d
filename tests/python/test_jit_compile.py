"""ropeline.jit under torch.compile, on fake CUDA tensors."""

import importlib.util

import pytest
import torch
from torch._dynamo.utils import counters
from torch._subclasses.fake_tensor import FakeTensorMode

from jit_processes import EXAMPLE
from ropeline import jit


@pytest.fixture(scope="session")
def example():
    """examples/jit/scale.py as a module."""
    spec = importlib.util.spec_from_file_location("scale_example", EXAMPLE / "scale.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def graphs_of(function, *arguments, fullgraph=True):
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph.code)
        return graph.forward

    torch._dynamo.reset()
    return torch.compile(function, backend=backend, fullgraph=fullgraph)(*arguments), graphs


def test_an_op_is_one_node_of_the_graph(example):
    def half_plus_one(x):
        y = torch.empty_like(x)
        example.scale(y, x, 0.5)
        return y + 1

    with FakeTensorMode():
        result, (graph,) = graphs_of(half_plus_one, torch.empty(64, device="cuda"))
        assert graph.count("torch.ops.example.scale.default(") == 1 and "0.5" in graph
        assert result.device == torch.device("cuda", 0) and result.shape == (64,)
        torch._dynamo.reset()
        functional = torch.compile(half_plus_one, backend="aot_eager", fullgraph=True)(torch.empty(8, device="cuda"))
        assert functional.shape == (8,)


def test_an_op_that_returns_has_a_fake(example):
    @jit.custom_op("ropeline_test::twice", mutates_args=[], fake=torch.empty_like)
    def twice(x: torch.Tensor) -> torch.Tensor:
        return x + x

    x = torch.arange(6.0)
    assert graphs_of(lambda x: twice(x) + 1, x)[0].tolist() == (2 * x + 1).tolist()
    torch.library.opcheck(twice, (x,))


def test_an_op_counts_as_a_write_and_has_no_gradient():
    @jit.custom_op("ropeline_test::fill", mutates_args=["y", "more"])
    def fill(x: torch.Tensor, y: torch.Tensor, more: list[torch.Tensor], value: float = 2.0) -> None:
        for one in (y, *more):
            one.data.fill_(value)

    x, y, z = torch.zeros(3), torch.zeros(3), torch.zeros(3)
    fill(x, y, [z])
    fill(x, y, more=[z], value=3.0)
    assert (x._version, y._version, z._version) == (0, 2, 2) and z.tolist() == [3.0] * 3
    wanting = torch.zeros(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="ropeline_test::fill: a tensor of the call requires a gradient"):
        fill(wanting, y, [z])
    with pytest.raises(RuntimeError, match="requires a gradient, and the op has none"):
        graphs_of(lambda x: fill(x, y, [z]), wanting)
    with torch.no_grad():
        fill(wanting, y, [z])
    with torch.inference_mode():
        fill(x, torch.zeros(3), [])


def test_an_op_can_be_given_a_gradient():
    @jit.custom_op("ropeline_test::thrice", mutates_args=(), fake=torch.empty_like)
    def thrice(x: torch.Tensor) -> torch.Tensor:
        return 3 * x

    torch.library.register_autograd("ropeline_test::thrice", lambda ctx, grad: 3 * grad)
    for function in (thrice, torch.compile(lambda x: thrice(x), backend="aot_eager", fullgraph=True)):
        x = torch.ones(3, requires_grad=True)
        function(x).sum().backward()
        assert x.grad.tolist() == [3.0] * 3


def test_dynamo_does_not_trace_into_the_memo():
    traced = []

    @jit.cache_once
    def make(width):
        traced.append(torch.compiler.is_dynamo_compiling())
        return [width]

    def use(x):
        return (x + 1) * make(3)[0]

    counters.clear()
    result, graphs = graphs_of(use, torch.ones(2), fullgraph=False)
    assert result.tolist() == [6.0, 6.0] and traced == [False] and len(graphs) == 2
    assert counters["frames"]["total"] == 2  # the caller's, before and after: none of the memo's own
    with pytest.raises(torch._dynamo.exc.Unsupported, match="ropeline.jit.custom_op makes an op of it"):
        graphs_of(use, torch.ones(2))


def test_dynamo_does_not_trace_into_a_launch():
    launched = []

    class Kernel(jit.Kernel):
        def __init__(self):
            self.facts = jit.KernelFacts("k", "k", 0, 0, 0, 0, 0, (jit.Parameter("float*", 0, 8),))
            self._converts = [launched.append]  # the first thing that a launch does with an argument
            self._shared_limit = 0

        def _explain(self, *what):
            raise ValueError("not packed")

        @staticmethod
        def _pack(*words):
            raise OverflowError

    kernel = Kernel()

    def use(x):
        y = x + 1
        try:
            kernel.launch(1, 1, y, stream=7)
        except ValueError:
            return y
        return None

    counters.clear()
    result, _ = graphs_of(use, torch.ones(2), fullgraph=False)
    assert result.tolist() == [2.0, 2.0] and len(launched) == 1
    assert not any("data_ptr" in reason for reason in counters["graph_break"])
