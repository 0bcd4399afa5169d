// A kernel of one's own on Ropeline's JIT: compiled for the GPU at hand at its first use, from the disk cache in every
// later process, and looked up in nanoseconds after that. Neither CUDA's headers nor nvcc are needed.

#include <ropeline/device_memory.h>
#include <ropeline/jit.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace jit = ropeline::jit;

// One kernel per width and device.
static auto scale = jit::cached([](int width) {
  return jit::load({.name = "scale.cu",
                    .text = "#include \"scale.cuh\"\n",
                    .kernels = {"scale<float, " + std::to_string(width) + ">"},
                    .include_folders = {EXAMPLE_FOLDER}})
      .kernel();
});

int main() try {
  constexpr int n = 1 << 20, width = 4, block = 256;
  std::vector<float> x(n), y(n);
  for (int i = 0; i < n; ++i) x[i] = static_cast<float>(i);

  ropeline::DeviceMemory dx(n * sizeof(float)), dy(n * sizeof(float));
  dx.upload(x.data());
  scale(width).launch({.grid = {n / (width * block)}, .block = {block}}, static_cast<float*>(dy.data()),
                      static_cast<const float*>(dx.data()), 0.5f, n);
  dy.download(y.data());

  int wrong = 0;
  for (int i = 0; i < n; ++i) wrong += y[i] != 0.5f * x[i];
  std::printf("%d registers; %d of %d values differ\n", scale(width).facts().registers, wrong, n);
  return wrong != 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
