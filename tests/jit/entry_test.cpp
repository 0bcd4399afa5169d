#include "jit/entry.h"

#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

Binary sample() {
  Binary binary;
  binary.key_text = "ropeline jit 2\nfile k.cu 1\nx\n";
  binary.key = hex(sha256(binary.key_text));
  binary.architecture = "sm_90";
  binary.compiler = "13.0.88";
  binary.kernels = {{"k<1>", "_Z1kILi1EEv", 32, 16, 8, 4, 1024}, {"k<2>", "_Z1kILi2EEv", 255, 0, 0, 0, 0}};
  binary.image = std::string(
      "\x7f"
      "ELF\0\1\2",
      7);
  return binary;
}

TEST(Entry, ComesBackAsItWas) {
  const Binary binary = sample();
  const Parsed parsed = parse_entry(entry_bytes(binary), binary.key_text);
  ASSERT_TRUE(parsed.binary) << parsed.reason;
  EXPECT_EQ(parsed.binary->key, binary.key);
  EXPECT_EQ(parsed.binary->architecture, "sm_90");
  EXPECT_EQ(parsed.binary->compiler, "13.0.88");
  EXPECT_EQ(parsed.binary->image, binary.image);
  ASSERT_EQ(parsed.binary->kernels.size(), 2u);
  const KernelFacts& facts = parsed.binary->kernels[0];
  EXPECT_EQ(facts.expression, "k<1>");
  EXPECT_EQ(facts.symbol, "_Z1kILi1EEv");
  EXPECT_EQ(facts.registers, 32);
  EXPECT_EQ(facts.stack_bytes, 16);
  EXPECT_EQ(facts.spill_store_bytes, 8);
  EXPECT_EQ(facts.spill_load_bytes, 4);
  EXPECT_EQ(facts.shared_bytes, 1024);
}

TEST(Entry, EveryTruncationIsFound) {
  const Binary binary = sample();
  const std::string bytes = entry_bytes(binary);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(parse_entry(std::string_view(bytes).substr(0, size), binary.key_text).binary) << size;
}

TEST(Entry, EveryFlippedBitIsFound) {
  const Binary binary = sample();
  std::string bytes = entry_bytes(binary);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= 1 << bit % 8;
    EXPECT_FALSE(parse_entry(bytes, binary.key_text).binary) << bit;
    bytes[bit / 8] ^= 1 << bit % 8;
  }
}

TEST(Entry, GrowthIsFound) {
  const Binary binary = sample();
  EXPECT_FALSE(parse_entry(entry_bytes(binary) + '\0', binary.key_text).binary);
}

TEST(Entry, AnothersKeyIsNotOurs) {
  EXPECT_EQ(parse_entry(entry_bytes(sample()), "other").reason, "holds another key");
}

}  // namespace
}  // namespace ropeline::jit
