"""sglang's fused_qk_norm_rope, fused_qk_norm_rope_out and can_use_fused_qk_norm_rope, its CPU op
fused_qk_norm_rope_cpu, and downcast_fp8.

The first three are those of sglang.kernels.ops.attention.fused_qknorm_rope, in older versions
sglang.jit_kernel.fused_qknorm_rope; the fourth is torch.ops.sgl_kernel's; the last was sgl_kernel's and
sglang.jit_kernel.cast's.
"""

import functools
import logging

import torch

from .._library import library
from ..kv_cast import kv_cast
from ..spec import device_number
from . import layer, names, packed
from .errors import PACKED, SEPARATE, dtypes_of, in_words_of

_log = logging.getLogger(__name__)


def fused_qk_norm_rope(
    qkv,
    num_heads_q,
    num_heads_k,
    num_heads_v,
    head_dim,
    eps,
    q_weight,
    k_weight,
    base,
    is_neox,
    position_ids,
    factor,
    low,
    high,
    attention_factor,
    rotary_dim=None,
):
    """RMSNorm of each q and k head, then rope, in place on qkv [T, (q + k + v heads) * head_dim].

    The weights are [head_dim], position_ids [T] in int32 or int64. is_neox: pairs (i, i + rotary_dim / 2), else
    (2i, 2i + 1). A factor other than 1 is YaRN's, and low and high the ends of its ramp as indices of frequencies;
    attention_factor multiplies cos and sin. rotary_dim None: all of head_dim. RuntimeError for a wrong call.
    """
    fused_qk_norm_rope_out(
        qkv,
        q_weight,
        k_weight,
        position_ids,
        num_heads_q,
        num_heads_k,
        num_heads_v,
        head_dim,
        eps,
        base,
        is_neox,
        factor,
        low,
        high,
        attention_factor,
        head_dim if rotary_dim is None else rotary_dim,
    )


@in_words_of(PACKED)
def fused_qk_norm_rope_out(
    qkv,
    q_weight,
    k_weight,
    position_ids,
    num_heads_q,
    num_heads_k,
    num_heads_v,
    head_dim,
    eps,
    base,
    is_neox,
    factor,
    low,
    high,
    attention_factor,
    rotary_dim,
):
    """The same with the tensors first, as sglang registers it; in place, too."""
    dtypes = dtypes_of(qkv=qkv, q_weight=q_weight, position_ids=position_ids)
    angles = base, rotary_dim, factor, low, high, attention_factor
    spec = layer.with_theta((num_heads_q, num_heads_k), head_dim, (eps, 0.0), is_neox, dtypes, *angles)
    positions = position_ids if rotary_dim else None
    packed.run(qkv, (num_heads_q, num_heads_k, num_heads_v), head_dim, spec, q_weight, k_weight, positions)


def can_use_fused_qk_norm_rope(head_dim, is_neox, dtype, yarn=False, *, num_heads_q=32, num_heads_k=4, device="cuda"):
    """Whether that device runs such a layer: a plan for it is prepared to find out, and kept.

    No, with a warning that says why, where there is no driver or an old one, no NVRTC, no kernel that compiles. Each
    reason is told once. A no is tried again when it is asked for again: the reason may have passed, as a full device
    does. The original's arguments do not say how many heads there are; with the right numbers, the first call has
    nothing left to compile. A device without a number is the current one.
    """
    try:
        _prepare((num_heads_q, num_heads_k), head_dim, is_neox, dtype, yarn, device_number(device))
    except (ValueError, RuntimeError) as reason:
        _warn(str(reason))
        return False
    return True


@functools.cache  # which keeps no exceptions
def _prepare(heads, head_dim, is_neox, dtype, yarn, device):
    angles = 1e6, head_dim, 2.0 if yarn else 1.0, 0.0, head_dim / 4, 1.1 if yarn else 1.0
    spec = layer.with_theta(heads, head_dim, (1e-6, 0.0), is_neox, (dtype, dtype, torch.int32), *angles)
    library.prepare(spec, device)


@functools.cache  # once for each reason
def _warn(reason):
    _log.warning("fused_qk_norm_rope cannot be used: %s", reason)


@in_words_of(SEPARATE)
def fused_qk_norm_rope_cpu(q, k, q_weight, k_weight, eps, is_neox, position_ids, cos_sin_cache, rotary_dim):
    """RMSNorm of each head, then rope, in place on q [T, q heads * head_dim] and k [T, k heads * head_dim].

    Both have heads, and may be views of one qkv. The weights are [head_dim], position_ids [T] in int32 or int64;
    cos_sin_cache is [P, rotary_dim], cos in the first half of a row. RuntimeError for a wrong call.
    """
    *dtypes, table = dtypes_of(q=q, q_weight=q_weight, position_ids=position_ids, cos_sin_cache=cos_sin_cache)
    head_dim = q_weight.numel()
    q, k = _heads("q", q, head_dim), _heads("k", k, head_dim)
    heads = q.shape[1], k.shape[1]
    spec = layer.with_cache(heads, head_dim, (eps, 0.0), is_neox, tuple(dtypes), rotary_dim, table)
    angles = (position_ids, None, None, cos_sin_cache) if rotary_dim else (None,) * 4
    torch.ops.ropeline.qk_norm_rope_sep_.default(q, k, q_weight, k_weight, *angles, spec)


def _heads(name, x, head_dim):
    """The heads [T, H, D] of [T, H * D]: a view, whatever the stride of T."""
    if x.dim() != 2 or not head_dim or not x.shape[1] or x.shape[1] % head_dim:
        wanted = f"[num_tokens, heads * {head_dim}], one head or more, of the size of q_weight"
        raise RuntimeError(f"{name}: shape {list(x.shape)} must be {wanted}")
    return x.unflatten(1, (x.shape[1] // head_dim, head_dim))


def register():
    """Puts fused_qk_norm_rope_cpu behind torch.ops.sgl_kernel, where sglang's models look for it, unless that name is
    taken. Returns whether it is ours. Load sgl_kernel first: it fails to load where its names are taken."""
    schema = (
        "sgl_kernel::fused_qk_norm_rope_cpu(Tensor(a!) q, Tensor(b!) k, Tensor q_weight, Tensor k_weight, float eps, "
        "bool is_neox, Tensor position_ids, Tensor cos_sin_cache, int rotary_dim) -> ()"
    )
    return names.register({schema: fused_qk_norm_rope_cpu}, devices=("CPU",))


@in_words_of({"k_cache": "k_out", "v_cache": "v_out"})
def downcast_fp8(k, v, k_out, v_out, k_scale, v_scale, loc, mult=1, offset=0):
    """Writes E4M3(x / scale) of k and v [T, H, D] to the rows `loc * mult + offset` of k_out and v_out [N, H, D].

    k and v are bfloat16 or float16, the outputs uint8 (the bits) or float8_e4m3fn, the scales float32 tensors of one
    number, loc [T] in int32 or int64. RuntimeError for a wrong call. See ropeline.kv_cast.
    """
    kv_cast(k, v, k_out, v_out, k_scale, v_scale, loc, mult, offset)
