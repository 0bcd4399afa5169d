#include "cuda/library.h"

#include "tests/cuda/fake_driver.h"
#include "tests/jit/setting.h"

namespace ropeline::cuda {
namespace {

jit::Binary binary() {
  jit::Binary made;
  made.architecture = "sm_90";
  made.compiler = "13.0.88";
  made.kernels = {{.expression = "a", .symbol = "_Z1av"}, {.expression = "b", .symbol = "_Z1bv"}};
  made.image = "image";
  return made;
}

class Libraries : public testing::Test {
 protected:
  void SetUp() override { fake = {}; }

  std::string hint_of_result(int result) {
    fake.load_result = result;
    try {
      const Library library(binary());
    } catch (const jit::Error& error) {
      EXPECT_EQ(error.stage(), jit::Stage::load);
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      return error.hint();
    }
    return "loaded";
  }

  FakeDriver& fake = fake_driver();
};

TEST_F(Libraries, FindEveryKernelAndUploadIt) {
  {
    const Library library(binary());
    EXPECT_EQ(fake.images, std::vector<std::string>{"image"});
    EXPECT_EQ(fake.symbols, (std::vector<std::string>{"_Z1av", "_Z1bv"}));
    EXPECT_NE(library.kernel(0), library.kernel(1));
    library.upload();
    EXPECT_EQ(fake.calls, (std::vector<std::string>{"upload", "upload"}));
  }
  EXPECT_EQ(fake.unloaded, 1);
}

TEST_F(Libraries, AMissingSymbolUnloads) {
  fake.kernel_result = result::not_found;
  EXPECT_THROW(Library{binary()}, jit::Error);
  EXPECT_EQ(fake.unloaded, 1);
}

TEST_F(Libraries, RefusalsComeWithAHint) {
  EXPECT_EQ(hint_of_result(result::no_binary_for_gpu), "the binary is for sm_90; the device is another one");
  fake.version = 12080;
  EXPECT_NE(hint_of_result(result::unsupported_ptx_version).find(" is older than the compiler (13.0.88)"),
            std::string::npos);
}

TEST_F(Libraries, SharedMemoryIsAskedForPerDevice) {
  const Library library(binary());
  library.allow_shared_bytes(library.kernel(0), 1, 100000);
  library.allow_shared_bytes(library.kernel(0), 1, 60000);  // less than another holder needs
  EXPECT_EQ(fake.calls, std::vector<std::string>{"attribute 8 = 100000 on 1"});
}

}  // namespace
}  // namespace ropeline::cuda
