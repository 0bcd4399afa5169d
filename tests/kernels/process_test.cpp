// Two processes, each in a folder of its own and with a cache of its own, make of one spec the same entry to the byte:
// its kernels, its key, its file name. So caches can be compared, shared and shipped.

#include "jit/process.h"

#include "jit/setting.h"
#include "ropeline/spec.h"

namespace ropeline::kernels {
namespace {

using jit::TemporaryFolder;

/// The path of the entry that a process of its own has made there. The folder is its working directory, too.
std::string entry_made_in(const TemporaryFolder& folder, const Spec& spec, const std::string& architecture) {
  const jit::Outcome outcome = jit::run({"env", "-C", folder.path(), ROPELINE_PROBE, spec.json(), architecture},
                                        {{"ROPELINE_CACHE_DIR", folder / "cache"},
                                         {"ROPELINE_CACHE_READ_ONLY", ""},
                                         {"ROPELINE_PACKS", ""},
                                         {"TMPDIR", folder.path()}});
  EXPECT_TRUE(outcome.exit == 0 && outcome.out.starts_with("compiled ")) << outcome.out;
  const auto entries = jit::files_in(folder / "cache", true);
  EXPECT_EQ(entries.size(), 1u);
  return entries.empty() ? std::string() : entries.front();
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class TwoProcesses : public testing::TestWithParam<const char*> {};

TEST_P(TwoProcesses, InTwoFoldersMakeTheSameEntry) {
  ROPELINE_NEEDS_COMPILER();
  const Spec spec = qk_norm_rope({32, 4, 128}, RmsNorm{}, Rope::neox(Frequencies::theta(1e6, 128)));
  const TemporaryFolder first, second;
  const std::string a = entry_made_in(first, spec, GetParam()), b = entry_made_in(second, spec, GetParam());
  EXPECT_EQ(name_of(a), name_of(b));
  EXPECT_GT(jit::content_of(a).size(), 10000u);
  EXPECT_TRUE(jit::content_of(a) == jit::content_of(b)) << a << " and " << b << " differ";
}

INSTANTIATE_TEST_SUITE_P(Architectures, TwoProcesses, testing::Values("sm_80", "sm_90", "sm_100", "sm_120"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace ropeline::kernels
