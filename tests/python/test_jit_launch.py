"""Launches of ropeline.jit against a driver that records them."""

import os
import pathlib
import subprocess

import pytest

from jit_processes import REPOSITORY, child

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def recorded(nvrtc, tmp_path_factory):
    """What tests/python/jit_launches.py did and saw in a process whose libcuda records."""
    folder = tmp_path_factory.mktemp("driver")
    sources = [REPOSITORY / "tests/cuda/fake_driver.cpp", HERE / "fake_driver_log.cpp"]
    command = ["c++", "-std=c++20", "-shared", "-fPIC", f"-I{REPOSITORY}", f"-I{REPOSITORY / 'include'}", *sources]
    done = subprocess.run([*command, "-o", folder / "libcuda.so.1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path = f"{folder}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    return child([str(HERE / "jit_launches.py")], folder / "cache", LD_LIBRARY_PATH=path)


def test_arguments_become_the_parameters_own_types(recorded):
    launches = recorded["right"]["launches"]
    assert [launch["arguments"] for launch in launches] == [4, 4, 5, 3, 4, 0, 4]
    assert [bytes(launch["memory"]).hex("_", 4) for launch in launches[:5]] == [
        "11110000_00000000_22220000_00000000_0000003f_07000000",
        "00000000_00000000_33330000_00000000_00000040_01000000",
        # 42 bytes: groups are counted from the end
        "0000_00000000_f83ffeff_ffff0000_803f0000_00400000_40404444_00000000_0000ffff_ffffffff_ffffff01",
        "55550000_00000000_0000803e_00000000_fdffffff_ffffffff",
        "00000000_00000000_00000000_00000000_0000803f_01000000",
    ]


def test_a_launch_is_queued_as_asked(recorded):
    launches = recorded["right"]["launches"]
    shapes = [(one["grid"], one["block"], one["shared_bytes"], one["stream"], one["attributes"]) for one in launches]
    assert shapes[:2] == [([3, 1, 1], [256, 1, 1], 0, 7, []), ([1, 2, 3], [4, 5, 1], 100, 8, [6])]
    assert [call for call in recorded["right"]["calls"] if "attribute" in call] == ["attribute 8 = 100000 on 0"]
    assert shapes[4][2] == 100_000 and shapes[6][2] == 60_000
    assert recorded["architecture"] == "sm_90" and recorded["devices"] == [0, 1]


@pytest.mark.parametrize(
    "case, sentence",
    [
        ("too few", "TypeError: scale<float, 4>(float*, float const*, float, int): takes 4 arguments, got 3"),
        ("int for float pointer", "argument 1 (float const*): wants a tensor, got int 17"),
        ("tensor on the CPU", "argument 1 (float const*): a tensor on cpu; the kernel runs on cuda:0"),
        ("numpy for pointer", "argument 1 (float const*): wants a tensor, got ndarray"),
        ("another dtype", "argument 1 (float const*): wants torch.float32, the tensor is torch.float64"),
        ("another device", "argument 1 (float const*): a tensor on cuda:1; the kernel was loaded for cuda:0"),
        ("float for int", "argument 3 (int): wants int, got float 7.0"),
        ("int too large", "argument 3 (int): 2147483648 is out of its range"),
        ("float too large", "argument 2 (float): 1e+300 is out of its range"),
        ("text for float", "argument 2 (float): wants float, got str '0.5'"),
        ("tensor for int", "argument 3 (int): wants a number, got a tensor on cpu: reading it would wait for the GPU"),
        ("c_double for float", "argument 2 (float): wants a float of 4 bytes, got c_double(0.5)"),
        ("c_int64 for int", "argument 3 (int): wants an int of 4 bytes, got c_long(7)"),
        ("negative unsigned", "argument 2 (unsigned long): -1 is out of its range"),
        ("int for bool", "argument 4 (bool): wants bool, got int 1"),
        ("struct of another size", "argument 0 (Params): wants 24 bytes, got 23"),
        ("plain int", 'argument 2 (8 bytes): the kernel is extern "C", which hides the type: give 7 as a ctypes value'),
        ("plain of another size", "argument 1 (4 bytes): wants 4 bytes, got 8"),
        ("four dimensions", "ValueError: grid (1, 1, 1, 1): an int, or one to three of them"),
        ("grid of a float", "ValueError: grid 1.0: an int, or one to three of them"),
        ("negative block", "block (1, -1): each is an int from 1 on"),
        ("negative shared bytes", "shared_bytes -1 or the stream is out of range"),
        ("no such kernel", "kernel 'scale<float>': the module has scale<float, 4>, wide, plain, none"),
        ("no such place", "kernel 4: the module has"),
        ("no second shape", "kernel[grid, block](...), got kernel[1]"),
        ("what the driver refuses", "Error: jit launch: none: grid (9, 1, 1), block (1, 1, 1)"),
    ],
)
def test_a_launch_that_does_not_fit_is_refused(recorded, case, sentence):
    assert sentence in recorded["said"][case]


def test_what_is_refused_is_not_queued(recorded):
    assert recorded["launches"] == len(recorded["right"]["launches"]) and recorded["stage"] == "launch"
