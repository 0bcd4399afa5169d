"""The real engine on a CPU, unmodified and with the plugin: tokens, log-probabilities, and that the op did run.

The model computes in bf16, and eager, so that only the prologue differs. Its prompts are longer than the 64 tokens that
the engine takes at once, and the second batch finds the prefix that it shares with the first in the cache.
"""

import functools
import random

import pytest

from checkpoints import FAMILIES

LAYERS = 3
STEPS = 32
# Of a log-probability: a step of bf16 at the size of the logits is 0.0156, and no prompt was off by more than 0.0167.
BOUND = 0.02
COMPILED_BOUND = 0.05  # what Inductor moves by itself: the unmodified engine differs from its eager form by 0.047
LEAST_EQUAL = 64  # of the 128 tokens of a run; 81 was the least seen between eager engines
CHUNKED = {"max_num_batched_tokens": 64}


def prompts(*lengths, seed):
    draw = random.Random(seed)
    return [[draw.randrange(3, 512) for _ in range(length)] for length in lengths]


def batches():
    """A batch with a shared prefix of 256 tokens and a short prompt, then one with the same prefix again."""
    (prefix,) = prompts(256, seed=0)
    tails = prompts(5, 40, 17, 3, seed=1)
    return [[prefix + tails[0], prefix + tails[1], tails[2]], [prefix + tails[3]]]


def request(op):
    return {"op": op, "batches": batches(), "steps": STEPS}


@functools.cache
def unmodified(engine, family):
    (result,), log = engine.run(family, "0", [request("ours")], CHUNKED)
    assert "Ropeline" not in log and result["calls"] == 0
    return result


OPS = ("ours", "reference", "wrong sin", "wrong norm")


@functools.cache
def switched(engine, family):
    results, log = engine.run(family, "1", [request(op) for op in OPS], CHUNKED)
    assert f"{LAYERS} of {LAYERS} attention layers run on Ropeline" in log
    return dict(zip(OPS, results))


def tokens(result):
    return [answer["tokens"] for answer in result["answers"]]


def lead(step):
    """By how much the most likely token leads."""
    second, first = sorted(step.values())[-2:]
    return first - second


def compared(expected, got):
    """Of all prompts, up to the first token that differs: how many tokens are equal, the largest difference of a
    log-probability, and the lead that the other token had in the unmodified engine."""
    equal, largest, leads = 0, 0.0, []
    for ours, theirs in zip(got["answers"], expected["answers"]):
        for a, b, p, q in zip(ours["tokens"], theirs["tokens"], ours["logprobs"], theirs["logprobs"]):
            largest = max([largest, *(abs(p[token] - q[token]) for token in p.keys() & q.keys())])
            if a != b:
                leads.append(lead(q))
                break
            equal += 1
    return equal, largest, leads


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def test_the_engine_cuts_prompts_and_finds_the_shared_prefix(engine, family):
    result = unmodified(engine, family)
    assert result["forwards"] >= 2 * STEPS + 4
    assert [answer["cached"] for answer in result["answers"]] == [0, 256, 0, 256]


def check(expected, got, bound, record, *row):
    """The tokens are those of the unmodified engine, but where its two best are closer than the bound. Returns how many
    are equal."""
    equal, largest, leads = compared(expected, got)
    parted = ", ".join(f"{lead:.4f}" for lead in leads) or "none"
    record(*row, equal, parted, f"{largest:.4f}", got["calls"])
    assert largest <= bound
    assert all(lead < bound for lead in leads), leads
    return equal


def test_tokens_and_log_probabilities_are_those_of_the_unmodified_engine(engine, family, record):
    expected, ours = unmodified(engine, family), switched(engine, family)["ours"]
    assert ours["calls"] == LAYERS * ours["forwards"] and ours["forwards"] == expected["forwards"]
    assert check(expected, ours, BOUND, record, family, "eager") >= LEAST_EQUAL


def test_the_scalar_reference_in_the_place_of_the_op_gives_the_same_bits(engine, family):
    results = switched(engine, family)
    assert results["reference"] == results["ours"]


@pytest.mark.parametrize("fault", ["wrong sin", "wrong norm"])
def test_a_fault_of_the_op_shows(engine, family, fault):
    expected, wrong = unmodified(engine, family), switched(engine, family)[fault]
    _, largest, leads = compared(expected, wrong)
    assert largest > BOUND
    assert leads or fault == "wrong norm"


def test_a_forward_of_ours_gives_the_same_bits(engine, family):
    (ours,), log = engine.run(family, "forward", [request("ours")], CHUNKED)
    assert f"{LAYERS} of {LAYERS} attention layers run on Ropeline" in log
    assert ours == switched(engine, family)["ours"]


def test_several_processes(engine, record):
    """The model lives in another process than the caller, which loads the plugin as well. There prompts join a step as
    they arrive, so the sums of a step, and with them the last bits, are not those of a run in one process."""
    (ours,), log = engine.run("qwen3_moe", "1", [request("ours")], CHUNKED, VLLM_ENABLE_V1_MULTIPROCESSING="1")
    assert f"{LAYERS} of {LAYERS} attention layers run on Ropeline" in log
    assert ours["calls"] == LAYERS * ours["forwards"]
    expected = unmodified(engine, "qwen3_moe")
    assert check(expected, ours, BOUND, record, "qwen3_moe", "two processes") >= LEAST_EQUAL


def test_compiled_models(engine, record, tmp_path):
    """vLLM keeps the graphs that it compiles: those of switched layers must not be taken for others."""

    def run(plugin):
        settings = {**CHUNKED, "enforce_eager": False}
        (result,), log = engine.run("qwen3", plugin, [request("ours")], settings, VLLM_CACHE_ROOT=str(tmp_path))
        assert (f"{LAYERS} of {LAYERS} attention layers run on Ropeline" in log) == (plugin != "0")
        return result

    compiled, modules, forward = run("0"), run("1"), run("forward")
    check(unmodified(engine, "qwen3"), compiled, COMPILED_BOUND, record, "qwen3", "unmodified: compiled against eager")
    check(compiled, modules, COMPILED_BOUND, record, "qwen3", "compiled")
    assert forward == modules
    assert compiled["calls"] == 0 and modules["calls"] == LAYERS * modules["forwards"]
    assert len(list(tmp_path.glob("torch_compile_cache/torch_aot_compile/*"))) == 3
