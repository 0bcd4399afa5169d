"""Checkpoints of small random models, as transformers saves them. vLLM's own load_format="dummy" would not do: its
weights are so small that the output does not depend on the attention, and any prologue would pass.

    python checkpoints.py FAMILY FOLDER
"""

import sys

import torch

from tiny_models import build

_SHAPE = {
    "vocab_size": 512,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "max_position_embeddings": 1024,
}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 128}
_TYPES = ["sliding_attention", "sliding_attention", "full_attention"]
FAMILIES = {
    "qwen3": {},
    "qwen3_moe": {"num_experts": 8, "decoder_sparse_step": 1, "norm_topk_prob": True, **_EXPERTS},
    "gemma3_text": {"sliding_window": 64, "query_pre_attn_scalar": 128, "layer_types": _TYPES},
    "glm4_moe": {
        "n_routed_experts": 8,
        "n_shared_experts": 1,
        "n_group": 1,
        "topk_group": 1,
        "first_k_dense_replace": 1,
        "use_qk_norm": True,
        "partial_rotary_factor": 0.5,
        **_EXPERTS,
    },
    "exaone4": {"sliding_window": 64, "layer_types": _TYPES},  # the layer with full attention does not rotate
}


def save(family, folder, dtype=torch.bfloat16):
    model = build(family, dtype, **_SHAPE, **FAMILIES[family])
    with torch.no_grad():
        model.lm_head.weight *= 0.5  # logits below 4, where a step of bf16 is 1/64
    model.save_pretrained(folder)


if __name__ == "__main__":
    save(*sys.argv[1:])
