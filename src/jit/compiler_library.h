#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ropeline::jit {

/// NVRTC's C interface, as its documentation declares it (CUDA 12.0 and later).
struct Nvrtc {
  using Program = struct _nvrtcProgram*;
  using Result = int;

  // Results that mean something particular to us.
  static constexpr Result success = 0, invalid_option = 5, compilation = 6, builtins_failed = 7, name_invalid = 10,
                          cancelled = 16;

  const char* (*error_string)(Result);
  Result (*version)(int* major, int* minor);
  Result (*supported_count)(int* count);
  Result (*supported)(int* architectures);
  Result (*create)(Program*, const char* text, const char* name, int headers, const char* const* texts,
                   const char* const* names);
  Result (*destroy)(Program*);
  Result (*compile)(Program, int count, const char* const* options);
  Result (*add_name)(Program, const char* expression);
  Result (*lowered_name)(Program, const char* expression, const char** lowered);
  Result (*log_size)(Program, std::size_t*);
  Result (*log)(Program, char*);
  Result (*cubin_size)(Program, std::size_t*);
  Result (*cubin)(Program, char*);
  Result (*ptx_size)(Program, std::size_t*);
  Result (*ptx)(Program, char*);
  Result (*set_flow_callback)(Program, int (*)(void*, void*), void*);  ///< null before 12.8

  std::string path;                ///< the file that was opened
  std::vector<int> architectures;  ///< 75, 80 ... ascending
  int major = 0, minor = 0;
};

/// How the compiler may be found; what of a Config it depends on.
struct NvrtcSearch {
  std::string explicit_path;
  std::vector<std::string> python_prefixes;
};

/// The files and names to try, in order. A path that the user named is the only one.
std::vector<std::string> nvrtc_candidates(const NvrtcSearch& search);

/// Opens NVRTC once per process: the first search that succeeds stays. Throws jit::Error with stage `compiler` that
/// lists what was tried; the next call tries again.
const Nvrtc& nvrtc(const NvrtcSearch& search);

/// The compiler if it is open already, else null.
const Nvrtc* open_nvrtc() noexcept;

}  // namespace ropeline::jit
