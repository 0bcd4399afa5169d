#pragma once

#include <optional>
#include <string>
#include <vector>

namespace ropeline::env {

// Every environment variable that Ropeline reads is read in env.cpp, and listed in the table of docs/environment.md.

/// ROPELINE_CPU_TARGET: the instruction set that CpuTarget::best stands for.
std::optional<std::string> cpu_target();

/// ROPELINE_THREADS: threads of the library's own pool at the first call.
std::optional<std::string> threads();

/// ROPELINE_CACHE_DIR: the JIT's cache folder.
std::optional<std::string> cache_folder();

/// XDG_CACHE_HOME and HOME: where the cache folder is when it is not named.
std::optional<std::string> xdg_cache_home();
std::optional<std::string> home();

/// ROPELINE_CACHE_READ_ONLY: folders that are only read, separated by colons.
std::vector<std::string> read_only_folders();

/// ROPELINE_PACKS: files of `ropeline warm`, separated by colons.
std::vector<std::string> packs();

/// ROPELINE_NO_COMPILE: a kernel that is in no cache is an error. Unset, empty and 0 mean no.
bool no_compile();

/// ROPELINE_NVRTC: the file or folder of libnvrtc.
std::optional<std::string> nvrtc();

/// NVRTC_APPEND_FLAGS: flags that NVRTC adds by itself. They change code, so they are part of the key.
std::optional<std::string> nvrtc_append_flags();

/// CUDA_HOME and CUDA_PATH: toolkits.
std::vector<std::string> cuda_roots();

/// VIRTUAL_ENV and CONDA_PREFIX: Python environments, where pip may have put NVRTC.
std::vector<std::string> python_prefixes();

#ifdef ROPELINE_FAULTS
/// The step at which a test's process ends as by kill -9 (ROPELINE_KILL_AT; builds with tests only).
std::string kill_at();
#endif

}  // namespace ropeline::env
