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

PlanKernels::PlanKernels(const jit::Source& source, int device) : multiprocessors_(facts(device).multiprocessors) {
  const jit::Module module = jit::load(source);
  for (std::size_t i = 0; i < module.binary().kernels.size(); ++i) kernels_.push_back(module.kernel(i));
}

}  // namespace ropeline::cuda
