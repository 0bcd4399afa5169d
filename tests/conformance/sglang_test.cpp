// The 34 cases of the suite of sglang's fused norm+rope kernel, in our words: compared with the reference bit for bit
// and with a formula in double precision that shares no line with it. Then the same 34 with random weights and long
// positions.

#include <cmath>

#include "conformance/specs.h"
#include "conformance/suite.h"
#include "kernels/shared/numbers.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(Sglang);

/// One of the 34, and what the second round changes.
struct Case {
  int head_dim, rotary_dim;
  std::int64_t tokens;
  Style style;
  std::vector<double> frequencies;  // radians per position
  double factor = 1;
  bool hard = false;  // random weights, positions to 131071
};

std::vector<double> plain(int rotary_dim) {
  std::vector<double> all;
  for (int i = 0; i < rotary_dim / 2; ++i) all.push_back(std::pow(10000.0, -2.0 * i / rotary_dim));
  return all;
}

/// The kernel's YaRN: a linear ramp over the index of the frequency from `low` to `high`.
std::vector<double> yarn(int rotary_dim, double factor, double low, double high) {
  std::vector<double> all = plain(rotary_dim);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    all[i] = all[i] / factor * ramp + all[i] * (1 - ramp);
  }
  return all;
}

constexpr int kDims[] = {64, 128, 256};
constexpr Style kStyles[] = {Style::neox, Style::interleaved};

std::vector<Case> plain_cases() {  // 18
  std::vector<Case> all;
  for (int d : kDims)
    for (std::int64_t tokens : {1, 16, 128})
      for (Style style : kStyles) all.push_back({d, d, tokens, style, plain(d)});
  return all;
}

std::vector<Case> half_rotary_cases() {  // 6
  std::vector<Case> all;
  for (int d : kDims)
    for (Style style : kStyles) all.push_back({d, d / 2, 16, style, plain(d / 2)});
  return all;
}

std::vector<Case> yarn_cases(Style style) {  // 3
  std::vector<Case> all;
  for (int d : kDims) all.push_back({d, d, 16, style, yarn(d, 2.5, 4, 32), 0.9});
  return all;
}

std::vector<Case> comparison_cases() {  // 6: two builds against each other
  std::vector<Case> all;
  for (int d : kDims)
    for (Style style : kStyles) all.push_back({d, d, 32, style, plain(d)});
  return all;
}

Case default_rotary_dim_case() { return {128, 128, 16, Style::neox, plain(128)}; }  // 1

void append(std::vector<Case>& all, std::vector<Case> more) { all.insert(all.end(), more.begin(), more.end()); }

std::vector<Case> formula_cases(Style yarn_style) {  // 28: all but the comparisons
  std::vector<Case> all = plain_cases();
  append(all, half_rotary_cases());
  append(all, yarn_cases(yarn_style));
  all.push_back(default_rotary_dim_case());
  return all;
}

Recipe recipe_of(const Case& c) {
  const std::vector<float> frequencies(c.frequencies.begin(), c.frequencies.end());
  const Rope rope{.style = c.style, .angles = Frequencies::inv_freq(frequencies, c.factor)};
  Recipe recipe{.spec = qk_norm_rope({.q = 8, .k = 2, .head_dim = c.head_dim}, RmsNorm{}, rope)};
  recipe.tokens = c.tokens;
  recipe.layout = Layout::packed;
  return recipe;
}

Call call_of(const Case& c) {
  Call call = make(recipe_of(c));
  Random random(7);
  for (std::int64_t t = 0; c.hard && t < c.tokens; ++t)
    static_cast<std::int64_t*>(call.args.positions.data)[t] = t == 0 ? 131071 : random.below(131072);
  for (int i = 0; !c.hard && i < c.head_dim; ++i) put(call.args.q_weight, i, 1), put(call.args.k_weight, i, 1);
  return call;
}

/// Element `offset` of a bf16 tensor.
double at(const TensorView& v, std::int64_t offset) {
  return bf16_to_fp32(static_cast<const std::uint16_t*>(v.data)[offset]);
}

/// The textbook: x / sqrt(mean(x^2) + eps) * w, then a rotation by position * frequency, all in double.
std::vector<double> formula(const Case& c, const TensorView& x, const TensorView& w, std::int64_t row,
                            std::int64_t position) {
  std::vector<double> y;
  double squares = 0;
  for (int i = 0; i < c.head_dim; ++i) y.push_back(at(x, row + i)), squares += y[i] * y[i];
  for (int i = 0; i < c.head_dim; ++i) y[i] *= at(w, i) / std::sqrt(squares / c.head_dim + 1e-6);
  for (int i = 0; i < c.rotary_dim / 2; ++i) {
    const int first = c.style == Style::neox ? i : 2 * i,
              second = c.style == Style::neox ? i + c.rotary_dim / 2 : 2 * i + 1;
    const double angle = static_cast<double>(position) * static_cast<float>(c.frequencies[i]);
    const double cos = std::cos(angle) * c.factor, sin = std::sin(angle) * c.factor, a = y[first], b = y[second];
    y[first] = a * cos - b * sin;
    y[second] = b * cos + a * sin;
  }
  return y;
}

/// Within the rounding to bf16 and 2e-6 of the largest element for the arithmetic before it.
testing::AssertionResult near_formula(const Case& c, const Call& call, const Call& done, bool query) {
  const TensorView& in = query ? call.args.q : call.args.k;
  const TensorView& out = query ? done.args.q : done.args.k;
  for (std::int64_t t = 0; t < c.tokens; ++t)
    for (std::int64_t h = 0; h < in.shape[1]; ++h) {
      const std::int64_t row = t * in.strides[0] + h * in.strides[1];
      const std::int64_t position = static_cast<const std::int64_t*>(call.args.positions.data)[t];
      const auto want = formula(c, in, query ? call.args.q_weight : call.args.k_weight, row, position);
      for (int i = 0; i < c.head_dim; ++i) {
        const double got = at(out, row + i), allowed = std::abs(want[i]) * 0x1p-8 + 2e-5;
        if (!(std::abs(got - want[i]) <= allowed))
          return testing::AssertionFailure()
                 << (query ? "q" : "k") << " token " << t << " head " << h << " element " << i << ": formula "
                 << want[i] << ", got " << got << "\n  spec " << call.spec.json();
      }
    }
  return testing::AssertionSuccess();
}

void check(const Backend& backend, const Case& c) {
  const Call call = call_of(c);
  const Call done = run(backend, call);
  ASSERT_EQ(difference(run_reference(call), done), "");
  ASSERT_TRUE(near_formula(c, call, done, true));
  ASSERT_TRUE(near_formula(c, call, done, false));
}

/// Two builds against each other: this target and the scalar one.
void compare(const Backend& backend, const Case& c) {
  const Call call = call_of(c);
  ASSERT_EQ(difference(run(cpu_backend(CpuTarget::scalar), call), run(backend, call)), "");
}

void run_all(const Backend& backend, Style yarn_style, bool hard) {
  const std::vector<Case> formula = formula_cases(yarn_style), comparison = comparison_cases();
  ASSERT_EQ(formula.size() + comparison.size(), 34u);
  for (Case c : formula) c.hard = hard, check(backend, c);
  for (Case c : comparison) c.hard = hard, compare(backend, c);
}

TEST_P(Sglang, ThirtyFourCases) { run_all(GetParam(), Style::interleaved, false); }

TEST_P(Sglang, ThirtyFourCasesWithRandomWeightsLongPositionsAndNeoxYarn) { run_all(GetParam(), Style::neox, true); }

}  // namespace
}  // namespace ropeline::conformance
