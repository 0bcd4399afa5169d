#include "tools/golden/recording.h"

#include <fmt/format.h>

#include "ropeline/error.h"

namespace ropeline::tools::golden {
namespace {

using nlohmann::json;

RecordedStream read_stream(const std::string& name, const json& text) {
  return {.name = name,
          .input = text.value("from", name + "_in"),
          .heads = text.at("heads").get<int>(),
          .rotated = text.at("rotated").get<bool>(),
          .steps = text.at("steps")};
}

RecordedLayer read_layer(const std::string& name, const json& text) {
  RecordedLayer layer{.name = name, .table = {}, .sets = text.at("position_sets"), .streams = {}};
  if (const json& table = text.at("table"); table.is_string()) layer.table = table.get<std::string>();
  for (const auto& [stream, fields] : text.at("streams").items()) layer.streams.push_back(read_stream(stream, fields));
  return layer;
}

RecordedTable read_table(const std::string& name, const json& text) {
  RecordedTable table;
  table.name = name;
  text.at("layout").get_to(table.layout);
  text.at("position_kind").get_to(table.position_kind);
  text.at("attention_scaling").get_to(table.attention_scaling);
  table.sections = text.value("sections", std::vector<int>());
  table.rotated_pairs = text.value("rotated_pairs", 0);
  table.rope_parameters = text.at("rope_parameters");
  return table;
}

}  // namespace

char RecordedStream::role() const {
  const auto at = name.find_first_of("qkv");
  if (at == std::string::npos)
    throw Error(ErrorKind::invalid_argument, fmt::format("stream {}: its name holds none of q, k and v", name));
  return name[at];
}

std::string RecordedStream::family() const {
  std::string rest = name;
  rest.erase(rest.find(role()), 1);
  return rest;
}

Recording Recording::read(const std::filesystem::path& path) {
  Recording recording;
  recording.file_ = SafeTensors::read(path);
  const auto golden = recording.file_.metadata().find("golden");
  if (golden == recording.file_.metadata().end())
    throw Error(ErrorKind::invalid_argument, fmt::format("{}: no metadata under the key golden", path.string()));
  try {
    const json text = json::parse(golden->second);
    text.at("family").get_to(recording.family_);
    for (const auto& [name, fields] : text.at("layers").items()) recording.layers_.push_back(read_layer(name, fields));
    for (const auto& [name, fields] : text.at("tables").items()) recording.tables_[name] = read_table(name, fields);
  } catch (const json::exception& error) {
    throw Error(ErrorKind::invalid_argument, fmt::format("{}: golden metadata: {}", path.string(), error.what()));
  }
  return recording;
}

}  // namespace ropeline::tools::golden
