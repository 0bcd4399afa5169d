#include "kernels/nvrtc.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

namespace ropeline::kernels {
namespace {

namespace fs = std::filesystem;

// The compiler needs its second library opened first, by full path, when both lie outside the loader's path.
void* open_nvrtc() {
  const char* given = std::getenv("ROPELINE_NVRTC");
  if (!given) {
    for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"})
      if (void* library = dlopen(name, RTLD_NOW)) return library;
    return nullptr;
  }
  const fs::path folder = fs::is_directory(given) ? fs::path(given) : fs::path(given).parent_path();
  void* found = nullptr;
  for (const std::string start : {"libnvrtc-builtins.so", "libnvrtc.so"})
    for (const auto& file : fs::directory_iterator(folder))
      if (file.path().filename().string().starts_with(start))
        found = dlopen(file.path().c_str(), RTLD_NOW | RTLD_GLOBAL);
  return found;
}

void* library() {
  static void* const opened = open_nvrtc();
  return opened;
}

template <class... Args>
int call(const char* name, Args... args) {
  return reinterpret_cast<int (*)(Args...)>(dlsym(library(), name))(args...);
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Every file of kernels/ by its name from the root of the repository.
std::map<std::string, std::string> texts() {
  const fs::path root = fs::path(ROPELINE_TESTS_DIR).parent_path();
  std::map<std::string, std::string> all;
  for (const auto& file : fs::recursive_directory_iterator(root / "kernels"))
    if (file.is_regular_file()) all[fs::relative(file.path(), root).generic_string()] = read(file.path());
  return all;
}

void* make_program() {
  static const std::map<std::string, std::string> headers = texts();
  const char* source = "kernels/ops/qk_norm_rope.cuh";
  std::vector<const char*> names, bodies;
  for (const auto& [name, text] : headers) names.push_back(name.c_str()), bodies.push_back(text.c_str());
  void* program = nullptr;
  call("nvrtcCreateProgram", &program, headers.at(source).c_str(), source, static_cast<int>(names.size()),
       bodies.data(), names.data());
  return program;
}

std::string fetch(void* program, const char* size_call, const char* text_call) {
  std::size_t size = 0;
  call(size_call, program, &size);
  std::string text(size, '\0');
  call(text_call, program, text.data());
  return text;
}

}  // namespace

std::string why_no_nvrtc() {
  return library() ? "" : "NVRTC is not on this machine; ROPELINE_NVRTC names its file or folder";
}

Compiled compile(const std::vector<std::string>& names, const std::string& architecture) {
  void* program = make_program();
  for (const std::string& name : names) call("nvrtcAddNameExpression", program, name.c_str());
  const std::string arch = "-arch=" + architecture;
  const char* options[] = {arch.c_str(), "-std=c++20", "--minimal", "-default-device"};
  const int failed = call("nvrtcCompileProgram", program, 4, static_cast<const char* const*>(options));
  Compiled result;
  result.log = fetch(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
  if (!failed) {
    result.cubin = fetch(program, "nvrtcGetCUBINSize", "nvrtcGetCUBIN");
    for (const std::string& name : names) {
      const char* symbol = nullptr;
      call("nvrtcGetLoweredName", program, name.c_str(), &symbol);
      result.symbols.emplace_back(symbol);
    }
  }
  call("nvrtcDestroyProgram", &program);
  return result;
}

}  // namespace ropeline::kernels
