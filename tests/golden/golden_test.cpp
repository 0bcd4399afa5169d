// What unmodified models recorded, on every device of this machine: one test for each file of the folder that
// ROPELINE_GOLDEN_DIR names, or of this one.

#include "tools/golden/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "ropeline/error.h"
#include "tools/devices.h"

namespace ropeline::tools::golden {
namespace {

const std::filesystem::path kOwnFolder = ROPELINE_TESTS_DIR "/golden";

std::filesystem::path folder() {
  const char* chosen = std::getenv("ROPELINE_GOLDEN_DIR");
  return chosen && *chosen ? std::filesystem::path(chosen) : kOwnFolder;
}

std::vector<std::filesystem::path> files_or_none() try { return files_of(folder()); } catch (const Error&) {
  return {};  // GoldenFolder.HasFiles says so
}

std::string list(const std::vector<Refusal>& refusals) {
  std::string text;
  for (const Refusal& r : refusals) text += "  not run: " + r.what + ", " + name_of(r.feed) + ": " + r.reason + "\n";
  return text;
}

TEST(GoldenFolder, HasFiles) { EXPECT_NO_THROW(files_of(folder())) << folder(); }

class Golden : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Golden, AgreesWithTheModelAndTheReference) {
  const Report report = run(Recording::read(GetParam()), devices());
  std::cout << list(report.refusals);
  for (const std::string& fault : report.faults) ADD_FAILURE() << report.family << ": " << fault;
  EXPECT_EQ(report.bits_differ, 0);
  if (report.values == 0) GTEST_SKIP() << report.family << ": this version runs no stream of it, see above";
}

std::string test_name(const testing::TestParamInfo<std::filesystem::path>& info) {
  std::string name = info.param.stem().string();
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, testing::ValuesIn(files_or_none()), test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Golden);

// A spec that is suddenly refused would make the files above pass by running less. This counts what must run.
TEST(GoldenFolder, RunsTheStreamsThatThisVersionSupports) {
  int families = 0, files = 0;
  std::size_t refused = 0;
  for (const auto& path : files_of(kOwnFolder)) {
    const Report report = run(Recording::read(path), {Device::cpu(CpuTarget::scalar)});
    for (const Refusal& refusal : report.refusals) refused += refusal.feed == Feed::rows;
    families += report.values > 0;
    ++files;
  }
  EXPECT_EQ(files, 67);
  EXPECT_EQ(families, 50);
  EXPECT_EQ(refused, 44u);
}

}  // namespace
}  // namespace ropeline::tools::golden
