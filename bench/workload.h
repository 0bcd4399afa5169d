#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ropeline/plan.h"

namespace ropeline::bench {

/// An attention layer of a released model, as far as the op is concerned.
struct Model {
  const char* name;
  int q_heads, k_heads, head_dim;
  double theta;
  float weight_offset;
  NormRounding eager_norm;  ///< where the eager model's norm rounds
};

/// Qwen3-30B-A3B, Qwen3-8B and Gemma 3 270M.
const std::vector<Model>& models();

/// Where a contestant takes its angles from.
enum class AngleKind { frequencies, cache, rows };

/// What contestants of one case share: random q and k, weights near 1, positions, and angles in every form.
///
/// Ops work in place, so q and k are a working copy, and `refresh` brings the random values back: a norm weight that
/// is applied a thousand times over would drive elements into subnormals, which cost the CPU extra time.
class Workload {
 public:
  Workload(const Model& model, DType dtype, std::int64_t tokens);

  /// Fused: the default rounding. Otherwise as the eager model rounds. Rows are in the activation dtype, each cos
  /// twice, as transformers hands them over; the cache is fp32.
  Spec spec(AngleKind angles, bool fused) const;
  Args args(AngleKind angles) const;

  void refresh();

  const Model& model() const { return model_; }
  DType dtype() const { return dtype_; }
  std::int64_t tokens() const { return tokens_; }
  std::int64_t elements_per_token() const { return std::int64_t{model_.q_heads + model_.k_heads} * model_.head_dim; }
  std::int64_t bytes() const { return tokens_ * elements_per_token() * static_cast<std::int64_t>(size_of(dtype_)); }

  /// The bytes of q and of k that tokens [begin, end) occupy.
  struct Bytes {
    std::byte* data;
    std::size_t count;
  };
  Bytes q_bytes(std::int64_t begin, std::int64_t end) const { return bytes_of(q_, model_.q_heads, begin, end); }
  Bytes k_bytes(std::int64_t begin, std::int64_t end) const { return bytes_of(k_, model_.k_heads, begin, end); }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  using Buffer = std::unique_ptr<std::byte[], Free>;

  static Buffer allocate(std::int64_t bytes);
  Buffer random(std::int64_t elements, double mean, double deviation) const;
  Buffer stored(const std::vector<float>& values, DType dtype) const;
  void fill_angles();
  Bytes bytes_of(const Buffer& buffer, int heads, std::int64_t begin, std::int64_t end) const;
  TensorView stream(const Buffer& buffer, int heads) const;

  Model model_;
  DType dtype_;
  std::int64_t tokens_;
  std::vector<std::int64_t> positions_;
  Buffer pristine_q_, pristine_k_, q_, k_, q_weight_, k_weight_, cos_, sin_, cache_;
};

/// Cuts tokens [0, tokens) into one part a thread, as the op does, and runs them on the library's own pool.
void over_tokens(const Workload& workload, void (*part)(const Workload&, std::int64_t begin, std::int64_t end));

}  // namespace ropeline::bench
