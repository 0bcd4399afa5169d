"""The shared library: that it stands on torch's stable C ABI alone, for every torch from 2.9 on, and what it costs."""

import os
import re
import subprocess
import sys
import timeit

import pytest
import torch

import ropeline
from conftest import Call
from reference import REPOSITORY
from ropeline._library import _PATH

# C functions of torch; the C++ runtime, libc and libcrypto by their version tags; Highway, which distributions package.
ALLOWED = re.compile(r"(aoti_torch_|torch_)\w+$|\w+@(GLIBC|GLIBCXX|CXXABI|GCC|OPENSSL)_[\d.]+$|_ZN3hwy")
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


@pytest.mark.parametrize(
    "version",
    [
        pytest.param("0x0209000000000000", id="2.9"),
        pytest.param("0x020b000000000000", id="2.11", marks=pytest.mark.slow),
    ],
)
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


_ON_TWO_THREADS = """
import os, torch
torch.set_num_threads(2)
import ropeline
spec = ropeline.qk_norm_rope_spec(8, 2, 128, norm=ropeline.rms_norm(1e-6, weight="none"))
q = torch.ones(1024, 8, 128, dtype=torch.bfloat16)
torch.ones(512, 512) @ torch.ones(512, 512)
before = os.listdir("/proc/self/task")
ropeline.qk_norm_rope(q, q[:, :2], spec)
print(len(before) > 1, before == os.listdir("/proc/self/task"))
"""


@pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 10), reason="torch's stable ABI has parallel_for since 2.10"
)
def test_a_large_call_runs_on_the_threads_of_torch():
    """It starts none of its own, which would share the cores with them."""
    done = subprocess.run([sys.executable, "-c", _ON_TWO_THREADS], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True"], done.stdout + done.stderr


def test_bad_thread_counts_are_value_errors():
    before = ropeline.threads()
    for count in (0, -1, 1025):
        with pytest.raises(ValueError, match=f"{count}"):
            ropeline.set_threads(count)
    for count in (2**32 + 1, -(2**64) + 1):
        with pytest.raises(ValueError, match=f"^threads: {count} is not a 32-bit integer$"):
            ropeline.set_threads(count)
    for count in ("2", 2.0):
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            ropeline.set_threads(count)
    assert ropeline.threads() == before


def test_every_c_function_has_its_argument_types():
    from ropeline._library import _ARGUMENTS, library
    from ropeline.jit._calls import ARGUMENTS

    assert set(_ARGUMENTS) | set(ARGUMENTS) == set(symbols("--defined-only"))
    with pytest.raises(ValueError, match=f"^spec: {2**64} is not a 64-bit integer$"):
        library.spec_of(2**64)


@pytest.mark.slow
def test_a_call_for_one_token_costs_less_than_three_of_torchs_smallest():
    """32 q and 4 k heads of 128 in bf16, on one thread, against add_ on an empty tensor, which is all call: 1.8 times
    that was measured. The two take turns, so that a busy machine slows both; microseconds: docs/benchmarks.md."""
    call = Call(q=32, k=4, head_dim=128, tokens=1, batch=1, rounding="fused")
    op, parameters = torch.ops.ropeline.qk_norm_rope_sep_.default, call.parameters()
    q, k, nothing = call.q.clone(), call.k.clone(), torch.zeros(0)

    def repeat(function):
        # In place a thousand times over, values drift into subnormals: a few calls for each fresh copy.
        q.copy_(call.q), k.copy_(call.k)
        return timeit.timeit(function, number=20) / 20 * 1e6

    before = ropeline.threads()
    ropeline.set_threads(1)
    try:
        with torch.inference_mode():
            rounds = [
                (repeat(lambda: nothing.add_(1)), repeat(lambda: op(q, k, *parameters, False))) for _ in range(4000)
            ]
    finally:
        ropeline.set_threads(before)
    add, ours = map(min, zip(*rounds))
    assert ours <= 3 * add, f"{ours:.2f} us, torch's add_ takes {add:.2f} us"
