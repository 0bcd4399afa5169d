"""Stand-ins for vLLM's layers: classes with the names, modules and members of its own."""

import torch

WIDTH, HEADS, KV_HEADS, DIM, POSITIONS = 96, 4, 2, 64, 50


def of_vllm(module):
    """A decorator: the class says that it is of that module of vllm.model_executor."""

    def name(cls):
        cls.__module__ = f"vllm.model_executor.{module}"
        return cls

    return name


@of_vllm("layers.layernorm")
class RMSNorm(torch.nn.Module):
    def __init__(self, eps=1e-6):
        super().__init__()
        self.weight, self.variance_epsilon = torch.nn.Parameter(torch.empty(DIM, dtype=torch.bfloat16)), eps

    def scaled(self, x):
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)

    def forward(self, x):
        return self.scaled(x).bfloat16() * self.weight


@of_vllm("layers.layernorm")
class GemmaRMSNorm(RMSNorm):
    def forward(self, x):
        return (self.scaled(x) * (1 + self.weight.float())).bfloat16()


@of_vllm("layers.rotary_embedding.base")
class RotaryEmbedding(torch.nn.Module):
    def __init__(self, rotary_dim=DIM, is_neox_style=True):
        super().__init__()
        self.head_size, self.rotary_dim, self.is_neox_style = DIM, rotary_dim, is_neox_style
        angles = torch.arange(POSITIONS)[:, None] * torch.logspace(0, -3, rotary_dim // 2)
        table = torch.cat((angles.cos(), angles.sin()), -1).bfloat16()
        self.register_buffer("cos_sin_cache", table, persistent=False)

    def forward(self, positions, query, key):
        cos, sin = (half.float()[:, None] for half in self.cos_sin_cache[positions].chunk(2, -1))
        return self.turned(query, cos, sin), self.turned(key, cos, sin)

    def turned(self, x, cos, sin):
        x = x.unflatten(-1, (-1, DIM)).float()
        turning, rest = x[..., : self.rotary_dim], x[..., self.rotary_dim :]
        a, b = turning.chunk(2, -1) if self.is_neox_style else (turning[..., ::2], turning[..., 1::2])
        pair = a * cos - b * sin, b * cos + a * sin
        turning = torch.cat(pair, -1) if self.is_neox_style else torch.stack(pair, -1).flatten(-2)
        return torch.cat((turning, rest), -1).flatten(-2).bfloat16()


@of_vllm("layers.rotary_embedding.mrope")
class MRotaryEmbedding(RotaryEmbedding):
    pass


class Linear(torch.nn.Linear):
    def forward(self, x):
        return super().forward(x), None


class Attention(torch.nn.Module):
    """Something that depends on all that it gets."""

    def forward(self, q, k, v):
        return q + (k + v).repeat(1, HEADS // KV_HEADS)


@of_vllm("models.qwen3")
class Qwen3Attention(torch.nn.Module):
    def __init__(self, norm=RMSNorm, rotary=None):
        super().__init__()
        self.num_heads, self.num_kv_heads, self.head_dim = HEADS, KV_HEADS, DIM
        self.q_size, self.kv_size = HEADS * DIM, KV_HEADS * DIM
        self.qkv_proj = Linear(WIDTH, self.q_size + 2 * self.kv_size, False, dtype=torch.bfloat16)
        self.rotary_emb = rotary or RotaryEmbedding()
        self.q_norm, self.k_norm = norm(), norm()
        self.attn, self.o_proj = Attention(), Linear(self.q_size, WIDTH, False, dtype=torch.bfloat16)

    def forward(self, positions, hidden_states):
        qkv, _ = self.qkv_proj(hidden_states)
        q, k, v = qkv.split([self.q_size, self.kv_size, self.kv_size], -1)
        q = self.q_norm(q.unflatten(-1, (-1, DIM))).flatten(-2)
        k = self.k_norm(k.unflatten(-1, (-1, DIM))).flatten(-2)
        q, k = self.rotary_emb(positions, q, k)
        output, _ = self.o_proj(self.attn(q, k, v))
        return output


@of_vllm("models.gemma3")
class Gemma3Attention(Qwen3Attention):
    pass


@of_vllm("models.exaone4")
class Exaone4Attention(Qwen3Attention):
    apply_rope_all_layers, sliding_window = False, None

    def forward(self, positions, hidden_states):
        qkv, _ = self.qkv_proj(hidden_states)
        q, k, v = qkv.split([self.q_size, self.kv_size, self.kv_size], -1)
        q = self.q_norm(q.unflatten(-1, (-1, DIM))).flatten(-2)
        k = self.k_norm(k.unflatten(-1, (-1, DIM))).flatten(-2)
        if self.sliding_window or self.apply_rope_all_layers:
            q, k = self.rotary_emb(positions, q, k)
        output, _ = self.o_proj(self.attn(q, k, v))
        return output


@of_vllm("models.llama")
class LlamaAttention(Qwen3Attention):
    pass


def model(*layers):
    """As vLLM makes it: norm weights hold whatever the memory held."""
    made = torch.nn.Sequential(*layers)
    for layer in layers:
        for norm in (layer.q_norm, layer.k_norm):
            norm.weight.data.fill_(float("nan"))
    return made
