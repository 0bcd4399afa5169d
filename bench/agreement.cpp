#include "agreement.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "contestants.h"
#include "reference/reference.h"
#include "ropeline/error.h"

namespace ropeline::bench {
namespace {

constexpr std::int64_t kTokens = 19;  // more than a vector's worth, and odd

std::vector<std::byte> outputs(const Workload& workload) {
  const auto q = workload.q_bytes(0, workload.tokens()), k = workload.k_bytes(0, workload.tokens());
  std::vector<std::byte> all(q.data, q.data + q.count);
  all.insert(all.end(), k.data, k.data + k.count);
  return all;
}

std::vector<std::byte> after(Workload& workload, const std::function<void()>& call) {
  workload.refresh();
  call();
  return outputs(workload);
}

[[noreturn]] void fail(const Workload& workload, const std::string& what) {
  throw Error(ErrorKind::internal, std::string(workload.model().name) + ", " + std::string(name_of(workload.dtype())) +
                                       ": " + what + "; nothing was timed");
}

void check_op(Workload& workload, AngleKind angles, bool fused) {
  const Spec spec = workload.spec(angles, fused);
  const Plan plan = prepare(spec, Device::cpu());
  const auto expected = after(workload, [&] { reference::run(spec, workload.args(angles)); });
  const auto got = after(workload, [&] { plan.run(workload.args(angles)); });
  if (got != expected) fail(workload, "the op differs from the reference for " + spec.json());
}

/// Steps of bf16 between two finite values.
int distance(std::int16_t a, std::int16_t b) {
  const auto ordered = [](std::int16_t x) { return x < 0 ? -(x & 0x7fff) : static_cast<int>(x); };
  return std::abs(ordered(a) - ordered(b));
}

void check_comparator(Workload& workload, const Contestant& comparator) {
  const Plan plan = prepare(workload.spec(AngleKind::cache, true), Device::cpu());
  const auto expected = after(workload, [&] { plan.run(workload.args(AngleKind::cache)); });
  const auto got = after(workload, comparator.prepare(workload));
  std::size_t differ = 0;
  int furthest = 0;
  for (std::size_t i = 0; i < expected.size(); i += sizeof(std::int16_t)) {
    std::int16_t a, b;
    std::memcpy(&a, &expected[i], sizeof a);
    std::memcpy(&b, &got[i], sizeof b);
    differ += a != b;
    furthest = std::max(furthest, distance(a, b));
  }
  if (furthest > 1 || differ * 2000 > expected.size() / sizeof(std::int16_t)) {
    fail(workload, comparator.name + " differs from the op in " + std::to_string(differ) + " elements, by up to " +
                       std::to_string(furthest) + " steps");
  }
}

}  // namespace

void check_agreement(const Model& model, DType dtype) {
  Workload workload(model, dtype, kTokens);
  for (const AngleKind angles : {AngleKind::frequencies, AngleKind::cache, AngleKind::rows}) {
    for (const bool fused : {true, false}) check_op(workload, angles, fused);
  }
  for (const Contestant& contestant : contestants()) {
    if (contestant.name == "sglang-retyped" && contestant.enters(workload)) check_comparator(workload, contestant);
  }
}

}  // namespace ropeline::bench
