// The process of the fault tests: does one thing with the runtime as the environment configures it, and says how it
// went in one line. jit_probe build | fork | fork-in-compile | hang | load | include
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <iostream>
#include <thread>

#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

Config probe_config() {
  Config config = default_config();
  config.python_prefixes = {ROPELINE_TEST_PYTHON_PREFIX};
  if (const char* wait = std::getenv("PROBE_LOCK_WAIT_MS"))
    config.lock_wait = std::chrono::milliseconds(std::atoi(wait));
  return config;
}

bool maps_nvrtc() { return content_of("/proc/self/maps").find("libnvrtc") != std::string::npos; }

std::string described(const Build& build) {
  return std::string(name_of(build.origin)) + " " + digest_of(*build.binary);
}

// "compiled <digest> published=1 not_published=0 bad=0 abandoned=0 nvrtc=1 folder=..."
int build_one() {
  const Build built = build(small_program(1), for_sm_90());
  const Statistics s = statistics();
  const CacheStatus status = cache_status();
  std::cout << described(built) << " published=" << s.published << " not_published=" << s.not_published
            << " bad=" << s.bad_entries << " abandoned=" << s.locks_abandoned << " nvrtc=" << maps_nvrtc()
            << " writable=" << status.writable << " reason=" << status.reason << std::endl;
  return 0;
}

// Runs `work` in a child with a time limit of its own; the child's exit status.
template <class Work>
int in_child(Work&& work) {
  std::cout.flush();
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    try {
      work();
    } catch (const std::exception& error) {
      std::cout << "child: " << error.what() << std::endl;
      _exit(3);
    }
    std::cout.flush();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

int fork_after_use() {
  const Build mine = build(small_program(1), for_sm_90());
  const int status = in_child([&] {
    std::cout << "child " << described(build(small_program(1), for_sm_90())) << " "
              << described(build(small_program(2), for_sm_90())) << std::endl;
  });
  std::cout << "parent " << described(build(small_program(3), for_sm_90())) << " status=" << status << std::endl;
  return status;
}

// Children are forked while other threads compile and look up; each child asks for a key that its parent was busy with.
int fork_in_compile() {
  std::atomic<bool> stop = false;
  std::atomic<int> width = 100;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      while (!stop) build(small_program(++width), for_sm_90());
    });
  int failed = 0;
  for (int i = 0; i < 12; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(7));
    failed += in_child([&] { build(small_program(width), for_sm_90()); }) != 0;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  std::cout << "failed=" << failed << std::endl;
  return failed;
}

Source endless_program() {
  Source source = {
      .name = "endless.cu", .text = "__global__ void endless(float* x) { float a = x[0];\n", .kernels = {"endless"}};
  for (int i = 0; i < 60000; ++i) source.text += "a = a * x[" + std::to_string(i % 9973) + "] + 1.f / a;\n";
  source.text += "x[0] = a; }\n";
  return source;
}

// A compile that takes far longer than it may; then an ordinary one, then the end of the process.
int hang() {
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
  };
  try {
    build(endless_program(), {.architecture = "sm_90", .compile_limit = std::chrono::milliseconds(200)});
  } catch (const Error& error) {
    std::cout << "after=" << elapsed() << " " << error.sentence() << std::endl;
    return 0;
  }
  return 1;
}

int load_one() {
  load(small_program(1));
  return 0;
}

// A header that lies in the working directory and in no include folder.
int include_of_the_working_directory() {
  const Build built = build({.name = "include.cu",
                             .text = "#include \"setting.h\"\n__global__ void k(float* x) { *x = WIDTH; }\n",
                             .kernels = {"k"}},
                            for_sm_90());
  std::cout << described(built) << std::endl;
  return 0;
}

int run(const std::string& what) try {
  configure(probe_config());
  if (what == "build") return build_one();
  if (what == "fork") return fork_after_use();
  if (what == "fork-in-compile") return fork_in_compile();
  if (what == "hang") return hang();
  if (what == "load") return load_one();
  if (what == "include") return include_of_the_working_directory();
  std::cerr << "unknown: " << what << std::endl;
  return 2;
} catch (const Error& error) {
  std::cout << "error: " << name_of(error.stage()) << ": " << error.sentence() << "\nhint: " << error.hint()
            << "\nnvrtc=" << maps_nvrtc() << std::endl;
  return 3;
}

}  // namespace
}  // namespace ropeline::jit

int main(int argc, char** argv) { return ropeline::jit::run(argc > 1 ? argv[1] : ""); }
