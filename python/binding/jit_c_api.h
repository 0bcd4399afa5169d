#pragma once

#include <stdint.h>

#include "c_api.h"

/// The JIT's C functions, for ctypes: a kernel author's own program. Statuses and texts are as in c_api.h.
///
/// A program is JSON: {"name", "text", "kernels": [...], "headers": {name: text}, "include_folders": [...],
/// "flags": [...], "architecture", "minimal", "pin_compiler", "compile_limit" (seconds)}.
extern "C" {

/// The last error on this thread if it was the JIT's: {"stage", "sentence", "hint", "options", "log"}. Else empty.
ROPELINE_C_API const char* ropeline_jit_error(void);

/// Finds or compiles a program. `facts`: {"origin", "milliseconds", "path", "key", "architecture", "compiler",
/// "kernels"}, with the parameters of each kernel: [{"type", "offset", "bytes"}], or null where nothing tells them. The
/// type is as a demangler writes it, and empty where a kernel's name does not have it (extern "C").
ROPELINE_C_API int ropeline_jit_build(const char* program, const char** facts, const char** image,
                                      int64_t* image_bytes);

/// The same on a device, uploaded. `device` -1 is the current one. `stream`: where the kernels are going to run.
/// `facts` has "device" in place of where it came from. The module is released by ropeline_jit_release.
ROPELINE_C_API int ropeline_jit_load(const char* program, int device, void* stream, void** module, const char** facts);
ROPELINE_C_API void ropeline_jit_release(void* module);

/// The kernel of that place in the program, for ropeline_jit_launch; valid as long as its module.
ROPELINE_C_API int ropeline_jit_kernel(const void* module, int index, const void** kernel);
/// Allows launches with up to so much dynamic shared memory, to all who hold the kernel; never takes any back.
ROPELINE_C_API int ropeline_jit_allow_shared_bytes(const void* kernel, int bytes);

/// A launch; the arguments follow it, each at the offset of its parameter.
struct RopelineLaunch {
  uint32_t grid[3], block[3];
  uint32_t shared_bytes;
  uint32_t overlap_previous;
  uint64_t stream;
};
/// Queues the kernel on the device that it was loaded for, whichever is current.
ROPELINE_C_API int ropeline_jit_launch(const void* kernel, const struct RopelineLaunch* launch);

/// jit::Statistics: {"memory_hits", "pack_hits" ...}
ROPELINE_C_API int ropeline_jit_statistics(const char** json);
/// jit::CacheStatus: {"folder", "readable", "writable", "reason"}
ROPELINE_C_API int ropeline_jit_cache_status(const char** json);
/// jit::CompilerStatus: {"path", "version", "architectures", "reason"}. Opens the compiler.
ROPELINE_C_API int ropeline_jit_compiler_status(const char** json);
}
