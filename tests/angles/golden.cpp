#include "angles/golden.h"

#include <fstream>
#include <sstream>

#include "kernels/shared/portable.h"

namespace ropeline::angles {
namespace {

std::vector<std::string> words(const nlohmann::json& text) {
  std::istringstream stream(text.get<std::string>());
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::vector<float> floats(const nlohmann::json& text) {
  std::vector<float> floats;
  for (const std::string& word : words(text)) floats.push_back(float_from(word));
  return floats;
}

GoldenCase read(const std::string& name, const nlohmann::json& json) {
  GoldenCase golden{.name = name,
                    .rope_parameters = json.at("rope_parameters"),
                    .rotary_dim = json.at("rotary_dim"),
                    .max_position_embeddings = json.at("max_position_embeddings"),
                    .turns = {},
                    .fp32 = floats(json.at("fp32")),
                    .transformers = floats(json.at("transformers")),
                    .attention_factor = float_from(json.at("attention_factor"))};
  for (const std::string& word : words(json.at("turns"))) golden.turns.push_back(std::stoull(word, nullptr, 16));
  return golden;
}

Scaling longrope(double factor, double seq_len) {
  std::vector<double> short_factor, long_factor;
  for (int i = 0; i < 48; ++i) short_factor.push_back(1 + 0.01 * i), long_factor.push_back(1 + 0.25 * i);
  return Scaling::longrope(short_factor, long_factor, factor, 4096, seq_len);
}

Scaling without_truncation(Scaling yarn) {
  yarn.truncate = false;
  return yarn;
}

constexpr double kRatioOfMscales = 1.368887945411394 / 1.2608037774058555;  // 0.1 m ln(40) + 1 for m = 1 and 0.707

}  // namespace

const nlohmann::json& golden() {
  static const nlohmann::json json = nlohmann::json::parse(std::ifstream(ROPELINE_TESTS_DIR "/angles/golden.json"));
  return json;
}

std::vector<GoldenCase> golden_cases() {
  std::vector<GoldenCase> cases;
  for (const auto& [name, json] : golden().at("frequencies").items()) cases.push_back(read(name, json));
  return cases;
}

const std::map<std::string, Frequencies>& golden_parameters() {
  static const std::map<std::string, Frequencies> parameters = {
      {"theta_1e4", Frequencies::theta(1e4, 64)},
      {"theta_1e6", Frequencies::theta(1e6, 128)},
      {"theta_of_no_round_number", Frequencies::theta(11158840.5, 40)},
      {"linear", Frequencies::theta(1e6, 128, Scaling::linear(8))},
      {"dynamic_beyond", Frequencies::theta(1e4, 128, Scaling::dynamic(4, 4096, 16384))},
      {"dynamic_within", Frequencies::theta(1e4, 128, Scaling::dynamic(4, 4096, 1024))},
      {"yarn", Frequencies::theta(1e6, 128, Scaling::yarn(4, 32768))},
      {"yarn_betas", Frequencies::theta(1e6, 64, Scaling::yarn(4, 32768, 64, 0.5, 0.9))},
      {"yarn_not_truncated", Frequencies::theta(150000, 64, without_truncation(Scaling::yarn(32, 4096)))},
      {"yarn_mscale", Frequencies::theta(1e6, 64, Scaling::yarn(40, 32768, 32, 1, kRatioOfMscales))},
      {"yarn_equal_ends", Frequencies::theta(1e6, 64, Scaling::yarn(4, 4))},
      {"llama3", Frequencies::theta(500000, 128, Scaling::llama3(8, 1, 4, 8192))},
      {"longrope_short", Frequencies::theta(1e4, 96, longrope(32, 4096))},
      {"longrope_long", Frequencies::theta(1e4, 96, longrope(32, 4097))},
      {"longrope_of_the_ratio", Frequencies::theta(1e4, 96, longrope(131072.0 / 4096, 4096))},
      {"proportional", Frequencies::theta(1e6, 256, Scaling::proportional(32))},
      {"proportional_factor", Frequencies::theta(1e4, 64, Scaling::proportional(16, 2.5))},
  };
  return parameters;
}

float float_from(const std::string& hex) { return float_of(static_cast<std::uint32_t>(std::stoul(hex, nullptr, 16))); }

}  // namespace ropeline::angles
