// Which tensors of a call may share memory: an output is exactly its input or apart from everything. What is refused is
// refused before a byte is written.

#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(AliasingOfCalls);

Call call_of(bool in_place) {
  Recipe recipe{.spec = qk_norm_rope({.q = 2, .k = 2, .head_dim = 64}, RmsNorm{}, Rope::neox(CosSinRows{64}))};
  recipe.in_place = in_place;
  recipe.spec.table = DType::bf16;
  return make(recipe);
}

TensorView moved(TensorView view, std::int64_t elements) {
  view.data = static_cast<char*>(view.data) + elements * static_cast<std::int64_t>(size_of(view.dtype));
  return view;
}

/// Refused with this sentence, and no byte of the call's memory is changed.
void expect_refused(const Backend& backend, const Call& call, const std::string& sentence) {
  Call got = call;
  try {
    backend.run(got.spec, got.args, got.memory);
    ADD_FAILURE() << "not refused: " << sentence;
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), sentence);
    EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
  }
  EXPECT_TRUE(same_bytes(call, got)) << "something was written";
}

std::string overlap(const std::string& written, const std::string& other) {
  return written + ": overlaps " + other + "; an output equals its own input exactly or is apart from every tensor";
}

TEST_P(AliasingOfCalls, PartialOverlapIsRefused) {
  Call call = call_of(true);
  call.args.q_out = moved(call.args.q, 64);
  call.args.q_out.shape[0] = call.args.q.shape[0] = call.args.k.shape[0] = 2;
  call.args.cos.shape[0] = call.args.sin.shape[0] = 2;
  expect_refused(GetParam(), call, overlap("q_out", "q"));
}

TEST_P(AliasingOfCalls, OutputsOverOtherStreamsAreRefused) {
  Call call = call_of(false);
  call.args.k_out = call.args.q;
  expect_refused(GetParam(), call, overlap("k_out", "q"));
  call = call_of(false);
  call.args.k_out = call.args.q_out;
  expect_refused(GetParam(), call, overlap("q_out", "k_out"));
}

TEST_P(AliasingOfCalls, OneStreamInPlaceAndTheOtherNot) {
  const Call apart = call_of(false);
  const auto refused = [&](const auto& change, const std::string& sentence) {
    Call call = apart;
    change(call.args);
    expect_refused(GetParam(), call, sentence);
  };
  refused([](Args& a) { a.k_out = {}, a.k = a.q; }, overlap("k", "q"));
  refused([](Args& a) { a.k_out = {}, a.k = a.q_out; }, overlap("q_out", "k"));
  refused([](Args& a) { a.q_out = {}, a.k = a.q; }, overlap("q", "k"));
  refused([](Args& a) { a.q_out = {}, a.k_out = a.q; }, overlap("q", "k_out"));
  refused([](Args& a) { a.q_out = a.k_out = {}, a.k = a.q; }, overlap("q", "k"));
  refused([](Args& a) { a.q_out = {}, a.k_out = moved(a.k, 64); }, overlap("k_out", "k"));
}

TEST_P(AliasingOfCalls, OutputsOverWeightsAndTablesAreRefused) {
  Call call = call_of(false);
  call.args.q_weight.data = call.args.q_out.data;
  expect_refused(GetParam(), call, overlap("q_out", "q_weight"));
  call = call_of(false);
  call.args.sin.data = call.args.k_out.data;
  expect_refused(GetParam(), call, overlap("k_out", "sin"));
}

TEST_P(AliasingOfCalls, WeightsAndTablesMayShareMemory) {
  Call call = call_of(false);
  call.args.k_weight = call.args.q_weight;
  call.args.sin = call.args.cos;
  EXPECT_EQ(difference(run_reference(call), run(GetParam(), call)), "");
}

TEST_P(AliasingOfCalls, QueryAndKeyMayReadOneTensorWhenOutputsAreApart) {
  Call call = call_of(false);
  call.args.k = call.args.q;
  EXPECT_EQ(difference(run_reference(call), run(GetParam(), call)), "");
}

}  // namespace
}  // namespace ropeline::conformance
