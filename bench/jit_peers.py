"""What a small kernel costs under other JITs, beside Ropeline's own figures: compile, load from disk, look up, launch.

    build/dev/jit_bench CACHE_FOLDER > jit.json
    python bench/jit_peers.py jit.json            # a Markdown table; --json FILE keeps the figures

Every JIT compiles the same kernel, y[i] = a * x[i] for fp32. A figure that begins with an empty cache, or must find
what another process left, is taken in a process of its own. What is not installed, or has no GPU, is listed as not run.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

QUESTIONS = {
    "import": "import and open the GPU",
    "first": "first compile in a process, empty cache",
    "cold": "a further compile, median of 5",
    "disk": "first load in a process, warm cache",
    "again": "asked for again in the process",
    "launch": "host time of a launch",
}
PEERS = {
    "ropeline": "Ropeline from Python",
    "torch": "torch `_compile_kernel`",
    "cupy": "CuPy `RawKernel`",
    "triton": "Triton",
}

# Ropeline's answers: rows of jit_bench.
OURS = {
    "first": ("compile", ["open NVRTC", "scale, first of the process"]),
    "cold": ("compile", ["scale"]),
    "disk": ("load", ["scale: load from disk"]),
    "again": ("look-up", ["cached, a hit"]),
    "launch": ("run", ["scale: Kernel::launch"]),
}

TEXT = """extern "C" __global__ void scale(float* y, const float* x, float a, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i];
}
// """


def once_us(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e6


def host_us(launch, synchronize):
    rounds = []
    for _ in range(101):
        rounds.append(once_us(lambda: [launch() for _ in range(100)]) / 100)
        synchronize()
    return statistics.median(rounds)


def make_ropeline():
    import torch

    from ropeline import jit

    x = torch.ones(256, device="cuda")
    y = torch.empty_like(x)

    def compile_scale(number):
        return jit.load(text=TEXT.replace('extern "C" ', "") + str(number), kernels="scale").kernel()

    def launch(kernel):
        kernel.launch(1, 256, y, x, 1.0, 256)

    return compile_scale, launch, torch.cuda.synchronize


def make_torch():
    import torch

    x = torch.ones(256, device="cuda")
    y = torch.empty_like(x)

    def compile_scale(number):
        return torch.cuda._compile_kernel(TEXT + str(number), "scale")

    def launch(kernel):
        kernel(grid=(1, 1, 1), block=(256, 1, 1), args=[y, x, 1.0, 256])

    return compile_scale, launch, torch.cuda.synchronize


def make_cupy():
    import cupy

    x = cupy.ones(256, dtype=cupy.float32)
    y = cupy.empty_like(x)
    a = cupy.float32(1)

    def compile_scale(number):
        kernel = cupy.RawKernel(TEXT + str(number), "scale")
        kernel.compile()
        return kernel

    def launch(kernel):
        kernel((1,), (256,), (y, x, a, 256))

    return compile_scale, launch, cupy.cuda.Device().synchronize


def make_triton():
    import torch
    import triton
    import triton.language as tl

    x = torch.ones(256, device="cuda")
    y = torch.empty_like(x)

    @triton.jit
    def scale(y, x, a, n, NUMBER: tl.constexpr, BLOCK: tl.constexpr):
        i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        tl.store(y + i, a * tl.load(x + i, mask=i < n), mask=i < n)

    def compile_scale(number):
        scale[(1,)](y, x, 1.0, 256, NUMBER=number, BLOCK=256)
        return number

    def launch(number):
        scale[(1,)](y, x, 1.0, 256, NUMBER=number, BLOCK=256)

    return compile_scale, launch, torch.cuda.synchronize


MAKERS = {"ropeline": make_ropeline, "torch": make_torch, "cupy": make_cupy, "triton": make_triton}


def work(peer, cache):
    """One process: what it measured, by question. `cache` says what it finds: `cold` or `warm`."""
    made = []
    figures = {"import": once_us(lambda: made.append(MAKERS[peer]()))}
    compile_scale, launch, synchronize = made[0]
    kernels = []
    figures["first" if cache == "cold" else "disk"] = once_us(lambda: kernels.append(compile_scale(0)))
    if cache == "cold":
        figures["cold"] = statistics.median(once_us(lambda i=i: compile_scale(i)) for i in range(1, 6))
    else:
        figures["again"] = statistics.median(once_us(lambda: compile_scale(0)) for _ in range(21))
        figures["launch"] = host_us(lambda: launch(kernels[0]), synchronize)
    return figures


def ask(peer, cache, folder):
    """The figures of a process of its own, or why there are none."""
    environment = dict(os.environ, ROPELINE_CACHE_DIR=folder, CUPY_CACHE_DIR=folder, TRITON_CACHE_DIR=folder)
    command = [sys.executable, os.path.abspath(__file__), "--worker", peer, cache]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return None, "took longer than 120 s"
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1]), None
    lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
    return None, "not installed" if "ModuleNotFoundError" in lines[-1] else lines[-1]


def measure(peer):
    figures, reasons = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for cache in ("cold", "warm"):
            got, reason = ask(peer, cache, folder)
            figures.update(got or {})
            if reason and reason not in reasons:
                reasons.append(reason)
    return {"figures": figures, "not_run": "; ".join(reasons)}


def ours(report):
    """Ropeline's answers out of jit_bench's rows."""
    rows = {(row["part"], row["what"]): row.get("us") for row in report["rows"]}
    figures = {}
    for question, (part, whats) in OURS.items():
        parts = [rows.get((part, what)) for what in whats]
        if None not in parts:
            figures[question] = sum(parts)
    return {"figures": figures, "not_run": ""}


def spelled(us):
    if us is None:
        return ""
    if us >= 1000:
        return f"{us / 1000:.3g} ms" if us < 999_500 else f"{us / 1e6:.3g} s"
    return f"{us:.3g} us" if us >= 0.9995 else f"{us * 1000:.3g} ns"


def table(columns):
    names = list(columns)
    lines = ["| scale, one fp32 kernel | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    for question, text in QUESTIONS.items():
        cells = [spelled(column["figures"].get(question)) for column in columns.values()]
        lines.append(f"| {text} | " + " | ".join(cells) + " |")
    lines += [f"\nNot run: {name}: {column['not_run']}." for name, column in columns.items() if column["not_run"]]
    return "\n".join(lines)


def rows_table(report):
    lines = ["| part | what | |", "|---|---|--:|"]
    for row in report["rows"]:
        value = spelled(row["us"]) if "us" in row else "not run: " + row["not_run"]
        note = f" ({row['note']})" if row.get("note") else ""
        lines.append(f"| {row['part']} | {row['what']}{note} | {value} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", nargs="?", help="what jit_bench printed")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--worker", nargs=2, metavar=("PEER", "CACHE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(work(*given.worker)))
        return
    columns, report = {}, None
    if given.report:
        with open(given.report, encoding="utf-8") as file:
            report = json.load(file)
        columns["Ropeline"] = ours(report)
    columns.update({name: measure(peer) for peer, name in PEERS.items()})
    print(table(columns))
    if report:
        print(f"\n{report['card']}, {report['architecture']}, Ropeline {report['ropeline']}.\n\n{rows_table(report)}")
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump({"peers": columns, "ropeline": report}, file, indent=2)


if __name__ == "__main__":
    main()
