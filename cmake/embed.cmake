# cmake -DROOT=... -DOUTPUT=... -DFILES=a,b -P embed.cmake
# Writes the C++ source of ropeline::jit::embedded: each file as a raw string, by its name from ROOT.
string(REPLACE "," ";" files "${FILES}")
set(table "")
foreach(file IN LISTS files)
  file(RELATIVE_PATH name ${ROOT} ${file})
  file(READ ${file} content)
  string(APPEND table "    {\"${name}\", R\"~text~(${content})~text~\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by cmake/embed.cmake.
#include \"jit/embedded.h\"

namespace {
struct File {
  std::string_view name, text;
};
constexpr File files[] = {
    {\"\", \"\"},
${table}};
}  // namespace

std::string_view ropeline::jit::embedded(std::string_view name) noexcept {
  for (const File& file : files)
    if (file.name == name) return file.text;
  return {};
}
")
