"""TensorRT-LLM's torch.ops.trtllm.fused_qk_norm_rope, in the forms with rotary_dim and without."""

from . import layer, names, packed
from .errors import PACKED, dtypes_of, in_words_of


@in_words_of(PACKED)
def fused_qk_norm_rope(
    qkv,
    num_heads_q,
    num_heads_k,
    num_heads_v,
    head_dim,
    rotary_dim,
    eps,
    q_weight,
    k_weight,
    base,
    is_neox,
    position_ids,
    factor=1.0,
    low=0.0,
    high=0.0,
    attention_factor=1.0,
    is_qk_norm=True,
    use_gemma=False,
    use_mrope=False,
    mrope_section1=0,
    mrope_section2=0,
):
    """RMSNorm of each q and k head, then rope, in place on qkv [T, (q + k + v heads) * head_dim].

    The weights are [head_dim], position_ids [T] or [3, T], of which the first row counts without use_mrope, in int32 or
    int64. is_neox: pairs (i, i + rotary_dim / 2), else (2i, 2i + 1). A factor other than 1 is YaRN's, and low and high
    the ends of its ramp as indices of frequencies; attention_factor multiplies cos and sin. is_qk_norm: without it the
    weights are not read. use_gemma: 1 + weight in place of the weight. use_mrope: frequency i is fed by row 1 where
    i % 3 == 1 and i < 3 * mrope_section1, by row 2 where i % 3 == 2 and i < 3 * mrope_section2, else by row 0.
    RuntimeError for a wrong call.
    """
    dtypes = dtypes_of(qkv=qkv, q_weight=q_weight, position_ids=position_ids)
    positions = _rows(position_ids, use_mrope) if rotary_dim else None
    axes = _axes(rotary_dim // 2, mrope_section1, mrope_section2) if use_mrope else ()
    angles = base, rotary_dim, factor, low, high, attention_factor, axes
    norm = (eps, 1.0 if use_gemma else 0.0) if is_qk_norm else None
    spec = layer.with_theta((num_heads_q, num_heads_k), head_dim, norm, is_neox, dtypes, *angles)
    weights = (q_weight, k_weight) if is_qk_norm else (None, None)
    packed.run(qkv, (num_heads_q, num_heads_k, num_heads_v), head_dim, spec, *weights, positions)


def fused_qk_norm_rope_of_whole_heads(
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
    factor=1.0,
    low=0.0,
    high=0.0,
    attention_factor=1.0,
):
    """The older form: no rotary_dim, which is head_dim, and always the norm."""
    first = num_heads_q, num_heads_k, num_heads_v, head_dim, head_dim, eps, q_weight, k_weight, base, is_neox
    fused_qk_norm_rope(qkv, *first, position_ids, factor, low, high, attention_factor)


def _axes(frequencies, section1, section2):
    rows = [0] * frequencies
    rows[1 : 3 * section1 : 3] = [1] * len(rows[1 : 3 * section1 : 3])
    rows[2 : 3 * section2 : 3] = [2] * len(rows[2 : 3 * section2 : 3])
    return tuple(rows)


def _rows(position_ids, use_mrope):
    """The rows that are read: all three for M-RoPE, or the first."""
    shape = tuple(position_ids.shape)
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[0] != 3) or (use_mrope and len(shape) != 2):
        right = "[3, num_tokens]" if use_mrope else "[num_tokens] or [3, num_tokens]"
        raise RuntimeError(f"position_ids: shape {list(shape)} must be {right}")
    return position_ids if use_mrope or len(shape) == 1 else position_ids[0]


def register():
    """Defines torch.ops.trtllm.fused_qk_norm_rope, with an overload for the older form, unless that name is taken.
    Returns whether it is ours. Load tensorrt_llm first: it fails to load where its names are taken."""
    heads = "Tensor(a!) qkv, int num_heads_q, int num_heads_k, int num_heads_v, int head_dim"
    rest = (
        "float eps, Tensor q_weight, Tensor k_weight, float base, bool is_neox, Tensor position_ids, "
        "float factor=1.0, float low=0.0, float high=0.0, float attention_factor=1.0"
    )
    flags = (
        "bool is_qk_norm=True, bool use_gemma=False, bool use_mrope=False, int mrope_section1=0, int mrope_section2=0"
    )
    forms = {
        f"trtllm::fused_qk_norm_rope({heads}, int rotary_dim, {rest}, {flags}) -> ()": fused_qk_norm_rope,
        f"trtllm::fused_qk_norm_rope.whole_heads({heads}, {rest}) -> ()": fused_qk_norm_rope_of_whole_heads,
    }
    return names.register(forms)
