#include "emulator/run.h"

#include <memory>
#include <new>

#include "emulator/kernels.h"
#include "ops/qk_norm_rope.h"
#include "ops/qk_norm_rope_argument.h"
#include "ops/qk_norm_rope_launch.h"
#include "ops/qk_norm_rope_variant.h"

namespace ropeline::emulator {

namespace op = ops::qk_norm_rope;

namespace {

struct Free {
  void operator()(Turns* p) const { ::operator delete (p, std::align_val_t{16}); }
};

std::unique_ptr<Turns, Free> on_device(const std::vector<Turns>& table) {
  if (table.empty()) return nullptr;
  auto* copy = static_cast<Turns*>(::operator new (table.size() * sizeof(Turns), std::align_val_t{16}));
  std::copy(table.begin(), table.end(), copy);
  return std::unique_ptr<Turns, Free>(copy);
}

Index index(const std::array<unsigned, 3>& v) { return {v[0], v[1], v[2]}; }

}  // namespace

bool takes(const Case& of, const Args& args) {
  const QkNormRopeParams params = op::merged(op::params(args));
  return op::fits(of.variant, params) && (params.batches == 1 || of.variant.form.batched);
}

void run(const Case& of, const Args& args, int warps, const Conditions& conditions) {
  const QkNormRopeParams params = op::merged(op::params(args));
  if (params.batches == 0 || params.tokens == 0) return;
  if (!takes(of, args)) throw Fault("does not take this call: " + op::kernel_name(of.variant));
  const Run kernel = find_kernel(op::kernel_name(of.variant));
  if (!kernel) throw Fault("not built: " + op::kernel_name(of.variant));
  const auto turns = on_device(op::frequency_table(of.spec));
  const op::Launch launch = op::launch_of(of.variant, warps, params);
  const op::Argument argument(of.spec, {turns.get(), op::attention_factor(of.spec)});
  kernel(index(launch.grid), index(launch.block), conditions, argument.of(params));
}

}  // namespace ropeline::emulator
