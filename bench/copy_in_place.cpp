#include "copy_in_place.h"

#include <cstdint>

// Sanitizers do not survive the choice among clones, which happens before they are set up.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EVERY_WIDTH __attribute__((target_clones("avx512f", "avx2", "default"), noinline))
#else
#define EVERY_WIDTH __attribute__((noinline))
#endif

namespace ropeline::bench {
namespace {

using Vector = std::uint64_t __attribute__((vector_size(64), aligned(16), may_alias));

/// `to` is `from`, which the compiler is not told: otherwise it would drop the store.
EVERY_WIDTH void copy_vectors(const Vector* from, Vector* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = from[i];
}

}  // namespace

void copy_in_place(std::byte* data, std::size_t bytes) {
  std::byte* to = data;
  __asm__ volatile("" : "+r"(to)::"memory");
  copy_vectors(reinterpret_cast<const Vector*>(data), reinterpret_cast<Vector*>(to), bytes / sizeof(Vector));
}

}  // namespace ropeline::bench
