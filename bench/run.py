#!/usr/bin/env python3
"""The CPU benchmark in one command: Ropeline, a copy of the same bytes, PyTorch eager and compiled, and a comparator.

    python bench/run.py             # 4 to 8 minutes on two cores
    python bench/run.py --quick     # about 2 minutes: one model, three sizes, fewer rounds

Needs this repository's build tools, and torch and transformers in this Python. It builds qk_norm_rope_bench unless
--program names one. Every case is measured in turn by all contestants, the C++ program before and after PyTorch, so
that a machine that speeds up or slows down does so for all.
Writes bench/results/cpu-<cpu>-<date>.json, .md, .svg and .png.
"""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

import machine
import report

BENCH = pathlib.Path(__file__).resolve().parent
MODELS = ("qwen3-30b-a3b", "qwen3-8b", "gemma3-270m")
TOKENS = (1, 16, 128, 1024, 4096)
THREADS = (1, 2)
OTHER_DTYPES = {"fp16": (1, 128, 1024), "fp32": (1, 128, 1024)}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one model, three sizes, fewer rounds")
    parser.add_argument("--program", type=pathlib.Path, help="a built qk_norm_rope_bench")
    parser.add_argument("--output", type=pathlib.Path, default=BENCH / "results", help="folder of the results")
    parser.add_argument("--realtime", action="store_true", help="timed pieces run before all other work (needs root)")
    parser.add_argument("--lock", type=pathlib.Path, help="a file to hold locked (flock) during each timed piece")
    options = parser.parse_args()
    options.models = MODELS[:1] if options.quick else MODELS
    options.tokens = (1, 128, 1024) if options.quick else TOKENS
    options.rounds, options.slice = (4, 0.01) if options.quick else (8, 0.03)
    return options


def build():
    """The program in build/bench, built if need be."""
    folder = machine.ROOT / "build" / "bench"
    print(f"building qk_norm_rope_bench in {folder.relative_to(machine.ROOT)}", flush=True)
    configure = ["cmake", "-S", machine.ROOT, "-B", folder, "-DCMAKE_BUILD_TYPE=Release", "-DROPELINE_BENCH=ON"]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    command = ["cmake", "--build", folder, "--target", "qk_norm_rope_bench", "--parallel"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "qk_norm_rope_bench"


@contextlib.contextmanager
def quiet(lock):
    """Holds the lock file, if there is one: others who respect it leave the cores alone meanwhile."""
    if lock is None:
        yield
        return
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Program:
    """qk_norm_rope_bench, run for the benchmarks whose names match."""

    def __init__(self, path, options):
        self.path, self.lock, self.realtime = path, options.lock, options.realtime
        self.repetitions, self.min_time = options.rounds // 2, options.slice
        self.context = {}

    def measure(self, pattern, results):
        """Adds microseconds per call, on the wall and on the thread's clock, to results[model, dtype, tokens, ...]."""
        command = [self.path, f"--benchmark_filter=^{pattern}/", "--benchmark_format=json"]
        command += [f"--benchmark_repetitions={self.repetitions}", "--benchmark_enable_random_interleaving=true"]
        with quiet(self.lock):
            first = machine.run_first if self.realtime else None
            done = subprocess.run(command, capture_output=True, text=True, preexec_fn=first)
        if done.returncode:
            sys.exit(f"{self.path} failed:\n{done.stderr}")
        answer = json.loads(done.stdout)
        self.context = {name: answer["context"][name] for name in ("ropeline", "cpu_target")}
        for run in answer["benchmarks"]:
            if run["run_type"] == "iteration":
                model, dtype, tokens, threads, contestant = run["name"].split("/")[:5]
                key = (model, dtype, int(tokens), int(threads), contestant)
                results.setdefault(key, []).append((run["call"] * 1e6, run["thread"] * 1e6))


class Torch:
    """PyTorch with one number of threads, in a process of its own (bench/torch_worker.py)."""

    def __init__(self, threads, environment, options):
        self.threads, self.options = threads, options
        own = {"OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_COMPILE_THREADS": "1", **environment}
        command = [sys.executable, BENCH / "torch_worker.py", str(threads)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env={**os.environ, **own}, **pipes)
        self.facts = self.ask(do="hello")

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"bench/torch_worker.py with {self.threads} threads ended: {request}; its message is above")
        return json.loads(answer)

    def prepare(self, model, tokens):
        return self.ask(do="prepare", model=model, tokens=tokens)

    def measure(self, model, tokens, results):
        with quiet(self.options.lock):
            o = self.options
            samples = self.ask(do="time", rounds=o.rounds, slice=o.slice, realtime=o.realtime)
        for contestant, values in samples.items():
            results[(model, "bf16", tokens, self.threads, contestant)] = values


def measure_case(program, torches, model, tokens, results):
    """All contestants of one case, within seconds of each other. Returns how far each was from eager."""
    agreement = torches[0].prepare(model, tokens)
    for other in torches[1:]:
        other.prepare(model, tokens)
    program.measure(f"{model}/bf16/{tokens}", results)
    for worker in torches:
        worker.measure(model, tokens, results)
    program.measure(f"{model}/bf16/{tokens}", results)
    return agreement


def measure_all(options, program, torches):
    results, agreement = {}, {}
    cases = [(model, tokens) for model in options.models for tokens in options.tokens]
    for number, (model, tokens) in enumerate(cases, 1):
        print(f"[{number}/{len(cases)}] {model}, {tokens} tokens", flush=True)
        agreement[f"{model}/{tokens}"] = measure_case(program, torches, model, tokens, results)
    for dtype, all_tokens in () if options.quick else OTHER_DTYPES.items():
        for tokens in all_tokens:
            program.measure(f"{MODELS[0]}/{dtype}/{tokens}", results)
            program.measure(f"{MODELS[0]}/{dtype}/{tokens}", results)
    return results, agreement


def as_json(results):
    keys = ("model", "dtype", "tokens", "threads", "contestant")
    clocks = ("microseconds", "thread_microseconds")
    return [
        {**dict(zip(keys, key)), **{c: [round(v[i], 3) for v in values] for i, c in enumerate(clocks)}}
        for key, values in results.items()
    ]


def main():
    options, begin = arguments(), time.monotonic()
    facts = machine.describe()
    allocator, environment = machine.allocator()
    program = Program(options.program or build(), options)
    torches = [Torch(threads, environment, options) for threads in THREADS]
    skipped = torches[0].facts["reason"]
    print(f"{facts['cpu']}, PyTorch {torches[0].facts['torch']}, allocator {allocator}")
    if skipped:
        print(f"NOT MEASURED: Ropeline through PyTorch, because the package is not there ({skipped}): pip install .")
    results, agreement = measure_all(options, program, torches)
    document = {
        "machine": {**facts, **program.context, "torch": torches[0].facts["torch"], "allocator": allocator},
        "command": shlex.join(["python", "bench/run.py", *(a for a in sys.argv if a in ("--quick", "--realtime"))]),
        "not_measured": {"torch-*": skipped} if skipped else {},
        "seconds": round(time.monotonic() - begin),
        "agreement_with_eager": agreement,
        "results": as_json(results),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / f"{machine.file_stem(facts)}{'-quick' if options.quick else ''}.json"
    path.write_text(report.to_text(document))
    report.write(path)
    print(f"{path}, .md, .svg, .png; {document['seconds']} seconds")


if __name__ == "__main__":
    main()
