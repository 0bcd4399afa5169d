#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "compiler_library.h"
#include "digest.h"
#include "folder.h"
#include "key.h"
#include "pack.h"
#include "program.h"

namespace ropeline::cuda {
class Library;
}

namespace ropeline::jit {

/// Counters of Statistics, bumped from any thread.
struct Counters {
  std::atomic<std::uint64_t> memory_hits = 0, pack_hits = 0, read_only_hits = 0, cache_hits = 0, compiles = 0,
                             published = 0, not_published = 0, bad_entries = 0, locks_abandoned = 0;
  Statistics read() const;
};

/// A request, from its source to a binary.
struct Request {
  const Program& program;
  const Options& options;
  std::string architecture;
  bool may_fall_back = false;  ///< to PTX, when the compiler does not know the architecture
  const Key* key = nullptr;    ///< of all this, when it is made already
  /// Called with a fresh binary before it is published; throws when it does not load. May be empty.
  std::function<void(const Binary&)> check = {};
};

/// The look-up: memory, packs, read-only folders, cache, compile. One per configuration.
class Runtime {
 public:
  /// Opens folders and packs. Throws jit::Error for a pack that cannot be read.
  explicit Runtime(Config config);

  Build build(const Request& request);

  /// What a pack, a read-only folder or the cache has of it; nothing is compiled or remembered.
  std::optional<Build> find(const Request& request);

  /// Opens NVRTC as configured.
  const Nvrtc& compiler() const;

  const Config& config() const { return config_; }
  Statistics statistics() const { return counters_.read(); }
  const Folder& cache() const { return cache_; }
  const std::vector<Folder>& read_only() const { return read_only_; }
  CacheStatus cache_status() const { return cache_.status(); }
  void report(const Event& event) const;

  /// What has been loaded: libraries by the key of their binary, modules by the key of their program and the device.
  Once<std::string, std::shared_ptr<const cuda::Library>> libraries;
  struct OnDevice {
    std::string key;
    int device;
    auto operator<=>(const OnDevice&) const = default;
  };
  struct OnDeviceHash {
    std::size_t operator()(const OnDevice& x) const { return std::hash<std::string>{}(x.key) + x.device; }
  };
  Once<OnDevice, Module, OnDeviceHash> modules;
  /// The same by the words of the caller (`asked` of module.cpp), which takes no look at a header.
  Once<Digest, Module, DigestHash> asked;

 private:
  struct Job;  // a request with its key

  Job job_of(const Request& request) const;
  Build find_or_compile(const Job& job);
  std::optional<Build> find(const Job& job);
  std::optional<Build> find_in_cache(const Job& job);
  std::optional<Build> accept(const Job& job, const Folder::Content& content, Origin origin, const std::string& path);
  Build compile_and_publish(const Job& job, const Nvrtc& api);
  void publish_entry(const Job& job, Build& build);

  Config config_;
  Folder cache_;
  std::vector<Folder> read_only_;
  std::vector<Pack> packs_;
  Counters counters_;
  Once<Digest, Build, DigestHash> builds_;
};

/// The runtime of the process's configuration.
std::shared_ptr<Runtime> runtime();

}  // namespace ropeline::jit
