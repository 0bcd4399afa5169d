"""The torch ops, their fake kernels, and the calls that take a Spec.

On a CUDA device the kernel is queued on torch's current stream, and the call waits for nothing. The first call of a
spec on a device compiles its kernels or finds them in the cache; `prepare` does it beforehand, which a call that is
captured into a CUDA graph needs. All tensors of a call are on one device.

One kernel, three forms: `qk_norm_rope_` on a packed qkv in place, `qk_norm_rope_sep_` on q and k in place, and
`qk_norm_rope`, which returns new tensors and is the one that has a gradient. Streams are [T, H, D] or [B, T, H, D];
the stride of D is 1, the others are free as long as they and the base keep the spec's `alignment` (16 bytes unless
qk_norm_rope_spec(alignment=...) lowers it). With heads_first=True they are [B, H, T, D], as transformers holds them.
`tensors` are q_weight, k_weight [D], and what the spec's angles need: positions [T] or [B, T], cos and sin rows
[T, width] or [B, T, width], or a cos_sin_cache [P, rotary_dim] with positions.
"""

import torch
from torch.autograd import forward_ad

from . import gradient
from .spec import Spec


def _parameters(spec, *, q_weight=None, k_weight=None, positions=None, cos=None, sin=None, cos_sin_cache=None):
    """The arguments that every schema ends with, in its order."""
    number = spec.id if isinstance(spec, Spec) else spec
    return q_weight, k_weight, positions, cos, sin, cos_sin_cache, number


def _refuse_grad(name, *tensors):
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        raise RuntimeError(f"{name} works in place and has no gradient; call qk_norm_rope, or do this under no_grad")


def _refuse_tangents(*tensors):
    if forward_ad._current_level < 0:  # outside of forward mode, without a look at the tensors
        return
    if any(t is not None and forward_ad.unpack_dual(t).tangent is not None for t in tensors):
        raise RuntimeError("qk_norm_rope has no forward-mode gradient; a tensor of the call carries a tangent")


def qk_norm_rope_(qkv, spec, **tensors):
    """In place on a packed qkv [T, N] or [B, T, N]: q heads first, then k heads; the rest of N is left alone."""
    parameters = _parameters(spec, **tensors)
    _refuse_grad("qk_norm_rope_", qkv, *parameters[:-1])
    _refuse_tangents(qkv, *parameters[:-1])
    torch.ops.ropeline.qk_norm_rope_.default(qkv, *parameters)


def qk_norm_rope_sep_(q, k, spec, *, heads_first=False, **tensors):
    """In place on q and k."""
    parameters = _parameters(spec, **tensors)
    _refuse_grad("qk_norm_rope_sep_", q, k, *parameters[:-1])
    _refuse_tangents(q, k, *parameters[:-1])
    torch.ops.ropeline.qk_norm_rope_sep_.default(q, k, *parameters, heads_first)


def qk_norm_rope(q, k, spec, *, heads_first=False, **tensors):
    """Returns new q and k, with the strides of the given ones where those are dense."""
    parameters = _parameters(spec, **tensors)
    _refuse_tangents(q, k, *parameters[:-1])
    return torch.ops.ropeline.qk_norm_rope.default(q, k, *parameters, heads_first)


_TENSORS = ("q_weight", "k_weight", "positions", "cos", "sin", "cos_sin_cache")


def _same_device(device, parameters, **streams):
    """The one thing that a compiled graph can get wrong for good; shapes are for the op to judge."""
    for name, tensor in (*streams.items(), *zip(_TENSORS, parameters)):
        if tensor is not None and tensor.device != device:
            raise ValueError(f"{name}: is on {tensor.device}, the call runs on {device}")


def register(namespace):
    """Gives the ops of a namespace their fake kernels and the gradient."""

    @torch.library.register_fake(f"{namespace}::qk_norm_rope_")
    def _(qkv, *parameters):
        _same_device(qkv.device, parameters)

    @torch.library.register_fake(f"{namespace}::qk_norm_rope_sep_")
    def _(q, k, *parameters, heads_first=False):
        _same_device(q.device, parameters, k=k)

    @torch.library.register_fake(f"{namespace}::qk_norm_rope")
    def _(q, k, *parameters, heads_first=False):
        _same_device(q.device, parameters, k=k)
        return torch.empty_like(q), torch.empty_like(k)

    torch.library.register_autograd(
        f"{namespace}::qk_norm_rope", gradient.backward, setup_context=gradient.setup_context
    )


register("ropeline")
