#!/usr/bin/env python3
"""Plants one fault after another in a copy of the tree and expects the tests to turn red for each.

    tests/faults/run.py              all of them (about 25 minutes on two cores)
    tests/faults/run.py rope tree    those whose name contains one of the words
    tests/faults/run.py --list       their names

A fault that no test sees, or whose text is no longer in the tree, makes the run fail. docs/testing.md lists them.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from faults import AROUND, STAGES, VECTORS
from kernel_faults import COMPILED, EMULATED
from kv_cast_faults import KV_CAST, KV_CAST_KERNEL

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ["reference_test", "ops_test", "conformance_test", "kv_cast_test", "emulator_test", "kernels_compile_test"]

# Which tests a fault of a group may turn red: the loops of one target cannot fail another's.
WHERE = [
    (STAGES, ["conformance_test"], "*scalar*"),
    (VECTORS, ["conformance_test"], "-*scalar*"),
    (AROUND, ["reference_test", "ops_test", "conformance_test"], "*"),
    (KV_CAST, ["kv_cast_test", "ops_test"], "*"),
    (EMULATED, ["emulator_test"], "*"),
    (COMPILED, ["kernels_compile_test"], "*sm_90"),
    (KV_CAST_KERNEL, ["emulator_test"], "*KvCast*"),
]
FAULTS = [(*fault, programs, tests) for faults, programs, tests in WHERE for fault in faults]


def copy_tree(to):
    """Every tracked file but the recorded tensors, which these programs do not read."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, names):
        if name.endswith(".safetensors") or not (ROOT / name).is_file():
            continue
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, to / name)


def configure(tree):
    ccache = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    options = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DROPELINE_TESTS=ON", *ccache]
    command = ["cmake", "-S", tree, "-B", tree / "build/faults", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def build(tree, jobs, programs):
    command = ["ninja", "-C", tree / "build/faults", "-j", str(jobs), *programs]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-4000:])


def first_red(tree, programs, tests):
    """The test that turns red first, or None. A program that dies counts: it names the test it died in."""
    env = {**os.environ, "ROPELINE_SEED": "1"}
    for program in programs:
        command = [tree / "build/faults" / program, "--gtest_fail_fast", f"--gtest_filter={tests}"]
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        if done.returncode:
            names = re.findall(r"\[ +(?:FAILED|RUN) +\] ([\w/.]+)", done.stdout)
            failed = re.findall(r"\[  FAILED  \] ([\w/.]+)", done.stdout)
            return (failed or names[-1:] or [program])[0]
    return None


def plant(tree, path, old, new):
    """Edits the file and returns what it was. None when the text is not there."""
    text = (tree / path).read_text()
    if old not in text:
        return None
    (tree / path).write_text(text.replace(old, new))
    return text


def try_fault(tree, jobs, name, path, old, new, programs, tests):
    """True when the tests see it."""
    before = plant(tree, path, old, new)
    if before is None:
        print(f"GONE    {name}: the text is no longer in {path}", flush=True)
        return False
    build(tree, jobs, programs)
    seen = first_red(tree, programs, tests)
    print(f"seen    {name}: {seen}" if seen else f"UNSEEN  {name}", flush=True)
    (tree / path).write_text(before)
    return seen is not None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("words", nargs="*")
    ap.add_argument("--list", action="store_true")
    ap.add_argument("--jobs", type=int, default=os.cpu_count())
    a = ap.parse_args()
    chosen = [f for f in FAULTS if not a.words or any(w in f[0] for w in a.words)]
    if a.list:
        return print("\n".join(f[0] for f in chosen))
    with tempfile.TemporaryDirectory(prefix="ropeline-faults-") as folder:
        tree = pathlib.Path(folder)
        copy_tree(tree)
        configure(tree)
        programs = [p for p in PROGRAMS if any(p in f[4] for f in chosen)]
        build(tree, a.jobs, programs)
        for program, tests in sorted({(p, f[5]) for f in chosen for p in f[4]}):
            if red := first_red(tree, [program], tests):
                sys.exit(f"red without a fault: {red}")
        seen = sum(try_fault(tree, a.jobs, *fault) for fault in chosen)
    print(f"{seen} of {len(chosen)} faults seen")
    return 0 if chosen and seen == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
