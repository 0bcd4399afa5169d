#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace ropeline::kernels {

/// What the machine code of one kernel does with memory, read from the cubin itself: no CUDA tool is needed.
struct MachineCode {
  int instructions = 0;                            ///< without the padding behind the last jump
  int registers = 0;                               ///< of a thread
  int local = 0;                                   ///< loads and stores of local memory: spills
  std::map<int, int> global_loads, global_stores;  ///< how many of each width in bits
};

/// The symbols of the kernels in a cubin.
std::set<std::string> kernels_in(const std::string& cubin);

/// The instructions of the kernel of that symbol, as they are. Throws as machine_code does.
std::string_view instructions_of(const std::string& cubin, const std::string& symbol);

/// The kernel of that symbol. Throws std::runtime_error when the cubin has none.
MachineCode machine_code(const std::string& cubin, const std::string& symbol);

}  // namespace ropeline::kernels
