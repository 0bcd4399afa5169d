"""ropeline.jit on a GPU. unittest, so that it runs where pytest is not: python3 tests/python/test_jit_cuda.py"""

import concurrent.futures
import ctypes
import importlib.util
import pathlib
import unittest

import torch

from ropeline import jit

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples/jit"

TEXT = """
struct Params { double a; int b; float c[3]; };
__global__ void fill(Params p, float* y, long long n, bool twice, char c) {
  const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  if (i < n) y[i] = (twice ? 2 : 1) * (float(p.a) + p.b + p.c[2] + c);
}
template <class T> __global__ void bits(unsigned short* y, const T* x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = static_cast<unsigned short>(x[i]);
}
extern "C" __global__ void plain(float* y, float factor, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = factor * i;
}
__global__ void reversed(float* y, const float* x, int n) {
  extern __shared__ float block[];
  for (int i = threadIdx.x; i < n; i += blockDim.x) block[i] = x[i];
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) y[i] = block[n - 1 - i];
}
__global__ void spin(float* y, const float* x, long long cycles) {
  const long long end = clock64() + cycles;
  while (clock64() < end) {}
  *y = *x + 1;
}
"""
KERNELS = ["fill", "bits<int>", "plain", "reversed", "spin"]


class Params(ctypes.Structure):
    _fields_ = [("a", ctypes.c_double), ("b", ctypes.c_int), ("c", ctypes.c_float * 3)]


@jit.cache_once
def module():
    return jit.load(text=TEXT, name="test.cu", kernels=KERNELS)


def example():
    spec = importlib.util.spec_from_file_location("scale_example", EXAMPLE / "scale.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def numbers(n=1 << 16, device="cuda"):
    return torch.arange(n, dtype=torch.float32, device=device)


@unittest.skipUnless(torch.cuda.is_available(), "not run: no CUDA device")
class JitOnCuda(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.example = example()

    def assertSame(self, a, b):
        self.assertTrue(torch.equal(a, b), f"{a} and {b}")

    def test_the_example(self):
        x = numbers()
        y = torch.full_like(x, -1)
        self.example.scale(y, x, 0.5)
        self.assertSame(y, 0.5 * x)
        self.assertEqual(y._version, 1)

    def test_the_example_compiled(self):
        x = numbers(4099)
        self.assertSame(self.example.half_plus_one(x), 0.5 * x + 1)
        self.assertSame(self.example.half_plus_one(x + 3), 0.5 * (x + 3) + 1)

    def test_compiled_with_cuda_graphs(self):
        def run(x):
            y = torch.empty_like(x)
            self.example.scale(y, x, 2.0)
            return y - 1

        compiled, x = torch.compile(run, fullgraph=True, mode="reduce-overhead"), numbers(1000)
        for step in range(4):
            self.assertSame(compiled(x + step).clone(), 2 * (x + step) - 1)

    def test_each_kind_of_argument(self):
        y = numbers(1000)
        module()["fill"].launch(4, 256, Params(0.5, 3, (ctypes.c_float * 3)(0, 0, 0.25)), y, 999, True, -1)
        self.assertSame(y, torch.tensor([5.5] * 999 + [999.0], device="cuda"))
        bits, x = torch.zeros(70, dtype=torch.bfloat16, device="cuda"), torch.arange(16200, 16270, device="cuda").int()
        module()["bits<int>"][(1, 1), (128, 1, 1)](bits, x, 70)
        self.assertSame(bits.view(torch.int16), x.short())
        module()["plain"].launch(1, 32, y, ctypes.c_float(0.5), ctypes.c_int(32))
        self.assertSame(y[:32], 0.5 * numbers(32))

    def test_shared_memory_beyond_48_kib(self):
        n = 20_000
        x, y = numbers(n), torch.zeros(n, device="cuda")
        for made in (module(), jit.load(text=TEXT, kernels=KERNELS, architecture="compute_80")):
            first, second = made["reversed"], made["reversed"]  # two, of one kernel of the driver
            for kernel, m in ((first, n), (second, 13_000), (first, n)):
                y.zero_()
                kernel.launch(1, 512, y, x, m, shared_bytes=4 * m)
                self.assertSame(y[:m], x[:m].flip(0))
        with self.assertRaises(jit.Error):
            module()["reversed"].launch(1, 512, y, x, n, shared_bytes=1 << 30)

    def test_torchs_current_stream_is_the_default(self):
        spin, values = module()["spin"], torch.zeros(3, device="cuda")
        torch.cuda.synchronize()
        side, other = torch.cuda.Stream(), torch.cuda.Stream()
        with torch.cuda.stream(side):
            spin.launch(1, 1, values[1:], values, 100_000_000)
            spin.launch(1, 1, values[2:], values[1:], 1)  # the same stream: after the first
        self.assertFalse(side.query())
        spin.launch(1, 1, values[0:], values, 1, stream=other)
        other.synchronize()
        self.assertFalse(side.query(), "the other stream was waited for, or the first one was not used")
        side.synchronize()
        self.assertEqual(values[2].item(), values[1].item() + 1)
        spin.launch(1, 1, values[1:], values, 1, stream=torch.cuda.current_stream().cuda_stream)
        self.assertEqual(values[1].item(), values[0].item() + 1)

    def test_capture_and_replay_with_other_data(self):
        kernel, x = self.example.scale_kernel(4), numbers(5000)
        y, graph = torch.zeros_like(x), torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            kernel.launch(5, 256, y, x, 3.0, x.numel())
        for step in range(3):
            x.add_(step)
            graph.replay()
            self.assertSame(y, 3 * x)

    def test_loading_during_a_capture_is_an_error_and_the_capture_goes_on(self):
        x = numbers(8)
        y, graph, said = torch.zeros_like(x), torch.cuda.CUDAGraph(), []
        with torch.cuda.graph(graph):
            try:
                jit.load(text="__global__ void late(float* y) { *y = 1; }", kernels="late")
            except jit.Error as error:
                said.append(error)
            torch.add(x, 1, out=y)
        graph.replay()
        self.assertEqual([error.stage for error in said], ["load"])
        self.assertIn("captured", str(said[0]))
        self.assertSame(y, x + 1)

    def test_what_does_not_fit_is_refused_by_name(self):
        kernel, x = self.example.scale_kernel(4), numbers(8)
        for y, said in [
            (torch.zeros(8), r"argument 0 \(float\*\): a tensor on cpu"),
            (x.double(), r"argument 0 \(float\*\): wants torch.float32, the tensor is torch.float64"),
            (8, r"argument 0 \(float\*\): wants a tensor, got int 8"),
        ]:
            with self.assertRaisesRegex(ValueError, said):
                kernel.launch(1, 256, y, x, 0.5, 8)
        with self.assertRaisesRegex(ValueError, "a tensor on cuda:0: reading it would wait"):
            kernel.launch(1, 256, x, x, 0.5, torch.tensor(8, device="cuda"))
        with self.assertRaises(jit.Error) as caught:
            kernel.launch(1, 4096, x, x, 0.5, 8)
        self.assertEqual(caught.exception.stage, "launch")

    def test_threads_and_streams(self):
        kernel = self.example.scale_kernel(4)

        def work(seed):
            with torch.cuda.stream(torch.cuda.Stream()):
                x = numbers(10_000) + seed
                y = torch.empty_like(x)
                for factor in range(1, 50):
                    kernel.launch(10, 256, y, x, factor, x.numel())
                    if not torch.equal(y, factor * x):
                        return False
            return True

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            self.assertTrue(all(threads.map(work, range(32))))

    def test_64_threads_load_once(self):
        before = jit.statistics()
        text = f"__global__ void one(float* y) {{ *y = {id(before)}; }}"
        make = jit.cache_once(lambda: jit.load(text=text, kernels="one").kernel())
        with concurrent.futures.ThreadPoolExecutor(64) as threads:
            kernels = set(threads.map(lambda _: make(), range(64)))
        after = jit.statistics()
        self.assertEqual((len(kernels), after["compiles"] - before["compiles"]), (1, 1))

    def test_opcheck(self):
        x = numbers(64)
        torch.library.opcheck(self.example.scale, (torch.zeros_like(x), x, 0.5))

    def test_uncompiled_code_between_compiled_code(self):
        kernel = self.example.scale_kernel(4)

        def run(x):
            y = x + 1
            kernel.launch(1, 256, y, y, 2.0, y.numel())
            return y - 1

        x = numbers(100)
        self.assertSame(torch.compile(run)(x), 2 * (x + 1) - 1)

    @unittest.skipUnless(torch.cuda.device_count() > 1, "not run: one CUDA device")
    def test_two_devices(self):
        kernels = []
        for device in (0, 1):
            with torch.cuda.device(device):
                kernels.append(self.example.scale_kernel(4))
        self.assertEqual([kernel.device for kernel in kernels], [0, 1])
        for current in (0, 1):
            for kernel in kernels:
                x = numbers(1000, f"cuda:{kernel.device}")
                y = torch.zeros_like(x)
                with torch.cuda.device(current):  # the launch finds the kernel's own device
                    kernel.launch(1, 256, y, x, 4.0, 1000)
                    self.assertEqual(torch.cuda.current_device(), current)
                torch.cuda.synchronize(kernel.device)
                self.assertSame(y, 4 * x)
        with self.assertRaisesRegex(ValueError, "a tensor on cuda:1; the kernel was loaded for cuda:0"):
            kernels[0].launch(1, 256, numbers(8, "cuda:1"), numbers(8, "cuda:1"), 1.0, 8)


if __name__ == "__main__":
    unittest.main(verbosity=2)
