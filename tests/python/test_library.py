"""The shared library: that it stands on torch's stable C ABI alone, for every torch from 2.9 on, and what it costs."""

import os
import re
import subprocess
import sys
import timeit

import pytest
import torch

import ropeline
from conftest import REPOSITORY, Call
from ropeline._library import _PATH

# C functions of torch; the C++ runtime and libc by their version tags; Highway, which the distribution packages.
ALLOWED = re.compile(r"(aoti_torch_|torch_)\w+$|\w+@(GLIBC|GLIBCXX|CXXABI|GCC)_[\d.]+$|_ZN3hwy")
WEAK = {"__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable"}


def symbols(*options):
    out = subprocess.run(["nm", "-D", *options, _PATH], capture_output=True, text=True, check=True).stdout
    return [line.split()[-1].replace("@@", "@") for line in out.splitlines()]


def test_only_the_stable_abi_of_torch_is_needed():
    needed = [s for s in symbols("--undefined-only") if s not in WEAK]
    assert [s for s in needed if not ALLOWED.match(s)] == []
    assert any(s.startswith("aoti_torch_") for s in needed), "the list is not empty by mistake"


def test_only_the_c_functions_are_visible():
    visible = symbols("--defined-only")
    assert visible and all(name.startswith("ropeline_") for name in visible)


@pytest.mark.parametrize("version", ["0x0209000000000000", "0x020b000000000000"], ids=["2.9", "2.11"])
def test_the_binding_compiles_for(version):
    include = [f"-I{REPOSITORY / folder}" for folder in ("python/binding", "include", "src", "")]
    torch_include = ["-isystem", f"{torch.__path__[0]}/include"]
    defines = [f"-DTORCH_TARGET_VERSION={version}ULL", "-DROPELINE_TORCH_NAMESPACE=ropeline"]
    for source in ("ops.cpp", "tensors.cpp"):
        path = REPOSITORY / "python" / "binding" / source
        command = ["c++", "-std=c++20", "-fsyntax-only", "-Werror", *defines, *include, *torch_include, path]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_versions_and_targets():
    assert re.fullmatch(r"\d+\.\d+\.\d+", ropeline.__version__)
    assert ropeline.cpu_targets()[-1] == "scalar"


@pytest.mark.parametrize("variable, expected", [(None, "3"), ("2", "2")])
def test_threads_follow_torch_unless_the_environment_has_spoken(variable, expected):
    code = "import torch; torch.set_num_threads(3); import ropeline; print(ropeline.threads())"
    environment = {k: v for k, v in os.environ.items() if k != "ROPELINE_THREADS"}
    environment.update({"ROPELINE_THREADS": variable} if variable else {})
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr


def test_bad_thread_counts_are_value_errors():
    before = ropeline.threads()
    for count in (0, -1, 1025):
        with pytest.raises(ValueError, match=f"{count}"):
            ropeline.set_threads(count)
    assert ropeline.threads() == before


@pytest.mark.slow
def test_a_call_for_one_token_costs_at_most_four_microseconds():
    """32 q and 4 k heads of 128 in bf16, model rounding, one thread; torch's add_ measures a slower machine."""
    call = Call(q=32, k=4, head_dim=128, tokens=1, batch=1)
    op, parameters = torch.ops.ropeline.qk_norm_rope_sep_.default, call.parameters()
    one = torch.zeros(1)

    def microseconds(function):
        return min(timeit.repeat(function, number=2000, repeat=15)) / 2000 * 1e6

    before = ropeline.threads()
    ropeline.set_threads(1)
    try:
        with torch.inference_mode():
            ours, add = microseconds(lambda: op(call.q, call.k, *parameters, False)), microseconds(lambda: one.add_(1))
    finally:
        ropeline.set_threads(before)
    assert ours <= 4.0 * max(1.0, add / 1.9), f"{ours:.2f} us, torch's add_ takes {add:.2f} us"
