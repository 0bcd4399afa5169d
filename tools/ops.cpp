#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ropeline/error.h"
#include "tools/op.h"

namespace ropeline::tools {
namespace {

constexpr const Op* kOps[] = {&kQkNormRope, &kKvCast};

}  // namespace

std::string RankLayer::name() const {
  return ranks > 1 ? fmt::format("{} tp{} {}", model, ranks, dtype) : model + " " + dtype;
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const Op* op : kOps) names.push_back(op->name);
  return names;
}

const Op& op_of(const std::string& name) {
  for (const Op* op : kOps)
    if (op->name == name) return *op;
  throw Error(ErrorKind::invalid_argument, fmt::format("--op: {} is not {}", name, fmt::join(op_names(), " or ")));
}

}  // namespace ropeline::tools
