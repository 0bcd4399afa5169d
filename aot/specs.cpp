#include "aot/specs.h"

#include <fstream>

#include "error.h"
#include "ropeline/kernel_source.h"

namespace ropeline::aot {
namespace {

constexpr std::string_view kOps[] = {"qk_norm_rope", "kv_cast"};  // as AnySpec has them

AnySpec spec_of(std::string_view line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view op = line.substr(0, space), json = line.substr(space);
  if (op == kOps[0]) return Spec::from_json(json);
  if (op == kOps[1]) return KvCastSpec::from_json(json);
  throw_invalid(text("'", op, "' is not ", kOps[0], " or ", kOps[1]));
}

}  // namespace

std::vector<AnySpec> specs_in(const std::string& path) {
  std::ifstream file(path);
  require(file.is_open(), path, ": cannot be read");
  std::vector<AnySpec> specs;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) try {
      if (!line.empty() && line[0] != '#') specs.push_back(spec_of(line));
    } catch (const Error& error) {
      throw Error(error.kind(), text(path, ":", number, ": ", error.what()));
    }
  require(!specs.empty(), path, ": holds no spec");
  return specs;
}

std::string text_of(const AnySpec& any) {
  return text(kOps[any.index()], ' ', std::visit([](const auto& spec) { return spec.json(); }, any));
}

jit::Source source_of(const AnySpec& any) {
  return std::visit([](const auto& spec) { return kernel_source(spec); }, any);
}

}  // namespace ropeline::aot
