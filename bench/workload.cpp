#include "workload.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>

#include "cpu/share.h"
#include "kernels/shared/numbers.h"
#include "ropeline/table.h"

namespace ropeline::bench {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::int64_t kElementsPerThread = 32 * 1024;  // as src/cpu/share.cpp: less is not worth a thread

void store(std::byte* at, DType dtype, float x) {
  const std::uint16_t narrow = dtype == DType::fp16 ? fp32_to_fp16(x) : fp32_to_bf16(x);
  if (dtype == DType::fp32) {
    std::memcpy(at, &x, sizeof x);
  } else {
    std::memcpy(at, &narrow, sizeof narrow);
  }
}

/// Each value twice: [c0 .. cn-1 c0 .. cn-1] for each row.
std::vector<float> doubled(const std::vector<float>& rows, std::size_t width) {
  std::vector<float> out;
  for (std::size_t row = 0; row < rows.size(); row += width) {
    for (int half = 0; half < 2; ++half) out.insert(out.end(), &rows[row], &rows[row] + width);
  }
  return out;
}

/// Rows of cos, then sin.
std::vector<float> joined(const CosSinTable& table, std::size_t width) {
  std::vector<float> out;
  for (std::size_t row = 0; row < table.cos.size(); row += width) {
    out.insert(out.end(), &table.cos[row], &table.cos[row] + width);
    out.insert(out.end(), &table.sin[row], &table.sin[row] + width);
  }
  return out;
}

}  // namespace

const std::vector<Model>& models() {
  static const std::vector<Model> all = {
      {"qwen3-30b-a3b", 32, 4, 128, 1e6, 0, NormRounding::inner},
      {"qwen3-8b", 32, 8, 128, 1e6, 0, NormRounding::inner},
      {"gemma3-270m", 4, 1, 256, 1e6, 1, NormRounding::end},
  };
  return all;
}

void Workload::Free::operator()(std::byte* p) const { std::free(p); }

Workload::Buffer Workload::allocate(std::int64_t bytes) {
  const std::size_t whole_pages = (static_cast<std::size_t>(bytes) / kPage + 1) * kPage;
  Buffer buffer(static_cast<std::byte*>(std::aligned_alloc(kPage, whole_pages)));
  if (!buffer) throw std::bad_alloc();
  return buffer;
}

/// A block of prime length over and over: tokens differ, and large buffers are filled quickly.
Workload::Buffer Workload::random(std::int64_t elements, double mean, double deviation) const {
  std::mt19937 bits(static_cast<std::uint32_t>(elements));
  std::normal_distribution<float> normal(static_cast<float>(mean), static_cast<float>(deviation));
  std::vector<float> block(65521);
  std::generate(block.begin(), block.end(), [&] { return normal(bits); });
  const std::size_t size = size_of(dtype_);
  Buffer out = allocate(elements * static_cast<std::int64_t>(size));
  for (std::size_t i = 0; i < static_cast<std::size_t>(elements); ++i) {
    store(out.get() + i * size, dtype_, block[i % block.size()]);
  }
  return out;
}

Workload::Buffer Workload::stored(const std::vector<float>& values, DType dtype) const {
  const std::size_t size = size_of(dtype);
  Buffer out = allocate(static_cast<std::int64_t>(values.size() * size));
  for (std::size_t i = 0; i < values.size(); ++i) store(out.get() + i * size, dtype, values[i]);
  return out;
}

Workload::Workload(const Model& model, DType dtype, std::int64_t tokens)
    : model_(model), dtype_(dtype), tokens_(tokens) {
  for (std::int64_t t = 0; t < tokens; ++t) positions_.push_back(t);
  const std::int64_t row = model.head_dim, q = tokens * model.q_heads * row, k = tokens * model.k_heads * row;
  pristine_q_ = random(q, 0, 1);
  pristine_k_ = random(k, 0, 1);
  q_ = random(q, 0, 1);
  k_ = random(k, 0, 1);
  q_weight_ = random(row, 1 - model.weight_offset, 0.1);
  k_weight_ = random(row, 1 - model.weight_offset, 0.1);
  fill_angles();
}

void Workload::fill_angles() {
  const auto table = cos_sin_table(Frequencies::theta(model_.theta, model_.head_dim), positions_);
  const auto width = static_cast<std::size_t>(model_.head_dim / 2);
  cos_ = stored(doubled(table.cos, width), dtype_);
  sin_ = stored(doubled(table.sin, width), dtype_);
  cache_ = stored(joined(table, width), DType::fp32);
}

Spec Workload::spec(AngleKind kind, bool fused) const {
  Angles angles = Frequencies::theta(model_.theta, model_.head_dim);
  if (kind == AngleKind::cache) angles = CosSinCache{model_.head_dim};
  if (kind == AngleKind::rows) angles = CosSinRows{model_.head_dim, RowLayout::dup};
  const Rounding eager{model_.eager_norm, RopeRounding::products, TableRounding::dtype};
  Spec spec = qk_norm_rope({.q = model_.q_heads, .k = model_.k_heads, .head_dim = model_.head_dim},
                           RmsNorm{.eps = 1e-6f, .weight_offset = model_.weight_offset}, Rope::neox(std::move(angles)),
                           fused ? Rounding::fused() : eager);
  spec.table = kind == AngleKind::rows ? dtype_ : DType::fp32;
  return spec.with_dtype(dtype_);
}

Args Workload::args(AngleKind kind) const {
  const std::int64_t row = model_.head_dim;
  Args args;
  args.q = stream(q_, model_.q_heads);
  args.k = stream(k_, model_.k_heads);
  args.q_weight = TensorView(q_weight_.get(), dtype_, {row});
  args.k_weight = TensorView(k_weight_.get(), dtype_, {row});
  if (kind == AngleKind::rows) {
    args.cos = TensorView(cos_.get(), dtype_, {tokens_, row});
    args.sin = TensorView(sin_.get(), dtype_, {tokens_, row});
    return args;
  }
  args.positions = TensorView(positions_.data(), DType::int64, {tokens_});
  if (kind == AngleKind::cache) args.cos_sin_cache = TensorView(cache_.get(), DType::fp32, {tokens_, row});
  return args;
}

TensorView Workload::stream(const Buffer& buffer, int heads) const {
  return TensorView(buffer.get(), dtype_, {tokens_, heads, model_.head_dim});
}

Workload::Bytes Workload::bytes_of(const Buffer& buffer, int heads, std::int64_t begin, std::int64_t end) const {
  const std::size_t token = static_cast<std::size_t>(heads * model_.head_dim) * size_of(dtype_);
  return {buffer.get() + static_cast<std::size_t>(begin) * token, static_cast<std::size_t>(end - begin) * token};
}

/// Each thread brings back the tokens that it will work on, so that they are in its own cache.
void Workload::refresh() {
  over_tokens(*this, [](const Workload& w, std::int64_t begin, std::int64_t end) {
    const Bytes q = w.q_bytes(begin, end), k = w.k_bytes(begin, end);
    std::memcpy(q.data, w.bytes_of(w.pristine_q_, w.model_.q_heads, begin, end).data, q.count);
    std::memcpy(k.data, w.bytes_of(w.pristine_k_, w.model_.k_heads, begin, end).data, k.count);
  });
}

namespace {

struct Cut {
  const Workload& workload;
  void (*part)(const Workload&, std::int64_t, std::int64_t);
  std::int64_t parts;
};

void run_part(void* context, int index) {
  const Cut& cut = *static_cast<const Cut*>(context);
  const std::int64_t tokens = cut.workload.tokens();
  cut.part(cut.workload, tokens * index / cut.parts, tokens * (index + 1) / cut.parts);
}

}  // namespace

void over_tokens(const Workload& workload, void (*part)(const Workload&, std::int64_t, std::int64_t)) {
  Executor& pool = cpu::default_executor();
  const std::int64_t worth = workload.tokens() * workload.elements_per_token() / kElementsPerThread;
  const std::int64_t most = std::clamp<std::int64_t>(worth, 1, workload.tokens());
  Cut cut{workload, part, std::min<std::int64_t>(pool.width(), most)};
  if (cut.parts == 1) return run_part(&cut, 0);
  pool.run(static_cast<int>(cut.parts), run_part, &cut);
}

}  // namespace ropeline::bench
