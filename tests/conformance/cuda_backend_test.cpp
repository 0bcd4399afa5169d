// That the suite meets the GPU, and on it every form of the kernel.

#include "conformance/cuda_backend.h"

#include <algorithm>
#include <map>

#include "conformance/suite.h"
#include "not_run.h"
#include "ops/qk_norm_rope_variant.h"
#include "reference/reference.h"

namespace ropeline::conformance {
namespace {

namespace op = ops::qk_norm_rope;

Spec spec_of(int q, int k, int head_dim, DType type) {
  return qk_norm_rope({q, k, head_dim}, RmsNorm{}, Rope::neox(Frequencies::theta(1e6, head_dim))).with_dtype(type);
}

/// A form that takes no call is a backend that tests nothing: said at the end of each run.
class FormsReport : public testing::Environment {
 public:
  void TearDown() override {
    for (std::size_t i = 0; i < forms().size(); ++i)
      if (const FormUse& use = form_use()[i]; use.asked)
        std::printf("form %s: took %d of %d calls\n", forms()[i].name, use.taken.load(), use.asked.load());
  }
};

const auto* const report = testing::AddGlobalTestEnvironment(new FormsReport);

TEST(CudaBackend, IsAmongTheBackends) {
  if (!cuda_absence().empty()) ROPELINE_NOT_RUN("no CUDA device: " + cuda_absence());
  const auto is_cuda = [](const Backend& backend) { return backend.name.starts_with("cuda"); };
  EXPECT_EQ(std::ranges::count_if(backends(), is_cuda), 1 + static_cast<int>(forms().size()));
}

TEST(CudaBackend, EveryVariantHasOneNamedForm) {
  for (const DType type : {DType::bf16, DType::fp16, DType::fp32})
    for (const int head_dim : {16, 64, 128, 256, 512})
      for (const kernel::Variant& variant : op::variants(spec_of(10, 2, head_dim, type)))
        EXPECT_EQ(std::ranges::count_if(forms(), [&](const NamedForm& f) { return f.is(variant.form); }), 1)
            << op::kernel_name(variant);
}

TEST(CudaBackend, EveryNamedFormIsOneOfALayerOfARealModel) {
  const auto variants = op::variants(spec_of(32, 4, 128, DType::bf16));  // Qwen3-30B-A3B
  for (const NamedForm& form : forms())
    EXPECT_TRUE(std::ranges::any_of(variants, [&](const auto& v) { return form.is(v.form); })) << form.name;
}

// A share of a sweep is about its part of the specs, the same ones whenever the seed is the same, with all their calls.
TEST(SweepShare, IsASampleOfSpecsAndNotOfCalls) {
  std::map<std::string, int> calls;
  const Backend counting{"counting",
                         [&](const Spec& spec, const Args& args, const Memory&) {
                           ++calls[spec.json()];
                           reference::run(spec, args);
                         },
                         cuda_sweep_share};
  for (int round = 0; round < 2; ++round)
    for (int heads = 1; heads <= 400; ++heads)
      ASSERT_TRUE(conforms_in_sweep(counting, {.spec = spec_of(heads, 0, 16, DType::bf16), .tokens = 1}));
  const std::size_t expected = full_sweep() ? 400 : 400 / cuda_sweep_share;
  EXPECT_GT(calls.size(), expected / 2);
  EXPECT_LT(calls.size(), expected * 2);
  for (const auto& [spec, count] : calls) EXPECT_EQ(count, 2) << spec;
}

}  // namespace
}  // namespace ropeline::conformance
