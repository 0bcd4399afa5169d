#include "conformance/cuda_backend.h"

#include <algorithm>

#include "conformance/device_blocks.h"
#include "cuda/qk_norm_rope.h"
#include "ops/qk_norm_rope.h"
#include "ops/qk_norm_rope_argument.h"
#include "ops/qk_norm_rope_launch.h"
#include "ops/qk_norm_rope_variant.h"
#include "ropeline/device_memory.h"

namespace ropeline::conformance {
namespace {

namespace op = ops::qk_norm_rope;

void run_plan(const Spec& spec, const Args& args, const Memory& memory) {
  const DeviceBlocks blocks(memory);
  prepare(spec, Device::cuda()).run(blocks.args(args));
  blocks.download(memory);
}

/// The variant of that form that takes the call; -1 when there is none.
int find_variant(const NamedForm& form, const std::vector<kernel::Variant>& variants, const QkNormRopeParams& params) {
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const bool batches = params.batches == 1 || variants[i].form.batched;
    if (form.is(variants[i].form) && batches && op::fits(variants[i], params)) return static_cast<int>(i);
  }
  return -1;
}

void launch_form(const Spec& spec, const kernel::Variant& variant, std::size_t index, const QkNormRopeParams& params) {
  const std::vector<Turns> table = op::frequency_table(spec);
  DeviceMemory turns(table.size() * sizeof(Turns));
  turns.upload(table.data());
  const op::Argument argument(spec, {static_cast<const Turns*>(turns.data()), op::attention_factor(spec)});
  const op::Launch l = op::launch_of(variant, 3, params);
  const auto dim3 = [](const auto& n) { return jit::Dim3{n[0], n[1], n[2]}; };
  const jit::Kernel kernel = jit::load(cuda::qk_norm_rope::source(spec)).kernel(index);
  kernel.launch({.grid = dim3(l.grid), .block = dim3(l.block)}, argument.of(params));
}

void run_form(const NamedForm& form, const Spec& spec, const Args& host_args, const Memory& memory) {
  const DeviceBlocks blocks(memory);
  const Args args = blocks.args(host_args);
  op::check(op::Contract(spec, Device::cuda()), args);
  QkNormRopeParams params = op::params(args);
  if (params.batches == 0 || params.tokens == 0) return;
  params = op::merged(params);
  const std::vector<kernel::Variant> variants = op::variants(spec);
  const int index = find_variant(form, variants, params);
  FormUse& use = form_use()[static_cast<std::size_t>(&form - forms().data())];
  ++use.asked, use.taken += index >= 0;
  if (index < 0 || params.batches > op::most_batches) return run_plan(spec, host_args, memory);
  launch_form(spec, variants[index], index, params);
  blocks.download(memory);
}

}  // namespace

const std::vector<NamedForm>& forms() {
  static const std::vector<NamedForm> all = {
      {"least_code", [](const kernel::Form& f) { return f.run == 2 && f.access == 2 && f.heads == 1; }, true},
      {"one_head", [](const kernel::Form& f) { return f.run == 4 && f.heads == 1; }, true},
      {"six_heads", [](const kernel::Form& f) { return f.heads == 6; }, true},
      {"two_packed", [](const kernel::Form& f) { return f.heads == 2 && f.packed; }, true},
      {"two_heads", [](const kernel::Form& f) { return f.heads == 2 && !f.packed; }},
      {"elements", [](const kernel::Form& f) { return f.access == 1; }},
  };
  return all;
}

std::vector<FormUse>& form_use() {
  static std::vector<FormUse> use(forms().size());
  return use;
}

std::vector<Backend> cuda_backends() {
  std::vector<Backend> all = {{"cuda", run_plan, cuda_sweep_share}};
  for (const NamedForm& form : forms())
    all.push_back(
        {std::string("cuda_") + form.name,
         [&form](const Spec& spec, const Args& args, const Memory& memory) { run_form(form, spec, args, memory); },
         cuda_sweep_share, form.packed});
  return all;
}

std::string cuda_absence() {
  static const std::string reason = [] {
    const Spec any = qk_norm_rope({.q = 1, .head_dim = 16}, RmsNorm{}, Rope::neox(CosSinRows{16}));
    if (const Support answer = supports(any, Device::cuda()); !answer) return answer.reason;
    return jit::compiler_status().reason;
  }();
  return reason;
}

}  // namespace ropeline::conformance
