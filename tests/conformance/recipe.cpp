#include "conformance/recipe.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace ropeline::conformance {
namespace {

/// Strides in elements and the extent that a stream takes with them.
struct Strides {
  std::int64_t batch, token, head;
};

class Maker {
 public:
  explicit Maker(const Recipe& recipe) : recipe_(recipe), random_(recipe.seed), call_(recipe.spec, recipe.poison) {}

  Call make() {
    place_streams();
    for (auto* view : {&call_.args.q, &call_.args.k})
      if (*view) fill(*view, recipe_.values, random_);
    place_weights();
    place_angles();
    call_.origin = describe(recipe_);
    return std::move(call_);  // moved: views stay where they point
  }

 private:
  std::int64_t batches() const { return std::max<std::int64_t>(recipe_.batches, 1); }
  int dim() const { return recipe_.spec.head_dim; }
  // Whole multiples of the alignment, and odd when the alignment allows it.
  std::int64_t gap() const {
    const int size = static_cast<int>(size_of(recipe_.spec.activation));
    return recipe_.spec.alignment > size ? 16 : 3;
  }

  TensorView view(void* base, std::int64_t first, Strides s, int heads) const {
    const DType type = recipe_.spec.activation;
    const void* data = static_cast<char*>(base) + first * static_cast<std::int64_t>(size_of(type));
    if (recipe_.batches == 0) return TensorView(data, type, {recipe_.tokens, heads, dim()}, {s.token, s.head, 1});
    return TensorView(data, type, {recipe_.batches, recipe_.tokens, heads, dim()}, {s.batch, s.token, s.head, 1});
  }

  void* allocate(std::int64_t elements, DType type) {
    const std::size_t size = size_of(type), shift = static_cast<std::size_t>(recipe_.shift) / size * size;
    return call_.memory.allocate(static_cast<std::size_t>(elements) * size, shift);
  }

  TensorView separate(Layout layout, int heads) {
    const std::int64_t T = recipe_.tokens, B = batches(), H = heads, D = dim();
    Strides s{T * H * D, H * D, D};
    std::int64_t total = B * T * H * D, first = 0;
    if (layout == Layout::head_gaps) s = {T * H * (D + gap()), H * (D + gap()), D + gap()}, total = B * s.batch;
    if (layout == Layout::token_gaps) s = {T * (H * D + gap()), H * D + gap(), D}, total = B * s.batch;
    if (layout == Layout::head_major) s = {T * H * D, D, T * D};
    if (layout == Layout::token_outer) s = {H * D, B * H * D, D};
    if (layout == Layout::backward) s.token = -s.token, first = T > 0 ? (T - 1) * H * D : 0;
    return view(allocate(total, recipe_.spec.activation), first, s, heads);
  }

  void place_packed(bool by_head) {
    const std::int64_t q = recipe_.spec.q.heads, k = recipe_.spec.k.heads, D = dim();
    const std::int64_t row = by_head ? 3 * std::max(q, k) * D : (q + 2 * k) * D;
    const Strides s{recipe_.tokens * row, row, by_head ? 3 * D : D};
    void* base = allocate(batches() * recipe_.tokens * row, recipe_.spec.activation);
    if (q) call_.args.q = view(base, 0, s, recipe_.spec.q.heads);
    if (k) call_.args.k = view(base, by_head ? D : q * D, s, recipe_.spec.k.heads);
  }

  void place_streams() {
    Args& a = call_.args;
    const int q = recipe_.spec.q.heads, k = recipe_.spec.k.heads;
    if (recipe_.layout == Layout::packed || recipe_.layout == Layout::head_packed)
      place_packed(recipe_.layout == Layout::head_packed);
    else {
      if (q) a.q = separate(recipe_.layout, q);
      if (k) a.k = separate(recipe_.layout, k);
    }
    if (recipe_.in_place) return;
    if (q) a.q_out = separate(recipe_.out_layout, q);
    if (k) a.k_out = separate(recipe_.out_layout, k);
  }

  TensorView weight(const StreamSpec& stream) {
    const Norm* norm = stream.heads ? stream.norm() : nullptr;
    if (!norm || norm->weight == WeightShape::none) return {};
    const TensorView w(allocate(dim(), recipe_.spec.weight), recipe_.spec.weight, {dim()});
    fill(w, recipe_.table_values, random_);
    return w;
  }

  void place_weights() {
    call_.args.q_weight = weight(recipe_.spec.q);
    call_.args.k_weight = weight(recipe_.spec.k);
  }

  bool has_batch_of_angles() const { return recipe_.batches > 0 && !recipe_.shared_angles; }

  void place_positions() {
    const std::int64_t T = recipe_.tokens, step = recipe_.position_stride;
    const bool batched = has_batch_of_angles();
    void* data = allocate((batched ? batches() : 1) * T * std::max<std::int64_t>(step, 1), recipe_.spec.positions);
    TensorView& p = call_.args.positions;
    p = batched ? TensorView(data, recipe_.spec.positions, {recipe_.batches, T}, {T * step, step})
                : TensorView(data, recipe_.spec.positions, {T}, {step});
    fill_positions(p, recipe_.positions, call_.args.cos_sin_cache ? recipe_.table_rows : 0, random_);
  }

  /// cos and sin of some angle, as a real table has them, unless the recipe asks for special values.
  void fill_cos_sin(const TensorView& cos, const TensorView& sin, std::int64_t row, std::int64_t i) {
    const float angle = 6.2831853f * random_.unit();
    put(cos, row + i, std::cos(angle));
    put(sin, row + i, std::sin(angle));
  }

  void place_cache(const CosSinCache& cache) {
    const std::int64_t rd = cache.rotary_dim, row = rd + recipe_.position_stride - 1;
    const DType type = recipe_.spec.table;
    void* data = allocate(recipe_.table_rows * row, type);
    TensorView& table = call_.args.cos_sin_cache;
    table = TensorView(data, type, {recipe_.table_rows, rd}, {row, 1});
    if (recipe_.table_values == Values::special) return fill(table, Values::special, random_);
    TensorView sin = table;
    sin.data = static_cast<char*>(data) + rd / 2 * static_cast<std::int64_t>(size_of(type));
    for (std::int64_t p = 0; p < recipe_.table_rows; ++p)
      for (int i = 0; i < rd / 2; ++i) fill_cos_sin(table, sin, p * row, i);
  }

  TensorView rows(std::int64_t width, std::int64_t row) {
    const std::int64_t T = recipe_.tokens;
    const bool batched = has_batch_of_angles();
    void* data = allocate((batched ? batches() : 1) * T * row, recipe_.spec.table);
    return batched ? TensorView(data, recipe_.spec.table, {recipe_.batches, T, width}, {T * row, row, 1})
                   : TensorView(data, recipe_.spec.table, {T, width}, {row, 1});
  }

  /// The copies that `dup` and `repeat` promise.
  void repeat_copies(const TensorView& v, RowLayout layout, std::int64_t row, std::int64_t n) {
    const auto size = size_of(v.dtype);
    const auto at = [&](std::int64_t i) {
      return static_cast<char*>(v.data) + static_cast<std::size_t>(row + i) * size;
    };
    for (std::int64_t i = 0; i < n; ++i) {
      if (layout == RowLayout::dup) std::copy_n(at(i), size, at(n + i));
      if (layout == RowLayout::repeat) std::copy_n(at(2 * i), size, at(2 * i + 1));
    }
  }

  void place_rows(const CosSinRows& angles) {
    const std::int64_t n = angles.rotary_dim / 2, width = angles.layout == RowLayout::half ? n : 2 * n;
    const std::int64_t row = width + recipe_.position_stride - 1;
    Args& a = call_.args;
    a.cos = rows(width, row), a.sin = rows(width, row);
    if (recipe_.table_values == Values::special)
      fill(a.cos, Values::special, random_), fill(a.sin, Values::special, random_);
    const std::int64_t count = (has_batch_of_angles() ? batches() : 1) * recipe_.tokens;
    for (std::int64_t r = 0; r < count; ++r) {
      if (recipe_.table_values == Values::ordinary)
        for (std::int64_t i = 0; i < width; ++i) fill_cos_sin(a.cos, a.sin, r * row, i);
      repeat_copies(a.cos, angles.layout, r * row, n);
      repeat_copies(a.sin, angles.layout, r * row, n);
    }
  }

  void place_angles() {
    const Rope* rope = recipe_.spec.q.heads ? recipe_.spec.q.rope() : nullptr;
    if (!rope && recipe_.spec.k.heads) rope = recipe_.spec.k.rope();
    if (!rope || rope->rotary_dim() == 0) return;
    if (const auto* cache = std::get_if<CosSinCache>(&rope->angles)) place_cache(*cache);
    if (const auto* angles = std::get_if<CosSinRows>(&rope->angles)) return place_rows(*angles);
    place_positions();
  }

  const Recipe& recipe_;
  Random random_;
  Call call_;
};

}  // namespace

Call make(const Recipe& recipe) { return Maker(recipe).make(); }

std::string describe(const Recipe& r) {
  constexpr const char* layouts[] = {"dense",      "packed",     "head_packed", "head_gaps",
                                     "token_gaps", "head_major", "token_outer", "backward"};
  constexpr const char* values[] = {"ordinary", "special"};
  constexpr const char* positions[] = {"counting", "table", "far", "edges", "wide"};
  std::ostringstream out;
  out << "recipe: seed " << r.seed << ", batches " << r.batches << ", tokens " << r.tokens << ", "
      << layouts[static_cast<int>(r.layout)]
      << (r.in_place ? " in place" : std::string(" to ") + layouts[static_cast<int>(r.out_layout)]) << ", shift "
      << r.shift << ", values " << values[static_cast<int>(r.values)] << ", tables "
      << values[static_cast<int>(r.table_values)] << ", positions " << positions[static_cast<int>(r.positions)]
      << (r.shared_angles ? " shared" : "") << ", stride " << r.position_stride << ", rows " << r.table_rows
      << ", poison " << std::to_integer<int>(r.poison);
  return out.str();
}

}  // namespace ropeline::conformance
