"""Tiny random models on a GPU: unmodified against switched."""

import os
import pathlib
import subprocess
import sys
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


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
@torch.no_grad()
def test_a_switched_model_compiles_into_one_graph(mode):
    model = build("qwen3").cuda()
    expected = logits(model)
    switched.apply(model, strict=True)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(model, fullgraph=True, mode=mode)
    ids = prompt().cuda()
    for _ in range(3):  # run, recorded, replayed
        torch.compiler.cudagraph_mark_step_begin()
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


_WITHOUT_A_COMPILER = """
import warnings
import torch, ropeline.transformers as switched
from conftest import Call, moved
from tiny_models import build, prompt

call = moved(Call())
try:
    switched.qk_norm_rope_sep_(call.q, call.k, *call.parameters())
except RuntimeError as error:
    print("op:", str(error).splitlines()[0])
model, ids = build("qwen3").cuda(), prompt().cuda()
with torch.no_grad():
    expected = model(ids).logits
print("apply:", *{layer.reason.splitlines()[0] for layer in switched.apply(model)})
switched.apply(model.cpu(), strict=True)
with torch.no_grad(), warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print("moved:", torch.equal(model.cuda()(ids).logits, expected))
print("warned:", *(str(w.message).splitlines()[0] for w in caught if "own code" in str(w.message)))
"""


def test_without_a_compiler_the_op_says_so_and_models_keep_their_own_code(tmp_path):
    """Nothing is cached, and what ROPELINE_NVRTC names is not there."""
    folders = [str(pathlib.Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    nothing = {"ROPELINE_NVRTC": str(tmp_path / "libnvrtc.so"), "ROPELINE_CACHE_DIR": str(tmp_path)}
    environment = {**os.environ, **nothing, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    done = subprocess.run([sys.executable, "-c", _WITHOUT_A_COMPILER], env=environment, capture_output=True, text=True)
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert list(said) == ["op", "apply", "moved", "warned"], done.stdout + done.stderr
    assert "NVRTC was not found" in said["op"] and said["apply"] == said["op"] and said["moved"] == "True"
    assert said["warned"] == f"ropeline: switched layers on cuda:0 run on the model's own code: {said['op']}"
