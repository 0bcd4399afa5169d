#pragma once

#include <cstddef>
#include <string>

#include "ropeline/jit.h"

/// The CUDA driver, opened at run time. The declarations are ours, after the driver API's documentation: names, values
/// and layouts are its ABI since CUDA 12.0. This room is the only one that talks to it.
namespace ropeline::cuda {

using Result = int;  // CUresult
using DeviceHandle = int;
using Context = struct CUctx_st*;
using Stream = struct CUstream_st*;
using LibraryHandle = struct CUlib_st*;
using KernelHandle = struct CUkern_st*;
using Function = struct CUfunc_st*;
using Address = unsigned long long;  // CUdeviceptr

namespace result {
inline constexpr Result success = 0, invalid_value = 1, not_initialized = 3, no_binary_for_gpu = 209, invalid_ptx = 218,
                        unsupported_ptx_version = 222, invalid_context = 201, invalid_handle = 400, not_found = 500,
                        capture_implicit = 906;
}

namespace attribute {
// CUdevice_attribute
inline constexpr int multiprocessors = 16, l2_bytes = 38, major = 75, minor = 76, shared_bytes_optin = 97;
// CUfunction_attribute
inline constexpr int registers = 4, max_dynamic_shared_bytes = 8;
}  // namespace attribute

namespace capture_mode {
inline constexpr int relaxed = 2;  // CUstreamCaptureMode
}

struct LaunchAttribute {  // CUlaunchAttribute
  static constexpr int programmatic_stream_serialization = 6;
  int id;
  char pad[4];
  union {
    char bytes[64];
    int number;
  } value;
};
static_assert(sizeof(LaunchAttribute) == 72);

struct LaunchConfig {  // CUlaunchConfig
  unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
  Stream stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};
static_assert(offsetof(LaunchConfig, stream) == 32 && sizeof(LaunchConfig) == 56);

/// The entry points that we use.
struct Driver {
  Result (*init)(unsigned);
  Result (*error_name)(Result, const char**);
  Result (*error_string)(Result, const char**);
  Result (*driver_version)(int*);
  Result (*device_count)(int*);
  Result (*device_get)(DeviceHandle*, int index);
  Result (*device_name)(char*, int size, DeviceHandle);
  Result (*device_attribute)(int*, int attribute, DeviceHandle);
  Result (*primary_retain)(Context*, DeviceHandle);
  Result (*context_current)(Context*);
  Result (*context_push)(Context);
  Result (*context_pop)(Context*);
  Result (*context_set)(Context);
  Result (*context_device)(DeviceHandle*);
  Result (*library_load)(LibraryHandle*, const void* image, int* options, void** values, unsigned count,
                         int* library_options, void** library_values, unsigned library_count);
  Result (*library_unload)(LibraryHandle);
  Result (*library_kernel)(KernelHandle*, LibraryHandle, const char* name);
  Result (*kernel_function)(Function*, KernelHandle);
  Result (*kernel_attribute)(int*, int attribute, KernelHandle, DeviceHandle);
  Result (*kernel_set_attribute)(int attribute, int value, KernelHandle, DeviceHandle);
  Result (*function_load)(Function);  ///< null before 12.4
  Result (*function_attribute)(int*, int attribute, Function);
  Result (*launch)(const LaunchConfig*, Function, void** arguments, void** extra);
  Result (*is_capturing)(Stream, int* status);
  Result (*exchange_capture_mode)(int* mode);
  Result (*stream_create)(Stream*, unsigned flags);
  Result (*stream_destroy)(Stream);
  Result (*stream_synchronize)(Stream);
  Result (*stream_context)(Stream, Context*);
  Result (*allocate)(Address*, std::size_t);
  Result (*free)(Address);
  Result (*to_device)(Address, const void*, std::size_t);
  Result (*to_host)(void*, Address, std::size_t);

  int version = 0;  ///< 13000 is 13.0
};

/// The driver, or null where there is none; `absence` then says why. Opened and initialised at the first call.
const Driver* driver() noexcept;

/// Why `driver` is null: "libcuda.so.1: cannot open ..." or what cuInit said. Empty when it is there.
const std::string& absence();

/// The driver, or jit::Error with stage `driver`; also in a child that was forked after its parent used it.
const Driver& require_driver();

/// "CUDA_ERROR_INVALID_VALUE (invalid argument)"
std::string name_of(const Driver& driver, Result result);

/// Throws jit::Error{unavailable} with that stage unless the result is success.
void check(const Driver& driver, Result result, jit::Stage stage, const std::string& what);

}  // namespace ropeline::cuda
