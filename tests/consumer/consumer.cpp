#include <ropeline/ropeline.h>

#include <cstdio>

namespace rl = ropeline;

int main() {
  float q[16] = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1};
  rl::Spec spec{.head_dim = 16, .q = {.heads = 1, .steps = {rl::RmsNorm{1e-3f, rl::WeightShape::none}}}};
  const rl::TensorView view(q, rl::DType::fp32, {1, 1, 16});
  rl::prepare(spec.with_dtype(rl::DType::fp32), rl::Device::cpu()).run({.q = view});
  std::printf("%.4f %.4f\n", q[0], q[1]);
}
