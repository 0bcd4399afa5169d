// Batch invariance: a token's bits depend on the token alone, not on how many others there are, where it stands among
// them, how it is padded, or which heads share the call.

#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(Batches);

std::vector<Spec> specs() {
  std::vector<Spec> all;
  for (DType type : {DType::bf16, DType::fp32})
    for (Rounding rounding : {Rounding::fused(), Rounding::model('A', 'r')})
      for (const Angles& angles : {Angles{Frequencies::theta(1e6, 128)}, Angles{CosSinRows{96}}})
        for (Style style : {Style::neox, Style::interleaved}) {
          const Rope rope{.style = style, .angles = angles};
          all.push_back(qk_norm_rope({.q = 6, .k = 2, .head_dim = 128}, RmsNorm{}, rope, rounding).with_dtype(type));
        }
  return all;
}

/// The tokens [first, first + count) of one dimension of a view.
void slice(TensorView& view, int dim, std::int64_t first, std::int64_t count) {
  if (!view) return;
  view.data =
      static_cast<char*>(view.data) + first * view.strides[dim] * static_cast<std::int64_t>(size_of(view.dtype));
  view.shape[dim] = count;
}

Args tokens_of(Args args, std::int64_t first, std::int64_t count) {
  for (TensorView* view : {&args.q, &args.k, &args.q_out, &args.k_out, &args.positions, &args.cos, &args.sin})
    slice(*view, 0, first, count);
  return args;
}

/// Runs a call in pieces of `size` tokens, the last piece first.
Call run_in_pieces(const Backend& backend, Call call, std::int64_t size) {
  const std::int64_t tokens = call.args.q.shape[0];
  for (std::int64_t first = (tokens - 1) / size * size; first >= 0; first -= size)
    backend.run(call.spec, tokens_of(call.args, first, std::min(size, tokens - first)), call.memory);
  return call;
}

TEST_P(Batches, PiecesOfAnySizeGiveTheSameBits) {
  for (const Spec& spec : specs()) {
    Recipe recipe{.spec = spec};
    recipe.tokens = 67;
    recipe.values = Values::special;
    const Call call = make(recipe);
    const Call whole = run(GetParam(), call);
    for (std::int64_t size : {1, 2, 3, 7, 16, 33, 66})
      ASSERT_EQ(difference(whole, run_in_pieces(GetParam(), call, size)), "");
  }
}

TEST_P(Batches, HeadsAloneGiveTheSameBits) {
  for (const Spec& spec : specs()) {
    const Call call = make({.spec = spec});
    const Call whole = run(GetParam(), call);
    Call single = call;
    for (int h = 0; h < spec.q.heads; ++h) {
      Spec one = spec;
      one.q.heads = 1, one.k.heads = 0;
      Args args = single.args;
      args.k = args.k_weight = {};
      slice(args.q, 1, h, 1);
      GetParam().run(one, args, single.memory);
    }
    Spec keys = spec;
    keys.q.heads = 0;
    Args args = single.args;
    args.q = args.q_weight = {};
    GetParam().run(keys, args, single.memory);
    ASSERT_EQ(difference(whole, single), "");
  }
}

TEST_P(Batches, ReversedTokensGiveTheSameBits) {
  for (const Spec& spec : specs()) {
    Recipe recipe{.spec = spec};
    recipe.tokens = 19;
    const Call call = make(recipe);
    Call reversed = call;
    Args args = reversed.args;
    for (TensorView* view : {&args.q, &args.k, &args.positions, &args.cos, &args.sin}) {
      slice(*view, 0, recipe.tokens - 1, recipe.tokens);
      view->strides[0] = -view->strides[0];
    }
    GetParam().run(spec, args, reversed.memory);
    ASSERT_EQ(difference(run(GetParam(), call), reversed), "");
  }
}

}  // namespace
}  // namespace ropeline::conformance
