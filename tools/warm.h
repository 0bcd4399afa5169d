#pragma once

#include <string>

#include "tools/programs.h"

namespace ropeline::tools {

/// The words of `ropeline warm`.
struct WarmWords {
  ProgramWords programs;
  std::string pack;  ///< the file to write; empty: the cache folder. Without architectures it holds the common ones
  int jobs = 0;      ///< processes; 0: one for each core
};

/// Compiles what is in no cache, prints a line for each program and a last one that counts. With a pack, nothing else
/// is written but the pack, whole or not at all.
void warm(WarmWords words);

}  // namespace ropeline::tools
