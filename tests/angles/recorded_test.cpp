// The tables of real models: cos and sin from their recorded inv_freq, inv_freq from their rope_parameters.

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/shared/numbers.h"
#include "ropeline/error.h"
#include "tools/golden/golden.h"

namespace ropeline::tools::golden {
namespace {

struct Comparison {
  int tables = 0, bf16_differ = 0;
  double fp32_worst = 0;
};

float to_bf16(float x) { return bf16_to_fp32(fp32_to_bf16(x)); }

// A phase has 32 bits, which cuts up to 1.5e-9 rad off an angle (times an attention factor below 1.4). That turns the
// rounding of a sine below 2^-18, whose steps in bf16 are of that size; such an element counts as equal.
bool equal_but_for_the_phase(float got, float want) {
  const float cut = 2.1e-9f;
  return std::abs(got - want) <= cut || to_bf16(got) == want || to_bf16(got + cut) == want ||
         to_bf16(got - cut) == want;
}

void compare(const TensorView& recorded, const Tensor& ours, Comparison& result) {
  const Tensor dense = convert(recorded, recorded.dtype);
  ASSERT_EQ(dense.view().elements(), ours.view().elements());
  for (std::int64_t i = 0; i < dense.view().elements(); ++i) {
    const float want = value_at(dense, i), got = value_at(ours, i);
    if (recorded.dtype == DType::bf16)
      result.bf16_differ += !equal_but_for_the_phase(got, want);
    else
      result.fp32_worst = std::max(result.fp32_worst, static_cast<double>(std::abs(got - want)));
  }
}

void compare_table(const Recording& recording, const RecordedTable& table, const std::string& set, const char* dtype,
                   Comparison& result) {
  const std::string at = "table." + table.name + "." + set + "." + dtype + ".";
  if (!recording.file().contains(at + "cos")) return;
  const AngleFeed ours = angles_from(Feed::inv_freq, recording, table, set, DType::fp32);
  SCOPED_TRACE(recording.family() + " " + at);
  compare(recording.file().at(at + "cos"), ours.cos, result);
  compare(recording.file().at(at + "sin"), ours.sin, result);
  ++result.tables;
}

// Tables of integer positions; the others (patch grids, coordinates) have no cos_sin_table to be compared with.
bool has_integer_positions(const RecordedTable& table) {
  return table.position_kind != "explicit" && table.position_kind != "patch_grid" && table.position_kind != "3d_coords";
}

Comparison compare_file(const Recording& recording) {
  Comparison result;
  for (const auto& [name, table] : recording.tables())
    if (has_integer_positions(table))
      for (const char* set : {"small", "mid", "long"})
        for (const char* dtype : {"bf16", "f32"}) compare_table(recording, table, set, dtype, result);
  return result;
}

TEST(RecordedTables, AreReproducedFromInvFreq) {
  int tables = 0, files = 0;
  for (const auto& path : files_of(ROPELINE_TESTS_DIR "/golden")) {
    const Recording recording = Recording::read(path);
    const Comparison result = compare_file(recording);
    EXPECT_LE(result.fp32_worst, 2e-6) << recording.family();
    EXPECT_LE(result.bf16_differ, 2) << recording.family();
    tables += result.tables;
    files += result.tables > 0;
  }
  EXPECT_EQ(files, 60);  // the other seven have no integer positions
  EXPECT_EQ(tables, 372);
}

TEST(RecordedTables, InvFreqFollowsFromTheParameters) {
  for (const auto& path : files_of(ROPELINE_TESTS_DIR "/golden")) {
    const Recording recording = Recording::read(path);
    for (const auto& [name, table] : recording.tables()) {
      if (!has_integer_positions(table)) continue;
      EXPECT_LE(frequency_distance(recording, table), 2e-6) << recording.family() << " " << name;
    }
  }
}

}  // namespace
}  // namespace ropeline::tools::golden
