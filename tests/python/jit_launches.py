"""Launches against the recording driver, in a process of their own: LD_LIBRARY_PATH names it. Prints JSON."""

import ctypes
import json
import sys

import torch

from ropeline import jit

TEXT = """
struct Params { double a; int b; float c[3]; };
template <class T, int W> __global__ void scale(T* y, const T* x, T factor, int n) { if (n) *y = factor * *x; }
__global__ void wide(Params p, unsigned short* h, unsigned long n, char c, bool on) { *h = p.b + n + c + on; }
extern "C" __global__ void plain(float* y, float f, long long n) { *y = f * n; }
__global__ void none() {}
"""
KERNELS = ["scale<float, 4>", "wide", "plain", "none"]


class Params(ctypes.Structure):
    _fields_ = [("a", ctypes.c_double), ("b", ctypes.c_int), ("c", ctypes.c_float * 3)]


class OnDevice:
    """What a launch asks of a tensor, at an address of our own."""

    def __init__(self, address, dtype=torch.float32, device=0):
        self.address, self.dtype, self.itemsize = address, dtype, dtype.itemsize
        self.device = torch.device("cuda", device)

    def get_device(self):
        return self.device.index

    def data_ptr(self):
        return self.address


driver = ctypes.CDLL("libcuda.so.1")
driver.fake_driver_log.restype = ctypes.c_char_p
driver.fake_driver_keep.argtypes = [ctypes.c_size_t]


def told():
    return json.loads(driver.fake_driver_log())


def refusal(call, *arguments, **options):
    try:
        call(*arguments, stream=7, **options)
    except (ValueError, TypeError, jit.Error) as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def launches(module):
    """The parameter memory of right launches."""
    scale, wide, plain = module.kernel(), module["wide"], module["plain"]
    driver.fake_driver_keep(24)
    scale.launch(3, 256, OnDevice(0x1111), OnDevice(0x2222), 0.5, 7, stream=7)
    scale[(1, 2, 3), (4, 5)](None, ctypes.c_void_p(0x3333), 2, True, shared_bytes=100, stream=8, overlap_previous=True)
    driver.fake_driver_keep(42)
    params = Params(1.5, -2, (ctypes.c_float * 3)(1, 2, 3))
    wide.launch(1, 1, params, OnDevice(0x4444, torch.bfloat16), 2**64 - 1, -1, True, stream=7)
    driver.fake_driver_keep(24)
    plain.launch(1, 1, OnDevice(0x5555), ctypes.c_float(0.25), ctypes.c_int64(-3), stream=7)
    scale.launch(1, 1, None, None, 1.0, 1, stream=7, shared_bytes=100_000)
    module["none"].launch(1, 1, stream=7)
    module.kernel().launch(1, 1, None, None, 1.0, 1, stream=7, shared_bytes=60_000)  # takes nothing from `scale`


def refusals(module):
    scale, wide, plain = module.kernel(), module["wide"], module["plain"]
    y, x = OnDevice(1), OnDevice(2)
    double = OnDevice(2, torch.float64)
    said = {
        "too few": refusal(scale.launch, 1, 1, y, x, 0.5),
        "int for float pointer": refusal(scale.launch, 1, 1, y, 17, 0.5, 7),
        "tensor on the CPU": refusal(scale.launch, 1, 1, y, torch.zeros(1), 0.5, 7),
        "numpy for pointer": refusal(scale.launch, 1, 1, y, torch.zeros(1).numpy(), 0.5, 7),
        "float for int": refusal(scale.launch, 1, 1, y, x, 0.5, 7.0),
        "int too large": refusal(scale.launch, 1, 1, y, x, 0.5, 2**31),
        "float too large": refusal(scale.launch, 1, 1, y, x, 1e300, 1),
        "text for float": refusal(scale.launch, 1, 1, y, x, "0.5", 1),
        "tensor for int": refusal(scale.launch, 1, 1, y, x, 0.5, torch.tensor(7)),
        "c_double for float": refusal(scale.launch, 1, 1, y, x, ctypes.c_double(0.5), 7),
        "c_int64 for int": refusal(scale.launch, 1, 1, y, x, 0.5, ctypes.c_int64(7)),
        "negative unsigned": refusal(wide.launch, 1, 1, Params(), OnDevice(1, torch.int16), -1, 0, True),
        "int for bool": refusal(wide.launch, 1, 1, Params(), OnDevice(1, torch.int16), 1, 0, 1),
        "struct of another size": refusal(wide.launch, 1, 1, bytes(23), OnDevice(1, torch.int16), 1, 0, True),
        "plain int": refusal(plain.launch, 1, 1, y, ctypes.c_float(1), 7),
        "plain of another size": refusal(plain.launch, 1, 1, y, ctypes.c_double(1), ctypes.c_int64(7)),
        "four dimensions": refusal(scale.launch, (1, 1, 1, 1), 1, y, x, 0.5, 7),
        "grid of a float": refusal(scale.launch, 1.0, 1, y, x, 0.5, 7),
        "negative block": refusal(scale.launch, 1, (1, -1), y, x, 0.5, 7),
        "negative shared bytes": refusal(scale.launch, 1, 1, y, x, 0.5, 7, shared_bytes=-1),
        "no such kernel": refusal(lambda name, stream: module.kernel(name), "scale<float>"),
        "no such place": refusal(lambda place, stream: module.kernel(place), 4),
        "no second shape": refusal(lambda grid, stream: scale[grid], 1),
    }
    said["another dtype"], said["another device"] = (
        refusal(scale.launch, 1, 1, y, wrong, 0.5, 7) for wrong in (double, OnDevice(2, device=1))
    )
    return said


def main():
    module = jit.load(text=TEXT, kernels=KERNELS)
    launches(module)
    right = told()
    said = refusals(module)
    driver.fake_driver_refuse(1)
    said["what the driver refuses"] = refusal(module["none"].launch, 9, 1)
    try:
        module["none"].launch(9, 1, stream=7)
    except jit.Error as error:
        stage = error.stage
    second = jit.load(text=TEXT, kernels=KERNELS, device=1)
    facts = {"architecture": module.architecture, "devices": [module.device, second.device], "stage": stage}
    json.dump({"right": right, "said": said, "launches": len(told()["launches"]), **facts}, sys.stdout)


if __name__ == "__main__":
    main()
