#pragma once

#include <array>
#include <string>
#include <vector>

#include "cuda/context.h"
#include "ropeline/jit.h"

/// What the CUDA programs of all ops share.
namespace ropeline::cuda {

/// While it lives, a program for that device may be made by this thread: the device is current, and captures that are
/// under way elsewhere are not disturbed. Throws jit::Error where a capture forbids the default stream, because then no
/// copy may be started.
class Preparing {
 public:
  Preparing(const char* op, int device);

 private:
  CurrentDevice current_;
  BesideCaptures beside_;
};

inline jit::Dim3 dim3(const std::array<unsigned, 3>& n) { return {n[0], n[1], n[2]}; }

/// An op's program: its kernel's text, and the kernel as C++ names it for each variant.
template <class Variant>
jit::Source source_of(const char* op, const char* kernel_file, const std::vector<Variant>& variants,
                      std::string (*kernel_name)(const Variant&)) {
  jit::Source source{
      .name = std::string(op) + ".cu", .text = std::string("#include \"") + kernel_file + "\"\n", .kernels = {}};
  for (const Variant& variant : variants) source.kernels.push_back(kernel_name(variant));
  return source;
}

/// What a plan launches: the kernels of its program, loaded on the device, which is current while this is made.
class PlanKernels {
 public:
  PlanKernels(const jit::Source& source, int device);

  int multiprocessors() const { return multiprocessors_; }

  template <class Argument>
  void launch(int variant, const std::array<unsigned, 3>& grid, const std::array<unsigned, 3>& block, void* stream,
              const Argument& argument) const {
    kernels_[variant].launch({.grid = dim3(grid), .block = dim3(block), .stream = stream}, argument);
  }

 private:
  int multiprocessors_;
  std::vector<jit::Kernel> kernels_;
};

}  // namespace ropeline::cuda
