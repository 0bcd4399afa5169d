// Whoever uses the library may have set a locale that groups digits: 1024 is then "1.024" to every stream of the
// process.

#include <locale>

#include "ropeline/jit_cache.h"
#include "ropeline/kernel_source.h"
#include "ropeline/kv_cast.h"
#include "ropeline/models.h"
#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

struct Grouping : std::numpunct<char> {
  char do_thousands_sep() const override { return '.'; }
  char do_decimal_point() const override { return ','; }
  std::string do_grouping() const override { return "\3"; }
};

std::string everything() {
  const KvCastSpec cast{.heads = 1024, .head_dim = 64};
  std::string all = cast.json() + "\n";
  const Spec spec = models::layer(models::published_config("qwen3-8b"), 0, DType::bf16).spec;
  for (const Source& source : {kernel_source(cast), kernel_source(spec)}) {
    for (const std::string& kernel : source.kernels) all += kernel + "\n";
    all += key_of(source, for_sm_90()).text;
  }
  for (const std::string& name : models::published()) all += models::published_config(name) + "\n";
  return all + spec.json();
}

TEST(Locale, ChangesNoNameNoKeyAndNoJson) {
  configure(test_config());
  const std::string classic = everything();
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Grouping));
  const std::string grouped = everything();
  std::locale::global(before);
  EXPECT_EQ(grouped, classic);
  EXPECT_NE(classic.find("heads=1024"), classic.npos);
}

}  // namespace
}  // namespace ropeline::jit
