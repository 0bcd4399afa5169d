"""Tiny random models on a GPU: unmodified against switched."""

import warnings

import pytest
import torch

import ropeline.transformers as switched
from conftest import needs_cuda, norm_weight_wrong, ops_counted
from tiny_models import FAMILIES, LAYERS, build, prompt

pytestmark = needs_cuda


def generated(model, steps=16):
    ids = prompt().to(model.device)
    return model.generate(ids, max_new_tokens=steps, min_new_tokens=steps, do_sample=False)


def logits(model):
    return model(prompt().to(model.device)).logits


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype, bound", [(torch.float32, 1e-5), (torch.bfloat16, 0.03)], ids=["fp32", "bf16"])
@torch.no_grad()
def test_a_switched_model_generates_the_same_tokens(family, dtype, bound):
    model = build(family, dtype).cuda()
    expected, before = generated(model), logits(model)
    assert len(switched.apply(model, strict=True).switched) == LAYERS
    with ops_counted() as count:
        assert torch.equal(generated(model), expected)
    assert (count.in_place, count.functional) == (LAYERS * 16, 0), "every layer ran on the op, and in place"
    assert (logits(model) - before).abs().max() <= bound
    with norm_weight_wrong():
        assert (logits(model) - before).abs().max() > bound, "a wrong weight in the op must show"


@torch.no_grad()
def test_a_model_that_is_moved_after_it_was_switched_runs_on_the_op_there():
    model = build("qwen3")
    switched.apply(model, strict=True)
    model.cuda()
    with ops_counted() as count, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = logits(model)
    assert count.in_place == LAYERS and not [w for w in caught if "own code" in str(w.message)]
    switched.revert(model)
    assert (got - logits(model)).abs().max() <= 1e-5


@torch.no_grad()
def test_a_switched_model_compiles_into_one_graph():
    model = build("qwen3").cuda()
    expected = logits(model)
    switched.apply(model, strict=True)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(model, fullgraph=True)
    ids = prompt().cuda()
    assert (compiled(ids).logits - expected).abs().max() <= 1e-4
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_a_training_step_of_a_switched_model():
    def step(model):
        model.zero_grad()
        ids = prompt(batch=2).cuda()
        model(ids, labels=ids).loss.backward()
        return {name: p.grad.float() for name, p in model.named_parameters()}

    model = build("qwen3").cuda().train()
    expected = step(model)
    switched.apply(model, strict=True)
    with ops_counted() as count:
        got = step(model)
    assert (count.in_place, count.functional) == (0, LAYERS)
    for name, theirs in expected.items():
        assert (got[name] - theirs).norm() <= 1e-4 * theirs.norm().clamp_min(1e-6), name
