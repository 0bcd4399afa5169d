"""Tiny random models of each family: unmodified against switched, in each way that transformers runs them."""

import inspect

import pytest
import torch
from transformers import StaticCache

import ropeline.transformers as switched
import tiny_models
from conftest import norm_weight_wrong, ops_counted, ops_replaced
from tiny_models import LAYERS, build, prompt

# The largest difference of a logit that was seen over this file is 3.2e-6 in fp32 and 0.018 in bf16 (a step of bf16 at
# the size of the logits, about 3). Norm weights that are off by 1 % make at least 0.0177 and 0.044.
BOUND = {torch.float32: 1e-5, torch.bfloat16: 0.03}

MODELS = [(f, d, a) for f in tiny_models.FAMILIES for d in BOUND for a in ("sdpa", "eager")]


@pytest.fixture(params=MODELS, ids=lambda p: "-".join(map(str, p)).replace("torch.", ""))
def model(request):
    return build(*request.param)


def prefill(model):
    return model(prompt()).logits


def cached_decode(model):
    out = model(prompt(), use_cache=True)
    logits = [out.logits]
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    for step in range(3):
        out = model(prompt(1, seed=step), use_cache=True, **{name: out.past_key_values})
        logits.append(out.logits)
    return torch.cat(logits, 1)


def left_padding(model):
    ids, mask = prompt(batch=2), torch.ones(2, 12, dtype=torch.long)
    ids[0, :4], mask[0, :4] = 0, 0
    logits = model(ids, attention_mask=mask).logits
    return torch.cat((logits[0, 4:], logits[1]))


def generated(model, steps=8, inputs=None, **options):
    out = model.generate(
        prompt() if inputs is None else inputs,
        max_new_tokens=steps,
        min_new_tokens=steps,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
        **options,
    )
    return out.sequences, torch.stack(out.logits)


WAYS = {"prefill": (prefill, 1), "cached decode": (cached_decode, 4), "left padding": (left_padding, 1)}


@pytest.mark.parametrize("way", WAYS)
@torch.no_grad()
def test_logits(model, way):
    run, calls = WAYS[way]
    expected = run(model)
    assert len(switched.apply(model).switched) == LAYERS
    with ops_counted() as count:
        got = run(model)
    assert (count.in_place, count.functional) == (LAYERS * calls, 0), "every layer ran on the op, and in place"
    bound = BOUND[got.dtype]
    assert (got - expected).abs().max() <= bound
    with norm_weight_wrong():
        assert (run(model) - expected).abs().max() > bound, "a wrong weight in the op must show"


@torch.no_grad()
def test_greedy_tokens(model):
    expected, _ = generated(model)
    switched.apply(model)
    with ops_counted() as count:
        tokens, _ = generated(model)
    assert torch.equal(tokens, expected)
    assert count.in_place == LAYERS * 8


def left_padded():
    ids, mask = prompt(batch=2), torch.ones(2, 12, dtype=torch.long)
    ids[0, :4], mask[0, :4] = 0, 0
    return {"inputs": ids, "attention_mask": mask}


GENERATED = {
    "left padding": left_padded(),
    "static cache and left padding": {"cache_implementation": "static", **left_padded()},
}


@pytest.mark.parametrize("options", GENERATED.values(), ids=GENERATED)
@pytest.mark.parametrize("family", tiny_models.FAMILIES)
@pytest.mark.parametrize("dtype", BOUND, ids=str)
@torch.no_grad()
def test_generate_with(family, dtype, options):
    model = build(family, dtype)
    tokens, logits = generated(model, **options)
    switched.apply(model)
    with ops_counted() as count:
        tokens_switched, logits_switched = generated(model, **options)
    assert torch.equal(tokens_switched, tokens)
    bound = BOUND[dtype]  # logits are fp32 here, whatever the model computes in
    assert (logits_switched - logits).abs().max() <= bound
    assert count.in_place == LAYERS * 8
    with norm_weight_wrong():
        assert (generated(model, **options)[1][0] - logits[0]).abs().max() > bound


# Query heads, key heads and head_dim of Qwen3-0.6B, Qwen3-8B and Qwen3-30B-A3B.
SHAPES = [("qwen3", 16, 8, 128), ("qwen3", 32, 8, 128), ("qwen3_moe", 32, 4, 128)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape)))
@pytest.mark.parametrize("dtype", BOUND, ids=str)
@torch.no_grad()
def test_thirty_two_steps_with_heads_of_published_models(shape, dtype):
    family, *heads = shape
    names = "num_attention_heads", "num_key_value_heads", "head_dim"
    model = build(family, dtype, **dict(zip(names, heads)))
    tokens, logits = generated(model, 32)
    switched.apply(model, strict=True)
    tokens_switched, logits_switched = generated(model, 32)
    assert torch.equal(tokens_switched, tokens)
    assert (logits_switched - logits).abs().max() <= BOUND[dtype]


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
@pytest.mark.parametrize("dtype", BOUND, ids=str)
@torch.no_grad()
def test_logits_with_the_scalar_reference_in_place_of_the_op_are_equal_bit_for_bit(reference, family, dtype):
    model = build(family, dtype)
    switched.apply(model, strict=True)
    ways = (prefill, cached_decode, left_padding, lambda m: generated(m)[1])
    ours = [way(model) for way in ways]
    with ops_replaced(reference.in_place, reference.functional), ops_counted() as count:
        for logits, way in zip(ours, ways):
            assert torch.equal(logits, way(model))
    assert count.in_place == LAYERS * (1 + 4 + 1 + 8)


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-4), (torch.bfloat16, 0.05)], ids=str)
def test_gradients_of_a_training_step(family, dtype, tolerance):
    def step(model):
        model.zero_grad()
        ids = prompt(batch=2)
        loss = model(ids, labels=ids).loss
        loss.backward()
        return loss.item(), {name: p.grad.float() for name, p in model.named_parameters()}

    model = build(family, dtype).train()
    loss, gradients = step(model)
    switched.apply(model, strict=True)
    with ops_counted() as count:
        loss_switched, gradients_switched = step(model)
    assert (count.in_place, count.functional) == (0, LAYERS)
    assert loss_switched == pytest.approx(loss, rel=tolerance)
    for name, expected in gradients.items():
        error = (gradients_switched[name] - expected).norm() / expected.norm().clamp_min(1e-6)
        assert error <= tolerance, f"{name}: gradient off by {error:.2e}"
    assert all(gradients[f"model.layers.0.self_attn.{norm}.weight"].abs().max() > 0 for norm in ("q_norm", "k_norm"))


@pytest.mark.parametrize("trained", ["q_norm", "k_norm"])
def test_the_gradient_of_one_norm_weight_alone(trained):
    """All else is frozen, so nothing but this weight says that a gradient is wanted."""

    def gradient(model):
        model.zero_grad()
        model(prompt()).logits.float().square().mean().backward()
        return weight.grad.clone()

    model = build("qwen3").requires_grad_(False)
    weight = model.get_submodule(f"model.layers.0.self_attn.{trained}").weight.requires_grad_(True)
    expected = gradient(model)
    switched.apply(model, strict=True)
    assert expected.abs().max() > 0
    assert (gradient(model) - expected).norm() <= 1e-3 * expected.norm()


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen3_moe", "qwen3", "gemma3_text"])
@torch.no_grad()
def test_one_compiled_graph(family):
    model = build(family)
    expected = prefill(model)
    switched.apply(model, strict=True)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(model, fullgraph=True)
    assert (compiled(prompt()).logits - expected).abs().max() <= 10 * BOUND[torch.float32]
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen3_moe", "qwen3"])
@torch.no_grad()
def test_a_compiled_decode_step_on_a_static_cache(family):
    """One graph for all steps after the first, as serving on a GPU runs it."""

    def decoded(model, step):
        cache = StaticCache(config=model.config, max_cache_len=32)
        name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
        logits = [model(prompt(), **{name: cache}).logits[:, -1:]]
        for position in range(12, 18):
            token, at = logits[-1].argmax(-1), torch.tensor([[position]])
            logits.append(step(token, position_ids=at, **{name: cache}).logits)
        return torch.cat(logits, 1)

    model = build(family)
    expected = decoded(model, model)
    switched.apply(model, strict=True)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    got = decoded(model, torch.compile(model, fullgraph=True))
    assert (got - expected).abs().max() <= 10 * BOUND[torch.float32]
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
