"""bench/moe_decoder.py without a GPU: its trial on a CPU, what it says where there is nothing to measure, its page."""

import copy
import importlib
import json
import os
import pathlib
import subprocess
import sys

import pytest
import torch

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch):
    """Imports a module of bench/."""
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module


def run(*arguments):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, BENCH / "moe_decoder.py", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    output = tmp_path_factory.mktemp("trial") / "result.json"
    sizes = "--layers", "2", "--batches", "1,3", "--context", "9", "--steps", "3", "--rounds", "2"
    done = run(output, "--device", "cpu", "--tiny", *sizes)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(output.read_text()), done.stdout


def test_a_trial_measures_both_variants_and_finds_no_difference(trial):
    document, _ = trial
    assert [b["batch"] for b in document["batches"]] == [1, 3] and document["left_out"] == []
    for b in document["batches"]:
        assert {*b["variants"]} == {"unmodified", "ropeline"} and {*b["prologue"]} == {"unmodified", "ropeline"}
        for found in b["variants"].values():
            assert len(found["step_us"]["samples"]) == 2 and found["step_us"]["p10"] <= found["step_us"]["p90"]
            assert (found["tokens"]["equal"], found["tokens"]["of"]) == (3 * b["batch"], 3 * b["batch"])
        heads = document["model"]["num_attention_heads"] + document["model"]["num_key_value_heads"]
        seen = b["prologue"]["ropeline"]
        assert (seen["differing"], seen["of"]) == (0, b["batch"] * heads * document["model"]["head_dim"])


def test_a_trial_says_what_it_is_and_names_no_folder(trial):
    document, page = trial
    assert "These times say nothing" in page and "## Against the goals" not in page
    assert document["command"].startswith("python bench/moe_decoder.py result.json --device cpu --tiny --layers 2")


def test_without_cuda_it_measures_nothing_and_exits_with_3(tmp_path):
    done = run(tmp_path / "result.json")
    assert done.returncode == 3 and "finds no CUDA device" in done.stdout and not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--batches", "0"], "0: a batch has at least one row"),
        (["--steps", "0"], "--steps: 0 is not positive"),
        (["--variants", "eager"], "eager is not one of unmodified,ropeline,compile,ropeline+compile"),
        (
            ["--device", "cpu", "--variants", "compile"],
            "unmodified,compile, but without a GPU only unmodified,ropeline",
        ),
    ],
)
def test_a_wrong_option_is_named(bench, arguments, said, capsys):
    with pytest.raises(SystemExit):
        bench("moe_decoder").parse(["result.json", *arguments])
    assert said in capsys.readouterr().err


def test_what_the_limit_leaves_out_and_what_fails_is_listed(bench):
    clock = bench("moe_decoder").Clock(limit=60)
    assert clock.attempt("compile", "compile, batch 1", lambda: 1 // 0) is None
    assert clock.attempt("compile", "compile, batch 16", lambda: 5) == 5
    clock.took("compile", 61)
    assert clock.attempt("compile", "compile, batch 64", lambda: 5) is None
    assert clock.attempt("ropeline", "ropeline, batch 64", lambda: 6) == 6
    assert clock.left_out == [
        "compile, batch 1: ZeroDivisionError: integer division or modulo by zero",
        "compile, batch 64: the limit of 60 s",
    ]


@torch.no_grad()
def test_another_model_has_other_tokens(bench):
    qwen3_moe, program = bench("qwen3_moe"), bench("moe_decoder")
    model = qwen3_moe.build(qwen3_moe.TINY, 2, "cpu")
    decoding = qwen3_moe.Decoding(model, 3, 9, 4)
    expected = program.choices(decoding.step, decoding, 4)
    same = program.agreement(decoding.step, decoding, expected)
    assert same == {"equal": 12, "of": 12, "largest_gap": 0.0, "largest_logit_difference": 0.0}
    model.model.norm.weight.copy_(model.model.norm.weight.flip(0))
    other = program.agreement(decoding.step, decoding, expected)
    assert other["equal"] < 12 and other["largest_gap"] > 0 and other["largest_logit_difference"] > 0


@torch.no_grad()
def test_steps_continue_what_a_whole_prompt_would_give(bench):
    """The cache, the positions and the mask of a step are those of the model's own forward without a cache."""
    qwen3_moe = bench("qwen3_moe")
    model = qwen3_moe.build(qwen3_moe.TINY, 2, "cpu").float()
    torch.manual_seed(3)
    decoding = qwen3_moe.Decoding(model, 2, 9, 4)
    torch.manual_seed(3)
    ids = torch.randint(model.config.vocab_size, (2, 9))
    for _ in range(4):
        ids = torch.cat((ids, decoding.ids), 1)
        assert (decoding.step() - model(ids, logits_to_keep=1).logits).abs().max() < 1e-4
    decoding.reset()
    assert torch.equal(decoding.ids, ids[:, 9:10]), "reset goes back to the end of the prompt"


def event(name, category, ts, dur=1):
    return {"ph": "X", "name": name, "cat": category, "ts": ts, "dur": dur}


def test_a_trace_counts_host_calls_within_the_call_only(bench):
    probe = bench("gpu_probe")
    events = [
        event("cudaDeviceSynchronize", "cuda_runtime", 5),
        event(probe._MARK, "user_annotation", 10, 20),
        event(probe._MARK, "gpu_user_annotation", 40, 20),
        event("cuLaunchKernelEx", "cuda_driver", 12),
        event("cudaStreamSynchronize", "cuda_runtime", 14),
        event("norm", "kernel", 41),
        event("norm", "kernel", 43),
        event("Memcpy DtoD", "gpu_memcpy", 45),
        event("cudaDeviceSynchronize", "cuda_runtime", 35),
        {"ph": "M", "name": "process_name"},
    ]
    seen = probe.read_trace(events)
    assert seen.facts() == {"kernels": 2, "copies": 1, "waits": 1, "kernel_names": {"norm": 2}}
    assert seen.calls == {"cuLaunchKernelEx": 1, "cudaStreamSynchronize": 1}
    assert probe.read_trace([event(probe._MARK, "user_annotation", 10)]).facts() == {}, "not seen is not none"


def summary(*samples):
    return {"median": samples[0], "p10": samples[0], "p90": samples[0], "samples": [*samples]}


@pytest.fixture
def measured(trial):
    """The trial's document as a GPU would fill it: one batch, ours faster alone and slower in a step."""
    document = copy.deepcopy(trial[0])
    document["machine"]["gpu"], document["tiny"] = "NVIDIA H200", False
    b = document["batches"][0]
    document["batches"] = [b]
    for name, us in ("unmodified", 400), ("compile", 200), ("ropeline", 250), ("ropeline+compile", 190):
        tokens = {"equal": 15, "of": 16, "largest_gap": 0.03125, "largest_logit_difference": 0.5}
        b["variants"][name] = {"tokens": tokens, "step_us": summary(us, us), "kernels": us, "copies": 0}
        b["prologue"][name] = {
            "us": summary(us / 100),
            "kernels": 2,
            "kernel_names": {"a|b": 2},
            "differing": 1,
            "of": 9,
        }
    b["prologue"].pop("ropeline+compile")
    b["prologue"]["ropeline"] |= {"us": summary(1.0), "kernels": 1}
    b["op"] = {"kernels": 1, "copies": 0, "allocations": 0, "allocations_captured": 0, "waits": 0, "host_calls": {}}
    return document


def test_the_page_holds_each_figure_against_its_goal(bench, measured):
    page = "\n".join(bench("moe_decoder_report").markdown(measured))
    for line in (
        "# Qwen3-MoE end to end: NVIDIA H200",
        "| 1 | one kernel for the prologue of a layer | 1 | met |",
        "| 1 | the prologue 2 times as fast as torch.compile's | 2.00 | met |",
        "| 1 | a step with Ropeline no slower than with torch.compile | 0.800 | missed |",
        "| 1 | a step with Ropeline + torch.compile no slower than with torch.compile | 1.053 | met |",
        "| 1 | Ropeline | 250 | 0 | 75.0 |",
        "| 1 | torch.compile | 15 of 16 | 0.03125 | 0.5 |",
        "| unmodified | 2 | `a\\|b` |",
    ):
        assert line in page.splitlines(), page


@pytest.mark.parametrize("what", ["allocations", "allocations_captured", "copies", "waits"])
def test_an_op_with_a_side_effect_is_not_clean(bench, measured, what):
    report = bench("moe_decoder_report")
    assert report.op_is_clean(measured)
    measured["batches"][0]["op"][what] = 1
    assert not report.op_is_clean(measured)
