#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ropeline::tools {

/// The words of `ropeline check`.
struct CheckWords {
  std::string golden;            ///< folder of golden files; empty = the machine check
  bool time = false;             ///< with golden: microseconds too
  bool why = false;              ///< with golden: each stream that was not run, and the reason
  std::vector<std::string> ops;  ///< of op_names()
  int specs = 300;               ///< of each op
  std::uint64_t seed = 1;
  std::string device;  ///< only this one; empty = every device of this machine
  std::string target;  ///< only this instruction set of a CPU; empty = each
  int threads = 1;     ///< for the times
};

/// Prints a line for each backend, or the golden run. True when no bit differs and nothing is at fault.
bool check(const CheckWords& words);

}  // namespace ropeline::tools
