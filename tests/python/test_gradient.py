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


@pytest.mark.parametrize("form", ["packed", "separate"])
def test_a_write_in_place_counts_as_torchs_own_do(call, form):
    """exp keeps its result for its gradient: with that overwritten, the gradient would be wrong."""
    x = torch.randn(2, 5, 6, 64, requires_grad=True)
    y = x.to(torch.bfloat16).exp()
    with torch.no_grad():
        if form == "packed":
            ropeline.qk_norm_rope_(y.flatten(-2), call.spec, **call.tensors)
        else:
            ropeline.qk_norm_rope_sep_(y[:, :, :4], y[:, :, 4:], call.spec, **call.tensors)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("made", [False, True], ids=["leaf", "made"])
@pytest.mark.parametrize("form", ["packed", "separate"])
def test_the_raw_ops_refuse_to_lose_a_gradient(call, form, made):
    qkv = torch.cat((call.q.flatten(-2), call.k.flatten(-2)), -1)
    op, x, *k = {
        "packed": (torch.ops.ropeline.qk_norm_rope_.default, qkv),
        "separate": (torch.ops.ropeline.qk_norm_rope_sep_.default, call.q, call.k),
    }[form]
    before = x.clone()
    x = x.requires_grad_() * 1 if made else x.requires_grad_()
    with pytest.raises(RuntimeError, match="needs a gradient, which" if made else "is a leaf that needs a gradient"):
        op(x, *k, *call.parameters())
    assert torch.equal(x, before)


def test_an_inference_tensor_is_written_in_inference_mode_only(call):
    with torch.inference_mode():
        q = call.q.clone()
        ropeline.qk_norm_rope_sep_(q, call.k, call.spec, **call.tensors)
    with pytest.raises(RuntimeError, match="an inference tensor outside of inference mode"):
        ropeline.qk_norm_rope_sep_(q, call.k, call.spec, **call.tensors)


@pytest.mark.parametrize("name", ["cos", "sin"])
def test_angles_that_need_a_gradient_are_refused(call, name):
    call.tensors[name].requires_grad_()
    with pytest.raises(RuntimeError, match=f"^{name}: needs a gradient; qk_norm_rope has one for q, k and the weights"):
        ropeline.qk_norm_rope(call.q, call.k, call.spec, **call.tensors)
    with pytest.raises(RuntimeError, match="works in place and has no gradient"):
        ropeline.qk_norm_rope_sep_(call.q, call.k, call.spec, **call.tensors)
    with torch.no_grad():
        ropeline.qk_norm_rope(call.q, call.k, call.spec, **call.tensors)


@pytest.mark.parametrize("op", [ropeline.qk_norm_rope, ropeline.qk_norm_rope_sep_], ids=["functional", "separate"])
@pytest.mark.parametrize("name", ["q", "q_weight", "cos"])
def test_a_tangent_is_refused(call, op, name):
    arguments = {"q": call.q, "k": call.k, "spec": call.spec, **call.tensors}

    def run(x):
        return op(**{**arguments, name: x})

    x = arguments[name]
    with pytest.raises(RuntimeError, match="no forward-mode gradient; a tensor of the call carries a tangent"):
        torch.func.jvp(run, (x,), (torch.ones_like(x),))
    with torch.autograd.forward_ad.dual_level():
        run(x)
