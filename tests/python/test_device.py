"""What can be seen of the CUDA op without a GPU: answers about devices, torch's stream, fake tensors, falling back."""

import json
import subprocess
import sys
import warnings

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import ropeline
import ropeline.transformers as switched
from conftest import Call
from ropeline._library import library
from tiny_models import build, prompt

needs_no_gpu = pytest.mark.skipif(not ropeline.supports(Call().spec, "cuda"), reason="a GPU is here")
NO_DRIVER = "^cuda:{}: no CUDA driver: libcuda.so.1: "


@pytest.mark.parametrize("name", ["qk_norm_rope_", "qk_norm_rope_sep_", "qk_norm_rope"])
def test_one_op_serves_both_kinds_of_device(name):
    for key in ("CPU", "CUDA", "Meta"):
        assert torch._C._dispatch_has_kernel_for_dispatch_key(f"ropeline::{name}", key)


# --- answers about a device ------------------------------------------------------------------------------------------


def test_a_spec_that_no_device_runs_is_refused_on_each_with_one_sentence(call):
    spec = ropeline.Spec.from_json({**json.loads(call.spec.json), "v": {"heads": 2}})
    assert ropeline.supports(spec) and ropeline.supports(spec) == ropeline.supports(spec, "cuda")
    for device in ("cpu", "cuda"):
        with pytest.raises(RuntimeError) as caught:
            ropeline.prepare(spec, device)
        assert str(caught.value) == ropeline.supports(spec)


@needs_no_gpu
@pytest.mark.parametrize("device, number", [("cuda", 0), ("cuda:3", 3), (torch.device("cuda", 1), 1)])
def test_without_a_driver_a_gpu_is_refused_with_the_reason_and_the_cpu_goes_on(call, device, number):
    with pytest.raises(RuntimeError, match=NO_DRIVER.format(number)) as caught:
        ropeline.prepare(call.spec, device)
    assert str(caught.value) == ropeline.supports(call.spec, device)
    assert not ropeline.supports(call.spec) and not ropeline.supports(call.spec, "cpu")
    ropeline.prepare(call.spec, "cpu", gradient=True)
    ropeline.qk_norm_rope(call.q, call.k, call.spec, **call.tensors)


@pytest.mark.parametrize("ask", [ropeline.supports, ropeline.prepare])
def test_another_kind_of_device_is_a_value_error(call, ask):
    with pytest.raises(ValueError, match="^device: meta is neither a CPU nor a CUDA device$"):
        ask(call.spec, "meta")


def test_a_spec_that_is_not_registered_cannot_be_prepared():
    with pytest.raises(ValueError, match="^spec: 12345 is not registered in this process; "):
        library.prepare(12345, -1)


# --- torch's stream --------------------------------------------------------------------------------------------------

_STREAM_OF_TORCH = """
#include <stdint.h>
int aoti_torch_get_current_cuda_stream(int32_t device, void** stream) {
  *stream = (void*)(intptr_t)(4096 + device);
  return device == 7;
}
"""
_ASK = """
import ctypes, sys
fake = ctypes.CDLL(sys.argv[1])
from ropeline._library import library
print(library.cuda_stream(0), library.cuda_stream(3))
try: library.cuda_stream(7)
except RuntimeError as error: print(error)
"""


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA")
def test_a_torch_without_cuda_has_no_stream_and_the_error_says_so():
    with pytest.raises(RuntimeError) as caught:
        library.cuda_stream(1)
    assert str(caught.value) == (
        "torch: this build has no CUDA (aoti_torch_get_current_cuda_stream is not in it), so it has no current stream "
        "on cuda:1"
    )


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA")
def test_the_stream_is_asked_of_the_library_that_the_process_has(tmp_path):
    source, fake = tmp_path / "stream.c", tmp_path / "libtorch_cuda.so"
    source.write_text(_STREAM_OF_TORCH)
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-soname,libtorch_cuda.so", "-o", fake, source], check=True)
    done = subprocess.run([sys.executable, "-c", _ASK, fake], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["4096 4099", "torch: it has no current stream on cuda:7"], done.stderr


# --- fake tensors ----------------------------------------------------------------------------------------------------


def fake_call(device="cuda:0"):
    call = Call()
    with FakeTensorMode(allow_non_fake_inputs=True):
        tensors = {"q": call.q, "k": call.k, **call.tensors}
        return call.spec, {name: torch.empty_like(tensor, device=device) for name, tensor in tensors.items()}


def test_fake_tensors_of_a_gpu_stay_there():
    spec, tensors = fake_call()
    q, k = ropeline.qk_norm_rope(spec=spec, **tensors)
    assert (q.shape, q.dtype, q.device) == (tensors["q"].shape, torch.bfloat16, torch.device("cuda:0"))
    assert (k.shape, k.device) == (tensors["k"].shape, torch.device("cuda:0"))
    assert ropeline.qk_norm_rope_sep_(spec=spec, **tensors) is None


@pytest.mark.parametrize("name", ["k", "q_weight", "k_weight", "cos", "sin"])
def test_fake_tensors_on_two_devices_are_refused_by_name(name):
    spec, tensors = fake_call()
    _, elsewhere = fake_call("cpu")
    tensors[name] = elsewhere[name]
    for op in (ropeline.qk_norm_rope, ropeline.qk_norm_rope_sep_):
        with pytest.raises(ValueError, match=f"^{name}: is on cpu, the call runs on cuda:0$"):
            op(spec=spec, **tensors)


def test_a_packed_fake_call_on_two_devices_is_refused_by_name():
    spec, tensors = fake_call()
    qkv = torch.cat([tensors.pop(name).flatten(-2) for name in "qk"], -1)
    ropeline.qk_norm_rope_(qkv, spec, **tensors)
    tensors["sin"] = fake_call("cpu")[1]["sin"]
    with pytest.raises(ValueError, match="^sin: is on cpu, the call runs on cuda:0$"):
        ropeline.qk_norm_rope_(qkv, spec, **tensors)


# --- a switched model that is moved ----------------------------------------------------------------------------------


@pytest.fixture
def nothing_known(monkeypatch):
    monkeypatch.setattr(switched, "_RUNS", {})


def test_where_a_spec_cannot_be_prepared_the_model_runs_its_own_code_and_says_why(nothing_known, monkeypatch):
    model = build("qwen3")
    with torch.no_grad():
        expected = model(prompt()).logits
    switched.apply(model, strict=True)
    switched._RUNS.clear()
    asked = []

    def refuse(number, device):
        asked.append((number, device))
        raise RuntimeError("no NVRTC anywhere")

    monkeypatch.setattr(library, "prepare", refuse)
    with torch.no_grad(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert torch.equal(model(prompt()).logits, expected)
    assert len(asked) == 1, "asked once for all layers"
    sentence = "ropeline: switched layers on cpu run on the model's own code: no NVRTC anywhere"
    assert [str(w.message) for w in caught if "own code" in str(w.message)] == [sentence]


def test_a_capture_that_comes_first_is_left_to_the_op_and_not_remembered(nothing_known, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert switched._runs_on(1, "cuda", 0) and not switched._RUNS
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    with pytest.warns(UserWarning, match="on cuda:0 run on the model's own code: spec: 1 is not registered"):
        assert not switched._runs_on(1, "cuda", 0)
    assert not switched._runs_on(1, "cuda", 0), "said once"
