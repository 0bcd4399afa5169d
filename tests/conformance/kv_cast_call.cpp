#include "conformance/kv_cast_call.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <sstream>

#include "reference/kv_cast.h"

namespace ropeline::conformance {
namespace {

struct Strides {
  std::int64_t token, head;
};

/// Makes the tensors of a recipe. Sizes count elements.
class Maker {
 public:
  explicit Maker(const KvCastRecipe& recipe) : r_(recipe), call_(recipe.spec, recipe.poison), random_(recipe.seed) {}

  KvCastCall make() {
    KvCastArgs& a = call_.args;
    make_inputs(a);
    make_caches(a);
    a.k_scale = scale(r_.k_scale), a.v_scale = scale(r_.v_scale);
    make_loc(a.loc);
    a.mult = r_.mult, a.offset = r_.offset;
    call_.origin = origin();
    return call_;
  }

 private:
  std::int64_t heads() const { return r_.spec.heads; }
  std::int64_t dim() const { return r_.spec.head_dim; }
  std::int64_t width() const { return heads() * dim(); }
  std::int64_t gap() const { return r_.spec.alignment / 2; }  // elements that keep every alignment

  std::byte* allocate(std::int64_t elements, DType type) {
    const auto size = size_of(type);
    return static_cast<std::byte*>(
        call_.memory.allocate(static_cast<std::size_t>(elements) * size, static_cast<std::size_t>(r_.shift) * size));
  }

  TensorView view(std::byte* base, std::int64_t first, DType type, std::int64_t rows, Strides s) const {
    std::byte* at = base + first * static_cast<std::int64_t>(size_of(type));
    return {at, type, {rows, heads(), dim()}, {s.token, s.head, 1}};
  }

  TensorView input_of(CastInput layout) {
    const std::int64_t t = r_.tokens, w = width();
    const DType type = r_.spec.input;
    if (layout == CastInput::head_gaps)
      return view(allocate(t * (w + heads() * gap()), type), 0, type, t, {w + heads() * gap(), dim() + gap()});
    if (layout == CastInput::head_major) return view(allocate(t * w, type), 0, type, t, {dim(), t * dim()});
    if (layout == CastInput::backward) return view(allocate(t * w, type), (t - 1) * w, type, t, {-w, dim()});
    if (layout == CastInput::shared) return view(allocate(w, type), 0, type, t, {0, dim()});
    return view(allocate(t * w, type), 0, type, t, {w, dim()});
  }

  void make_inputs(KvCastArgs& a) {
    if (r_.input == CastInput::packed) {
      const std::int64_t row = 2 * width() + 2 * gap();
      std::byte* base = allocate(r_.tokens * row, r_.spec.input);
      a.k = view(base, gap(), r_.spec.input, r_.tokens, {row, dim()});
      a.v = view(base, gap() + width(), r_.spec.input, r_.tokens, {row, dim()});
    } else {
      a.k = input_of(r_.input), a.v = input_of(r_.input);
    }
    fill(a.k, r_.values, random_), fill(a.v, r_.values, random_);
  }

  TensorView cache_of(CastCache layout) {
    const std::int64_t n = r_.rows, w = width();
    constexpr DType type = DType::fp8_e4m3;
    if (layout == CastCache::head_major) return view(allocate(n * w, type), 0, type, n, {dim(), n * dim()});
    const std::int64_t row = layout == CastCache::row_gaps ? w + 3 * gap() : w;
    return view(allocate(n * row, type), 0, type, n, {row, dim()});
  }

  void make_caches(KvCastArgs& a) {
    if (r_.cache != CastCache::paired) return void((a.k_cache = cache_of(r_.cache), a.v_cache = cache_of(r_.cache)));
    std::byte* base = allocate(r_.rows * 2 * width(), DType::fp8_e4m3);
    a.k_cache = view(base, 0, DType::fp8_e4m3, r_.rows, {2 * width(), dim()});
    a.v_cache = view(base, width(), DType::fp8_e4m3, r_.rows, {2 * width(), dim()});
  }

  TensorView scale(float value) {
    void* at = call_.memory.allocate(sizeof value, sizeof value);
    std::memcpy(at, &value, sizeof value);
    return {at, DType::fp32, {}};
  }

  // Distinct ones, in no order; then holes.
  std::vector<std::int64_t> locs() {
    const std::int64_t rows = r_.rows - r_.offset, legal = rows > 0 ? (rows - 1) / r_.mult + 1 : 0;
    std::vector<std::int64_t> all(static_cast<std::size_t>(std::max(legal, r_.tokens)));
    std::iota(all.begin(), all.end(), 0);
    for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random_.bits() % i]);
    all.resize(static_cast<std::size_t>(r_.tokens));
    if (r_.locs == Locs::holes)
      for (auto& loc : all)
        if (random_.chance(0.4)) loc = hole(legal);
    return all;
  }

  std::int64_t hole(std::int64_t legal) {
    using Limits = std::numeric_limits<std::int64_t>;
    if (r_.spec.loc == DType::int32)
      return random_.pick({std::int64_t{-1}, legal, std::int64_t{INT32_MIN}, std::int64_t{INT32_MAX}});
    return random_.pick({std::int64_t{-1}, legal, Limits::min(), Limits::max(), (std::int64_t{1} << 32) + 1,
                         -(std::int64_t{1} << 32), Limits::max() / r_.mult, Limits::max() / 2 + 1});
  }

  void make_loc(TensorView& loc) {
    const DType type = r_.spec.loc;
    void* base = call_.memory.allocate(static_cast<std::size_t>(r_.tokens * r_.loc_stride) * size_of(type), 8);
    loc = TensorView(base, type, {r_.tokens}, {r_.loc_stride});
    const auto values = locs();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto narrow = static_cast<std::int32_t>(values[i]);
      const void* from = type == DType::int32 ? static_cast<const void*>(&narrow) : &values[i];
      std::memcpy(static_cast<std::byte*>(base) + i * static_cast<std::size_t>(r_.loc_stride) * size_of(type), from,
                  size_of(type));
    }
  }

  std::string origin() const {
    std::ostringstream out;
    out << "spec " << r_.spec.json() << "\n  recipe: seed " << r_.seed << ", tokens " << r_.tokens << ", rows "
        << r_.rows << ", input " << static_cast<int>(r_.input) << ", cache " << static_cast<int>(r_.cache) << ", locs "
        << static_cast<int>(r_.locs) << ", mult " << r_.mult << ", offset " << r_.offset << ", loc stride "
        << r_.loc_stride << ", shift " << r_.shift << ", values " << static_cast<int>(r_.values) << ", scales "
        << r_.k_scale << " and " << r_.v_scale;
    return out.str();
  }

  const KvCastRecipe& r_;
  KvCastCall call_;
  Random random_;
};

std::uint8_t code_at(const TensorView& v, std::int64_t row, std::int64_t head, std::int64_t i) {
  return static_cast<const std::uint8_t*>(v.data)[row * v.strides[0] + head * v.strides[1] + i];
}

std::string cache_difference(const char* name, const TensorView& expected, const TensorView& got) {
  for (std::int64_t row = 0; row < expected.shape[0]; ++row)
    for (std::int64_t head = 0; head < expected.shape[1]; ++head)
      for (std::int64_t i = 0; i < expected.shape[2]; ++i) {
        const int want = code_at(expected, row, head, i), have = code_at(got, row, head, i);
        if (want == have) continue;
        std::ostringstream out;
        out << name << " row " << row << " head " << head << " element " << i << ": expected 0x" << std::hex << want
            << " (" << reference::e4m3_value(static_cast<std::uint8_t>(want)) << "), got 0x" << have << " ("
            << reference::e4m3_value(static_cast<std::uint8_t>(have)) << ")";
        return out.str();
      }
  return {};
}

std::string byte_difference(const Memory& expected, const Memory& got) {
  const auto as = expected.blocks(), bs = got.blocks();
  for (std::size_t i = 0; i < as.size(); ++i)
    if (std::memcmp(as[i].data, bs[i].data, as[i].size) != 0)
      return "a byte of block " + std::to_string(i) + " is in no cache and was written";
  return {};
}

}  // namespace

KvCastCall::KvCastCall(const KvCastCall& other)
    : spec(other.spec), memory(other.memory), args(other.args), origin(other.origin) {
  for (TensorView* view : views(args)) view->data = memory.translate(other.memory, view->data);
}

std::vector<TensorView*> views(KvCastArgs& a) {
  return {&a.k, &a.v, &a.k_cache, &a.v_cache, &a.k_scale, &a.v_scale, &a.loc};
}

KvCastRecipe random_recipe(const KvCastSpec& spec, std::int64_t tokens, Random& random) {
  KvCastRecipe r{.spec = spec, .tokens = tokens, .rows = tokens + random.below(40)};
  r.input = static_cast<CastInput>(random.below(6)), r.cache = static_cast<CastCache>(random.below(4));
  r.locs = random.pick({Locs::scattered, Locs::holes});
  r.mult = 1 + random.below(3), r.offset = random.below(4), r.loc_stride = 1 + random.below(2);
  r.shift = spec.alignment / 2 * random.below(4);
  r.values = random.pick({Values::ordinary, Values::special});
  r.k_scale = std::exp2(4 * random.normal()), r.v_scale = random.unit() + 0x1p-10f;
  r.seed = random.bits();
  return r;
}

KvCastCall make(const KvCastRecipe& recipe) { return Maker(recipe).make(); }

std::string difference(const KvCastCall& expected, const KvCastCall& got) {
  std::string text = cache_difference("k_cache", expected.args.k_cache, got.args.k_cache);
  if (text.empty()) text = cache_difference("v_cache", expected.args.v_cache, got.args.v_cache);
  if (text.empty()) text = byte_difference(expected.memory, got.memory);
  return text.empty() ? text : text + "\n  " + expected.origin;
}

}  // namespace ropeline::conformance
