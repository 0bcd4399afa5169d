#include "tools/random.h"

namespace ropeline::tools {

std::uint64_t Random::bits() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

float Random::unit() {
  const auto top = static_cast<std::int32_t>(static_cast<std::uint32_t>(bits() >> 40));  // 24 bits
  return static_cast<float>(top - (1 << 23)) * 0x1p-23f;
}

Tensor random_tensor(Random& random, DType dtype, const std::vector<std::int64_t>& shape, float spread, float centre) {
  Tensor values(DType::fp32, shape);
  for (std::int64_t i = 0; i < values.view().elements(); ++i) values.as<float>()[i] = centre + spread * random.unit();
  return convert(values, dtype);
}

}  // namespace ropeline::tools
