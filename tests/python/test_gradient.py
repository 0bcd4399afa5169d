"""The gradient: against float64 differences step by step, and against autograd through the eager formula."""

import pytest
import torch

import ropeline
from conftest import Call
from ropeline import gradient


class StepFunction(torch.autograd.Function):
    """One step with its hand-written gradient, so that gradcheck can compare the two."""

    @staticmethod
    def forward(ctx, x, weight, make):
        ctx.save_for_backward(x, weight)
        ctx.make = make
        return make(weight).forward(x)

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        dx, dw = ctx.make(weight).backward(x, dy)
        return dx, dw, None


@pytest.mark.parametrize("mean, offset", [(True, 0.0), (True, 1.0), (False, 0.0)])
@pytest.mark.parametrize("weighted", [True, False])
def test_gradcheck_of_the_norm(mean, offset, weighted):
    step = {"kind": "norm", "eps": 1e-3, "mean": mean, "offset": offset, "weighted": weighted}
    x = torch.randn(2, 3, 16, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(16, dtype=torch.float64, requires_grad=weighted)
    assert torch.autograd.gradcheck(
        lambda x, w: StepFunction.apply(x, w, lambda w: gradient._Norm(step, w)), (x, weight)
    )


@pytest.mark.parametrize("style", ["neox", "interleaved"])
@pytest.mark.parametrize("rotary_dim", [32, 16])
def test_gradcheck_of_the_rope(style, rotary_dim):
    angles = ropeline.frequencies(1e2, rotary_dim)
    spec = ropeline.qk_norm_rope_spec(2, 1, 32, rope=ropeline.rope(angles, style=style), dtype=torch.float32)
    (step,) = ropeline._library.gradient(spec.id)["q"]
    x = torch.randn(3, 2, 32, dtype=torch.float64, requires_grad=True)
    rope = gradient._Rope(step, x, [torch.arange(3), None, None, None])
    weight = torch.zeros(1, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: StepFunction.apply(x, weight, lambda w: rope), (x,))
    y, _ = ropeline.qk_norm_rope(x.detach().float(), x.detach().float()[:, :1], spec, positions=torch.arange(3))
    torch.testing.assert_close(rope.forward(x).float(), y, rtol=0, atol=1e-6)


def eager(q, k, q_weight, k_weight, cos, sin):
    """What a Qwen3 layer does, for autograd to differentiate."""

    def one(x, weight):
        wide = x.float()
        normed = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
        x = weight * normed.to(x.dtype)
        half = x.shape[-1] // 2
        turned = torch.cat((-x[..., half:], x[..., :half]), -1)
        return x * cos.unsqueeze(-2) + turned * sin.unsqueeze(-2)

    return one(q, q_weight), one(k, k_weight)


def gradients(function, tensors, dq, dk):
    leaves = [t.detach().clone().requires_grad_() for t in tensors]
    q, k = function(*leaves)
    torch.autograd.backward([q, k], [dq, dk])
    return [leaf.grad for leaf in leaves]


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("heads_first", [False, True])
def test_gradients_equal_those_of_the_eager_formula(dtype, tolerance, heads_first):
    call = Call(dtype=dtype)
    cos, sin = call.tensors["cos"], call.tensors["sin"]
    tensors = [call.q, call.k, call.tensors["q_weight"], call.tensors["k_weight"]]
    dq, dk = torch.randn(call.q.shape).to(dtype), torch.randn(call.k.shape).to(dtype)

    def ours(q, k, q_weight, k_weight):
        turn = (lambda t: t.transpose(1, 2)) if heads_first else (lambda t: t)
        rest = {"q_weight": q_weight, "k_weight": k_weight, "cos": cos, "sin": sin, "heads_first": heads_first}
        q, k = ropeline.qk_norm_rope(turn(q), turn(k), call.spec, **rest)
        return turn(q), turn(k)

    expected = gradients(lambda *leaves: eager(*leaves, cos, sin), tensors, dq, dk)
    for ours_, theirs in zip(gradients(ours, tensors, dq, dk), expected):
        assert ours_.dtype == theirs.dtype
        torch.testing.assert_close(ours_, theirs, rtol=tolerance, atol=tolerance * theirs.abs().max().item())


def test_a_second_derivative_is_right(call=None):
    call = Call(dtype=torch.float32, tokens=2, batch=1)
    cos, sin = call.tensors["cos"], call.tensors["sin"]
    weights = [call.tensors["q_weight"], call.tensors["k_weight"]]

    def curvature(function):
        q = call.q.clone().requires_grad_()
        y, _ = function(q, call.k, *weights)
        (slope,) = torch.autograd.grad(y.pow(3).sum(), q, create_graph=True)
        return torch.autograd.grad(slope.pow(2).sum(), q)[0]

    def ours(q, k, q_weight, k_weight):
        return ropeline.qk_norm_rope(q, k, call.spec, q_weight=q_weight, k_weight=k_weight, cos=cos, sin=sin)

    expected = curvature(lambda *t: eager(*t, cos, sin))
    torch.testing.assert_close(curvature(ours), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize("form", ["packed", "separate"])
def test_the_forms_in_place_refuse_to_lose_a_gradient(call, form):
    call.q.requires_grad_()
    with pytest.raises(RuntimeError, match="works in place and has no gradient; call qk_norm_rope, or do this under"):
        if form == "packed":
            qkv = torch.zeros(2, 5, 384, dtype=torch.bfloat16, requires_grad=True)
            ropeline.qk_norm_rope_(qkv, call.spec, **call.tensors)
        else:
            ropeline.qk_norm_rope_sep_(call.q, call.k, call.spec, **call.tensors)
    with torch.no_grad():
        ropeline.qk_norm_rope_sep_(call.q, call.k, call.spec, **call.tensors)
