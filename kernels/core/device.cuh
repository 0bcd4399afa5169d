#pragma once

// What every device function is. The emulator of tests/emulator defines the same words for a host compiler.

#define ROPELINE_DEVICE __device__ __forceinline__
