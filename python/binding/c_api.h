#pragma once

#include <stdint.h>

/// The plain C functions of the torch library, for ctypes: everything that is not a tensor op.
///
/// Each returns a status: 0, or the kind of the error, whose text ropeline_error() has. A `const char**` receives JSON
/// or a name that stays valid until the next call on the same thread. Specs and configs are given as JSON text.
extern "C" {

#define ROPELINE_C_API __attribute__((visibility("default")))

enum RopelineStatus {
  ropeline_ok = 0,
  ropeline_invalid_argument = 1,
  ropeline_unsupported = 2,
  ropeline_unavailable = 3,
  ropeline_internal = 4,
};

/// The text of the last error on this thread.
ROPELINE_C_API const char* ropeline_error(void);

/// "0.1.0"
ROPELINE_C_API const char* ropeline_version(void);

/// The printed form of a spec: defaults left out, the same text for equal specs.
ROPELINE_C_API int ropeline_spec_parse(const char* json, const char** printed);
/// Prepares the spec on the CPU and gives the number by which torch ops name it.
ROPELINE_C_API int ropeline_spec_register(const char* json, int64_t* id);
/// The printed form of a registered spec.
ROPELINE_C_API int ropeline_spec_of(int64_t id, const char** printed);
/// Why a device does not run the spec; an empty text if it does. Compiles nothing.
/// cuda: the number of a CUDA device, or -1 for the CPU.
ROPELINE_C_API int ropeline_spec_supports(const char* json, int cuda, const char** reason);
/// Prepares a registered spec on that device, which otherwise its first call there does.
ROPELINE_C_API int ropeline_spec_prepare(int64_t id, int cuda);
/// What a backward pass needs to know (gradient.h).
ROPELINE_C_API int ropeline_spec_gradient(int64_t id, const char** json);

/// The table of model families: a list of {"name", "attention_classes", "q_norm", "k_norm", "rope_function"}.
ROPELINE_C_API int ropeline_families(const char** json);
/// What a config.json means for a model loaded in `dtype` ("fp32", "fp16", "bf16"): models::describe.
ROPELINE_C_API int ropeline_describe(const char* config, const char* dtype, const char** json);
/// The spec of one layer of it.
ROPELINE_C_API int ropeline_layer(const char* config, int index, const char* dtype, const char** spec);

/// cos and sin of `count` positions, row-major, rotary_dim / 2 values each, for `frequencies` as a spec prints them.
/// mode: "exact" or "fp32_product". `capacity` is the number of floats that cos, and sin, have room for.
ROPELINE_C_API int ropeline_cos_sin_table(const char* frequencies, const int64_t* positions, int64_t count,
                                          const char* mode, float* cos, float* sin, int64_t capacity);

/// The stream (cudaStream_t) that ops on a CUDA device are queued on: torch's current one of this thread.
ROPELINE_C_API int ropeline_cuda_stream(int cuda, void** stream);
/// Where NVRTC is looked for, too: sys.prefix of an interpreter, or a folder of packages.
ROPELINE_C_API int ropeline_python_prefix(const char* folder);

/// The instruction sets that this machine runs, fastest first: ["avx512", "avx2", "scalar"].
ROPELINE_C_API int ropeline_cpu_targets(const char** json);
/// Threads of the library's own pool.
ROPELINE_C_API int ropeline_threads(void);
ROPELINE_C_API int ropeline_set_threads(int threads);
/// Sets them unless the environment variable ROPELINE_THREADS has spoken.
ROPELINE_C_API int ropeline_default_threads(int threads);
}
