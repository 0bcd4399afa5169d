"""ropeline.jit: builds and errors, which need no GPU."""

import os
import pathlib
import pickle

import pytest
import torch

from jit_processes import EXAMPLE, REPOSITORY, child
from ropeline import jit

# --- builds ------------------------------------------------------------------------------------------------------


def scale(architecture="sm_90", **options):
    return jit.build(EXAMPLE / "scale.cuh", kernels=["scale<float, 4>"], architecture=architecture, **options)


def test_a_build_says_what_it_is(nvrtc):
    one = scale()
    (kernel,) = one.kernels
    assert one.architecture == "sm_90" and one.image.startswith(b"\x7fELF") and len(one.key) == 64
    assert kernel.expression == "scale<float, 4>" and kernel.symbol.encode() in one.image
    assert 4 <= kernel.registers <= 64 and kernel.spill_store_bytes == kernel.spill_load_bytes == 0
    assert scale().origin == "memory"


TYPES = """
struct Params { double a; int b; float c[3]; };
template <class T> struct Of { T* p; };
enum class Mode : unsigned char { a };
__global__ void every(Params p, float* f, const unsigned short* __restrict__ h, void* v, char c, bool on, Mode m,
                    const long long* const* q, Of<Of<int>> o, double d, unsigned long n) { *f = *h + d; }
extern "C" __global__ void plain(char c, Params p, float* y) { *y = p.a + c; }
__global__ void none() {}
"""


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_120", "compute_90"])
def test_a_kernel_knows_its_parameters(nvrtc, architecture):
    every, plain, none = jit.build(text=TYPES, kernels=["every", "plain", "none"], architecture=architecture).kernels
    assert [(p.type, p.offset, p.bytes) for p in every.parameters] == [
        ("Params", 0, 24),
        ("float*", 24, 8),
        ("unsigned short const*", 32, 8),
        ("void*", 40, 8),
        ("char", 48, 1),
        ("bool", 49, 1),
        ("Mode", 50, 1),
        ("long long const* const*", 56, 8),
        ("Of<Of<int> >", 64, 8),
        ("double", 72, 8),
        ("unsigned long", 80, 8),
    ]
    assert [(p.type, p.offset, p.bytes) for p in plain.parameters] == [("", 0, 1), ("", 8, 24), ("", 32, 8)]
    assert none.parameters == ()


@pytest.mark.parametrize("architecture", ["sm_90", "compute_90"])
@pytest.mark.parametrize("size", [4200, 4352, 8000, 32000])
def test_a_kernel_may_have_large_parameters(nvrtc, architecture, size):
    text = f"struct P {{ char c[{size}]; }}; __global__ void k(P p, float* y, int n) {{ *y = p.c[n]; }}"
    (kernel,) = jit.build(text=text, kernels="k", architecture=architecture).kernels
    assert [(p.offset, p.bytes) for p in kernel.parameters] == [(0, size), (size, 8), (size + 8, 4)]


def test_an_include_beside_the_file_is_part_of_the_program(nvrtc, tmp_path):
    (tmp_path / "two.cuh").write_text('#include "factor.h"\n__global__ void two(float* y) { *y *= FACTOR; }\n')
    (tmp_path / "factor.h").write_text("#define FACTOR 2\n")
    first = jit.build(tmp_path / "two.cuh", kernels="two", architecture="sm_90")
    (tmp_path / "factor.h").write_text("#define FACTOR 3\n")
    second = jit.build(tmp_path / "two.cuh", kernels="two", architecture="sm_90")
    assert first.key != second.key and first.image != second.image
    text = '#include "factor.h"\n__global__ void two(float* y) { *y *= FACTOR; }\n'
    given = jit.build(
        text=text, name="two.cuh", kernels="two", architecture="sm_90", headers={"factor.h": "#define FACTOR 2\n"}
    )
    assert given.image == first.image


def test_flags_reach_the_compiler(nvrtc):
    text = "__global__ void k(int* y) { *y = VALUE; }"
    images = {jit.build(text=text, kernels="k", architecture="sm_90", flags=[f"-DVALUE={v}"]).image for v in (3, 4)}
    assert len(images) == 2


BUILD_AND_LOOK = """
import json, pathlib, sys
maps = lambda: "libnvrtc" in pathlib.Path("/proc/self/maps").read_text()
from ropeline import jit
before = maps()
one = jit.build(sys.argv[1], kernels=["scale<float, 4>"], architecture="sm_90")
print(json.dumps([one.origin, one.key, before, maps(), jit.statistics(), one.path]))
"""


def test_a_second_process_finds_it_and_leaves_the_compiler_closed(nvrtc, tmp_path):
    program = ["-c", BUILD_AND_LOOK, str(EXAMPLE / "scale.cuh")]
    first, second = child(program, tmp_path / "cache"), child(program, tmp_path / "cache")
    assert (first[0], second[0]) == ("compiled", "cache") and first[1] == second[1]
    assert first[3] and second[2] == second[3] is False
    assert (first[4]["compiles"], second[4]["compiles"], second[4]["cache_hits"]) == (1, 0, 1)
    assert pathlib.Path(second[5]).parent == tmp_path / "cache"


def test_a_cache_folder_that_is_refused_says_why(tmp_path):
    (tmp_path / "file").write_text("")
    ask = "import json; from ropeline import jit; print(json.dumps(jit.cache_status()))"
    status = child(["-c", ask], tmp_path / "file")
    assert status["folder"] == str(tmp_path / "file") and not status["readable"] and not status["writable"]
    assert "directory" in status["reason"]


# --- errors ------------------------------------------------------------------------------------------------------


def error_of(**program):
    with pytest.raises(jit.Error) as caught:
        jit.build(**{"kernels": "k", "architecture": "sm_90", **program})
    return caught.value


def test_a_mistake_in_the_kernel_comes_with_the_compilers_log(nvrtc):
    error = error_of(text="__global__ void k(float* y) { *y = mistake; }", name="wrong.cu")
    assert error.stage == "compile" and 'wrong.cu(1): error: identifier "mistake" is undefined' in error.log
    assert "-arch=sm_90" in error.options and error.log in str(error) and isinstance(error, RuntimeError)


def test_an_unknown_architecture_is_named(nvrtc):
    text = "__global__ void k() {}"
    unknown, impossible = error_of(text=text, architecture="sm_33"), error_of(text=text, architecture="h100")
    assert "sm_33" in unknown.sentence and "sm_90" in unknown.hint
    assert impossible.stage == "source" and "'h100'" in impossible.sentence and "sm_90" in impossible.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has an architecture")
def test_without_a_gpu_an_architecture_is_asked_for():
    error = error_of(text="__global__ void k() {}", architecture=None)
    assert (error.stage, error.hint) == ("driver", "name one, such as sm_90: no GPU is needed then")


def test_a_misspelt_kernel_comes_with_those_that_are_there(nvrtc):
    error = error_of(text="template <int N> __global__ void scale(float* x) {}", kernels="scael<4>")
    assert (error.sentence, error.hint) == ("kernel.cu has no kernel 'scael<4>'", "its kernels are scale")


def test_a_missing_file_says_where_it_was_looked_for():
    error = error_of(path="missing.cuh")
    assert (error.stage, error.sentence) == ("source", "missing.cuh: No such file or directory")
    assert os.getcwd() in error.hint and str(error).startswith("jit source: missing.cuh")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "k.cuh").write_bytes(b"\xff\xfe")
    assert "can't decode" in error_of(path=tmp_path / "k.cuh").sentence


def test_a_program_is_a_file_or_a_text():
    for program in ({}, {"path": "a.cuh", "text": "x"}):
        with pytest.raises(TypeError, match=r"either a file or text"):
            jit.build(kernels="k", **program)


def test_words_are_strings():
    for word, value in {"architecture": 90, "name": b"k.cu", "text": b"x"}.items():
        with pytest.raises(TypeError, match=f"^{word}: {value!r} is not a string such as "):
            jit.build(**{"text": "x", "kernels": "k", word: value})


def test_a_limit_is_a_time():
    for limit in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"^compile_limit: {limit!r} is not a number of seconds above 0$"):
            jit.build(text="x", kernels="k", architecture="sm_90", compile_limit=limit)


def test_a_folder_whose_name_is_no_utf8():
    with pytest.raises(ValueError, match=r"^include_folders: .* is not UTF-8$"):
        jit.build(text="x", kernels="k", architecture="sm_90", include_folders=[os.fsdecode(b"/a/\xff")])


def test_an_error_survives_pickling(nvrtc):
    error = error_of(text="mistake")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.stage, copy.log, copy.options) == (str(error), error.stage, error.log, error.options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="not run: this machine has a GPU")
def test_without_a_gpu_load_says_so():
    with pytest.raises(jit.Error, match=r"no CUDA driver|CUDA") as caught:
        jit.load(EXAMPLE / "scale.cuh", kernels=["scale<float, 4>"])
    assert caught.value.stage == "driver"


def test_a_device_is_a_cuda_device():
    with pytest.raises(ValueError, match=r"device: cpu is not a CUDA device"):
        jit.load(text="x", kernels="k", device="cpu")


# --- documents ---------------------------------------------------------------------------------------------------


def test_the_page_quotes_the_example():
    page, example = (REPOSITORY / "docs/jit.md").read_text(), (EXAMPLE / "scale.py").read_text()
    quoted = example[example.index("@jit.cache_once") : example.index("@torch.compile")].strip()
    assert "".join(f"    {line}\n" if line else "\n" for line in quoted.splitlines()) in page
