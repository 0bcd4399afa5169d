// Keys taken apart, and what two of them differ by.

#include "tools/key_parts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ropeline/jit_cache.h"

namespace ropeline::tools {
namespace {

using Lines = std::vector<std::string>;

KeyParts parts_of(const std::string& body, const std::string& kernel, const std::string& architecture) {
  const jit::Source source{.name = "a.cu",
                           .text = "#include \"b.h\"\nfile a.cu 3\n",
                           .kernels = {kernel, "other<1>"},
                           .headers = {{"b.h", body}}};
  return key_parts(jit::key_of(source, {.architecture = architecture}).text);
}

TEST(KeyParts, AreWhatTheKeyWasMadeOf) {
  const KeyParts parts = parts_of("kernel 3 not\n", "k<1, 2>", "sm_90");
  EXPECT_EQ(parts.program(), "a.cu");
  EXPECT_EQ(parts.kernels, (Lines{"k<1, 2>", "other<1>"}));
  ASSERT_EQ(parts.files.size(), 2u);
  EXPECT_EQ(parts.files[1], std::pair(std::string("b.h"), std::string("kernel 3 not\n")));
  EXPECT_NE(std::ranges::find(parts.flags, "flag -arch=sm_90"), parts.flags.end());
}

TEST(KeyParts, OfATornTextAreWhatIsThere) {
  EXPECT_EQ(key_parts("").program(), "?");
  const KeyParts parts = key_parts("kernel 5\nfile x 99999999999999999999\nabc");
  EXPECT_EQ(parts.program(), "x");
}

TEST(KeyParts, EqualKeysDoNotDiffer) {
  const KeyParts a = parts_of("x", "k", "sm_90");
  EXPECT_EQ(difference(a, "a", a, "b"), Lines{});
  EXPECT_EQ(distance(a, a), 0u);
}

TEST(KeyParts, TheDifferenceIsShort) {
  const std::string same(200, 's');
  const KeyParts a = parts_of("one\ntwo\n", "k<" + same + "4" + same + ">", "sm_80");
  const KeyParts b = parts_of("one\nto\n", "k<" + same + "16" + same + ">", "sm_90");
  const std::string context(24, 's');
  EXPECT_EQ(difference(a, "a", b, "b"),
            (Lines{"a only: flag -arch=sm_80", "b only: flag -arch=sm_90", "1 of 2 kernels; the first of them",
                   "  a: ..." + context + "4" + context + "...", "  b: ..." + context + "16" + context + "...",
                   "b.h from line 2 on", "  a: two", "  b: to"}));
}

TEST(KeyParts, TheNearestHasTheMostInCommon) {
  const KeyParts wanted = parts_of("x", "k", "sm_90");
  EXPECT_LT(distance(parts_of("x", "k", "sm_80"), wanted), distance(parts_of("y", "k", "sm_80"), wanted));
  EXPECT_LT(distance(parts_of("x", "k", "sm_80"), wanted), distance(key_parts("file z.cu 1\nx\n"), wanted));
}

}  // namespace
}  // namespace ropeline::tools
