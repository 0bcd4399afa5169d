#include "cpu/random_call.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "cpu/element.h"

namespace ropeline::cpu {
namespace {

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : engine_(seed) {}

  int below(int n) { return static_cast<int>(engine_() % static_cast<unsigned>(n)); }
  bool one_in(int n) { return below(n) == 0; }
  float normal() { return normal_(engine_); }
  template <class T>
  T of(std::initializer_list<T> choices) {
    return choices.begin()[below(static_cast<int>(choices.size()))];
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<float> normal_;
};

// --- specs -----------------------------------------------------------------------------------------------------------

int draw_head_dim(Dice& dice) { return dice.one_in(2) ? dice.of({64, 128, 192, 256, 512}) : 8 * (2 + dice.below(63)); }

int draw_rotary_dim(Dice& dice, int head_dim) {
  if (dice.one_in(2)) return head_dim;
  if (dice.one_in(2)) return head_dim / 2 & ~1;
  return 2 * dice.below(head_dim / 2 + 1);
}

Angles draw_angles(Dice& dice, int rotary_dim) {
  if (dice.one_in(4)) return CosSinCache{rotary_dim};
  if (dice.one_in(3)) return Frequencies::theta(1e4, rotary_dim, Scaling::yarn(4, 4096));
  const auto layout = dice.of({RowLayout::half, RowLayout::dup, RowLayout::repeat, RowLayout::full});
  return CosSinRows{.rotary_dim = rotary_dim, .layout = layout};
}

Rope draw_rope(Dice& dice, int head_dim) {
  int rotary_dim = draw_rotary_dim(dice, head_dim);
  Angles angles = draw_angles(dice, std::max(rotary_dim, 2));
  return {.style = dice.of({Style::neox, Style::interleaved}),
          .angles = std::move(angles),
          .inverse = dice.one_in(4),
          .rounding = dice.of({RopeRounding::end, RopeRounding::products}),
          .table = dice.of({TableRounding::fp32, TableRounding::dtype})};
}

Norm draw_norm(Dice& dice) {
  return {.unit = dice.of({SumUnit::mean, SumUnit::mean, SumUnit::sum}),
          .eps = dice.of({1e-6f, 1e-5f, 1e-30f}),
          .weight = dice.of({WeightShape::row, WeightShape::row, WeightShape::none}),
          .weight_offset = dice.of({0.0f, 1.0f}),
          .rounding = dice.of({NormRounding::none, NormRounding::end, NormRounding::inner, NormRounding::factor})};
}

StreamSpec draw_stream(Dice& dice, const Norm& norm, const Rope& rope) {
  StreamSpec stream{.heads = dice.of({1, 2, 3, 4, 8, 17, 32})};
  if (!dice.one_in(4)) stream.steps.push_back(norm);
  if (!dice.one_in(4)) stream.steps.push_back(rope);
  return stream;
}

Spec draw_spec(Dice& dice) {
  Spec spec;
  spec.head_dim = draw_head_dim(dice);
  const Rope rope = draw_rope(dice, spec.head_dim);
  spec.q = draw_stream(dice, draw_norm(dice), rope);
  spec.k = draw_stream(dice, draw_norm(dice), rope);
  if (dice.one_in(8)) spec.k = {};
  if (spec.k.heads > 0 && dice.one_in(8)) spec.q = {};
  spec.activation = dice.of({DType::bf16, DType::bf16, DType::fp16, DType::fp32});
  spec.weight = dice.one_in(3) ? DType::fp32 : spec.activation;
  spec.table = dice.of({DType::bf16, DType::fp16, DType::fp32});
  spec.positions = dice.of({DType::int32, DType::int64});
  return spec;
}

// --- tensors ---------------------------------------------------------------------------------------------------------

/// Mostly ordinary, now and then at an edge.
float draw_value(Dice& dice, bool odd, float magnitude) {
  if (!odd || !dice.one_in(16)) return dice.normal() * magnitude;
  return dice.of({0.0f, -0.0f, 1e-41f, -3e-39f, 1e30f, -2e38f, std::numeric_limits<float>::infinity(),
                  std::bit_cast<float>(0x7fffffffu), std::bit_cast<float>(0xff810001u), 1.00390625f});
}

void fill_values(Storage& tensor, Dice& dice, bool odd) {
  const DType type = tensor.view.dtype;
  const std::size_t count = tensor.words.size() * sizeof(tensor.words[0]) / size_of(type);
  const float magnitude = dice.one_in(4) ? dice.of({0x1p-45f, 0x1p-105f, 0x1p-130f, 0x1p38f, 0x1p70f}) : 1.0f;
  with_element(type, [&](auto e) {
    using E = decltype(e);
    auto* data = reinterpret_cast<typename E::Raw*>(tensor.words.data());
    for (std::size_t i = 0; i < count; ++i) data[i] = E::narrow(draw_value(dice, odd, magnitude));
  });
}

/// Dense but for `gap` elements after each row of the innermost dimension and after each outer index.
Storage allocate(DType type, std::vector<std::int64_t> shape, std::int64_t gap) {
  Storage tensor;
  std::int64_t stride = 1;
  tensor.view.dtype = type;
  tensor.view.rank = static_cast<int>(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    tensor.view.shape[i] = shape[i];
    tensor.view.strides[i] = stride;
    stride = stride * shape[i] + gap;
  }
  tensor.words.resize(static_cast<std::size_t>(stride + 1) * size_of(type) / 4 + 1);
  tensor.view.data = tensor.words.data();
  return tensor;
}

std::int64_t draw_position(Dice& dice, bool in_table) {
  if (in_table) return dice.one_in(10) ? dice.of({-1, 64, 1 << 30}) : dice.below(64);
  return dice.one_in(3) ? dice.of({0, 1, -7, 131071, std::numeric_limits<int>::max()}) : dice.below(1 << 20);
}

void fill_positions(Storage& tensor, Dice& dice, bool in_table) {
  for (std::int64_t i = 0; i < tensor.view.elements(); ++i) {
    const std::int64_t position = draw_position(dice, in_table);
    if (tensor.view.dtype == DType::int32) {
      static_cast<std::int32_t*>(tensor.view.data)[i] = static_cast<std::int32_t>(position);
    } else {
      static_cast<std::int64_t*>(tensor.view.data)[i] = dice.one_in(12) ? 1ll << 33 : position;
    }
  }
}

/// Draws tensors one after the other and keeps what owns them.
class Drawer {
 public:
  Drawer(const Spec& spec, std::uint32_t seed, RandomCall::Run& run) : spec_(spec), dice_(seed), run_(run) {
    tokens_ = dice_.of({1, 2, 5, 9});
    if (dice_.one_in(3)) batches_ = {dice_.of({1, 2, 3})};
    odd_ = dice_.one_in(2);
    gap_ = dice_.of({0, 0, 8, 24});
  }

  void draw() {
    const bool out_of_place = dice_.one_in(2);
    Args& args = run_.args;
    draw_stream(spec_.q, args.q, args.q_out, args.q_weight, out_of_place);
    draw_stream(spec_.k, args.k, args.k_out, args.k_weight, out_of_place);
    const Rope* rope = spec_.q.rope() ? spec_.q.rope() : spec_.k.rope();
    if (rope) draw_angles(rope->angles);
  }

 private:
  std::vector<std::int64_t> with_batch(std::vector<std::int64_t> shape) const {
    shape.insert(shape.begin(), batches_.begin(), batches_.end());
    return shape;
  }

  TensorView keep(Storage tensor) {
    run_.storage.push_back(std::move(tensor));
    return run_.storage.back().view;
  }

  TensorView values(DType type, std::vector<std::int64_t> shape, std::int64_t gap) {
    Storage tensor = allocate(type, std::move(shape), gap);
    fill_values(tensor, dice_, odd_);
    return keep(std::move(tensor));
  }

  void draw_stream(const StreamSpec& stream, TensorView& in, TensorView& out, TensorView& weight, bool out_of_place) {
    if (stream.heads == 0) return;
    in = values(spec_.activation, with_batch({tokens_, stream.heads, spec_.head_dim}), gap_);
    if (out_of_place) out = values(spec_.activation, with_batch({tokens_, stream.heads, spec_.head_dim}), 8);
    const Norm* norm = stream.norm();
    if (norm && norm->weight == WeightShape::row) weight = values(spec_.weight, {spec_.head_dim}, 0);
  }

  void draw_positions(bool in_table) {
    Storage tensor = allocate(spec_.positions, with_batch({tokens_}), 0);
    fill_positions(tensor, dice_, in_table);
    run_.args.positions = keep(std::move(tensor));
  }

  void draw_angles(const Angles& angles) {
    if (const auto* rows = std::get_if<CosSinRows>(&angles)) {
      const std::int64_t width = rows->layout == RowLayout::half ? rows->rotary_dim / 2 : rows->rotary_dim;
      run_.args.cos = values(spec_.table, with_batch({tokens_, width}), gap_);
      run_.args.sin = values(spec_.table, with_batch({tokens_, width}), gap_);
      if (rows->layout == RowLayout::dup || rows->layout == RowLayout::repeat) repeat_halves(rows->layout);
      return;
    }
    const auto* cache = std::get_if<CosSinCache>(&angles);
    if (cache) run_.args.cos_sin_cache = values(spec_.table, {64, cache->rotary_dim}, gap_);
    draw_positions(cache != nullptr);
  }

  /// Makes the rows what their layout promises.
  void repeat_halves(RowLayout layout) {
    for (const TensorView& view : {run_.args.cos, run_.args.sin}) {
      const std::int64_t width = view.shape[view.rank - 1], rows = view.elements() / width;
      const std::int64_t batch = view.rank == 3 ? view.strides[0] : 0;
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t row = r / tokens_ * batch + r % tokens_ * view.strides[view.rank - 2];
        for (std::int64_t i = 0; i < width / 2; ++i) {
          const bool dup = layout == RowLayout::dup;
          copy_value(view, row + (dup ? i : 2 * i), row + (dup ? i + width / 2 : 2 * i + 1));
        }
      }
    }
  }

  static void copy_value(const TensorView& view, std::int64_t from, std::int64_t to) {
    const std::size_t size = size_of(view.dtype);
    char* data = static_cast<char*>(view.data);
    std::copy_n(data + static_cast<std::size_t>(from) * size, size, data + static_cast<std::size_t>(to) * size);
  }

  const Spec& spec_;
  Dice dice_;
  RandomCall::Run& run_;
  std::int64_t tokens_ = 1, gap_ = 0;
  std::vector<std::int64_t> batches_;
  bool odd_ = false;
};

}  // namespace

RandomCall::RandomCall(std::uint32_t seed) : seed_(seed) {
  Dice dice(seed);
  spec_ = draw_spec(dice);
}

RandomCall::Run RandomCall::make() const {
  Run run;
  run.storage.reserve(16);
  Drawer(spec_, seed_ + 1, run).draw();
  return run;
}

}  // namespace ropeline::cpu
