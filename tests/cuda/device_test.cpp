// Kernels on a real device.

#include <numeric>
#include <thread>

#include "cuda/context.h"
#include "cuda/driver.h"
#include "ropeline/device_memory.h"
#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

const Source kScale = {
    .name = "scale.cu",
    .text =
        "__global__ void scale(float* x, float factor, int n) {\n"
        "  const int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "  if (i < n) x[i] *= factor;\n}\n"
        "__global__ void sum(float* x, float* total, int n) {\n"
        "  extern __shared__ float part[];\n"
        "  for (int i = threadIdx.x; i < n; i += blockDim.x) part[i] = x[i];\n"
        "  __syncthreads();\n"
        "  if (threadIdx.x == 0) { float s = 0; for (int i = 0; i < n; ++i) s += part[i]; *total = s; }\n}\n",
    .kernels = {"scale", "sum"}};

class OnDevice : public testing::Test {
 protected:
  void SetUp() override {
    if (cuda::device_count() == 0) ROPELINE_NOT_RUN("no CUDA device: " + cuda::absence());
    configure(test_config());
    ROPELINE_NEEDS_COMPILER();
    cuda::make_current();
  }

  static std::vector<float> counting(int n) {
    std::vector<float> x(n);
    std::iota(x.begin(), x.end(), 1.0f);
    return x;
  }

  static std::vector<float> scaled(const Kernel& kernel, float factor, int n, void* stream, bool overlap = false) {
    const std::vector<float> x = counting(n);
    DeviceMemory memory(n * sizeof(float));
    memory.upload(x.data());
    kernel.launch({.grid = {(n + 255u) / 256}, .block = {256}, .stream = stream, .overlap_previous = overlap},
                  static_cast<float*>(memory.data()), factor, n);
    cuda::require_driver().stream_synchronize(static_cast<cuda::Stream>(stream));
    std::vector<float> y(n);
    memory.download(y.data());
    return y;
  }

  static void expect_scaled(const std::vector<float>& y, float factor) {
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], factor * (i + 1)) << i;
  }
};

TEST_F(OnDevice, AKernelDoesItsWork) { expect_scaled(scaled(load(kScale).kernel(), 3, 1000, nullptr), 3); }

TEST_F(OnDevice, PtxDoesTheSame) {
  const auto& facts = cuda::facts(cuda::make_current());
  const std::string architecture = "compute_" + std::to_string(facts.major) + std::to_string(facts.minor);
  expect_scaled(scaled(load(kScale, {.architecture = architecture}).kernel(), 3, 1000, nullptr), 3);
}

TEST_F(OnDevice, OverlapFromHopperOn) {
  if (cuda::facts(cuda::make_current()).major < 9) ROPELINE_NOT_RUN("older than sm_90");
  expect_scaled(scaled(load(kScale).kernel(), 2, 5000, nullptr, true), 2);
}

TEST_F(OnDevice, EightThreadsOnFourStreams) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([t] {
      cuda::make_current();
      const Kernel kernel = load(kScale).kernel();
      for (int s = 0; s < 4; ++s) {
        cuda::Stream stream = nullptr;
        ASSERT_EQ(cuda::require_driver().stream_create(&stream, 1), 0);
        expect_scaled(scaled(kernel, float(t + s), 3000, stream), float(t + s));
        cuda::require_driver().stream_destroy(stream);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(OnDevice, MoreThan48KiBOfSharedMemory) {
  constexpr int n = 20000;  // 80,000 bytes
  const Kernel sum = load(kScale).kernel("sum");
  sum.allow_shared_bytes(n * sizeof(float));
  DeviceMemory x(n * sizeof(float)), total(sizeof(float));
  x.upload(std::vector<float>(n, 1.0f).data());
  sum.launch({.block = {256}, .shared_bytes = n * sizeof(float)}, static_cast<float*>(x.data()),
             static_cast<float*>(total.data()), n);
  float got = 0;
  total.download(&got);
  EXPECT_EQ(got, float(n));
}

TEST_F(OnDevice, ARefusedLaunchHarmsNothing) {
  const Kernel kernel = load(kScale).kernel();
  EXPECT_THROW(kernel.launch({.grid = {1}, .block = {4096}}, static_cast<float*>(nullptr), 1.0f, 0), Error);
  expect_scaled(scaled(kernel, 5, 100, nullptr), 5);
}

}  // namespace
}  // namespace ropeline::jit
