#include "conformance/difference.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "kernels/shared/numbers.h"

namespace ropeline::conformance {
namespace {

struct Element {
  std::uint32_t bits;
  float value;
};

struct Place {
  std::int64_t batch, token, head, element;
};

const void* address(const TensorView& v, Place at) {
  const int lead = v.rank - 3;
  std::int64_t offset = at.token * v.strides[lead] + at.head * v.strides[lead + 1] + at.element;
  if (lead == 1) offset += at.batch * v.strides[0];
  return static_cast<const char*>(v.data) + offset * static_cast<std::int64_t>(size_of(v.dtype));
}

Element read(const TensorView& v, Place at) {
  Element x{};
  std::memcpy(&x.bits, address(v, at), size_of(v.dtype));
  x.value = v.dtype == DType::fp32   ? float_of(x.bits)
            : v.dtype == DType::bf16 ? bf16_to_fp32(static_cast<std::uint16_t>(x.bits))
                                     : fp16_to_fp32(static_cast<std::uint16_t>(x.bits));
  return x;
}

bool same(Element a, Element b) { return a.bits == b.bits || (std::isnan(a.value) && std::isnan(b.value)); }

/// Steps from one value to the other in their dtype. The patterns of a sign-and-magnitude format count its values.
std::int64_t ulps(Element a, Element b, DType type) {
  const std::uint32_t sign = type == DType::fp32 ? 0x80000000u : 0x8000u;
  const auto place = [&](std::uint32_t bits) {
    const auto magnitude = static_cast<std::int64_t>(bits & (sign - 1));
    return bits & sign ? -magnitude : magnitude;
  };
  return std::llabs(place(a.bits) - place(b.bits));
}

template <class Visit>
void for_each_place(const TensorView& v, const Visit& visit) {
  const int lead = v.rank - 3;
  const std::int64_t batches = lead == 1 ? v.shape[0] : 1;
  for (Place at{}; at.batch < batches; ++at.batch)
    for (at.token = 0; at.token < v.shape[lead]; ++at.token)
      for (at.head = 0; at.head < v.shape[lead + 1]; ++at.head)
        for (at.element = 0; at.element < v.shape[lead + 2]; ++at.element) visit(at);
}

void print(std::ostream& out, const char* who, Element x) {
  out << who << ' ' << x.value << " (0x" << std::hex << x.bits << std::dec << ')';
}

/// The first differing element of one written tensor, and how many there are.
std::string element_difference(const Written& expected, const Written& got) {
  std::ostringstream first;
  std::int64_t count = 0;
  for_each_place(expected.view, [&](Place at) {
    const Element want = read(expected.view, at), have = read(got.view, at);
    if (same(want, have) || count++ > 0) return;
    first << expected.name << ' ' << name_of(expected.view.dtype) << " batch " << at.batch << " token " << at.token
          << " head " << at.head << " element " << at.element << ": ";
    print(first, "expected", want);
    print(first, ", got", have);
    first << ", " << ulps(want, have, expected.view.dtype) << " ulp apart";
  });
  if (count == 0) return {};
  return first.str() + "; " + std::to_string(count) + " of " + std::to_string(expected.view.elements()) + " differ";
}

/// Writes zero over what the call may write, so that the rest can be compared byte by byte.
void clear_written(Call& call) {
  for (const Written& w : written(call))
    for_each_place(w.view,
                   [&](Place at) { std::memset(const_cast<void*>(address(w.view, at)), 0, size_of(w.view.dtype)); });
}

std::string untouched_difference(const Call& expected, const Call& got) {
  Call a = expected, b = got;
  clear_written(a), clear_written(b);
  const auto as = a.memory.blocks(), bs = b.memory.blocks();
  for (std::size_t i = 0; i < as.size(); ++i) {
    if (std::memcmp(as[i].data, bs[i].data, as[i].size) == 0) continue;
    std::size_t at = 0;
    while (as[i].data[at] == bs[i].data[at]) ++at;
    return "byte " + std::to_string(at) + " of " + std::to_string(as[i].size) + " of block " + std::to_string(i) +
           " is no output and was written";
  }
  return {};
}

}  // namespace

bool same_bytes(const Call& a, const Call& b) {
  const auto as = a.memory.blocks(), bs = b.memory.blocks();
  for (std::size_t i = 0; i < as.size(); ++i)
    if (std::memcmp(as[i].data, bs[i].data, as[i].size) != 0) return false;
  return as.size() == bs.size();
}

std::string difference(const Call& expected, const Call& got) {
  std::string text;
  const auto want = written(expected), have = written(got);
  for (std::size_t i = 0; text.empty() && i < want.size(); ++i) text = element_difference(want[i], have[i]);
  if (text.empty()) text = untouched_difference(expected, got);
  return text.empty() ? text : text + "\n  spec " + expected.spec.json() + "\n  " + expected.origin;
}

}  // namespace ropeline::conformance
