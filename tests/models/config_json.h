#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "ropeline/error.h"
#include "ropeline/models.h"

// Small configs, and what is said about wrong ones.

namespace ropeline::models {

using nlohmann::json;

/// A config.json of that model_type with these fields.
inline std::string config_json(const char* model_type, json fields = json::object()) {
  fields["model_type"] = model_type;
  return fields.dump();
}

/// The sentence with which layer 0 is refused.
inline std::string refusal(const std::string& config, ErrorKind kind = ErrorKind::invalid_argument) {
  try {
    layer(config, 0, DType::bf16);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  return "accepted";
}

}  // namespace ropeline::models
