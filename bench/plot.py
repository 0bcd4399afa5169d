"""The picture of a result: above, how many times as fast as torch.compile; below, how near to the copy."""

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["svg.hashsalt"] = "ropeline"
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"fused": "#0072b2", "model": "#d55e00", "sglang-retyped": "#009e73", "eager": "#999999"}
LABELS = {
    "fused": "Ropeline, fused rounding",
    "model": "Ropeline, model rounding",
    "sglang-retyped": "sglang's CPU op, re-typed",
    "eager": "transformers eager",
}


def draw(results, facts, path):
    models = list(dict.fromkeys(case[0] for case in results.cases))
    figure, axes = plt.subplots(2, len(models), figsize=(4.4 * len(models) + 0.6, 7.4), sharex=True, squeeze=False)
    for column, model in enumerate(models):
        _speed_up(axes[0][column], results, model)
        _of_the_copy(axes[1][column], results, model)
        axes[0][column].set_title(model)
        axes[1][column].set_xlabel("tokens")
    axes[0][0].set_ylabel("times as fast as torch.compile")
    axes[1][0].set_ylabel("time of an in-place copy / time of the op")
    _legend(figure, axes)
    figure.suptitle(f"qk_norm_rope, bf16, {facts['cpu']}, PyTorch {facts['torch']}", fontsize=11)
    figure.tight_layout(rect=(0, 0.065, 1, 1))
    figure.savefig(path.with_suffix(".svg"), metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    figure.savefig(path.with_suffix(".png"), dpi=110)
    plt.close(figure)


def _cases(results, model, threads):
    return sorted((c for c in results.cases if c[:2] == (model, "bf16") and c[3] == threads), key=lambda c: c[2])


def _line(axis, cases, values, name, threads):
    points = [(case[2], value) for case, value in zip(cases, values) if value]
    if points:
        style = {"color": COLOURS[name], "linestyle": "-" if threads == 1 else "--", "marker": "o", "markersize": 4}
        label = f"{LABELS.get(name, name)}, {threads} thread{'s' if threads > 1 else ''}"
        axis.plot(*zip(*points), label=label, **style)


def _speed_up(axis, results, model):
    for threads in (1, 2):
        cases = _cases(results, model, threads)
        for rounding in ("fused", "model"):
            _line(axis, cases, [results.ratio(c, "compile", rounding) for c in cases], rounding, threads)
    cases = _cases(results, model, 1)
    eager = [(results.median(c, "compile") or 0) / (results.median(c, "eager") or 1) for c in cases]
    _line(axis, cases, eager, "eager", 1)
    axis.axhline(1, color="black", linewidth=0.8)
    _scales(axis)


def _of_the_copy(axis, results, model):
    for threads in (1, 2):
        cases = _cases(results, model, threads)
        for name, contestant in (("fused", "fused-rows"), ("model", "model-rows"), ("sglang-retyped",) * 2):
            times = [(results.median(c, "copy"), results.median(c, contestant)) for c in cases]
            if name != "sglang-retyped" or threads == 1:
                _line(axis, cases, [copy / op if op else None for copy, op in times], name, threads)
    _scales(axis)


def _scales(axis):
    axis.set_xscale("log", base=2)
    axis.set_xticks([1, 16, 128, 1024, 4096], ["1", "16", "128", "1024", "4096"])
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)


def _legend(figure, axes):
    """One for all: each line once."""
    handles = {}
    for axis in axes.flat:
        for handle, label in zip(*axis.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncol=3, frameon=False, fontsize=9)
