#include "emulator/kv_cast_kernels.h"

#include <utility>

#include "emulator/device.h"
#include "emulator/kv_cast_cases.h"
#include "kernels/ops/kv_cast.cuh"

namespace ropeline::emulator {
namespace {

using Kernel = void (*)(KvCastParams);

template <std::size_t... i>
constexpr std::array<Kernel, sizeof...(i)> kernels_of(std::index_sequence<i...>) {
  return {kernel::kv_cast<kKvCastCases[i]>...};
}

constexpr auto kKernels = kernels_of(std::make_index_sequence<kKvCastCases.size()>());

}  // namespace

void run_kv_cast(std::size_t index, Index blocks, Index threads, const Conditions& conditions,
                 const KvCastParams& params) {
  launch(blocks, threads, conditions, [&] { kKernels[index](params); });
}

}  // namespace ropeline::emulator
