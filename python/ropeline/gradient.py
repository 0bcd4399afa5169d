"""The gradient of qk_norm_rope in plain torch, in fp32 whatever the activations are.

For y = rope(norm(x)): the rotation is linear, so its gradient is its transpose, applied pair by pair; that of the norm
is written out below. What the steps are, and how to get the matrices of a rotation, C++ says (binding/gradient.h).
Roundings are passed straight through, as eager torch does.
"""

import torch

from ._library import library

_ANGLES = ("positions", "cos", "sin", "cos_sin_cache")


def setup_context(ctx, inputs, output):
    for name, needed in zip(_ANGLES, ctx.needs_input_grad[4:]):
        if needed:
            raise RuntimeError(f"{name}: needs a gradient; qk_norm_rope has one for q, k and the weights only")
    q, k, q_weight, k_weight, positions, cos, sin, cos_sin_cache, spec, heads_first = inputs
    ctx.save_for_backward(q, k, q_weight, k_weight, positions, cos, sin, cos_sin_cache)
    ctx.steps, ctx.heads_first = library.gradient(spec), heads_first


def backward(ctx, dq, dk):
    q, k, q_weight, k_weight, *angles = ctx.saved_tensors
    dq, dq_weight = _stream(ctx, "q", q, q_weight, dq, angles)
    dk, dk_weight = _stream(ctx, "k", k, k_weight, dk, angles)
    return dq, dk, dq_weight, dk_weight, None, None, None, None, None, None


def _stream(ctx, name, x, weight, dy, angles):
    """Gradients of one stream: back through its steps, which see what they saw on the way forward."""
    tokens_first = (lambda t: t.transpose(-3, -2)) if ctx.heads_first else (lambda t: t)
    inputs, dy_steps, dweight = [_wide(tokens_first(x))], _wide(tokens_first(dy)), None
    steps = [_Norm(s, weight) if s["kind"] == "norm" else _Rope(s, inputs[0], angles) for s in ctx.steps[name]]
    for step in steps[:-1]:
        inputs.append(step.forward(inputs[-1]))
    for step, seen in zip(reversed(steps), reversed(inputs)):
        dy_steps, dw = step.backward(seen, dy_steps)
        dweight = dw if dw is not None else dweight
    dweight = dweight.to(weight.dtype) if dweight is not None else None
    return tokens_first(dy_steps).to(x.dtype), dweight


def _wide(tensor):
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


class _Norm:
    """y = x * inv * w, inv = 1 / sqrt(mean(x^2) + eps), w = weight + offset."""

    def __init__(self, step, weight):
        self.step, self.w = step, _wide(weight) + step["offset"] if step["weighted"] else None

    def _mean(self, x):
        return x.mean(-1, keepdim=True) if self.step["mean"] else x.sum(-1, keepdim=True)

    def _inv(self, x):
        return torch.rsqrt(self._mean(x * x) + self.step["eps"])

    def forward(self, x):
        return x * self._inv(x) * (1 if self.w is None else self.w)

    def backward(self, x, dy):
        inv = self._inv(x)
        g = dy if self.w is None else dy * self.w
        dx = inv * (g - x * inv * inv * self._mean(g * x))
        dw = None if self.w is None else (dy * x * inv).flatten(0, -2).sum(0)
        return dx, dw


class _Rope:
    """(a', b') = M (a, b) for each pair, with M from the op itself: it rotates the two unit vectors of each pair."""

    def __init__(self, step, like, angles):
        first, pairs = step["first"], step["pairs"]
        last = first + 2 * pairs
        self.a = slice(first, last, 2) if step["interleaved"] else slice(first, first + pairs)
        self.b = slice(first + 1, last, 2) if step["interleaved"] else slice(first + pairs, last)
        units = like.new_zeros((*like.shape[:-2], 2, like.shape[-1]), dtype=torch.float32)
        units[..., 0, self.a] = 1
        units[..., 1, self.b] = 1
        packed = units.flatten(-2)
        torch.ops.ropeline.qk_norm_rope_.default(packed, None, None, *angles, step["turns"])
        self.of_a, self.of_b = packed.view(units.shape).split(1, dim=-2)

    def forward(self, x):
        y = x.clone()
        a, b = x[..., self.a], x[..., self.b]
        y[..., self.a] = self.of_a[..., self.a] * a + self.of_b[..., self.a] * b
        y[..., self.b] = self.of_a[..., self.b] * a + self.of_b[..., self.b] * b
        return y

    def backward(self, x, dy):
        dx = dy.clone()
        da, db = dy[..., self.a], dy[..., self.b]
        dx[..., self.a] = self.of_a[..., self.a] * da + self.of_a[..., self.b] * db
        dx[..., self.b] = self.of_b[..., self.a] * da + self.of_b[..., self.b] * db
        return dx, None
