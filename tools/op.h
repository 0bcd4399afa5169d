#pragma once

#include <string>
#include <vector>

#include "tools/programs.h"
#include "tools/run.h"
#include "tools/spec_check.h"

namespace ropeline::tools {

/// A layer of a model as one of several ranks has it, which share its heads.
struct RankLayer {
  const Spec& spec;
  const Frequencies& frequencies;
  const std::string& model;
  int ranks;
  const std::string& dtype;

  /// "qwen3-8b tp2 bf16", for what is compiled of it.
  std::string name() const;
};

/// What the program `ropeline` asks of an op: tools/<op>.cpp says it, ops.cpp lists them all.
struct Op {
  const char* name;

  /// Of warm and cache explain: the programs that a layer needs, and that of a spec in its printed form.
  void (*add_programs)(std::vector<NamedSource>& sources, const RankLayer& layer, const ProgramWords& words);
  jit::Source (*source_of)(const std::string& spec_json);

  /// Of check: so many specs, drawn from the seed, each on the device and on the reference.
  BackendCheck (*check)(int specs, std::uint64_t seed, Device device);

  /// Of run: what is printed.
  std::string (*run)(const RunWords& words);
};

extern const Op kQkNormRope, kKvCast;

/// "qk_norm_rope", "kv_cast".
std::vector<std::string> op_names();

/// Throws Error{invalid_argument} that names --op.
const Op& op_of(const std::string& name);

}  // namespace ropeline::tools
