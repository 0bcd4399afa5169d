"""A Qwen3-MoE decoder with random weights, its variants, and a decode step that can be captured into a CUDA graph."""

import contextlib
import inspect

import torch
import transformers
from transformers.models.qwen3_moe.modeling_qwen3_moe import apply_rotary_pos_emb

import ropeline.transformers

# config.json of Qwen3-30B-A3B, but for its 48 layers
REAL = {
    "vocab_size": 151936,
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 768,
    "norm_topk_prob": True,
    "max_position_embeddings": 40960,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    "tie_word_embeddings": False,
}
# The same rules with few numbers, for a test on a CPU.
TINY = {
    **REAL,
    "vocab_size": 512,
    "hidden_size": 96,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 48,
}
# name: (on Ropeline, under torch.compile); what is quick to make comes first
VARIANTS = {
    "unmodified": (False, False),
    "ropeline": (True, False),
    "compile": (False, True),
    "ropeline+compile": (True, True),
}


def build(shape, layers, device):
    """A model in bf16 whose weights are made on `device`: norms at 1 +- 0.3, the rest as transformers draws them."""
    config = transformers.AutoConfig.for_model("qwen3_moe", num_hidden_layers=layers, **shape)
    torch.manual_seed(0)
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(
            config, dtype=torch.bfloat16, attn_implementation="sdpa", experts_implementation="grouped_mm"
        )
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        if parameter.dim() == 1:
            parameter.normal_(1.0, 0.3)
    return model.eval()


@contextlib.contextmanager
def variant(model, name):
    """The model as that variant, unmodified again afterwards. RuntimeError where Ropeline leaves a layer alone."""
    switched, compiled = VARIANTS[name]
    with contextlib.ExitStack() as stack:
        if switched:
            stack.callback(ropeline.transformers.revert, model)
            ropeline.transformers.apply(model, strict=True)
        if compiled:
            stack.enter_context(_compiled_layers(model.model.layers))
        yield


@contextlib.contextmanager
def _compiled_layers(layers):
    """Each decoder layer under torch.compile with static shapes. layer_idx is a constant of a compiled graph, so each
    layer is a recompilation; Inductor's cache knows the graphs of all but the first."""
    torch._dynamo.reset()
    with torch._dynamo.config.patch(recompile_limit=len(layers) + 8):
        for layer in layers:
            layer.forward = torch.compile(layer.forward, fullgraph=True, dynamic=False)
        try:
            yield
        finally:
            for layer in layers:
                del layer.forward


class Decoding:
    """A batch whose static cache holds `context` tokens of each row, and one greedy step after another on it.

    `ids` [B, 1] is what the next step reads, `positions` [B, 1] where; a step writes both. reset() goes back to the end
    of the prompt, after which `steps` steps have room.
    """

    def __init__(self, model, batch, context, steps):
        self.model, self.context, device = model, context, model.device
        length = -(-(context + steps) // 64) * 64  # the fast attention kernels want a mask with aligned rows
        self.cache = transformers.StaticCache(config=model.config, max_cache_len=length)
        self._slots = torch.arange(length, device=device)
        # transformers 5.24 renamed the argument
        names = inspect.signature(model.model.forward).parameters
        self._cache_argument = {"cache" if "cache" in names else "past_key_values": self.cache}
        prompt = torch.randint(model.config.vocab_size, (batch, context), device=device)
        self._prompt_end = self._logits(prompt, self._slots[:context].expand(batch, -1)).argmax(-1)
        self.ids, self.positions = self._prompt_end.clone(), torch.empty_like(self._prompt_end)
        self.reset()

    def reset(self):
        self.ids.copy_(self._prompt_end)
        self.positions.fill_(self.context)
        for layer in self.cache.layers:
            layer.cumulative_length.fill_(self.context)

    def step(self):
        """Logits [B, 1, vocabulary] of the token in `ids`; the best of them becomes the next token."""
        logits = self._logits(self.ids, self.positions)
        self.ids.copy_(logits.argmax(-1))
        self.positions.add_(1)
        return logits

    def _logits(self, ids, positions):
        """Of the last token. The mask [B, 1, T, slots] comes ready, as generate() hands it to a compiled model."""
        mask = (self._slots <= positions[:, :, None])[:, None]
        return self.model(
            ids,
            position_ids=positions,
            attention_mask=mask,
            use_cache=True,
            logits_to_keep=1,
            **self._cache_argument,
        ).logits


class Prologue:
    """The norms and the rotation of one layer alone, on a decode step's tensors as the layer's projections return them.

    `forms` are calls without arguments that return q [B, H, 1, D] and k. Ropeline's writes into the same q and k each
    time, and norms them again. fresh() gives the form's results on the values that the projections returned.
    """

    def __init__(self, model, batch):
        self._attention, config = model.model.layers[0].self_attn, model.config
        hidden = torch.randn(batch, 1, config.hidden_size, device=model.device, dtype=torch.bfloat16)
        projections = self._attention.q_proj, self._attention.k_proj
        self._heads = [p(hidden).view(batch, 1, -1, config.head_dim) for p in projections]
        positions = torch.randint(config.max_position_embeddings, (batch, 1), device=model.device)
        self._angles = model.model.rotary_emb(hidden, positions)
        self._functions = {
            "unmodified": self._lines,
            "compile": torch.compile(self._lines, fullgraph=True, dynamic=False),
            "ropeline": self._op,
        }

    @property
    def forms(self):
        """The calls by the name of their variant; while they run, the model is switched to Ropeline."""
        q, k = (t.clone() for t in self._heads)
        return {name: lambda f=function: f(q, k, *self._angles) for name, function in self._functions.items()}

    def differing(self, name):
        """How many values of q and k differ from the unmodified lines', and of how many."""
        expected, got = (
            self._functions[n](*(t.clone() for t in self._heads), *self._angles) for n in ("unmodified", name)
        )
        return sum((a != b).sum().item() for a, b in zip(expected, got)), sum(t.numel() for t in got)

    def _lines(self, q, k, cos, sin):
        q, k = self._attention.q_norm(q).transpose(1, 2), self._attention.k_norm(k).transpose(1, 2)
        return apply_rotary_pos_emb(q, k, cos, sin)

    def _op(self, q, k, cos, sin):
        return self._attention._ropeline_rope(q.transpose(1, 2), k.transpose(1, 2), cos, sin)
