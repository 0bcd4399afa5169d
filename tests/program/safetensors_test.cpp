// The safetensors reader: what it accepts, and the sentence for each way in which a file can be wrong.

#include "tools/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "ropeline/error.h"

namespace ropeline::tools {
namespace {

class SafeTensorsFile : public testing::Test {
 protected:
  ~SafeTensorsFile() override { std::filesystem::remove(path_); }

  // A file with that header and so many bytes of data.
  void write(const std::string& header, std::size_t bytes) const {
    std::ofstream out(path_, std::ios::binary);
    for (int i = 0; i < 8; ++i) out.put(static_cast<char>(header.size() >> (8 * i) & 0xff));
    out << header << std::string(bytes, '\0');
  }

  std::string refusal() const {
    try {
      SafeTensors::read(path_);
    } catch (const Error& error) {
      return std::string(error.what()).substr(path_.string().size());
    }
    return "accepted";
  }

  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("ropeline_safetensors_test_" + std::to_string(getpid()));
};

TEST_F(SafeTensorsFile, ComesBackAsItWasWritten) {
  const float values[6] = {1, 2, 3, 4, 5, 6};
  const std::int64_t positions[2] = {-1, std::int64_t{1} << 40};
  write_safetensors(
      path_, {{"x", TensorView(values, DType::fp32, {3, 2}, {1, 3})}, {"p", TensorView(positions, DType::int64, {2})}},
      {{"note", "columns first"}});
  const SafeTensors file = SafeTensors::read(path_);
  EXPECT_EQ(file.metadata().at("note"), "columns first");
  EXPECT_EQ(static_cast<std::int64_t*>(file.at("p").data)[1], std::int64_t{1} << 40);
  const auto* x = static_cast<float*>(file.at("x").data);
  EXPECT_EQ(std::vector<float>(x, x + 6), (std::vector<float>{1, 4, 2, 5, 3, 6}));  // dense, whatever the strides were
  EXPECT_EQ(file.at("x").strides[0], 2);
}

// Whatever the names are, an odd number of small elements puts nothing out of its alignment.
TEST_F(SafeTensorsFile, IsReadWhateverTheSizesOfItsElements) {
  const std::int8_t odd[3] = {1, 2, 3};
  const std::int64_t wide = 5;
  const float single = 7;
  write_safetensors(path_, {{"a", TensorView(odd, DType::int8, {3})},
                            {"b", TensorView(&wide, DType::int64, {1})},
                            {"c", TensorView(&single, DType::fp32, {1})}});
  const SafeTensors file = SafeTensors::read(path_);
  EXPECT_EQ(*static_cast<std::int64_t*>(file.at("b").data), 5);
  EXPECT_EQ(*static_cast<float*>(file.at("c").data), 7);
  EXPECT_EQ(static_cast<std::int8_t*>(file.at("a").data)[2], 3);
}

TEST_F(SafeTensorsFile, WritesThroughAViewStayInThisProcess) {
  const float value = 1;
  write_safetensors(path_, {{"x", TensorView(&value, DType::fp32, {1})}});
  *static_cast<float*>(SafeTensors::read(path_).at("x").data) = 2;
  EXPECT_EQ(*static_cast<float*>(SafeTensors::read(path_).at("x").data), 1);
}

TEST_F(SafeTensorsFile, SaysWhatItCannotView) {
  write(R"({"mask": {"dtype": "BOOL", "shape": [3], "data_offsets": [0, 3]},
            "deep": {"dtype": "I8", "shape": [1, 1, 1, 1, 1], "data_offsets": [3, 4]}})",
        4);
  const SafeTensors file = SafeTensors::read(path_);
  const auto reason = [&](const char* name) {
    try {
      file.at(name);
    } catch (const Error& error) {
      return std::string(error.what()).substr(path_.string().size());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(reason("mask"), ": mask: dtype BOOL has no counterpart here");
  EXPECT_EQ(reason("deep"), ": deep: rank 5 exceeds 4");
  EXPECT_EQ(reason("other"), ": no tensor named other");
}

TEST_F(SafeTensorsFile, RefusesWhatIsMalformed) {
  std::ofstream(path_) << "short";
  EXPECT_EQ(refusal(), ": not a safetensors file: 5 bytes, fewer than the 8 of its length field");
  std::ofstream(path_, std::ios::binary) << std::string(16, '\x7f');
  EXPECT_EQ(refusal(), ": not a safetensors file: its header of 9187201950435737471 bytes exceeds the file of 16");
  write(R"({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})", 4);
  EXPECT_EQ(refusal(), ": not a safetensors file: x: bytes 0 to 8 lie outside the 4 of data");
  write(R"({"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}})", 8);
  EXPECT_EQ(refusal(), ": not a safetensors file: x: shape [3] of F32 does not take 8 bytes");
  write(R"({"x": {"dtype": "F32", "shape": [4611686018427387905, 4], "data_offsets": [0, 16]}})", 16);
  EXPECT_EQ(refusal(), ": not a safetensors file: x: shape [4611686018427387905, 4] of F32 does not take 16 bytes");
  write(R"({"x": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}})", 4);
  EXPECT_EQ(refusal(), ": not a safetensors file: x: shape [-1] of F32 does not take 4 bytes");
  write(R"({"x": 3})", 0);
  EXPECT_NE(refusal(), "accepted");
  write(R"({"x": )", 0);
  EXPECT_NE(refusal(), "accepted");
}

}  // namespace
}  // namespace ropeline::tools
