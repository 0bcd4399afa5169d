#include "conformance/kv_cast_backends.h"

#include "conformance/device_blocks.h"
#include "cuda/preparing.h"
#include "ops/kv_cast.h"
#include "ops/kv_cast_launch.h"
#include "ropeline/jit.h"

namespace ropeline::conformance {
namespace {

/// Runs a call in a copy of its memory on the device.
template <class Run>
void run_on_cuda(KvCastCall& call, const Run& run) {
  const DeviceBlocks blocks(call.memory);
  KvCastArgs args = call.args;
  for (TensorView* view : views(args)) *view = blocks.view(*view);
  run(args);
  blocks.download(call.memory);
}

void run_plan(KvCastCall& call) {
  run_on_cuda(call, [&](const KvCastArgs& args) { prepare(call.spec, Device::cuda()).run(args); });
}

/// The plan's kernels, all calls by the one of that form.
void run_form(KvCastCall& call, std::size_t form) {
  run_on_cuda(call, [&](const KvCastArgs& args) {
    const KvCastParams params = ops::kv_cast::params(args);
    if (params.tokens == 0 || params.locs == 0) return;
    const auto launch = ops::kv_cast::launch(ops::kv_cast::variants(call.spec)[form], params.tokens);
    const jit::Kernel kernel = jit::load(kernel_source(call.spec)).kernel(form);
    kernel.launch({.grid = cuda::dim3(launch.grid), .block = cuda::dim3(launch.block)}, params);
  });
}

}  // namespace

std::vector<KvCastBackend> kv_cast_cpu_backends() {
  std::vector<KvCastBackend> all;
  for (const CpuTarget target : cpu_targets())
    all.push_back({"cpu_" + std::string(name_of(target)),
                   [target](KvCastCall& call) { prepare(call.spec, Device::cpu(target)).run(call.args); }});
  return all;
}

std::vector<KvCastBackend> kv_cast_cuda_backends() {
  return {{"cuda_few", [](KvCastCall& call) { run_form(call, 0); }},
          {"cuda_many", [](KvCastCall& call) { run_form(call, 1); }},
          {"cuda", run_plan}};
}

std::string kv_cast_cuda_absence() {
  if (const Support answer = supports(KvCastSpec{.heads = 1, .head_dim = 16}, Device::cuda()); !answer)
    return answer.reason;
  return jit::compiler_status().reason;
}

}  // namespace ropeline::conformance
