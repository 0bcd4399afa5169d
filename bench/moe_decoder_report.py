#!/usr/bin/env python3
"""The page of a result of bench/moe_decoder.py.

    python bench/moe_decoder_report.py result.json [FOLDER]

writes FOLDER/moe-decoder-<card>-<date>.md and, beside it, the result itself (FOLDER is bench/results by default).
"""

import argparse
import json
import pathlib
import re
import statistics

NAMES = {
    "unmodified": "unmodified",
    "compile": "torch.compile",
    "ropeline": "Ropeline",
    "ropeline+compile": "Ropeline + torch.compile",
}
PAIRS = ("unmodified", "ropeline"), ("compile", "ropeline+compile"), ("compile", "ropeline")
SIDE_EFFECTS = {
    "allocations": "blocks allocated",
    "allocations_captured": "the same, captured",
    "copies": "copies and fills",
    "waits": "waits of the host",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("result", type=pathlib.Path, help="what bench/moe_decoder.py wrote")
    parser.add_argument("folder", type=pathlib.Path, nargs="?", default=pathlib.Path(__file__).parent / "results")
    options = parser.parse_args()
    folder, document = options.folder, json.loads(options.result.read_text())
    stem = folder / f"moe-decoder-{slug(card(document))}-{document['machine']['date']}"
    pathlib.Path(f"{stem}.md").write_text("\n".join(markdown(document)) + "\n")
    pathlib.Path(f"{stem}.json").write_text(json.dumps(document, indent=1) + "\n")
    print(f"{stem}.md and .json")


def card(document):
    return document["machine"].get("gpu", "cpu")


def slug(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def op_is_clean(document):
    """Whether no call of the op allocated, copied or waited, as far as there was a GPU to ask."""
    return not any(b["op"].get(name) for b in document["batches"] for name in SIDE_EFFECTS)


def markdown(document):
    model, options, facts = document["model"], document["options"], document["machine"]
    yield f"# Qwen3-MoE end to end: {card(document)}"
    yield ""
    if card(document) == "cpu" or document["tiny"]:
        yield "**A trial of the program: no graphs on a CPU, or tiny layers. These times say nothing.**"
        yield ""
    yield ", ".join(f"{name} {value}" for name, value in facts.items()) + "."
    yield ""
    yield f"`{document['command']}`, {document['seconds']} s"
    yield ""
    yield (
        f"{model['layers']} layers, {model['num_attention_heads']}/{model['num_key_value_heads']} heads of "
        f"{model['head_dim']}, {model['num_experts']} experts (top {model['num_experts_per_tok']}, by "
        f"{document['experts']}), random weights in bf16. A static cache with {options['context']} tokens in each row; "
        "a step goes from token ids to the next ids, in a CUDA graph. A sample is the mean of "
        f"{options['steps']} steps in a row; {options['rounds']} samples of each variant, by turns. torch.compile: "
        "fullgraph, static shapes, of each decoder layer. Cells: median (10th to 90th percentile). A / B: how many "
        "times as fast B is."
    )
    for title, rows in TABLES.items():
        lines = list(rows(document))
        if len(lines) > 2:
            yield f"\n## {title}\n"
            yield from lines
    if document["left_out"]:
        yield "\n## Not measured\n"
        yield from (f"- {what}" for what in document["left_out"])


def steps(document):
    """Times, and how many times as fast: medians of each round's ratio, whose sides were measured within a moment."""
    names = [n for n in NAMES if any("step_us" in b["variants"].get(n, {}) for b in document["batches"])]
    pairs = [pair for pair in PAIRS if set(pair) <= set(names)]
    columns = [NAMES[n] for n in names] + [f"{NAMES[a]} / {NAMES[b]}" for a, b in pairs]
    yield from header("batch", *columns)
    for b in document["batches"]:
        samples = {n: v["step_us"] for n, v in b["variants"].items() if "step_us" in v}
        yield row(
            b["batch"],
            *(spread(samples.get(n)) for n in names),
            *(ratio(samples.get(slow), samples.get(fast)) for slow, fast in pairs),
        )


def prologues(document):
    batches = [b for b in document["batches"] if b["prologue"]]
    names = [n for n in NAMES if any(n in b["prologue"] for b in batches)]
    others = [n for n in names if n != "ropeline"]
    columns = [f"{NAMES[n]}, us" for n in names] + [f"{NAMES[n]}, kernels" for n in names]
    yield from header("batch", *columns, *(f"{NAMES[n]} / Ropeline" for n in others))
    for b in batches:
        found = b["prologue"]
        yield row(
            b["batch"],
            *(spread(found[n]["us"]) for n in names),
            *(found[n].get("kernels", "-") for n in names),
            *(ratio(found[n]["us"], found["ropeline"]["us"]) for n in others),
        )


def kernels(document):
    """Of a whole step, and how many of a layer Ropeline saved."""
    layers = document["model"]["layers"]
    yield from header("batch", "variant", "kernels of a step", "copies and fills", "fewer in each layer with Ropeline")
    for b in document["batches"]:
        counts = {n: v["kernels"] for n, v in b["variants"].items() if "kernels" in v}
        for name in (n for n in NAMES if n in counts):
            base = {"ropeline": "unmodified", "ropeline+compile": "compile"}.get(name)
            saved = f"{(counts[base] - counts[name]) / layers:.1f}" if base in counts else "-"
            yield row(b["batch"], NAMES[name], counts[name], b["variants"][name]["copies"], saved)


def tokens(document):
    """Each step reads what the unmodified model chose; its own choice is compared."""
    title = "where not, the two best logits were at most apart", "largest difference of a logit"
    yield from header("batch", "variant", "next tokens equal to the unmodified model's", *title)
    for b in document["batches"]:
        for name in (n for n in NAMES if n in b["variants"] and n != "unmodified"):
            seen = b["variants"][name]["tokens"]
            apart = f"{seen['largest_gap']:.4g}" if seen["equal"] < seen["of"] else "-"
            equal = f"{seen['equal']} of {seen['of']}"
            yield row(b["batch"], NAMES[name], equal, apart, f"{seen['largest_logit_difference']:.4g}")


def bits(document):
    yield from header("batch", "form", "values of q and k that differ from the unmodified lines'")
    for b in document["batches"]:
        for name in (n for n in NAMES if n in b["prologue"] and n != "unmodified"):
            yield row(b["batch"], NAMES[name], f"{b['prologue'][name]['differing']} of {b['prologue'][name]['of']}")


def op(document):
    yield from header("batch", "kernels", *SIDE_EFFECTS.values(), "calls of the driver and the runtime")
    for b in document["batches"]:
        if seen := b["op"]:
            calls = ", ".join(f"{count} {name}" for name, count in seen["host_calls"].items())
            yield row(b["batch"], *(seen.get(key, "-") for key in ("kernels", *SIDE_EFFECTS)), calls)


def goals(document):
    """A line is left out where a side of it was not measured."""
    yield from header("batch", "goal", "measured", "")
    for b in document["batches"]:
        step = {n: v["step_us"] for n, v in b["variants"].items() if "step_us" in v}
        alone = {n: v["us"] for n, v in b["prologue"].items()}
        count = b["prologue"].get("ropeline", {}).get("kernels")
        if count is not None:
            yield row(b["batch"], "one kernel for the prologue of a layer", count, met(count == 1))
        if {"compile", "ropeline"} <= set(alone):
            times = median_ratio(alone["compile"], alone["ropeline"])
            yield row(b["batch"], "the prologue 2 times as fast as torch.compile's", f"{times:.2f}", met(times >= 2))
        for name in ("ropeline", "ropeline+compile"):
            if {name, "compile"} <= set(step):
                times = median_ratio(step["compile"], step[name])
                goal = f"a step with {NAMES[name]} no slower than with torch.compile"
                yield row(b["batch"], goal, f"{times:.3f}", met(times >= 1))


def met(is_met):
    return "met" if is_met else "missed"


def names_of_kernels(document):
    """Of the first batch; others may differ in a shape's variant."""
    yield from header("form", "calls", "kernel")
    for name, found in (document["batches"] or [{"prologue": {}}])[0]["prologue"].items():
        for kernel, count in found.get("kernel_names", {}).items():
            yield row(NAMES[name], count, f"`{kernel}`".replace("|", "\\|"))


TABLES = {
    "Against the goals": goals,
    "Microseconds of a step": steps,
    "The prologue of a layer alone, in a CUDA graph of 50 calls on the same q and k": prologues,
    "GPU kernels of a step": kernels,
    "Greedy tokens": tokens,
    "Bits of the prologue": bits,
    "A call of the op in place": op,
    "Kernels of a prologue, first batch": names_of_kernels,
}


def header(*cells):
    yield row(*cells)
    yield "|" + "--:|" * len(cells)


def row(*cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


def spread(summary):
    return f"{digits(summary['median'])} ({digits(summary['p10'])} to {digits(summary['p90'])})" if summary else "-"


def ratio(one, other):
    """How many times as fast the other is, in each round: median (10th to 90th percentile)."""
    if not one or not other:
        return "-"
    ratios = sorted(a / b for a, b in zip(one["samples"], other["samples"]))
    last = len(ratios) - 1
    return f"{median_ratio(one, other):.3f} ({ratios[round(0.1 * last)]:.3f} to {ratios[round(0.9 * last)]:.3f})"


def median_ratio(one, other):
    return statistics.median(a / b for a, b in zip(one["samples"], other["samples"]))


def digits(value):
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


if __name__ == "__main__":
    main()
