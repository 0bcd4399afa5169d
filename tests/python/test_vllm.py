"""The vLLM plugin on stand-ins for vLLM's layers, so that every refusal can be had without it. tests/vllm runs the real
engine."""

import json
import sys
import types

import pytest
import torch

import ropeline.vllm as plugin
from vllm_layers import (
    DIM,
    HEADS,
    WIDTH,
    Exaone4Attention,
    Gemma3Attention,
    GemmaRMSNorm,
    LlamaAttention,
    MRotaryEmbedding,
    Qwen3Attention,
    RMSNorm,
    RotaryEmbedding,
    model,
)


def load_weights(made):
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            noise = torch.randn(parameter.shape, generator=random)
            parameter.copy_(1 + 0.3 * noise if parameter.dim() == 1 else 0.1 * noise)


@torch.no_grad()
def outputs(made):
    hidden = torch.randn(7, WIDTH, generator=torch.Generator().manual_seed(1)).bfloat16()
    return torch.stack([layer(torch.arange(3, 10), hidden).float() for layer in made])


def reason(layer, **options):
    (left,) = plugin.apply(model(layer), **options).left_alone
    return left.reason


# --- switched layers -------------------------------------------------------------------------------------------------

LAYERS = {
    "neox": Qwen3Attention,
    "partial": lambda: Qwen3Attention(rotary=RotaryEmbedding(DIM // 2)),
    "interleaved": lambda: Qwen3Attention(rotary=RotaryEmbedding(is_neox_style=False)),
    "1 + w": lambda: Gemma3Attention(GemmaRMSNorm),
    "no rope": Exaone4Attention,
}


@pytest.mark.parametrize("own_forward", [False, True], ids=["own modules", "forward of ours"])
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_switched_layer_gives_what_it_gave(layer, own_forward, monkeypatch):
    made = model(layer(), layer())
    assert str(plugin.apply(made, own_forward=own_forward)) == "2 of 2 attention layers run on Ropeline"
    load_weights(made)
    ours = outputs(made)
    unmodified = model(layer(), layer())
    load_weights(unmodified)
    expected = outputs(unmodified)
    assert (ours - expected).abs().max() <= 2**-7 * expected.abs().max()
    for name in ("qk_norm_rope_", "qk_norm_rope_sep_"):
        monkeypatch.setattr(plugin, name, lambda *arguments: None)
    assert (outputs(made) - expected).abs().max() > 2**-5 * expected.abs().max()


def test_both_ways_give_the_same_bits():
    results = []
    for own_forward in (False, True):
        made = model(*(layer() for layer in LAYERS.values()))
        plugin.apply(made, own_forward=own_forward)
        load_weights(made)
        results.append(outputs(made))
    assert torch.equal(*results)


@pytest.mark.parametrize("own_forward", [False, True])
def test_weights_keep_their_names_and_buffers_are_the_same(own_forward):
    """A table that fused modules hold has another name; it is in no state_dict."""
    made = model(Qwen3Attention(), Exaone4Attention())
    parameters, keys = [name for name, _ in made.named_parameters()], made.state_dict().keys()
    buffers = {id(buffer) for buffer in made.buffers()}
    plugin.apply(made, own_forward=own_forward)
    assert sorted(name for name, _ in made.named_parameters()) == sorted(parameters)
    assert made.state_dict().keys() == keys
    assert {id(buffer) for buffer in made.buffers()} == buffers, "what vLLM saves when it sleeps"
    first = "0.rotary_emb.cos_sin_cache" if own_forward else "0.rotary_emb.rotary.cos_sin_cache"
    assert [name for name, _ in made.named_buffers()] == [first, "1.rotary_emb.cos_sin_cache"]


def test_a_second_call_changes_nothing():
    made = model(Qwen3Attention(), Exaone4Attention())
    plugin.apply(made)
    classes = [type(module) for module in made.modules()]
    assert [layer.reason for layer in plugin.apply(made, own_forward=True)] == ["as before"] * 2
    assert [type(module) for module in made.modules()] == classes


def test_a_rotary_emb_that_layers_share_stays_whole():
    shared = RotaryEmbedding()
    made = model(Qwen3Attention(rotary=shared), LlamaAttention(rotary=shared))
    plugin.apply(made)
    assert made[0].rotary_emb.rotary is shared and made[1].rotary_emb is shared


# --- layers that are left alone --------------------------------------------------------------------------------------


def test_an_unknown_class():
    known = "Exaone4Attention, Gemma3Attention, Glm4MoeAttention, Qwen3Attention, Qwen3MoeAttention"
    assert reason(LlamaAttention()) == f"the class is not in the table, which has {known}"


def test_a_class_of_the_same_name_that_is_not_vllms(monkeypatch):
    for cls, what in ((Qwen3Attention, "class"), (RMSNorm, "q_norm"), (RotaryEmbedding, "rotary_emb")):
        with monkeypatch.context() as patch:
            patch.setattr(cls, "__module__", "my_models.layers")
            name = cls.__name__
            assert reason(Qwen3Attention()) == f"its {what} is my_models.layers.{name}, not vLLM's {name}"
    layer = Qwen3Attention()
    layer.k_norm.__class__ = type("RMSNorm", (RMSNorm,), {"__module__": "my_models"})
    assert reason(layer) == "its k_norm is my_models.RMSNorm, not vLLM's RMSNorm"


def test_a_norm_of_another_class():
    assert reason(Qwen3Attention(GemmaRMSNorm)) == "its q_norm is a GemmaRMSNorm, expected RMSNorm"
    layer = Qwen3Attention()
    layer.k_norm = GemmaRMSNorm()
    assert reason(layer) == "its k_norm is a GemmaRMSNorm, expected RMSNorm"


def test_no_norm():
    layer = Qwen3Attention()
    made = model(layer)
    del layer.q_norm, layer.k_norm
    assert plugin.apply(made)[0].reason == "it has no q_norm"


def test_norms_that_differ():
    layer = Qwen3Attention()
    layer.k_norm = RMSNorm(1e-5)
    assert reason(layer) == "eps is 1e-06 for q and 1e-05 for k"


def test_a_mean_of_part_of_a_head():
    layer = Qwen3Attention()
    layer.k_norm.variance_size_override = 32
    assert reason(layer) == "its k_norm takes the mean of 32 elements, not of a head"


def test_a_norm_across_heads():
    layer = Qwen3Attention()
    layer.q_norm.weight = torch.nn.Parameter(torch.empty(HEADS * DIM, dtype=torch.bfloat16))
    assert reason(layer) == "its q_norm has a weight of shape [256], expected [64]"


def test_another_rotation():
    assert reason(Qwen3Attention(rotary=MRotaryEmbedding())).startswith("its rotary_emb is a MRotaryEmbedding, known")


def test_a_table_in_another_dtype():
    rotary = RotaryEmbedding()
    rotary.cos_sin_cache = rotary.cos_sin_cache.float()
    assert reason(Qwen3Attention(rotary=rotary)) == "its cos_sin_cache is torch.float32, its weights torch.bfloat16"


def test_a_forward_that_does_more(monkeypatch):
    def forward(self, positions, hidden_states):
        qkv, _ = self.qkv_proj(hidden_states)
        q, k, v = qkv.split([self.q_size, self.kv_size, self.kv_size], -1)
        q, k = self.rotary_emb(positions, self.q_norm(q), self.k_norm(k))
        return self.o_proj(self.attn(self.scale(q), k, v))

    monkeypatch.setattr(Qwen3Attention, "forward", forward)
    assert reason(Qwen3Attention()) == (
        "its forward calls qkv_proj, q_norm, k_norm, rotary_emb, scale, attn, o_proj; "
        "expected qkv_proj, q_norm, k_norm, rotary_emb, attn, o_proj"
    )


FORWARD = """
def forward(self, positions, hidden_states):
    qkv, _ = self.qkv_proj(hidden_states)
    q, k, v = qkv.split([self.q_size, self.kv_size, self.kv_size], dim=-1)
    q, k = self.rotary_emb(positions, self.q_norm(q), self.k_norm(k))
    {more}
    attn_output = self.attn(q, k, v)
    output, _ = self.o_proj(attn_output)
    return output
"""


@pytest.fixture
def with_forward(tmp_path, monkeypatch):
    """Gives Qwen3Attention a forward with one more statement, in a file, where the plugin can read it."""

    def replace(more):
        file, names = tmp_path / "forward.py", {"torch": torch}
        file.write_text(FORWARD.format(more=more))
        exec(compile(file.read_text(), str(file), "exec"), names)
        monkeypatch.setattr(Qwen3Attention, "forward", names["forward"])
        return Qwen3Attention()

    return replace


@pytest.mark.parametrize("own_forward", [False, True])
@pytest.mark.parametrize(
    "more, part",
    [
        ("q = q * self.scaling", "q * self.scaling"),
        ("q = q // 2", "q // 2"),
        ("q *= self.scaling", "q *= self.scaling"),
        ("q = (-q).view(q.shape)", "-q"),
        ("q = q[..., ::2]", "q[..., ::2]"),
        ("q = q.mul(v)", "q.mul"),
        ("q = torch.sigmoid(q)", "torch.sigmoid"),
        ("q = clamp(q)", "clamp(q)"),
        ("self.last_keys = k", "self.last_keys"),
        ("with torch.no_grad(): v = v", "with torch.no_grad():"),
    ],
)
def test_a_forward_that_computes_between_its_modules(more, part, own_forward, with_forward):
    assert reason(with_forward(more), own_forward=own_forward) == f"its forward does more: {part}"


@pytest.mark.parametrize(
    "more",
    [
        "q = q.view(*q.shape[:-1], q.shape[-1] // self.head_dim, self.head_dim)",
        "q = q.reshape(-1, self.num_heads, self.head_dim).reshape(q.shape)",
        "q = q.unflatten(-1, (self.num_heads, self.head_dim)).flatten(-2, -1)",
    ],
)
def test_a_forward_that_reshapes_more_is_switched(more, with_forward):
    assert plugin.apply(model(with_forward(more)))[0].switched


def test_a_class_that_has_lost_an_attribute():
    layer = Qwen3Attention()
    del layer.num_kv_heads
    assert reason(layer) == "'Qwen3Attention' object has no attribute 'num_kv_heads'"


def test_a_forward_of_the_instance():
    layer = Qwen3Attention()
    layer.forward = layer.forward
    assert reason(layer) == "its forward was replaced on the instance"


@pytest.mark.parametrize("own_forward", [False, True])
def test_modules_that_compute_something_else(own_forward, monkeypatch):
    """Known classes whose arithmetic has changed: the weight joins before the rounding, the other direction."""
    monkeypatch.setattr(RMSNorm, "forward", lambda self, x: (self.scaled(x) * self.weight.float()).bfloat16())
    assert "self-check: " in reason(Qwen3Attention(), own_forward=own_forward)
    monkeypatch.undo()
    layer = Qwen3Attention()
    turned = RotaryEmbedding.turned
    monkeypatch.setattr(RotaryEmbedding, "turned", lambda self, x, cos, sin: turned(self, x, cos, -sin))
    assert "self-check: " in reason(layer, own_forward=own_forward)
    assert type(layer) is Qwen3Attention and type(layer.q_norm) is RMSNorm, "left as it was"


def test_the_log_has_a_line_for_each_reason():
    report = plugin.apply(model(Qwen3Attention(), LlamaAttention(), LlamaAttention(), Qwen3Attention(GemmaRMSNorm)))
    first, of_class, of_norm = report.grouped().splitlines()
    assert first == "1 of 4 attention layers run on Ropeline"
    assert of_class.startswith("  2 LlamaAttention left alone (1, ...): the class is not in the table")
    assert of_norm == "  1 Qwen3Attention left alone (3): its q_norm is a GemmaRMSNorm, expected RMSNorm"


# --- the entry point -------------------------------------------------------------------------------------------------


@pytest.fixture
def vllm(monkeypatch):
    """A package with what the plugin looks for: initialize_model, and a loader that has imported it."""
    names = ["vllm"]
    for part in ("model_executor", "model_loader", "utils"):
        names.append(f"{names[-1]}.{part}")
    packages = {name: types.ModuleType(name) for name in (*names, "vllm.model_executor.model_loader.base_loader")}
    for name, package in packages.items():
        monkeypatch.setitem(sys.modules, name, package)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(packages[parent], child, package)
    packages["vllm"].__version__ = "0.32.0"
    loader = packages["vllm.model_executor.model_loader.base_loader"]
    utils = packages["vllm.model_executor.model_loader.utils"]
    utils.initialize_model = loader.initialize_model = lambda vllm_config: model(Qwen3Attention(), LlamaAttention())
    return types.SimpleNamespace(loader=loader, utils=utils)


@pytest.mark.parametrize("value", [None, "", "0"])
def test_it_is_off_unless_asked_for(vllm, monkeypatch, value):
    if value is not None:
        monkeypatch.setenv("ROPELINE_VLLM", value)
    made_by = vllm.utils.initialize_model
    plugin.register()
    assert vllm.utils.initialize_model is made_by and vllm.loader.initialize_model is made_by


@pytest.mark.parametrize("value, fused", [("1", plugin.FusedRotary), ("forward", plugin.FusedForward)])
def test_models_are_switched_as_they_are_made(vllm, monkeypatch, caplog, value, fused):
    monkeypatch.setenv("ROPELINE_VLLM", value)
    plugin.register()
    hook = vllm.loader.initialize_model
    plugin.register()
    assert vllm.loader.initialize_model is vllm.utils.initialize_model is hook
    config = types.SimpleNamespace(additional_config={})
    with caplog.at_level("INFO", "vllm.ropeline"):
        made = hook(vllm_config=config)
    assert isinstance(made[0], fused) or isinstance(made[0].rotary_emb, fused)
    assert [record.message.splitlines()[0] for record in caplog.records] == ["1 of 2 attention layers run on Ropeline"]
    assert "ropeline" in config.additional_config


def test_graphs_of_other_ways_and_outcomes_are_others(vllm, monkeypatch):
    """Also when the config is positional, and with what vLLM hashes, the JSON."""

    def key(way, *layers):
        vllm.utils.initialize_model = lambda vllm_config, *, prefix="": model(*(layer() for layer in layers))
        monkeypatch.setenv("ROPELINE_VLLM", way)
        plugin.register()
        by_position, by_name = (types.SimpleNamespace(additional_config={"theirs": 1}) for _ in range(2))
        vllm.utils.initialize_model(by_position, prefix="model")
        vllm.utils.initialize_model(vllm_config=by_name)
        assert by_position == by_name and by_name.additional_config["theirs"] == 1
        return json.dumps(by_name.additional_config, sort_keys=True)

    both, one, none = [Qwen3Attention] * 2, [Qwen3Attention, LlamaAttention], [LlamaAttention] * 2
    keys = [key(way, *layers) for way in ("1", "forward") for layers in (both, one, one[::-1], none)]
    assert len(set(keys)) == len(keys), keys
    assert key("1", *both) == keys[0], "the same again"


def test_a_model_that_is_made_of_another_is_told_once(vllm, monkeypatch, caplog):
    monkeypatch.setenv("ROPELINE_VLLM", "1")
    inner = model(Qwen3Attention())
    vllm.utils.initialize_model = lambda vllm_config: inner
    plugin.register()
    with caplog.at_level("INFO", "vllm.ropeline"):
        vllm.utils.initialize_model(vllm_config=None), vllm.utils.initialize_model(vllm_config=None)
    assert len(caplog.records) == 1


def test_a_model_without_attention_is_told_as_well(vllm, monkeypatch, caplog):
    monkeypatch.setenv("ROPELINE_VLLM", "1")
    vllm.utils.initialize_model = lambda vllm_config: torch.nn.Linear(2, 2)
    plugin.register()
    with caplog.at_level("INFO", "vllm.ropeline"):
        vllm.utils.initialize_model(vllm_config=None)
    assert [record.message for record in caplog.records] == ["0 of 0 attention layers run on Ropeline"]


def test_an_unknown_value(monkeypatch):
    monkeypatch.setenv("ROPELINE_VLLM", "yes")
    with pytest.raises(ValueError, match="^ROPELINE_VLLM: 'yes' is not 0, 1 or forward$"):
        plugin.register()


@pytest.mark.parametrize("missing", ["function", "module"])
def test_a_vllm_that_makes_its_models_in_another_way(vllm, monkeypatch, missing):
    monkeypatch.setenv("ROPELINE_VLLM", "1")
    del vllm.utils.initialize_model
    if missing == "module":
        monkeypatch.setitem(sys.modules, "vllm.model_executor.model_loader.utils", None)
    with pytest.raises(RuntimeError, match="^ROPELINE_VLLM: vLLM 0.32.0 makes its models in a way that is not known"):
        plugin.register()
