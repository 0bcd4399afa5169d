#include "jit/program.h"

#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

Source with(const std::string& text, std::vector<Header> headers) {
  return {.name = "k.cu", .text = text, .kernels = {"k"}, .headers = std::move(headers)};
}

TEST(Program, FollowsIncludesBesideTheIncluderFirst) {
  const Program program =
      resolve(with("#include \"parts/a.h\"\n",
                   {{"parts/a.h", "  #  include \"b.h\"  // beside\n"}, {"parts/b.h", "beside"}, {"b.h", "root"}}));
  EXPECT_EQ(program.text, "#include \"parts/a.h\"\n");
  ASSERT_EQ(program.headers.size(), 2u);
  EXPECT_EQ(program.headers.at("parts/a.h"), "  #  include \"parts/b.h\"  // beside\n");
  EXPECT_EQ(program.headers.at("parts/b.h"), "beside");
}

TEST(Program, AngleIncludesStartAtTheRoot) {
  const Program program =
      resolve(with("#include <parts/a.h>\n", {{"parts/a.h", "#include <b.h>\n"}, {"b.h", "root"}, {"parts/b.h", ""}}));
  EXPECT_EQ(program.headers.at("parts/a.h"), "#include \"b.h\"\n");
  EXPECT_FALSE(program.headers.contains("parts/b.h"));
}

TEST(Program, ParentFoldersAreNormalised) {
  const Program program = resolve(with("#include \"a/b/c.h\"", {{"a/b/c.h", "#include \"../d.h\""}, {"a/d.h", "d"}}));
  EXPECT_EQ(program.headers.at("a/b/c.h"), "#include \"a/d.h\"");
}

TEST(Program, HeadersMayIncludeEachOther) {
  const Program program = resolve(with("#include \"a.h\"", {{"a.h", "#include \"b.h\""}, {"b.h", "#include \"a.h\""}}));
  EXPECT_EQ(program.headers.size(), 2u);
  EXPECT_EQ(program.headers.at("b.h"), "#include \"a.h\"");
}

TEST(Program, UnreachedHeadersStayOut) { EXPECT_TRUE(resolve(with("int x;", {{"a.h", "a"}})).headers.empty()); }

TEST(Program, WhatIsFoundNowhereIsLeftToTheCompiler) {
  const std::string text =
      "#include \"nowhere.h\"\n#include <cstdint>\n#include NAME\n//#include \"a.h\"\n#includes\n#";
  EXPECT_EQ(resolve(with(text, {{"a.h", ""}})).text, text);
}

TEST(Program, EmbeddedHeadersAreThere) {
  const Program program = resolve(with("#include \"kernels/shared/phase.h\"", {}));
  EXPECT_NE(program.headers.at("kernels/shared/phase.h").find("#include \"kernels/shared/portable.h\""),
            std::string::npos);
  EXPECT_EQ(program.headers.at("kernels/shared/portable.h"),
            content_of(ROPELINE_TESTS_DIR "/../kernels/shared/portable.h"));
}

TEST(Program, IncludeFoldersAreReadAsTexts) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "sub");
  write_file(folder / "sub/x.h", "#include \"y.h\"\n");
  write_file(folder / "sub/y.h", "y");
  write_file(folder / "outside.h", "z");
  Source source = with("#include <sub/x.h>\n#include <../outside.h>\n", {});
  source.include_folders = {folder.path()};
  const Program program = resolve(source);
  EXPECT_EQ(program.text, "#include \"sub/x.h\"\n#include <../outside.h>\n");
  EXPECT_EQ(program.headers.at("sub/y.h"), "y");
}

TEST(Program, OwnHeadersComeBeforeFolders) {
  const TemporaryFolder folder;
  write_file(folder / "a.h", "folder");
  Source source = with("#include \"a.h\"", {{"a.h", "own"}});
  source.include_folders = {folder.path()};
  EXPECT_EQ(resolve(source).headers.at("a.h"), "own");
}

std::string refusal(const Source& source) try {
  resolve(source);
  return "accepted";
} catch (const Error& error) {
  EXPECT_EQ(error.stage(), Stage::source);
  EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
  return error.sentence();
}

TEST(Program, SaysWhatASourceLacks) {
  EXPECT_EQ(refusal({"", "x", {"k"}}), "source.name: '' is not a file name for the compiler's messages");
  EXPECT_EQ(refusal({"k.cu", "", {"k"}}), "k.cu: source.text is empty");
  EXPECT_EQ(refusal({"k.cu", "x", {}}), "k.cu: source.kernels is empty; name at least one kernel");
}

}  // namespace
}  // namespace ropeline::jit
