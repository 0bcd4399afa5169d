"""Qwen3MoeAttention.apply_qk_norm_rope of the sglang wheel, with stubbed imports, on a CPU: it calls
torch.ops.sgl_kernel.fused_qk_norm_rope_cpu, which is ours once ropeline.dropin.sglang.register() has been called."""

import pytest
import torch

import ropeline
from ropeline.dropin import sglang as ours

HEADS, KV_HEADS, DIM = 32, 4, 128  # of Qwen3-30B-A3B
POSITIONS = 4096
BOUND = 1


@pytest.fixture(params=[torch.bfloat16, torch.float16], ids=str)
def attention(qwen3_moe, request):
    """A layer with sglang's norms and rotation, and without what the method does not touch: projections, attention."""
    from sglang.srt.layers.layernorm import RMSNorm
    from sglang.srt.layers.rotary_embedding import RotaryEmbedding

    assert ours.register()
    layer = qwen3_moe.Qwen3MoeAttention.__new__(qwen3_moe.Qwen3MoeAttention)
    torch.nn.Module.__init__(layer)
    layer.num_heads, layer.num_kv_heads, layer.head_dim = HEADS, KV_HEADS, DIM
    layer.q_size, layer.kv_size = HEADS * DIM, KV_HEADS * DIM
    layer.rotary_emb = RotaryEmbedding(DIM, DIM, POSITIONS, 1e6, True, request.param)
    layer.q_norm, layer.k_norm = (RMSNorm(DIM, eps=1e-6).to(request.param) for _ in "qk")
    random = torch.Generator().manual_seed(0)
    for norm in (layer.q_norm, layer.k_norm):
        norm.weight.data.copy_(1 + 0.3 * torch.randn(DIM, generator=random))
    layer.use_fused_qk_norm_rope, layer.alt_stream = False, None
    layer.use_fused_qk_norm_rope_cpu = qwen3_moe._has_cpu_fused_qk_norm_rope()
    return layer


def call(layer, tokens):
    random = torch.Generator().manual_seed(tokens)
    qkv = torch.randn(tokens, layer.q_size + 2 * layer.kv_size, generator=random).to(layer.q_norm.weight.dtype)
    return qkv, torch.randint(0, POSITIONS, (tokens,), generator=random)


def applied(layer, qkv, positions):
    with torch.no_grad():
        return layer.apply_qk_norm_rope(qkv.clone(), positions, None)


@pytest.mark.parametrize("tokens", [1, 7, 128])
def test_the_call_site_runs_our_op_and_gives_the_references_bits(attention, reference, tokens):
    qkv, positions = call(attention, tokens)
    ours = applied(attention, qkv, positions)
    assert attention._used_fused_qk_norm_rope_last_call
    assert all(torch.equal(a, b) for a, b in zip(ours, by_reference(attention, qkv, positions, reference)))


def by_reference(layer, qkv, positions, reference):
    spec = ropeline.qk_norm_rope_spec(
        HEADS,
        KV_HEADS,
        DIM,
        norm=ropeline.rms_norm(1e-6),
        rope=ropeline.rope(ropeline.cos_sin_cache(DIM)),
        dtype=qkv.dtype,
        table=ropeline.spec.dtype_name(qkv.dtype),  # to which sglang casts its cache
    )
    qkv, cache = qkv.clone(), layer.rotary_emb.cos_sin_cache
    weights = layer.q_norm.weight.data, layer.k_norm.weight.data
    reference.packed(qkv, *weights, positions, None, None, cache, spec.id)
    return qkv.split([layer.q_size, layer.kv_size, layer.kv_size], 1)


def difference_from_native(layer, qwen3_moe, monkeypatch, spoil=lambda layer: None):
    """The largest, from sglang's own path of two norms and a rotation, in steps of the dtype at the largest number."""
    monkeypatch.setattr(qwen3_moe, "enable_fused_set_kv_buffer", lambda batch: False)  # there is no batch
    qkv, positions = call(layer, 128)
    layer.use_fused_qk_norm_rope_cpu = False
    native = applied(layer, qkv, positions)
    assert not layer._used_fused_qk_norm_rope_last_call
    layer.use_fused_qk_norm_rope_cpu = True
    spoil(layer)
    ours = applied(layer, qkv, positions)
    assert torch.equal(ours[2], native[2])
    step = torch.finfo(qkv.dtype).eps
    return max(((a - b).abs().max() / (step * b.abs().max())).item() for a, b in zip(ours[:2], native[:2]))


def test_it_is_near_sglangs_native_path_which_rounds_more_often(attention, qwen3_moe, monkeypatch):
    assert difference_from_native(attention, qwen3_moe, monkeypatch) <= BOUND


def wrong_sin(layer):
    cos, sin = layer.rotary_emb.cos_sin_cache.chunk(2, -1)
    layer.rotary_emb.cos_sin_cache = torch.cat((cos, -sin), -1)


def wrong_norm(layer):
    layer.k_norm.weight.data *= 1.05


@pytest.mark.parametrize("spoil", [wrong_sin, wrong_norm])
def test_a_fault_shows(attention, qwen3_moe, monkeypatch, spoil):
    assert difference_from_native(attention, qwen3_moe, monkeypatch, spoil) > 2 * BOUND
