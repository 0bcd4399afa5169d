"""vLLM's torch.ops._C.fused_qk_norm_rope."""

from . import layer, names, packed
from .errors import PACKED, dtypes_of, in_words_of


@in_words_of(PACKED)
def fused_qk_norm_rope(
    qkv,
    num_heads_q,
    num_heads_k,
    num_heads_v,
    head_dim,
    eps,
    q_weight,
    k_weight,
    cos_sin_cache,
    is_neox,
    position_ids,
    forced_token_heads_per_warp=-1,
):
    """RMSNorm of each q and k head, then rope, in place on qkv [T, (q + k + v heads) * head_dim].

    The weights are [head_dim], position_ids [T] in int32 or int64; cos_sin_cache is [P, rotary_dim], cos in the first
    half of a row, and its width says how much of a head is rotated. is_neox: pairs (i, i + rotary_dim / 2), else
    (2i, 2i + 1). The last argument, which older versions have not, tunes the original's launch; it is taken and not
    used. RuntimeError for a wrong call.
    """
    tensors = {"qkv": qkv, "q_weight": q_weight, "position_ids": position_ids, "cos_sin_cache": cos_sin_cache}
    *dtypes, table = dtypes_of(**tensors)
    if cos_sin_cache.dim() != 2:
        raise RuntimeError(f"cos_sin_cache: shape {list(cos_sin_cache.shape)} must be [max_position, rotary_dim]")
    rotary_dim, heads = cos_sin_cache.shape[1], (num_heads_q, num_heads_k)
    spec = layer.with_cache(heads, head_dim, (eps, 0.0), is_neox, tuple(dtypes), rotary_dim, table)
    angles = (position_ids, cos_sin_cache) if rotary_dim else ()
    packed.run(qkv, (*heads, num_heads_v), head_dim, spec, q_weight, k_weight, *angles)


def register():
    """Defines torch.ops._C.fused_qk_norm_rope, for both argument lists, unless that name is taken. Returns whether it
    is ours. Load vllm first: it fails to load where its names are taken."""
    schema = (
        "_C::fused_qk_norm_rope(Tensor(a!) qkv, int num_heads_q, int num_heads_k, int num_heads_v, int head_dim, "
        "float eps, Tensor q_weight, Tensor k_weight, Tensor cos_sin_cache, bool is_neox, Tensor position_ids, "
        "int forced_token_heads_per_warp=-1) -> ()"
    )
    return names.register({schema: fused_qk_norm_rope})
