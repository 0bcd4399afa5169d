// The family table says what the recorded models do: the same steps, heads and roundings, the same frequencies.

#include "models/config_json.h"
#include "tools/golden/expression.h"
#include "tools/tensor.h"

namespace ropeline::models {
namespace {

using tools::golden::RecordedLayer;
using tools::golden::RecordedStream;
using tools::golden::RecordedTable;
using tools::golden::Recording;

const RecordedStream& stream(const RecordedLayer& layer, const char* name) {
  for (const RecordedStream& stream : layer.streams)
    if (stream.name == name) return stream;
  throw std::invalid_argument(layer.name + " has no stream " + name);
}

// The config of the recorded layer: its table's rope_parameters under the model's name for that kind of layer.
std::string config_of(const Recording& recording, const RecordedLayer& layer, const std::string& model_type,
                      int head_dim) {
  json parameters = recording.table(layer.table).rope_parameters;
  json config = {{"num_attention_heads", stream(layer, "q").heads},
                 {"num_key_value_heads", stream(layer, "k").heads},
                 {"head_dim", head_dim},
                 {"rms_norm_eps", stream(layer, "q").steps.at(0).at("eps")},
                 {"num_hidden_layers", 1}};
  if (model_type == "gemma3_text") {
    const std::string kind = layer.name + "_attention";
    config["layer_types"] = {kind};
    parameters = {{kind, parameters}};
  }
  config["rope_parameters"] = parameters;
  return config_json(model_type.c_str(), config);
}

// What the metadata spells, with the angles that transformers hands over.
Spec recorded_spec(const Recording& recording, const RecordedLayer& layer, DType dtype, int head_dim) {
  const CosSinRows rows{.rotary_dim = head_dim, .layout = RowLayout::dup};
  Spec spec =
      tools::golden::express(layer, {&stream(layer, "q"), &stream(layer, "k")}, recording, {dtype, rows, dtype});
  spec.positions = DType::int64;
  return spec;
}

void expect_frequencies(const Recording& recording, const RecordedTable& table, const Frequencies& ours) {
  const auto inv_freq = tools::convert(recording.file().at("table." + table.name + ".inv_freq"), DType::fp32);
  const std::vector<float> rounded = ours.rounded();
  ASSERT_EQ(inv_freq.view().elements(), static_cast<std::int64_t>(rounded.size()));
  for (std::size_t i = 0; i < rounded.size(); ++i)
    EXPECT_NEAR(rounded[i], inv_freq.as<float>()[i], 2e-6 * rounded[i]) << table.name << " " << i;
  EXPECT_EQ(ours.attention_factor(), static_cast<float>(table.attention_scaling));
}

class RecordedFamily : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(RecordedFamily, IsWhatTheTableSays) {
  const auto [file, model_type] = GetParam();
  const Recording recording = Recording::read(std::string(ROPELINE_TESTS_DIR "/golden/") + file + ".safetensors");
  for (const RecordedLayer& recorded : recording.layers()) {
    const int head_dim = static_cast<int>(recording.file().at(recorded.name + ".bf16.q_in").shape[2]);
    const std::string config = config_of(recording, recorded, model_type, head_dim);
    for (DType dtype : {DType::bf16, DType::fp32}) {
      const Layer ours = layer(config, 0, dtype);
      EXPECT_EQ(ours.spec.json(), recorded_spec(recording, recorded, dtype, head_dim).json()) << recorded.name;
      expect_frequencies(recording, recording.table(recorded.table), ours.frequencies);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, RecordedFamily,
                         testing::Values(std::pair{"gemma3", "gemma3_text"}, std::pair{"qwen3", "qwen3"},
                                         std::pair{"qwen3_moe", "qwen3_moe"}),
                         [](const auto& info) { return info.param.first; });

}  // namespace
}  // namespace ropeline::models
