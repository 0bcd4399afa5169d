// rope_parameters as transformers reads them, in all their spellings.

#include "angles/golden.h"
#include "models/config_json.h"

namespace ropeline::models {
namespace {

Frequencies frequencies_of(const std::string& config, int index = 0) {
  return layer(config, index, DType::bf16).frequencies;
}

class EveryKind : public testing::TestWithParam<angles::GoldenCase> {};

TEST_P(EveryKind, IsReadAsAUserWouldWriteIt) {
  const auto& golden = GetParam();
  Frequencies ours = frequencies_of(config_json("qwen3", {{"head_dim", golden.rotary_dim},
                                                          {"max_position_embeddings", golden.max_position_embeddings},
                                                          {"rope_parameters", golden.rope_parameters}}));
  const Frequencies& expected = angles::golden_parameters().at(golden.name);
  EXPECT_EQ(ours.attention_factor(), golden.attention_factor);
  ours.scaling.seq_len = expected.scaling.seq_len;                    // a config does not say how much is served
  ours.scaling.attention_factor = expected.scaling.attention_factor;  // compared above, after rounding
  EXPECT_EQ(ours, expected);
}

INSTANTIATE_TEST_SUITE_P(Golden, EveryKind, testing::ValuesIn(angles::golden_cases()),
                         [](const auto& info) { return info.param.name; });

TEST(UniformRope, TakesTheOlderSpellings) {
  const json older = {
      {"head_dim", 128},
      {"rope_theta", 1e6},
      {"rope_scaling", {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32768}}}};
  EXPECT_EQ(frequencies_of(config_json("qwen3_moe", older)), Frequencies::theta(1e6, 128, Scaling::yarn(4, 32768)));
}

TEST(UniformRope, HasTransformersDefaults) {
  EXPECT_EQ(frequencies_of(config_json("qwen3")), Frequencies::theta(1e4, 128));
  const json yarn = {{"rope_parameters", {{"rope_type", "yarn"}, {"factor", 4}, {"rope_theta", 1e6}}}};
  EXPECT_EQ(frequencies_of(config_json("qwen3", yarn)), Frequencies::theta(1e6, 128, Scaling::yarn(4, 32768)));
}

// Phi's spelling: the trained length stands beside the parameters and wins; the factor is the ratio of the lengths.
TEST(UniformRope, TakesTheTrainedLengthFromTheConfig) {
  const json config = {
      {"max_position_embeddings", 131072},
      {"original_max_position_embeddings", 4096},
      {"rope_parameters",
       {{"rope_type", "yarn"}, {"factor", nullptr}, {"rope_theta", 1e6}, {"original_max_position_embeddings", 8192}}}};
  EXPECT_EQ(frequencies_of(config_json("qwen3", config)), Frequencies::theta(1e6, 128, Scaling::yarn(32, 4096)));
}

TEST(UniformRope, NullAndZeroBetasAreTheDefaults) {
  const json config = {
      {"rope_parameters",
       {{"rope_type", "yarn"}, {"factor", 4}, {"rope_theta", 1e6}, {"beta_fast", nullptr}, {"beta_slow", 0}}}};
  EXPECT_EQ(frequencies_of(config_json("qwen3", config)), Frequencies::theta(1e6, 128, Scaling::yarn(4, 32768)));
}

TEST(Gemma3Rope, DiffersByLayerType) {
  const std::string config = config_json("gemma3_text");
  EXPECT_EQ(frequencies_of(config, 0), Frequencies::theta(1e4, 256));
  EXPECT_EQ(frequencies_of(config, 5), Frequencies::theta(1e6, 256));
}

TEST(Gemma3Rope, TakesTheOlderSpellings) {
  const std::string config = config_json("gemma3_text", {{"rope_theta", 2e6},
                                                         {"rope_local_base_freq", 3e4},
                                                         {"rope_scaling", {{"rope_type", "linear"}, {"factor", 8.0}}}});
  EXPECT_EQ(frequencies_of(config, 0), Frequencies::theta(3e4, 256));
  EXPECT_EQ(frequencies_of(config, 5), Frequencies::theta(2e6, 256, Scaling::linear(8)));
}

// There the default rope_type stands before rope_scaling is merged in, and wins over `type`.
TEST(Gemma3Rope, IgnoresAScalingThatSaysTypeLikeTransformers) {
  const json scaling = {{"type", "linear"}, {"factor", 8.0}};
  EXPECT_EQ(frequencies_of(config_json("gemma3_text", {{"rope_scaling", scaling}}), 5), Frequencies::theta(1e6, 256));
}

TEST(Gemma3Rope, ReadsTruncateBesideTheLayerTypesLikeTransformers) {
  json yarn = {{"rope_type", "yarn"}, {"factor", 4.0}, {"rope_theta", 1e6}, {"truncate", false}};
  json parameters = {{"full_attention", yarn}};
  EXPECT_TRUE(frequencies_of(config_json("gemma3_text", {{"rope_parameters", parameters}}), 5).scaling.truncate);
  parameters["truncate"] = false;
  EXPECT_FALSE(frequencies_of(config_json("gemma3_text", {{"rope_parameters", parameters}}), 5).scaling.truncate);
}

std::string refused(json parameters) {
  return refusal(config_json("qwen3", {{"rope_parameters", std::move(parameters)}}));
}

TEST(RopeParameters, AreRefusedByName) {
  EXPECT_EQ(refused({{"rope_type", "linear"}}), "rope_parameters: factor is missing");
  EXPECT_EQ(refused({{"rope_type", "linear"}, {"factor", "8"}}), "rope_parameters: factor \"8\" must be a number");
  EXPECT_EQ(refused({{"rope_type", "linear"}, {"factor", 0.5}}), "rope_parameters: factor 0.5 must be from 1 to 1e+15");
  EXPECT_EQ(refused({{"rope_theta", 0}}), "rope_parameters: base 0 must be a finite number of at least 1");
  EXPECT_EQ(refused({{"rope_type", "yarn"}, {"factor", 4}, {"attention_factor", 0}}),
            "rope_parameters: attention_factor 0 must be above 0");
  EXPECT_EQ(refused({{"rope_type", "yarn"}, {"factor", 4}, {"truncate", 1}}),
            "rope_parameters: truncate 1 must be true or false");
  EXPECT_EQ(refused({{"rope_type", "longrope"}, {"factor", 4}, {"short_factor", 1}}),
            "rope_parameters: short_factor must be a list of numbers");
  EXPECT_EQ(refused({{"rope_type", "proportional"}, {"partial_rotary_factor", 1.5}}),
            "rope_parameters: partial_rotary_factor 1.5 must be from 0 to 1");
  EXPECT_EQ(refused({{"full_attention", json::object()}}),
            "rope_parameters: one set for each layer type, but this family has one for all layers");
  EXPECT_EQ(refused(7), "config: rope_parameters 7 must be an object");
}

TEST(RopeParameters, OfAnUnknownKindAreUnsupported) {
  const json spiral = {{"rope_parameters", {{"rope_type", "spiral"}}}};
  EXPECT_EQ(refusal(config_json("qwen3", spiral), ErrorKind::unsupported),
            "rope_parameters: rope_type \"spiral\" is not one of default, linear, dynamic, yarn, llama3, longrope, "
            "proportional");
}

}  // namespace
}  // namespace ropeline::models
