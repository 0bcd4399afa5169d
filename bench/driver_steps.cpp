#include "bench/driver_steps.h"

#include <array>
#include <utility>
#include <vector>

#include "cuda/context.h"

namespace ropeline::bench {
namespace {

/// The driver's part in loading a binary, step by step.
class LoadSteps {
 public:
  LoadSteps(const jit::Binary& binary) : binary_(binary) {}

  void measure(Rows& rows) {
    for (int round = 0; round < 11; ++round) load_once();
    for (const auto& [name, samples] : samples_) rows.add("step: " + name, median(samples));
  }

 private:
  template <class Work>
  void step(std::size_t index, const std::string& name, const Work& work) {
    if (index == samples_.size()) samples_.emplace_back(name, std::vector<double>());
    samples_[index].second.push_back(once_us(work));
  }

  void load_once() {
    std::size_t i = 0;
    std::vector<cuda::KernelHandle> kernels(binary_.kernels.size());
    std::vector<cuda::Function> functions(kernels.size());
    cuda::LibraryHandle library = nullptr;
    step(i++, "cuLibraryLoadData", [&] {
      require_success(d_.library_load(&library, binary_.image.data(), nullptr, nullptr, 0, nullptr, nullptr, 0));
    });
    step(i++, "cuLibraryGetKernel, all", [&] {
      for (std::size_t k = 0; k < kernels.size(); ++k)
        require_success(d_.library_kernel(&kernels[k], library, binary_.kernels[k].symbol.c_str()));
    });
    step(i++, "cuKernelGetFunction, all", [&] {
      for (std::size_t k = 0; k < kernels.size(); ++k) require_success(d_.kernel_function(&functions[k], kernels[k]));
    });
    step(i++, "cuFuncLoad, the first", [&] { require_success(d_.function_load(functions[0])); });
    step(i++, "cuFuncLoad, the others", [&] {
      for (std::size_t k = 1; k < kernels.size(); ++k) require_success(d_.function_load(functions[k]));
    });
    step(i++, "cuFuncGetAttribute, one", [&] {
      int registers = 0;
      require_success(d_.function_attribute(&registers, cuda::attribute::registers, functions[0]));
    });
    step(i++, "cuLibraryUnload", [&] { require_success(d_.library_unload(library)); });
  }

  const cuda::Driver& d_ = cuda::require_driver();
  const jit::Binary& binary_;
  std::vector<std::pair<std::string, std::vector<double>>> samples_;
};

/// Memory for a table of frequencies.
void memory_steps(Rows& rows) {
  const cuda::Driver& d = cuda::require_driver();
  const std::vector<char> table(1024);
  std::array<std::vector<double>, 3> samples;
  for (int round = 0; round < 11; ++round) {
    cuda::Address address = 0;
    samples[0].push_back(once_us([&] { require_success(d.allocate(&address, table.size())); }));
    samples[1].push_back(once_us([&] { require_success(d.to_device(address, table.data(), table.size())); }));
    samples[2].push_back(once_us([&] { require_success(d.free(address)); }));
  }
  rows.add("step: cuMemAlloc of 1 KiB", median(samples[0]));
  rows.add("step: cuMemcpyHtoD of 1 KiB", median(samples[1]));
  rows.add("step: cuMemFree", median(samples[2]));
}

void context_steps(Rows& rows) {
  const cuda::Driver& d = cuda::require_driver();
  rows.add("step: cuCtxGetDevice", median_us(51, 1000, [] { cuda::current_device(); }));
  cuda::Context context = nullptr;
  rows.add("step: cuCtxGetCurrent", median_us(51, 1000, [&] { d.context_current(&context); }));
  rows.add("step: cuCtxPushCurrent and pop", median_us(51, 1000, [&] {
             cuda::Context popped = nullptr;
             d.context_push(context), d.context_pop(&popped);
           }));
  rows.add("step: cuStreamIsCapturing", median_us(51, 1000, [] { cuda::is_capturing(nullptr); }));
  rows.add("step: capture mode, there and back", median_us(51, 1000, [] { const cuda::BesideCaptures beside; }));
}

}  // namespace

void require_success(cuda::Result result) {
  cuda::check(cuda::require_driver(), result, jit::Stage::driver, "a call of the driver");
}

void driver_steps(Rows& rows, const jit::Binary& binary) {
  LoadSteps(binary).measure(rows);
  memory_steps(rows);
  context_steps(rows);
}

}  // namespace ropeline::bench
