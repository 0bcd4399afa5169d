#include "cuda/preparing.h"

#include "error.h"

namespace ropeline::cuda {

Preparing::Preparing(const char* op, int device) : current_(device) {
  if (!is_capturing(nullptr)) return;
  throw jit::Error(ErrorKind::unavailable,
                   {jit::Stage::load,
                    text(op, ": cannot be prepared while a stream is being captured into a graph"),
                    "prepare the plan before the capture begins; running it is legal in one",
                    {},
                    {}});
}

std::vector<jit::Kernel> load_kernels(const jit::Source& source) {
  const jit::Module module = jit::load(source);
  std::vector<jit::Kernel> kernels;
  for (std::size_t i = 0; i < module.binary().kernels.size(); ++i) kernels.push_back(module.kernel(i));
  return kernels;
}

}  // namespace ropeline::cuda
