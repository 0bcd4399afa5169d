#!/usr/bin/env python3
"""The table and the plot of a result of bench/run.py.

python bench/report.py bench/results/cpu-<cpu>-<date>.json
"""

import json
import pathlib
import re
import statistics
import sys

# contestant: how the table calls it, in the order of its columns
COLUMNS = {
    "eager": "eager",
    "compile": "compile",
    "torch-model-rows": "model rounding, through torch",
    "torch-fused-rows": "fused, through torch",
    "torch-fused-frequencies": "fused, frequencies, through torch",
    "torch-packed": "fused, frequencies, packed, through torch",
    "torch-call-alone": "call alone, through torch",
    "model-rows": "model rounding, C++",
    "fused-rows": "fused, rows, C++",
    "fused-cache": "fused, cache, C++",
    "fused-frequencies": "fused, frequencies, C++",
    "sglang-retyped": "sglang re-typed",
    "copy": "copy",
}

# The goals for one thread, 32/4 heads, bf16: (rounding, tokens, baseline, at least so many times as fast).
GOALS = [
    ("fused", 128, "compile", 2.7),
    ("fused", 1024, "compile", 3.5),
    ("fused", 4096, "compile", 3.5),
    ("fused", 1024, "eager", 10),
    ("fused", 4096, "eager", 10),
    ("model", 128, "compile", 1.5),
    ("model", 1024, "compile", 2),
    ("model", 4096, "compile", 2),
]
FIRST = "qwen3-30b-a3b"
QUIET = 1.05  # time on the wall over time of the thread


def to_text(document):
    """JSON with a line for each result."""
    text = json.dumps(document, indent=1)
    return re.sub(r"\[\s+([-\d.,\s]+?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text) + "\n"


class Results:
    """Medians in microseconds by case and contestant; None where a contestant did not run.

    The time is the wall's, but with one thread on a machine that was busy with other work, the thread's own.
    """

    def __init__(self, document):
        runs = document["results"]
        self.busy = statistics.median(_load(r) for r in runs if r["threads"] == 1) > QUIET
        self.samples = {
            (r["model"], r["dtype"], r["tokens"], r["threads"], r["contestant"]): self._times(r) for r in runs
        }
        self.cases = list(dict.fromkeys(key[:4] for key in self.samples))

    def _times(self, run):
        return run["thread_microseconds" if self.busy and run["threads"] == 1 else "microseconds"]

    def median(self, case, contestant):
        samples = self.samples.get((*case, contestant))
        return statistics.median(samples) if samples else None

    def spread(self, case, contestant):
        """Half of the distance between the quartiles, relative to the median."""
        samples = self.samples.get((*case, contestant), ())
        if len(samples) < 2:
            return 0
        low, middle, high = statistics.quantiles(samples, n=4)
        return (high - low) / 2 / middle

    def op(self, case, rounding):
        """The op with rows: through torch where that was measured, else C++ alone."""
        return self.median(case, f"torch-{rounding}-rows") or self.median(case, f"{rounding}-rows")

    def ratio(self, case, baseline, rounding):
        there, ours = self.median(case, baseline), self.op(case, rounding)
        return there / ours if there and ours else None


def _load(run):
    return statistics.median(run["microseconds"]) / statistics.median(run["thread_microseconds"])


def _number(value):
    return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def times_table(results, model, dtype):
    """Microseconds per call, with the spread where it is 5 % or more."""
    cases = [c for c in results.cases if c[:2] == (model, dtype)]
    columns = [c for c in COLUMNS if any(results.median(case, c) for case in cases)]
    yield "| threads | tokens | " + " | ".join(COLUMNS[c] for c in columns) + " |"
    yield "|" + "--:|" * (len(columns) + 2)
    for case in sorted(cases, key=lambda c: (c[3], c[2])):
        cells = []
        for contestant in columns:
            spread = results.spread(case, contestant)
            note = f" ±{spread:.0%}" if spread >= 0.05 else ""
            cells.append(_number(results.median(case, contestant)) + note)
        yield f"| {case[3]} | {case[2]} | " + " | ".join(cells) + " |"


def goals_table(results):
    yield "| goal | measured | |"
    yield "|---|--:|---|"
    for rounding, tokens, baseline, goal in GOALS:
        ratio = results.ratio((FIRST, "bf16", tokens, 1), baseline, rounding)
        if ratio:
            words = f"{rounding} rounding, {tokens} tokens: {goal} x {baseline}"
            yield f"| {words} | {ratio:.2f} x | {'met' if ratio >= goal else 'missed'} |"
    yield from _goals_of_threads(results)
    yield from _goals_of_decode(results)


def _goals_of_threads(results):
    for tokens in (128, 1024, 4096):
        one, two = (results.op((FIRST, "bf16", tokens, n), "fused") for n in (1, 2))
        if one and two:
            yield f"| two threads, {tokens} tokens: 1.7 x one | {one / two:.2f} x | {_met(one / two >= 1.7)} |"


def _goals_of_decode(results):
    case = (FIRST, "bf16", 1, 1)
    ours, compiled = results.median(case, "torch-fused-rows"), results.median(case, "compile")
    packed, alone = results.median(case, "torch-packed"), results.median(case, "torch-call-alone")
    if ours:
        yield f"| 1 token through torch, packed: at most 4 us | {packed:.2f} us | {_met(packed <= 4)} |"
        measured = f"{ours:.2f} us, of which the call {alone:.2f} us"
        yield f"| 1 token through torch, q and k apart: at most 4 us | {measured} | {_met(ours <= 4)} |"
        yield f"| 1 token through torch: 5 x compile | {compiled / ours:.1f} x | {_met(compiled / ours >= 5)} |"


def _met(is_met):
    return "met" if is_met else "missed"


def markdown(document, picture):
    results, facts = Results(document), document["machine"]
    yield "# qk_norm_rope on a CPU"
    yield ""
    yield ", ".join(f"{name} {value}" for name, value in facts.items()) + f". `{document['command']}`"
    if results.busy:
        yield "\n**The machine was busy with other work**: for one thread, times of the thread's own clock; for two,"
        yield "numbers of no use."
    for what, reason in document["not_measured"].items():
        yield f"\n**Not measured**: {what}: {reason}"
    yield f"\n![speed-up over torch.compile, and fraction of the copy]({picture})\n"
    yield "Goals: one thread, 32/4 heads, head_dim 128, bf16.\n"
    yield from goals_table(results)
    for model, dtype in dict.fromkeys(case[:2] for case in results.cases):
        yield f"\n## {model}, {dtype}: microseconds per call\n"
        yield from times_table(results, model, dtype)


def write(path):
    """Writes .md, .svg and .png beside a result."""
    import plot

    document = json.loads(path.read_text())
    text = "\n".join(markdown(document, path.with_suffix(".svg").name))
    path.with_suffix(".md").write_text(text + "\n")
    plot.draw(Results(document), document["machine"], path)
    print(text)


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
