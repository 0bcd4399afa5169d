#include "aot/specs.h"

#include <fstream>

#include "error.h"

namespace ropeline::aot {

std::vector<Spec> specs_in(const std::string& path) {
  std::ifstream file(path);
  require(file.is_open(), path, ": cannot be read");
  std::vector<Spec> specs;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) try {
      if (!line.empty() && line[0] != '#') specs.push_back(Spec::from_json(line));
    } catch (const Error& error) {
      throw Error(error.kind(), text(path, ":", number, ": ", error.what()));
    }
  require(!specs.empty(), path, ": holds no spec");
  return specs;
}

}  // namespace ropeline::aot
