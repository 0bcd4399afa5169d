"""What a call does on a GPU: its time in a CUDA graph, its kernels, copies and waits as torch.profiler sees them, and
what it allocates."""

import collections
import json
import pathlib
import statistics
import tempfile
from typing import NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile, record_function

_MARK = "the call that is looked at"


def captured(call, calls=1, before=lambda: None):
    """A CUDA graph of so many calls in a row, and what the last returns. before() runs ahead of each warm-up."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            before()
            call()
    torch.cuda.current_stream().wait_stream(side)
    before()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            result = call()
    return graph, result


def microseconds(call, calls):
    """Of one of so many calls, queued in a row, on the GPU's clock."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) * 1e3 / calls


def summary(samples):
    """Median, 10th and 90th percentile, and the samples themselves."""
    tenths = statistics.quantiles(samples, n=10, method="inclusive") if len(samples) > 1 else samples * 9
    return {
        "median": round(statistics.median(samples), 3),
        "p10": round(tenths[0], 3),
        "p90": round(tenths[8], 3),
        "samples": [round(s, 3) for s in samples],
    }


class Trace(NamedTuple):
    """Names and counts: what ran on the GPU, and which calls of the CUDA runtime and driver the host made."""

    kernels: collections.Counter
    copies: collections.Counter  # memcpy and memset
    calls: collections.Counter

    @property
    def waits(self):
        return sum(count for name, count in self.calls.items() if "Synchronize" in name)

    def facts(self):
        """For a result. Empty where the profiler saw no kernel, which is no proof that there was none: a machine may
        keep its counters from it."""
        if not self.kernels:
            return {}
        return {
            "kernels": sum(self.kernels.values()),
            "copies": sum(self.copies.values()),
            "waits": self.waits,
            "kernel_names": dict(self.kernels.most_common()),
        }


def trace(call):
    """One call under torch.profiler. Host calls are counted between its begin and its end only."""
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        with record_function(_MARK):
            call()
        torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        return read_trace(json.loads(path.read_text())["traceEvents"])


def read_trace(events):
    """A Trace of the events of a chrome trace."""
    events = [e for e in events if e.get("ph") == "X"]
    mark = next(e for e in events if e["name"] == _MARK and e.get("cat") == "user_annotation")
    begin, end = mark["ts"], mark["ts"] + mark["dur"]

    def names(*categories, inside=False):
        return collections.Counter(
            e["name"][:160] for e in events if e.get("cat") in categories and (not inside or begin <= e["ts"] <= end)
        )

    return Trace(names("kernel"), names("gpu_memcpy", "gpu_memset"), names("cuda_runtime", "cuda_driver", inside=True))


def allocations(call, graph=False):
    """How many blocks torch's allocator hands out during a call; graph: while it is captured."""

    def handed_out():
        return torch.cuda.memory_stats()["allocation.all.allocated"]

    def counted():
        before = handed_out()
        call()
        return handed_out() - before

    call()
    if not graph:
        return counted()
    torch.cuda.synchronize()
    with torch.cuda.graph(torch.cuda.CUDAGraph()):
        return counted()
