#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ropeline/frequencies.h"

// The stored values of golden.json, which make_golden.py made with mpmath and transformers.

namespace ropeline::angles {

const nlohmann::json& golden();

/// One case of `frequencies`: what the parameters must give.
struct GoldenCase {
  std::string name;
  nlohmann::json rope_parameters;  ///< as transformers spells them
  int rotary_dim = 0;
  int max_position_embeddings = 0;
  std::vector<std::uint64_t> turns;
  std::vector<float> fp32, transformers;
  float attention_factor = 0;
};

std::vector<GoldenCase> golden_cases();

/// The same parameters as a user of C++ writes them, by the name of the case.
const std::map<std::string, Frequencies>& golden_parameters();

/// An fp32 number from its bits in hexadecimal.
float float_from(const std::string& hex);

}  // namespace ropeline::angles
