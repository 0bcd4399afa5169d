// Reading configs: families, defaults, wrappers, layer kinds, and what is refused.

#include "ropeline/models.h"

#include "models/config_json.h"

namespace ropeline::models {
namespace {

TEST(Families, AreTheThreeOfThisVersion) {
  std::vector<std::string> names;
  for (const Family& family : families()) names.push_back(family.name);
  EXPECT_EQ(names, (std::vector<std::string>{"gemma3", "qwen3", "qwen3_moe"}));
}

TEST(Families, SayHowTransformersSpellsThem) {
  const Family moe = family(config_json("qwen3_moe"));
  EXPECT_EQ(moe.attention_classes, std::vector<std::string>{"Qwen3MoeAttention"});
  EXPECT_EQ(moe.q_norm, "q_norm");
  EXPECT_EQ(moe.k_norm, "k_norm");
  EXPECT_EQ(moe.rope_function, "apply_rotary_pos_emb");
}

TEST(Config, AWrapperIsFollowed) {
  const std::string config = config_json("gemma3", {{"text_config", {{"num_hidden_layers", 34}}}, {"head_dim", 999}});
  EXPECT_EQ(family(config).name, "gemma3");
  EXPECT_EQ(layers(config), 34);
  EXPECT_EQ(layer(config, 0, DType::bf16).spec.head_dim, 256);
  const std::string qwen = config_json("some_wrapper", {{"text_config", {{"model_type", "qwen3"}}}});
  EXPECT_EQ(family(qwen).name, "qwen3");
}

// A published config.json leaves out what its class in transformers has by default.
TEST(Config, HasTheDefaultsOfItsClass) {
  const Layer gemma = layer(config_json("gemma3_text"), 0, DType::fp16);
  EXPECT_EQ(gemma.spec.q.heads, 8);
  EXPECT_EQ(gemma.spec.k.heads, 4);
  EXPECT_EQ(gemma.spec.v.heads, 0);
  EXPECT_EQ(gemma.spec.head_dim, 256);
  EXPECT_EQ(gemma.spec.q.norm()->eps, 1e-6f);
  EXPECT_EQ(gemma.spec.q.norm()->weight_offset, 1);
  EXPECT_EQ(gemma.spec.activation, DType::fp16);
  EXPECT_EQ(gemma.spec.weight, DType::fp16);
  EXPECT_EQ(gemma.spec.table, DType::fp16);
}

TEST(Config, HeadDimIsDerivedWhereTheClassHasNone) {
  EXPECT_EQ(layer(config_json("qwen3_moe"), 0, DType::bf16).spec.head_dim, 2048 / 32);
  EXPECT_EQ(layer(config_json("qwen3_moe", {{"head_dim", 128}}), 0, DType::bf16).spec.head_dim, 128);
  EXPECT_EQ(layer(config_json("qwen3_moe", {{"head_dim", nullptr}}), 0, DType::bf16).spec.head_dim, 64);
}

TEST(Config, NullKeyValueHeadsAreAsManyAsQueryHeads) {
  const json config = {{"num_attention_heads", 6}, {"num_key_value_heads", nullptr}};
  EXPECT_EQ(layer(config_json("qwen3", config), 0, DType::bf16).spec.k.heads, 6);
}

TEST(Layers, Gemma3IsFullEverySixth) {
  const std::string config = config_json("gemma3_text");
  EXPECT_EQ(layers(config), 26);
  for (int i = 0; i < 26; ++i)
    EXPECT_EQ(layer(config, i, DType::bf16).kind, i % 6 == 5 ? "full_attention" : "sliding_attention") << i;
}

TEST(Layers, LayerTypesWin) {
  const json types = {{"num_hidden_layers", 2}, {"layer_types", {"full_attention", "sliding_attention"}}};
  EXPECT_EQ(layer(config_json("gemma3_text", types), 0, DType::bf16).kind, "full_attention");
  EXPECT_EQ(layer(config_json("gemma3_text", types), 1, DType::bf16).kind, "sliding_attention");
}

TEST(Layers, OlderGemma3ConfigsHaveAPattern) {
  const std::string config = config_json("gemma3_text", {{"sliding_window_pattern", 2}});
  EXPECT_EQ(layer(config, 0, DType::bf16).kind, "sliding_attention");
  EXPECT_EQ(layer(config, 1, DType::bf16).kind, "full_attention");
}

TEST(Layers, Qwen3SlidesWhereItIsSwitchedOn) {
  EXPECT_EQ(layer(config_json("qwen3"), 30, DType::bf16).kind, "full_attention");
  const std::string sliding = config_json("qwen3", {{"use_sliding_window", true}});
  EXPECT_EQ(layer(sliding, 27, DType::bf16).kind, "full_attention");
  EXPECT_EQ(layer(sliding, 28, DType::bf16).kind, "sliding_attention");
}

TEST(Published, EveryOneIsAConfig) {
  EXPECT_GE(published().size(), 18u);
  for (const std::string& name : published()) {
    const std::string config = published_config(name);
    for (int i = 0; i < layers(config); ++i) EXPECT_GT(layer(config, i, DType::bf16).spec.q.heads, 0) << name;
  }
}

TEST(Published, AreWhatTheirMakersWrote) {
  const std::string moe = published_config("qwen3-30b-a3b"), gemma = published_config("gemma3-27b");
  const Spec by_hand = qk_norm_rope({.q = 32, .k = 4, .head_dim = 128}, RmsNorm{.eps = 1e-6f},
                                    Rope::neox(CosSinRows{128, RowLayout::dup}), Rounding::model('A', 'r'));
  Spec spec = layer(moe, 47, DType::bf16).spec;
  EXPECT_EQ(spec.table, DType::bf16);
  spec.table = DType::fp32;
  EXPECT_EQ(spec, by_hand);
  EXPECT_EQ(layer(moe, 0, DType::bf16).frequencies, Frequencies::theta(1e6, 128));
  EXPECT_EQ(layer(gemma, 0, DType::bf16).frequencies, Frequencies::theta(1e4, 128));
  EXPECT_EQ(layer(gemma, 5, DType::bf16).frequencies, Frequencies::theta(1e6, 128, Scaling::linear(8)));
  EXPECT_EQ(layers(gemma), 62);
}

// The file beside the weights says more, in the spelling of an older transformers; a layer means the same.
TEST(Published, AreWhatTheirWholeFileMeans) {
  const json moe = {{"architectures", {"Qwen3MoeForCausalLM"}},
                    {"attention_bias", false},
                    {"decoder_sparse_step", 1},
                    {"head_dim", 128},
                    {"hidden_size", 2048},
                    {"intermediate_size", 6144},
                    {"max_position_embeddings", 40960},
                    {"max_window_layers", 48},
                    {"moe_intermediate_size", 768},
                    {"num_attention_heads", 32},
                    {"num_experts", 128},
                    {"num_hidden_layers", 48},
                    {"num_key_value_heads", 4},
                    {"rms_norm_eps", 1e-6},
                    {"rope_scaling", nullptr},
                    {"rope_theta", 1000000.0},
                    {"sliding_window", nullptr},
                    {"use_sliding_window", false}};
  const std::string whole = config_json("qwen3_moe", moe), brief = published_config("qwen3-30b-a3b");
  ASSERT_EQ(layers(whole), layers(brief));
  for (const DType dtype : {DType::bf16, DType::fp16}) {
    EXPECT_EQ(layer(whole, 17, dtype).spec, layer(brief, 17, dtype).spec);
    EXPECT_EQ(layer(whole, 17, dtype).frequencies, layer(brief, 17, dtype).frequencies);
  }
}

TEST(Published, OthersAreRefusedWithTheList) {
  try {
    published_config("qwen3-9b");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
    EXPECT_TRUE(std::string(error.what()).starts_with("model: \"qwen3-9b\" is not one of gemma3-270m, gemma3-1b"));
  }
}

TEST(Describe, SaysWhatPythonNeeds) {
  const std::string config = config_json("gemma3", {{"text_config", {{"num_hidden_layers", 6}}}});
  const json described = json::parse(describe(config, DType::fp32));
  EXPECT_EQ(described.at("family"), "gemma3");
  EXPECT_EQ(described.at("attention_classes"), json{"Gemma3Attention"});
  EXPECT_EQ(described.at("q_norm"), "q_norm");
  EXPECT_EQ(described.at("k_norm"), "k_norm");
  EXPECT_EQ(described.at("rope_function"), "apply_rotary_pos_emb");
  ASSERT_EQ(described.at("layers").size(), 6u);
  EXPECT_EQ(described.at("layers").at(5).at("kind"), "full_attention");
  EXPECT_EQ(Spec::from_json(described.at("layers").at(5).at("spec").get<std::string>()),
            layer(config, 5, DType::fp32).spec);
}

TEST(Refusals, OfConfigsNameTheField) {
  EXPECT_EQ(refusal("[1]"), "config: not a JSON object: [1]");
  EXPECT_EQ(refusal("{\"model_type\": "), "config: not a JSON object: {\"model_type\": ");
  EXPECT_EQ(refusal("{}"), "config: model_type is missing");
  EXPECT_EQ(refusal(config_json("qwen3", {{"num_attention_heads", 0}})),
            "config: num_attention_heads 0 must be an integer from 1 to 2^31 - 1");
  EXPECT_EQ(refusal(config_json("qwen3", {{"head_dim", "128"}})),
            "config: head_dim \"128\" must be an integer from 1 to 2^31 - 1");
  EXPECT_EQ(refusal(config_json("qwen3", {{"num_attention_heads", nullptr}})),
            "config: num_attention_heads is missing");
  EXPECT_EQ(refusal(config_json("qwen3", {{"rms_norm_eps", 0}})), "config: rms_norm_eps 0 must be above 0");
  EXPECT_EQ(refusal(config_json("qwen3", {{"layer_types", json::array()}})),
            "config: layer_types has no entry for layer 0");
  EXPECT_EQ(refusal(config_json("qwen3", {{"num_hidden_layers", 1000000000}})),
            "config: num_hidden_layers 1000000000 must be at most 10000");
  EXPECT_EQ(refusal(config_json("gemma3", {{"text_config", 5}})), "config: text_config 5 must be an object");
}

TEST(Refusals, OfFamiliesNameTheKnownOnes) {
  EXPECT_EQ(refusal(config_json("llama"), ErrorKind::unsupported),
            "config: model_type \"llama\" is not one of gemma3_text, gemma3, qwen3, qwen3_moe");
}

TEST(Refusals, OfIndexAndDtype) {
  const std::string config = config_json("qwen3");
  EXPECT_THROW(layer(config, 32, DType::bf16), Error);
  EXPECT_THROW(layer(config, -1, DType::bf16), Error);
  EXPECT_THROW(layer(config, 0, DType::int8), Error);
  EXPECT_THROW(describe(config, DType::int64), Error);
}

}  // namespace
}  // namespace ropeline::models
