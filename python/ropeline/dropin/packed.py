"""The call that most of the originals are: in place on one packed qkv."""

import torch


def run(qkv, heads, head_dim, spec, q_weight, k_weight, positions, cos_sin_cache=None):
    """Norm and rope of q and k in qkv [T, (q + k + v heads) * head_dim], in place; v is left alone.

    heads: those of q, k and v. spec: the number of a spec for q and k. The tensors may be None where it reads none.
    """
    q, k, v = heads
    if qkv.dim() != 2 or qkv.shape[1] != (q + k + v) * head_dim:
        raise RuntimeError(
            f"qkv: shape {list(qkv.shape)} must be [num_tokens, {(q + k + v) * head_dim}], "
            f"{q} q, {k} k and {v} v heads of {head_dim}"
        )
    weights = q_weight if q else None, k_weight if k else None
    torch.ops.ropeline.qk_norm_rope_.default(qkv, *weights, positions, None, None, cos_sin_cache, spec)
