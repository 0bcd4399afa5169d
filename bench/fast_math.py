"""How far the engines' formula for norm and rope is from the exact one, with fast-math and without, beside the op; and
what each costs. 32 q, 4 k and 4 v heads of 128 in bf16, theta 1e6, as in a layer of Qwen3-30B-A3B.

    python bench/fast_math.py [--tokens 64] [--out FOLDER]

On a GPU bench/fast_math.cuh is compiled with --use_fast_math and without; everywhere the same formula runs in torch, on
the CPU, in fp32. Writes FOLDER/fast-math-DEVICE-DATE.json (bench/results when it is left out) and prints its tables.
"""

import argparse
import functools
import json
import pathlib
import re
import statistics

import machine
import torch

import ropeline
from ropeline import jit

POSITIONS = 127, 131_071, 1_000_000
HEADS, DIM, BASE, EPS = (32, 4, 4), 128, 1e6, 1e-6
STEPS = "0", "1", "2", "3-4", "5-8", "9-16", "17-64", "65 or more"
_LAST = torch.tensor([0, 1, 2, 4, 8, 16, 64])  # of the steps
OURS, TORCH, FAST, PRECISE = "the op", "torch in fp32, on a CPU", "CUDA with --use_fast_math", "CUDA without"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=64, help="tokens at each position (default 64)")
    parser.add_argument("--out", type=pathlib.Path, default=machine.ROOT / "bench" / "results")
    options = parser.parse_args()
    results = {
        **described(),
        "tokens": options.tokens,
        "steps": list(STEPS),
        "positions": {position: at(position, options.tokens) for position in POSITIONS},
        "microseconds": timed() if torch.cuda.is_available() else {},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    device = re.sub(r"[^a-z0-9]+", "-", results["device"].lower()).strip("-")
    path = options.out / f"fast-math-{device}-{results['date']}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    print("\n".join(tables(results)))
    print(f"\n{path}")


def described():
    host = machine.describe()
    on_gpu = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if on_gpu else host["cpu"],
        "torch": torch.__version__,
        "nvrtc": jit.compiler_status()["version"] if on_gpu else None,
        **{name: host[name] for name in ("commit", "date")},
    }


# --- the contestants -------------------------------------------------------------------------------------------------


class Call:
    def __init__(self, position, tokens):
        random = torch.Generator().manual_seed(20)
        self.qkv = torch.randn(tokens, sum(HEADS) * DIM, generator=random).bfloat16()
        self.weights = [(1 + 0.3 * torch.randn(DIM, generator=random)).bfloat16() for _ in "qk"]
        self.positions = torch.full((tokens,), position, dtype=torch.int32)
        self.position = position


def contestants():
    """By name, what gives q and k of a call [T, 36 * 128] in bf16, and what gives cos and sin [64]."""
    all = {OURS: (ours, our_angles), TORCH: (in_torch, torch_angles)}
    if torch.cuda.is_available():
        for name, flags in ((FAST, ["--use_fast_math"]), (PRECISE, [])):
            kernels = Kernels(flags)
            all[name] = kernels.run, kernels.angles
    return all


def ours(call):
    qkv = call.qkv.clone()
    run_op(qkv, call.weights, call.positions)
    return q_and_k(qkv)


def run_op(qkv, weights, positions):
    names = dict(zip(("q_weight", "k_weight"), weights))
    ropeline.qk_norm_rope_(qkv, spec(), positions=positions, **names)


@functools.cache
def spec():
    norm, rope = ropeline.rms_norm(EPS), ropeline.rope(ropeline.frequencies(BASE, DIM))
    return ropeline.qk_norm_rope_spec(*HEADS[:2], DIM, norm=norm, rope=rope, positions="int32")


def our_angles(position):
    return [row[0] for row in ropeline.cos_sin_table(ropeline.frequencies(BASE, DIM), [position])]


def in_torch(call):
    return formula(call, *torch_angles(call.position), torch.float32)


def torch_angles(position):
    exponents = torch.arange(0, DIM, 2, dtype=torch.float32) / DIM
    phase = torch.tensor(float(position)) * torch.tensor(BASE) ** -exponents
    return phase.cos(), phase.sin()


def exact_angles(position):
    phase = position * BASE ** (-torch.arange(0, DIM, 2, dtype=torch.float64) / DIM)
    return phase.cos(), phase.sin()


def formula(call, cos, sin, dtype):
    """Norm and rope in that dtype, then one rounding."""
    q, k, _ = call.qkv.to(dtype).unflatten(1, (-1, DIM)).split(HEADS, 1)
    both = []
    for x, weight in zip((q, k), call.weights):
        x = x * (x.square().mean(-1, keepdim=True) + EPS).rsqrt() * weight.to(dtype)
        a, b = x.chunk(2, -1)
        both.append(torch.cat((a * cos - b * sin, b * cos + a * sin), -1))
    return torch.cat(both, 1).flatten(1).bfloat16()


class Kernels:
    """bench/fast_math.cuh, compiled with some flags."""

    def __init__(self, flags):
        file = pathlib.Path(__file__).with_name("fast_math.cuh")
        module = jit.load(file, kernels=["retyped", "angles"], flags=flags)
        self._retyped, self._angles = module.kernel("retyped"), module.kernel("angles")

    def launch(self, qkv, weights, positions):
        tokens = len(positions)
        self._retyped.launch(-(-tokens * sum(HEADS[:2]) // 8), 256, qkv, *weights, positions, tokens, *HEADS, BASE, EPS)

    def run(self, call):
        qkv, weights = call.qkv.cuda(), [weight.cuda() for weight in call.weights]
        self.launch(qkv, weights, call.positions.cuda())
        return q_and_k(qkv.cpu())

    def angles(self, position):
        cos, sin = torch.empty(2, DIM // 2, device="cuda")
        self._angles.launch(1, DIM // 2, cos, sin, position, BASE)
        return cos.cpu(), sin.cpu()


def q_and_k(qkv):
    return qkv[:, : sum(HEADS[:2]) * DIM]


# --- how far apart ---------------------------------------------------------------------------------------------------


def at(position, tokens):
    call, angles = Call(position, tokens), exact_angles(position)
    exact, results = formula(call, *angles, torch.float64), {}
    op = ours(call)
    for name, (run, their_angles) in contestants().items():
        values = run(call)
        off = max((a.double() - b).abs().max().item() for a, b in zip(their_angles(position), angles))
        results[name] = {
            "from_the_formula": histogram(values, exact),
            "from_the_op": histogram(values, op),
            "largest_error": (values.double() - exact.double()).abs().max().item(),
            "largest_error_of_cos_and_sin": off,
        }
    check(results)
    return results


def histogram(a, b):
    """How many of the values are so many steps of bf16 apart; -0 and 0 are one value."""
    return (
        torch.bincount(torch.bucketize((ordered(a) - ordered(b)).abs(), _LAST), minlength=len(STEPS)).flatten().tolist()
    )


def ordered(x):
    """The place of a bf16 number among all."""
    bits = x.contiguous().view(torch.int16).int()
    return torch.where(bits < 0, -(bits & 0x7FFF), bits).flatten()


def check(results):
    """The op is right, or there is nothing to compare with."""
    counts = results[OURS]["from_the_formula"]
    assert sum(counts[2:]) <= 1e-4 * sum(counts), f"the op is not the formula: {counts}"


# --- what it costs ---------------------------------------------------------------------------------------------------


def timed():
    """Microseconds of a call on the GPU by tokens: medians of a CUDA graph of 50, in place on the same qkv."""
    forms = {FAST: Kernels(["--use_fast_math"]).launch, PRECISE: Kernels([]).launch, OURS: run_op}
    return {tokens: {name: on_the_gpu(form, tokens) for name, form in forms.items()} for tokens in (1, 64, 1024, 16384)}


def on_the_gpu(form, tokens, calls=50, rounds=15):
    call = Call(0, tokens)
    qkv, weights = call.qkv.cuda(), [weight.cuda() for weight in call.weights]
    positions = torch.arange(tokens, dtype=torch.int32, device="cuda")
    form(qkv, weights, positions)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            form(qkv, weights, positions)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    samples = []
    for _ in range(rounds):
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        samples.append(start.elapsed_time(end) / calls * 1e3)
    return round(statistics.median(samples), 3)


# --- the tables ------------------------------------------------------------------------------------------------------


def tables(results):
    yield f"{results['device']}, torch {results['torch']}, commit {results['commit']}, {results['date']}\n"
    for of, title in (("from_the_formula", "the exact formula"), ("from_the_op", "the op")):
        yield f"Steps of bf16 from {title}, parts of the values in %:\n"
        yield f"| position | | {' | '.join(STEPS)} |"
        yield "|---|---|" + "--:|" * len(STEPS)
        for position, contestants in results["positions"].items():
            for name, facts in contestants.items():
                if of == "from_the_formula" or name != OURS:
                    yield f"| {position:,} | {name} | {parts(facts[of])} |"
        yield ""
    yield "| position | | largest error of cos and sin | of a value |"
    yield "|---|---|--:|--:|"
    for position, contestants in results["positions"].items():
        for name, facts in contestants.items():
            errors = facts["largest_error_of_cos_and_sin"], facts["largest_error"]
            yield f"| {position:,} | {name} | {errors[0]:.1e} | {errors[1]:.1e} |"
    if results["microseconds"]:
        yield from costs(results["microseconds"])


def parts(counts):
    percents = [100 * count / sum(counts) for count in counts]
    return " | ".join("0" if p == 0 else f"{p:.2f}" if p >= 0.1 else f"{p:.1g}" for p in percents)


def costs(microseconds):
    names = list(next(iter(microseconds.values())))
    yield f"\n| us on the GPU, tokens | {' | '.join(names)} |"
    yield "|---|" + "--:|" * len(names)
    for tokens, by_name in microseconds.items():
        yield f"| {tokens:,} | {' | '.join(f'{by_name[name]:.2f}' for name in names)} |"


if __name__ == "__main__":
    main()
