#include "tools/warm.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "ropeline/error.h"
#include "tools/compile_jobs.h"
#include "tools/progress.h"

namespace ropeline::tools {
namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

[[noreturn]] void unable(const std::string& sentence) { throw Error(ErrorKind::unavailable, sentence); }

// A folder that is gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((fs::temp_directory_path() / "ropeline-warm-XXXXXX").string()) {
    if (!mkdtemp(path_.data())) unable("--pack: no temporary folder can be made: " + path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What the environment says; for a pack, with the cache read and a folder beside it written.
jit::Config config_of(const std::optional<TemporaryFolder>& beside, std::shared_ptr<std::string> not_published) {
  jit::Config config = jit::default_config();
  if (beside) {
    if (jit::cache_status().readable) config.read_only_folders.push_back(config.cache_folder);
    config.cache_folder = beside->path();
  }
  config.on_event = [not_published](const jit::Event& event) {
    if (event.kind == jit::Event::Kind::not_published) *not_published = event.text;
  };
  return config;
}

class Warming {
 public:
  explicit Warming(const WarmWords& words)
      : wanted_(programs_of(words.programs)), builds_(wanted_.size()), progress_(wanted_.size()) {
    if (!words.pack.empty()) beside_.emplace();
    jit::configure(config_of(beside_, not_published_));
    for (std::size_t i = 0; i < wanted_.size(); ++i)
      if (auto build = found(i)) accept(i, std::move(*build));
    if (const auto missing = absent(); !missing.empty()) compile(missing, words.jobs);
    if (!words.pack.empty()) write_pack(words.pack);
  }

  std::string summary(const std::string& pack) const {
    std::size_t compiled = 0, kernels = 0;
    std::int64_t bytes = 0;
    for (const auto& build : builds_) {
      compiled += build->origin == jit::Origin::compiled;
      kernels += build->binary->kernels.size();
      bytes += static_cast<std::int64_t>(build->binary->image.size());
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    return fmt::format(
        "{} compiled, {} found: {} kernels, {} bytes of machine code, in {}; {:.2f} s, NVRTC was {}opened", compiled,
        builds_.size() - compiled, kernels, grouped(bytes), place_of(pack), seconds, nvrtc_is_mapped() ? "" : "not ");
  }

 private:
  static std::string place_of(const std::string& pack) {
    if (pack.empty()) return jit::cache_status().folder;
    return fmt::format("{} of {} bytes", pack, grouped(static_cast<std::int64_t>(fs::file_size(pack))));
  }

  // The kernel's own word for it, not ours.
  static bool nvrtc_is_mapped() {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
      if (line.find("libnvrtc") != line.npos) return true;
    return false;
  }

  std::optional<jit::Build> found(std::size_t i) const {
    return jit::find(wanted_[i].source, {.architecture = wanted_[i].architecture});
  }

  std::vector<std::size_t> absent() const {
    std::vector<std::size_t> list;
    for (std::size_t i = 0; i < builds_.size(); ++i)
      if (!builds_[i]) list.push_back(i);
    return list;
  }

  void accept(std::size_t i, jit::Build build) {
    progress_.done(line_of(wanted_[i], build));
    builds_[i] = std::move(build);
  }

  static std::string line_of(const Wanted& wanted, const jit::Build& build) {
    const auto& kernels = build.binary->kernels;
    const auto [least, most] = std::ranges::minmax(kernels, {}, &jit::KernelFacts::registers);
    return fmt::format("{:<32} {:<8} {:<16} {:>8.1f} ms  {} kernels, {} to {} registers, {} bytes, key {}", wanted.name,
                       wanted.architecture, jit::name_of(build.origin), build.milliseconds, kernels.size(),
                       least.registers, most.registers, grouped(static_cast<std::int64_t>(build.binary->image.size())),
                       build.binary->key.substr(0, 12));
  }

  // What stands in the way is said before anything is begun.
  void check(const std::vector<std::size_t>& missing) const {
    if (const jit::CacheStatus cache = jit::cache_status(); !cache.writable)
      unable(fmt::format("kernel cache: {}{}{}; name {} folder in ROPELINE_CACHE_DIR, or write a file with --pack",
                         cache.folder, cache.folder.empty() ? "" : " ", cache.reason,
                         cache.folder.empty() ? "a" : "another"));
    const jit::CompilerStatus compiler = jit::compiler_status();
    if (!compiler.reason.empty()) unable(compiler.reason);
    for (const std::size_t i : missing) {
      const std::string& wanted = wanted_[i].architecture;
      const std::string number = wanted.substr(wanted.find('_') + 1);
      const auto same = [&](const std::string& known) {
        return std::atoi(number.c_str()) == std::atoi(known.c_str() + known.find('_') + 1);
      };
      if (std::ranges::none_of(compiler.architectures, same))
        unable(fmt::format("--arch: {} is unknown to NVRTC {}, which knows {}", wanted, compiler.version,
                           fmt::join(compiler.architectures, ", ")));
    }
  }

  void compile(const std::vector<std::size_t>& missing, int jobs) {
    if (jit::default_config().compile) check(missing);
    std::vector<Wanted> programs;
    for (const std::size_t i : missing) programs.push_back(wanted_[i]);
    if (jobs == 0) jobs = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const auto done = [&](std::size_t at, double milliseconds) {
      if (auto build = found(missing[at])) {
        build->origin = jit::Origin::compiled;
        build->milliseconds = milliseconds;
        accept(missing[at], std::move(*build));
      }
    };
    if (jobs > 1 && programs.size() > 1) compile_jobs(programs, jobs, done);
    for (const std::size_t i : absent())  // also what did not compile: here it says why
      accept(i, jit::build(wanted_[i].source, {.architecture = wanted_[i].architecture}));
    if (!not_published_->empty()) unable("kernel cache: not everything could be written: " + *not_published_);
  }

  void write_pack(const std::string& path) const {
    std::vector<std::shared_ptr<const jit::Binary>> binaries;
    for (const auto& build : builds_) binaries.push_back(build->binary);
    jit::write_pack(path, binaries);
  }

  Clock::time_point start_ = Clock::now();
  std::vector<Wanted> wanted_;
  std::vector<std::optional<jit::Build>> builds_;
  Progress progress_;
  std::optional<TemporaryFolder> beside_;
  std::shared_ptr<std::string> not_published_ = std::make_shared<std::string>();  // why
};

}  // namespace

void warm(WarmWords words) {
  auto& architectures = words.programs.architectures;
  if (architectures.empty() && !words.pack.empty()) architectures = kCommonArchitectures;  // others are to read it
  std::string summary;
  {
    const Warming warming(words);
    summary = warming.summary(words.pack);
  }
  fmt::print("{}\n", summary);
}

}  // namespace ropeline::tools
