"""Models of a few thousand weights, built from a config with random weights that make every layer matter."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

_COMMON = {
    "vocab_size": 384,
    "hidden_size": 96,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}
FAMILIES = {
    "qwen3": {},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 48, "decoder_sparse_step": 1},
    "gemma3_text": {
        "sliding_window": 8,
        "query_pre_attn_scalar": 64,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
}
# A norm's weight is near 1, or near 0 where the model adds the 1.
_CENTRE = {"gemma3_text": 0.0}
LAYERS = _COMMON["num_hidden_layers"]
HEAD_COUNTS = _COMMON["num_attention_heads"], _COMMON["num_key_value_heads"]


def build(family, dtype=torch.float32, attention="sdpa", seed=0, **overrides):
    config = AutoConfig.for_model(family, **{**_COMMON, **FAMILIES.get(family, {}), **overrides})
    model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=random)
            vector = parameter.dim() == 1
            parameter.copy_(_CENTRE.get(family, 1.0) + 0.3 * noise if vector else 0.09 * noise)
    return model.eval()


def prompt(length=12, batch=1, seed=1):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(3, _COMMON["vocab_size"], (batch, length), generator=random)
