"""apply and revert: what is switched, what is left alone and why, and that a switched model is still a model."""

import copy
import io
import pickle
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM

import ropeline.transformers as switched
from conftest import ops_counted
from ropeline import rewrite
from tiny_models import LAYERS, build, prompt

FIRST = "model.layers.0.self_attn"


def logits(model):
    with torch.no_grad():
        return model(prompt()).logits


@pytest.fixture
def model():
    return build("qwen3")


def attention(model):
    return model.get_submodule(FIRST)


# --- switching -------------------------------------------------------------------------------------------------------


def test_the_report_names_every_layer(model):
    report = switched.apply(model)
    assert [layer.name for layer in report] == [f"model.layers.{i}.self_attn" for i in range(LAYERS)]
    assert all(layer.switched and layer.kind == "Qwen3Attention" and not layer.reason for layer in report)
    assert str(report) == "3 of 3 attention layers run on Ropeline"


def test_a_second_call_changes_nothing(model):
    switched.apply(model)
    classes, before = [type(m) for m in model.modules()], logits(model)
    again = switched.apply(model, strict=True)
    assert [type(m) for m in model.modules()] == classes
    assert [layer.reason for layer in again] == ["as before"] * LAYERS
    assert torch.equal(logits(model), before)


def test_revert_takes_everything_back(model):
    before, classes, keys = logits(model), [type(m) for m in model.modules()], vars(attention(model)).keys()
    switched.apply(model)
    assert switched.revert(model) == LAYERS
    assert [type(m) for m in model.modules()] == classes and vars(attention(model)).keys() == keys
    with ops_counted() as count:
        assert torch.equal(logits(model), before)
    assert count.in_place == 0
    assert switched.revert(model) == 0


def test_one_class_serves_all_layers_and_keeps_names(model):
    switched.apply(model)
    classes = {type(layer.self_attn) for layer in model.model.layers}
    assert len(classes) == 1
    (cls,) = classes
    assert cls.__name__ == "RopelineQwen3Attention" and cls.__module__ == "transformers.models.qwen3.modeling_qwen3"
    assert isinstance(attention(model), switched.Fused)


def test_a_traceback_points_into_the_models_own_file(model):
    switched.apply(model)
    with pytest.raises(TypeError) as caught, torch.no_grad():
        attention(model)(torch.zeros(1, 2, 96), position_embeddings=3, attention_mask=None)
    entry = caught.traceback[-1]
    assert str(entry.path).endswith("modeling_qwen3.py") and "cos, sin = position_embeddings" in str(entry.statement)


# --- a switched model is still a model -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_copies_run_on_the_op_with_their_own_weights(model, how):
    switched.apply(model)
    expected = logits(model)
    twin = how(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    with ops_counted() as count:
        assert torch.equal(logits(twin), expected)
    assert count.in_place == LAYERS
    assert switched.revert(twin) == LAYERS and isinstance(attention(model), switched.Fused)


def test_a_pickle_opens_in_a_process_that_has_not_seen_the_specs(model, tmp_path):
    switched.apply(model)
    expected = logits(model)
    torch.save(model, tmp_path / "model.pt")
    code = (
        "import torch; model = torch.load('model.pt', weights_only=False)\n"
        f"ids = torch.tensor({prompt().tolist()})\n"
        "name = type(model.model.layers[0].self_attn).__name__\n"
        "with torch.no_grad(): torch.save((name, model(ids).logits), 'out.pt')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    name, got = torch.load(tmp_path / "out.pt")
    assert name == "RopelineQwen3Attention" and torch.equal(got, expected)


def test_save_pretrained_writes_what_it_always_did(model, tmp_path):
    before = logits(model)
    keys = list(model.state_dict())
    switched.apply(model)
    assert list(model.state_dict()) == keys
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert not any(isinstance(m, switched.Fused) for m in loaded.modules())
    assert torch.equal(logits(loaded), before)


def test_a_model_moved_to_another_dtype_takes_the_spec_of_that_dtype(model):
    switched.apply(model)
    model.to(torch.bfloat16)
    twin = build("qwen3").to(torch.bfloat16)
    with ops_counted() as count:
        assert (logits(model) - logits(twin)).abs().max() <= 0.05
    assert count.in_place == LAYERS


@pytest.mark.parametrize("hooked", [True, False])
def test_an_output_that_a_hook_holds_is_not_overwritten(model, hooked):
    switched.apply(model)
    held = []
    if hooked:
        attention(model).q_proj.register_forward_hook(
            lambda module, inputs, output: held.append((output, output.clone()))
        )
    with ops_counted() as count:
        logits(model)
    assert (count.in_place, count.functional) == ((LAYERS - 1, 1) if hooked else (LAYERS, 0))
    assert all(torch.equal(now, then) for now, then in held)


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_hook_put_on_a_norm_later_is_called(model, everywhere):
    switched.apply(model)
    norm, seen = attention(model).q_norm, []
    register = torch.nn.modules.module.register_module_forward_hook if everywhere else norm.register_forward_hook
    handle = register(lambda module, *_: seen.append(module))
    try:
        with ops_counted() as count:
            logits(model)
    finally:
        handle.remove()
    assert norm in seen and count.in_place == (0 if everywhere else LAYERS - 1)


def test_forward_mode_runs_on_the_models_own_code():
    model = build("qwen3", attention="eager")
    embedded = model.model.embed_tokens(prompt()).detach()

    def tangent():
        run = lambda x: model(inputs_embeds=x, use_cache=False).logits  # noqa: E731
        return torch.func.jvp(run, (embedded,), (torch.ones_like(embedded),))[1]

    expected = tangent()
    switched.apply(model)
    assert torch.equal(tangent(), expected)


def test_under_autocast_the_layers_own_code_runs_with_one_warning(model):
    def run():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return logits(model)

    expected = run()
    switched.apply(model)
    with ops_counted() as count, pytest.warns(UserWarning, match="runs on the model's own code"):
        assert torch.equal(run(), expected)
    assert count.in_place == count.functional == 0


def test_attentions_are_still_recorded():
    model = build("qwen3", attention="eager")
    switched.apply(model)
    with torch.no_grad():
        assert len(model(prompt(), output_attentions=True).attentions) == LAYERS


# --- left alone ------------------------------------------------------------------------------------------------------


def reasons(model):
    report = switched.apply(model)
    assert not report.switched
    return {layer.reason for layer in report}


def test_an_unknown_family_is_left_alone_and_the_report_says_so():
    model = build("llama")
    before = logits(model)
    (reason,) = reasons(model)
    assert reason == "the class is not in the table, which has Gemma3Attention, Qwen3Attention, Qwen3MoeAttention"
    assert torch.equal(logits(model), before)
    assert "model.layers.2.self_attn (LlamaAttention): left alone, the class is not" in str(switched.apply(model))


def test_strict_raises_the_report_and_leaves_the_model_as_it_was(model):
    attention(model).forward = attention(model).forward
    with pytest.raises(RuntimeError) as caught:
        switched.apply(model, strict=True)
    assert str(caught.value).startswith("2 of 3 attention layers run on Ropeline\n")
    assert f"{FIRST} (Qwen3Attention): left alone, its forward was replaced on the instance" in str(caught.value)
    assert not any(isinstance(m, switched.Fused) for m in model.modules())


def test_one_odd_layer_does_not_keep_the_others(model):
    attention(model).q_norm.register_forward_hook(lambda *_: None)
    report = switched.apply(model)
    assert [layer.switched for layer in report] == [False, True, True]
    assert report[0].reason == "a norm has hooks, which the op would pass by"


def test_weights_elsewhere(model):
    assert reasons(model.to("meta")) == {"its weights are on meta, the op runs on CPUs and CUDA devices"}


def test_a_dtype_that_the_op_does_not_have(model):
    (reason,) = reasons(model.double())
    assert reason.startswith("dtype: torch.float64 is not one of torch.float32")


def test_the_self_check_sees_another_eps(model):
    for layer in model.model.layers:
        layer.self_attn.q_norm.variance_epsilon = 0.5
    assert all(reason.startswith("self-check: q differs from the layer's own by") for reason in reasons(model))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_self_check_sees_another_rounding_rule(monkeypatch, dtype):
    """A norm that rounds once where the table says twice: one step of bf16, in a part of the elements."""
    model = build("qwen3", dtype)

    def rounds_once(self, x):
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
        return (self.weight.float() * wide).to(x.dtype)

    monkeypatch.setattr(type(attention(model).q_norm), "forward", rounds_once)
    if dtype == torch.float32:
        assert switched.apply(model).switched, "in fp32 the two rules are one"
    else:
        assert all(reason.endswith("% of q differs from the layer's own") for reason in reasons(model))


def test_the_self_check_leaves_the_random_state_alone(model):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    switched.apply(model)
    assert torch.equal(torch.rand(4), expected)


# --- forwards that are not the expected one --------------------------------------------------------------------------

NAMES = rewrite.Names("q_norm", "k_norm", "apply_rotary_pos_emb")


def apply_rotary_pos_emb(q, k, cos, sin, unsqueeze_dim=1):
    return q, k


class Expected:
    def forward(self, x, cos, sin):
        q = self.q_norm(self.q_proj(x))
        k = self.k_norm(self.k_proj(x))
        q, k = apply_rotary_pos_emb(q, k, cos, sin)
        return q, k


class NormTwice(Expected):
    def forward(self, x, cos, sin):
        return apply_rotary_pos_emb(self.q_norm(self.q_norm(x)), self.k_norm(x), cos, sin)


class RopeFirst(Expected):
    def forward(self, x, cos, sin):
        q, k = apply_rotary_pos_emb(x, x, cos, sin)
        return self.q_norm(q), self.k_norm(k)


class NoRope(Expected):
    def forward(self, x, cos, sin):
        return self.q_norm(x), self.k_norm(x)


class OtherArguments(Expected):
    def forward(self, x, cos, sin):
        return apply_rotary_pos_emb(self.q_norm(x), self.k_norm(x), cos, sin, unsqueeze_dim=2)


class Closure(Expected):
    def forward(self, x, cos, sin):
        return super().forward(x, cos, sin)


def test_the_expected_forward_calls_the_method_instead():
    class Layer(Expected):
        forward = rewrite.rewritten_forward(Expected, NAMES, "fused")
        q_proj = k_proj = staticmethod(lambda x: x + 1)

        def fused(self, q, k, cos, sin):
            return ("fused", q, k, cos, sin)[:2]

    assert Layer().forward(1, "cos", "sin") == ("fused", 2)


@pytest.mark.parametrize(
    "cls, reason",
    [
        (
            NormTwice,
            "its forward calls self.q_norm, self.q_norm, self.k_norm, apply_rotary_pos_emb; expected self.q_norm",
        ),
        (
            RopeFirst,
            "its forward calls apply_rotary_pos_emb, self.q_norm, self.k_norm; expected self.q_norm, self.k_norm",
        ),
        (NoRope, "its forward calls self.q_norm, self.k_norm; expected self.q_norm, self.k_norm, apply_rotary_pos_emb"),
        (OtherArguments, "apply_rotary_pos_emb is called as apply_rotary_pos_emb("),
        (Closure, "its forward is a closure"),
    ],
)
def test_a_changed_forward_is_refused_with_what_it_does(cls, reason):
    with pytest.raises(rewrite.UnexpectedForward) as caught:
        rewrite.rewritten_forward(cls, NAMES, "fused")
    assert str(caught.value).startswith(reason)


def test_a_forward_without_source_is_refused():
    names = {"apply_rotary_pos_emb": apply_rotary_pos_emb}
    exec("class Made:\n    def forward(self, x):\n        return x", names)
    with pytest.raises(rewrite.UnexpectedForward, match="the source of its forward is not to be had"):
        rewrite.rewritten_forward(names["Made"], NAMES, "fused")


def test_a_stream_of_bytes_is_not_a_model():
    with pytest.raises(AttributeError):
        switched.apply(io.BytesIO())
