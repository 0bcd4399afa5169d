"""What a result was measured on, and an allocator that keeps the memory of temporaries."""

import datetime
import os
import pathlib
import platform
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent

_KEPT = {"TCMALLOC_RELEASE_RATE": "0"}
_GLIBC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(1 << 28)}


def cpu_name():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(re.findall(r"^(model name|cpu family|model)\s*:\s*(.+)$", text, re.MULTILINE))
    name = fields.get("model name") or platform.machine()
    return re.sub(r"\((R|TM)\)|\bProcessor\b|\bCPU\b", "", name).strip() + (
        f" (family {fields['cpu family']} model {fields['model']})" if "cpu family" in fields else ""
    )


def describe():
    return {
        "cpu": re.sub(r"\s+", " ", cpu_name()),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "commit": _commit(),
        "date": datetime.date.today().isoformat(),
    }


def file_stem(machine):
    return f"cpu-{re.sub(r'[^a-z0-9]+', '-', machine['cpu'].lower()).strip('-')}-{machine['date']}"


def _commit():
    """Of this source; "unknown" in a copy without its history, or on a machine without git."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    return commit + "+changes" if commit != "unknown" and _git("status", "--porcelain") else commit


def _git(*arguments):
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def allocator():
    """The name of the allocator for the torch processes, and the environment that switches it on.

    With glibc's defaults every large temporary of eager PyTorch is mapped, faulted in and unmapped again, which makes
    it about three times slower for a reason that is not the op.
    """
    for name in ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4"):
        if _loads(name):
            return name, {"LD_PRELOAD": name, **_KEPT}
    return "glibc, without mmap and trim", _GLIBC


def _loads(library):
    """Whether a process starts with this library, judged by what it has mapped: ld.so only warns when it is absent."""
    show = ["cat", "/proc/self/maps"]
    done = subprocess.run(show, env={**os.environ, "LD_PRELOAD": library}, capture_output=True, text=True)
    return done.returncode == 0 and library.split(".so")[0] in done.stdout


def run_first(first=True):
    """Puts all threads of this process before all ordinary work of the machine, or back among it. Needs root."""
    policy = os.SCHED_FIFO if first else os.SCHED_OTHER
    for thread in os.listdir("/proc/self/task"):
        os.sched_setscheduler(int(thread), policy, os.sched_param(10 if first else 0))
