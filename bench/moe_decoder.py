#!/usr/bin/env python3
"""Qwen3-MoE end to end on a GPU: decode steps in CUDA graphs, unmodified, under torch.compile, on Ropeline, and both.

    python bench/moe_decoder.py result.json          about four minutes; --limit SECONDS cuts that short, and says where
    python bench/moe_decoder_report.py result.json   the page of it

Layers have the shape of Qwen3-30B-A3B and random weights in bf16. A graph holds one step, from token ids to the next
ids; variants take turns in random order, and a sample is the mean of --steps replays in a row. Before that each variant
is shown the tokens that the unmodified model chose, and its own choices are compared. The exit code is 1 if the op of
Ropeline allocated, copied or waited, 3 without CUDA.
"""

import argparse
import gc
import json
import pathlib
import random
import shutil
import subprocess
import sys
import time
import warnings

import gpu_probe
import machine
import moe_decoder_report
import qwen3_moe
import torch
import transformers
from qwen3_moe import VARIANTS

import ropeline

CALLS_OF_A_GRAPH = 50


def main(arguments=None):
    options = parse(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print(
            f"moe_decoder: torch {torch.__version__} finds no CUDA device, and there is nothing to measure without one"
        )
        return 3
    transformers.utils.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")
    with torch.no_grad():
        document = measure(options)
    print("\n".join(moe_decoder_report.markdown(document)))
    return 0 if moe_decoder_report.op_is_clean(document) else 1


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("output", type=pathlib.Path, help="the JSON file to write")
    parser.add_argument("--layers", type=int, default=12, help="decoder layers, 1.2 GB each (default 12)")
    parser.add_argument("--batches", type=numbers, default=[1, 16, 64], help="comma-separated (default 1,16,64)")
    parser.add_argument("--context", type=int, default=512, help="tokens of each row in the cache (default 512)")
    parser.add_argument("--steps", type=int, default=16, help="steps in a row, and tokens compared (default 16)")
    parser.add_argument("--rounds", type=int, default=20, help="samples of each variant (default 20)")
    parser.add_argument("--limit", type=float, default=240, help="seconds after which nothing new starts (default 240)")
    parser.add_argument("--variants", type=variants, help=f"of {','.join(VARIANTS)} (default all; without a GPU two)")
    parser.add_argument("--commit", help="what to record as the commit, where git or its folder is absent")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to try the program itself")
    parser.add_argument("--tiny", action="store_true", help="few numbers in each layer, the same")
    options = parser.parse_args(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    options.given = [a for a in given if a != str(options.output)]
    on_cpu = [name for name, (_, compiled) in VARIANTS.items() if not compiled]
    options.variants = options.variants or ([*VARIANTS] if options.device == "cuda" else on_cpu)
    if options.device == "cpu" and not set(options.variants) <= set(on_cpu):
        parser.error(f"--variants: {','.join(options.variants)}, but without a GPU only {','.join(on_cpu)} run")
    for name in ("layers", "context", "steps", "rounds"):
        if getattr(options, name) < 1:
            parser.error(f"--{name}: {getattr(options, name)} is not positive")
    return options


def numbers(text):
    values = [int(n) for n in text.split(",")]
    if min(values) < 1:
        raise argparse.ArgumentTypeError(f"{text}: a batch has at least one row")
    return values


def variants(text):
    names = text.split(",")
    if unknown := [n for n in names if n not in VARIANTS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is not one of {','.join(VARIANTS)}")
    return [n for n in VARIANTS if n in names or n == "unmodified"]  # which all are compared with


class Clock:
    """Seconds since the start, which end with the limit. A thing is not started where its like took longer than is
    left."""

    def __init__(self, limit):
        self._start, self._limit, self._took, self.left_out = time.perf_counter(), limit, {}, []

    def seconds(self):
        return time.perf_counter() - self._start

    def allows(self, kind, what):
        if self.seconds() + self._took.get(kind, 0) <= self._limit:
            return True
        self._leave_out(f"{what}: the limit of {self._limit:g} s")
        return False

    def took(self, kind, seconds):
        self._took[kind] = seconds

    def attempt(self, kind, what, make):
        """What make() returns; None where the limit does not allow it, or where it fails."""
        if not self.allows(kind, what):
            return None
        began = self.seconds()
        try:
            made = make()
        except Exception as reason:  # a compiler's errors have no common class, and the rest can still be measured
            self._leave_out(f"{what}: {first_line(reason)}")
            return None
        self.took(kind, self.seconds() - began)
        say(f"{self.seconds():4.0f} s  {what}, in {self.seconds() - began:.1f} s")
        return made

    def _leave_out(self, what):
        self.left_out.append(what)
        say(f"left out: {what}")


def say(text):
    print(text, flush=True)


def measure(options):
    clock = Clock(options.limit)
    if options.device == "cuda" and not gpu_probe.trace(lambda: torch.ones(8, device="cuda")).kernels:
        say("torch.profiler sees no kernel here: nothing of the profiler's will be in the result")
    shape = qwen3_moe.TINY if options.tiny else qwen3_moe.REAL
    model = qwen3_moe.build(shape, options.layers, options.device)
    document = {
        "machine": described(options),
        "command": " ".join(["python bench/moe_decoder.py result.json", *options.given]),
        "tiny": options.tiny,
        "model": {**shape, "layers": options.layers},
        "options": {name: getattr(options, name) for name in ("context", "steps", "rounds")},
        "experts": experts(model, options),
        "batches": [],
        "left_out": clock.left_out,
    }
    say(f"{clock.seconds():4.0f} s  model of {options.layers} layers, experts by {document['experts']}")
    for batch in options.batches:
        if clock.allows("unmodified", f"batch {batch}"):
            document["batches"].append(measure_batch(model, batch, options, clock))
            gc.collect(), torch.cuda.empty_cache()
        document["seconds"] = round(clock.seconds())
        options.output.write_text(json.dumps(document, indent=1) + "\n")  # should a later batch not end
    return document


def described(options):
    facts = machine.describe()
    if options.commit:
        facts["commit"] = options.commit
    facts |= {"torch": torch.__version__, "transformers": transformers.__version__, "ropeline": ropeline.__version__}
    if options.device == "cuda":
        facts |= {"gpu": torch.cuda.get_device_name(), "driver": driver()}
    return facts


def driver():
    if not shutil.which("nvidia-smi"):
        return "unknown"
    ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(ask, capture_output=True, text=True).stdout.partition("\n")[0].strip() or "unknown"


def experts(model, options):
    """Which of transformers' forms of the experts can be captured here; the model has it afterwards."""
    if options.device == "cpu":
        return "grouped_mm"
    for form in ("grouped_mm", "batched_mm"):
        model.set_experts_implementation(form)
        decoding = qwen3_moe.Decoding(model, 1, 16, options.steps)
        try:
            gpu_probe.captured(decoding.step, before=decoding.reset)
            return form
        except RuntimeError as reason:
            say(f"experts_implementation={form} is not captured into a CUDA graph: {first_line(reason)}")
    raise SystemExit("moe_decoder: no form of the experts can be captured, and nothing was measured")


def first_line(error):
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"


# --- a batch ---------------------------------------------------------------------------------------------------------


def measure_batch(model, batch, options, clock):
    """The prologue alone, which is quick; every variant that the limit allows; then the steps of these by turns."""
    alone = clock.attempt("prologue", f"prologue, batch {batch}", lambda: measure_prologue(model, batch, options))
    decoding = qwen3_moe.Decoding(model, batch, options.context, options.steps)
    runs, found, expected = {}, {}, None
    for name in options.variants:
        made = clock.attempt(name, f"{name}, batch {batch}", lambda n=name: prepared(model, n, decoding, options))
        if made is None and name == "unmodified":
            break  # the others are compared with it
        if made is None:
            continue
        runs[name], found[name] = made
        expected = expected or choices(runs[name], decoding, options.steps)
        found[name]["tokens"] = agreement(runs[name], decoding, expected)
    expected = None
    forms = {name: timed(run, decoding, options) for name, run in runs.items()}
    for name, samples in by_turns(forms, options.rounds).items():
        found[name]["step_us"] = gpu_probe.summary(samples)
    say(f"{clock.seconds():4.0f} s  batch {batch} is done")
    return {"batch": batch, "variants": found, **(alone or {"prologue": {}, "op": {}})}


def prepared(model, name, decoding, options):
    """A call that runs a step and returns its logits, and what is known of it. On a GPU the call replays a graph."""
    began = time.perf_counter()
    if options.device == "cpu":
        return in_variant(model, name, decoding), {"prepare_s": 0.0}
    with qwen3_moe.variant(model, name):
        graph, logits = gpu_probe.captured(decoding.step, before=decoding.reset)
    decoding.reset()
    facts = gpu_probe.trace(graph.replay).facts()
    facts["prepare_s"] = round(time.perf_counter() - began, 1)

    def replay():
        graph.replay()
        return logits

    return replay, facts


def in_variant(model, name, decoding):
    def step():
        with qwen3_moe.variant(model, name):
            return decoding.step()

    return step


def timed(run, decoding, options):
    """A call that returns the microseconds of a step, the mean of some in a row."""

    def sample():
        decoding.reset()
        return microseconds(run, options.steps, options.device)

    return sample


def microseconds(call, calls, device):
    if device == "cuda":
        return gpu_probe.microseconds(call, calls)
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - began) * 1e6 / calls


def by_turns(forms, rounds):
    """Samples of each form. Each round takes them all, in an order of its own; a first round is dropped."""
    samples, order = {name: [] for name in forms}, random.Random(0)
    for _ in range(rounds + 1):
        for name in order.sample([*forms], len(forms)):
            samples[name].append(forms[name]())
    return {name: values[1:] for name, values in samples.items()}


# --- tokens ----------------------------------------------------------------------------------------------------------


def choices(run, decoding, steps):
    """(token read, logits) of each greedy step, ids [B, 1] and logits [B, 1, vocabulary]."""
    decoding.reset()
    return [(decoding.ids.clone(), run().clone()) for _ in range(steps)]


def agreement(run, decoding, expected):
    """How often the best token is the expected one when each step reads the expected tokens, and how close the expected
    two best were where it is not."""
    decoding.reset()
    equal, gap, difference = 0, 0.0, 0.0
    for ids, theirs in expected:
        decoding.ids.copy_(ids)
        ours = run()
        same = ours.argmax(-1) == theirs.argmax(-1)
        best = theirs.float().topk(2).values
        gaps = (best[..., 0] - best[..., 1])[~same]
        equal += same.sum().item()
        gap = max(gap, gaps.max().item() if gaps.numel() else 0.0)
        difference = max(difference, (ours.float() - theirs.float()).abs().max().item())
    total = sum(ids.numel() for ids, _ in expected)
    return {"equal": equal, "of": total, "largest_gap": gap, "largest_logit_difference": difference}


# --- the prologue of a layer -----------------------------------------------------------------------------------------


def measure_prologue(model, batch, options):
    """The lines of one layer alone, in graphs of many calls, and what a call of the op does besides its kernel."""
    prologue = qwen3_moe.Prologue(model, batch)
    compiled = any(VARIANTS[name][1] for name in options.variants)
    with qwen3_moe.variant(model, "ropeline"):
        forms = {name: form for name, form in prologue.forms.items() if compiled or name != "compile"}
        found = {}
        for name in forms:
            differing, of = prologue.differing(name)
            found[name] = {"differing": differing, "of": of}
        if options.device == "cpu":
            calls = {name: lambda f=form: microseconds(f, 5, "cpu") for name, form in forms.items()}
            op = {}
        else:
            for name, form in forms.items():
                found[name] |= gpu_probe.trace(form).facts()
            graphs = {name: gpu_probe.captured(form, CALLS_OF_A_GRAPH)[0] for name, form in forms.items()}
            calls = {name: lambda g=graph: of_a_call(g) for name, graph in graphs.items()}
            op = side_effects(forms["ropeline"])
        for name, samples in by_turns(calls, options.rounds).items():
            found[name]["us"] = gpu_probe.summary(samples)
    return {"prologue": found, "op": op}


def of_a_call(graph):
    return gpu_probe.microseconds(graph.replay, 1) / CALLS_OF_A_GRAPH


def side_effects(call):
    seen = gpu_probe.trace(call)
    return {
        **seen.facts(),
        "allocations": gpu_probe.allocations(call),
        "allocations_captured": gpu_probe.allocations(call, graph=True),
        "host_calls": dict(seen.calls),
    }


if __name__ == "__main__":
    sys.exit(main())
