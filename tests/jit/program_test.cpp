#include "jit/program.h"

#include <sys/stat.h>

#include <algorithm>

#include "tests/jit/other_user.h"
#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

Source with(const std::string& text, std::vector<Header> headers) {
  return {.name = "k.cu", .text = text, .kernels = {"k"}, .headers = std::move(headers)};
}

std::string refusal(const Source& source) try {
  resolve(source);
  return "accepted";
} catch (const Error& error) {
  EXPECT_EQ(error.stage(), Stage::source);
  EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
  return error.sentence();
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
      "#include \"nowhere.h\"\n#include <cstdint>\n//#include \"a.h\"\n#includes\n#import_of\n#define include\n#";
  EXPECT_EQ(resolve(with(text, {{"a.h", ""}})).text, text);
}

// A compiler opens absolute names by itself, so that no key would hold their text: the directive becomes an #error,
// which counts where the compiler reaches it.
TEST(Program, AnIncludeThatCannotBeFollowedBecomesAnError) {
  for (const char* directive :
       {"#include \"/etc/a.h\"", "# include </etc/a.h>", "#include NAME", "#include \\\n\"/etc/a.h\"",
        "#include/**/\"/etc/a.h\"", "#in\\\nclude \"/etc/a.h\"", "/* x */ #include \"/etc/a.h\"",
        "%:include \"/etc/a.h\"", "\f#\vinclude \"/etc/a.h\"", "#include_next \"/etc/a.h\"", "#embed \"/etc/a.h\"",
        "#import \"/etc/a.h\"", "#/* x */include \"/etc/a.h\"", "#include \"../nowhere.h\"",
        "#include <a/../../nowhere.h>"}) {
    const std::string text = resolve(with(std::string("int x;\n") + directive + "\nint y;\n", {})).text;
    const std::size_t error = text.find("error ");
    ASSERT_NE(error, text.npos) << directive;
    EXPECT_EQ(std::ranges::count(text, '\n'), std::ranges::count(std::string_view(directive), '\n') + 3) << text;
    EXPECT_TRUE(text.starts_with("int x;\n") && text.ends_with("\nint y;\n")) << text;
  }
}

TEST(Program, AHasIncludeOfAnAbsoluteNameIsRefused) {
  const auto why = [](const std::string& text) {
    const std::string sentence = refusal(with(text, {{"h.h", "#define HEADER \"/etc/a.h\"\n"}}));
    const std::string end = " would make code depend on this machine's files";
    return sentence.ends_with(end) ? sentence.substr(0, sentence.size() - end.size()) : "another: " + sentence;
  };
  EXPECT_EQ(why("#if __has_include( \"/etc/a.h\")\n#endif\n"), "k.cu: __has_include of the absolute name /etc/a.h");
  EXPECT_EQ(why("  # \\\nelif \\\n __has_include(</etc/a.h>)\n"), "k.cu: __has_include of the absolute name /etc/a.h");
  EXPECT_EQ(why("#include \"h.h\"\n#if __has_include(HEADER)\n"),
            "k.cu: __has_include of what the macro HEADER spells");
  EXPECT_EQ(why("%:if __has_include_next (S(/etc/a.h)) // any\n"),
            "k.cu: __has_include_next of what the macro S spells");
}

// As the headers of CUDA ask.
TEST(Program, AMacroThatHandsItsParameterOnAsksAsHasIncludeDoes) {
  const Header has{"has.h", "#define HAS(_X) __has_include(_X)\n#define ALL( a,b ) (HAS(a) && HAS( b ))\n"};
  const auto sentence = [&](const std::string& text) { return refusal(with("#include \"has.h\"\n" + text, {has})); };
  EXPECT_TRUE(
      sentence("#if ALL(<a.h>, \"/etc/a.h\")\n#endif\n").starts_with("k.cu: ALL of the absolute name /etc/a.h"));
  EXPECT_EQ(sentence("#if ALL(<a.h>, <b.h>)\n"), "accepted");
  EXPECT_TRUE(sentence("#if 1 || HAS(\"/etc/a.h\")\n").starts_with("k.cu: HAS of the absolute name /etc/a.h"));
  EXPECT_TRUE(sentence("#if HAS(HEADER)\n").starts_with("k.cu: HAS of what the macro HEADER spells"));
}

TEST(Program, AHasIncludeOfARelativeNameStays) {
  for (const char* text : {"#if __has_include(<a.h>)\n#endif\n", "#ifdef __has_include\n#endif\n",
                           "#if defined(__has_include)\n#endif\n", "// #if __has_include(\"/etc/a.h\")\n",
                           "#endif // __has_include(HEADER)\n", "#define X(a) __has_include(a)\n#if X(<b>)\n",
                           "int x = 0; // not __has_include(HEADER)\n", "#if MY__has_include(HEADER)\n"})
    EXPECT_EQ(resolve(with(text, {})).text, text);
}

TEST(Program, AFolderMayBeLeftForAFileBesideIt) {
  const TemporaryFolder folder;
  for (const char* name : {"sub", "other"}) std::filesystem::create_directory(folder / name);
  write_file(folder / "up.h", "#include \"sub/b.h\"\n#include \"other/c.h\"\n");
  write_file(folder / "sub/b.h", "#include \"../up.h\"\n");
  write_file(folder / "other/c.h", "c");
  Source source = with("#include \"../up.h\"\n", {});
  source.include_folders = {folder / "sub"};
  const Program program = resolve(source);
  EXPECT_EQ(program.text, "#include \"../up.h\"\n");
  EXPECT_EQ(program.headers.at("../up.h"), "#include \"b.h\"\n#include \"../other/c.h\"\n");  // one name for one file
  EXPECT_EQ(program.headers.at("b.h"), "#include \"../up.h\"\n");
  source.include_folders = {folder / "sub", folder.path()};
  EXPECT_EQ(resolve(source).headers.at("up.h"), "#include \"sub/b.h\"\n#include \"other/c.h\"\n");
}

TEST(Program, AnUnreadableHeaderIsNotAnEmptyOne) {
  const TemporaryFolder folder;
  Source source = with("#include \"a.h\"\n", {});
  source.include_folders = {folder.path()};
  write_file(folder / "a.h", "a");
  chmod((folder / "a.h").c_str(), 0);
  chmod(folder.path().c_str(), 0755);
  const OtherUser nobody;
  if (!nobody) ROPELINE_NOT_RUN("cannot become user 65534");
  EXPECT_EQ(refusal(source), "k.cu: " + (folder / "a.h") + ": Permission denied");
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
  std::filesystem::create_directories(folder / "in/sub");
  write_file(folder / "in/sub/x.h", "#include \"y.h\"\n");
  write_file(folder / "in/sub/y.h", "y");
  write_file(folder / "outside.h", "z");
  Source source = with("#include <sub/x.h>\n#include <../outside.h>\n", {});
  source.include_folders = {folder / "in"};
  const Program program = resolve(source);
  EXPECT_EQ(program.text, "#include \"sub/x.h\"\n#include \"../outside.h\"\n");
  EXPECT_EQ(program.headers.at("../outside.h"), "z");
  EXPECT_EQ(program.headers.at("sub/y.h"), "y");
}

TEST(Program, OwnHeadersComeBeforeFolders) {
  const TemporaryFolder folder;
  write_file(folder / "a.h", "folder");
  Source source = with("#include \"a.h\"", {{"a.h", "own"}});
  source.include_folders = {folder.path()};
  EXPECT_EQ(resolve(source).headers.at("a.h"), "own");
}

TEST(Program, SaysWhatASourceLacks) {
  EXPECT_EQ(refusal({"", "x", {"k"}}), "source.name: '' is not a file name for the compiler's messages");
  EXPECT_EQ(refusal({"k.cu", "", {"k"}}), "k.cu: source.text is empty");
  EXPECT_EQ(refusal({"k.cu", "x", {}}), "k.cu: source.kernels is empty; name at least one kernel");
}

}  // namespace
}  // namespace ropeline::jit
