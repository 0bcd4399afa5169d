// Where NVRTC may be: the loader's path, a toolkit, a pip wheel of an interpreter or beside this very library.

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

#include "compiler_library.h"
#include "env.h"

namespace ropeline::jit {
namespace {

namespace fs = std::filesystem;
using Paths = std::vector<std::string>;

bool is_nvrtc(const std::string& file) {
  return file.starts_with("libnvrtc.so") && file.find("alt") == std::string::npos;
}

// libnvrtc's files in a folder, the highest version first.
void append_folder(Paths& paths, const fs::path& folder) {
  Paths found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (is_nvrtc(entry.path().filename().string())) found.push_back(entry.path().string());
  std::ranges::sort(found, std::greater<>());
  paths.insert(paths.end(), found.begin(), found.end());
}

void append_toolkit(Paths& paths, const fs::path& root) {
  for (const char* folder : {"lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"})
    append_folder(paths, root / folder);
}

// The folders that NVIDIA's wheels use, CUDA 13 and 12, within a site-packages folder.
void append_packages(Paths& paths, const fs::path& packages) {
  append_folder(paths, packages / "nvidia/cu13/lib");
  append_folder(paths, packages / "nvidia/cuda_nvrtc/lib");
}

// An interpreter's prefix, or a folder of packages itself.
void append_python(Paths& paths, const fs::path& prefix) {
  std::error_code ignored;
  append_packages(paths, prefix);
  for (const char* lib : {"lib", "lib64"})
    for (const auto& entry : fs::directory_iterator(prefix / lib, ignored))
      if (entry.path().filename().string().starts_with("python3"))
        append_packages(paths, entry.path() / "site-packages");
}

// When this library lies in a wheel, its siblings are a few folders up.
void append_neighbours(Paths& paths) {
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&nvrtc_candidates), &info) || !info.dli_fname) return;
  fs::path folder = fs::path(info.dli_fname).parent_path();
  for (int level = 0; level < 4 && folder.has_relative_path(); ++level, folder = folder.parent_path())
    if (folder.filename() == "site-packages" || folder.filename() == "dist-packages") append_packages(paths, folder);
}

Paths named_by_user(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return {path};
  Paths paths;
  append_folder(paths, path);
  return paths.empty() ? Paths{path + "/libnvrtc.so"} : paths;
}

}  // namespace

Paths nvrtc_candidates(const NvrtcSearch& search) {
  if (!search.explicit_path.empty()) return named_by_user(search.explicit_path);
  Paths paths = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};
  for (const std::string& root : env::cuda_roots()) append_toolkit(paths, root);
  for (const std::string& prefix : search.python_prefixes) append_python(paths, prefix);
  for (const std::string& prefix : env::python_prefixes()) append_python(paths, prefix);
  append_neighbours(paths);
  append_toolkit(paths, "/usr/local/cuda");
  return paths;
}

}  // namespace ropeline::jit
