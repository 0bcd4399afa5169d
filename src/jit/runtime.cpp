#include "runtime.h"

#include <algorithm>
#include <charconv>

#include "compiler.h"
#include "entry.h"
#include "error.h"
#include "publish.h"

namespace ropeline::jit {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Older compilers have known faults or lack what our kernels say; their entries are compiled again.
constexpr int kOldestMajor = 12;

bool is_too_old(const std::string& compiler) {
  int major = 0;
  std::from_chars(compiler.data(), compiler.data() + compiler.size(), major);
  return major < kOldestMajor;
}

std::string file_of(const Key& key) { return hex(key.digest) + ".rlj"; }

bool knows(const Nvrtc& api, const std::string& architecture) {
  const int number = std::atoi(architecture.c_str() + architecture.find('_') + 1);
  return std::ranges::binary_search(api.architectures, number);
}

}  // namespace

struct Runtime::Job {
  const Request& request;
  Key key;
  Clock::time_point start;

  Event event(Event::Kind kind, std::string text = {}, Origin origin = Origin::compiled) const {
    return {kind, origin, hex(key.digest), request.program.name, milliseconds_since(start), std::move(text)};
  }
};

Statistics Counters::read() const {
  return {memory_hits, pack_hits,     read_only_hits, cache_hits,     compiles,
          published,   not_published, bad_entries,    locks_abandoned};
}

constexpr const char* kNoFolder =
    "none is named (by ROPELINE_CACHE_DIR, XDG_CACHE_HOME or HOME), so kernels stay in memory";

Runtime::Runtime(Config config)
    : config_(std::move(config)),
      cache_(config_.cache_folder.empty() ? Folder::absent(kNoFolder) : Folder::open_private(config_.cache_folder)) {
  for (const std::string& path : config_.packs) packs_.emplace_back(path);
  for (const std::string& path : config_.read_only_folders) read_only_.push_back(Folder::open_read_only(path));
  const auto report_refused = [&](const Folder& folder) {
    if (folder.path().empty() || folder.status().readable) return;
    report({Event::Kind::folder_refused, {}, {}, {}, 0, text(folder.path(), " ", folder.status().reason)});
  };
  report_refused(cache_);
  for (const Folder& folder : read_only_) report_refused(folder);
}

void Runtime::report(const Event& event) const {
  if (config_.on_event) config_.on_event(event);
}

const Nvrtc& Runtime::compiler() const { return nvrtc({config_.nvrtc, config_.python_prefixes}); }

Runtime::Job Runtime::job_of(const Request& request) const {
  if (request.key) return {request, *request.key, Clock::now()};
  const std::string pinned = request.options.pin_compiler ? full_version(compiler()) : std::string();
  return {request, make_key(request.program, request.architecture, request.options, pinned), Clock::now()};
}

std::optional<Build> Runtime::find(const Request& request) { return find(job_of(request)); }

Build Runtime::build(const Request& request) {
  const Job job = job_of(request);
  bool fresh = false;
  Build build = builds_.get(job.key.digest, [&] { return fresh = true, find_or_compile(job); });
  if (fresh) return build;
  ++counters_.memory_hits;
  report(job.event(Event::Kind::hit, build.path, Origin::memory));
  build.origin = Origin::memory;
  build.milliseconds = milliseconds_since(job.start);
  return build;
}

Build Runtime::find_or_compile(const Job& job) {
  if (auto found = find(job)) return *found;
  report(job.event(Event::Kind::miss));
  if (!config_.compile)
    throw Error(ErrorKind::unavailable,
                {Stage::compile,
                 text(job.request.program.name, " for ", job.request.architecture, ": kernel ",
                      job.request.program.kernels.front(), " is in no cache, and compiling is switched off (key ",
                      hex(job.key.digest), ")"),
                 "unset ROPELINE_NO_COMPILE, or ship a pack that holds it",
                 job.key.flags,
                 {}});
  const Nvrtc& api = compiler();
  if (job.request.may_fall_back && !knows(api, job.request.architecture)) {
    Request request = job.request;
    request.architecture = text("compute_", api.architectures.back());
    request.may_fall_back = false;
    request.key = nullptr;
    report(job.event(Event::Kind::warning, text(job.request.architecture, " is newer than NVRTC ", api.major, ".",
                                                api.minor, "; PTX of ", request.architecture, " instead")));
    return build(request);
  }
  const ProcessLock lock(cache_, hex(job.key.digest), config_.lock_wait);
  if (lock.state() == ProcessLock::State::timed_out) {
    ++counters_.locks_abandoned;
    report(
        job.event(Event::Kind::lock_abandoned, text("another process held it for ", config_.lock_wait.count(), " ms")));
  }
  if (auto found = find_in_cache(job)) return *found;  // by the process that held the lock before us
  return compile_and_publish(job, api);
}

std::optional<Build> Runtime::find(const Job& job) {
  for (const Pack& pack : packs_)
    if (auto found = accept(job, {pack.read(job.key.digest), {}}, Origin::pack, pack.path())) return found;
  for (const Folder& folder : read_only_)
    if (auto found = accept(job, folder.read(file_of(job.key)), Origin::read_only, folder.path())) return found;
  return find_in_cache(job);
}

std::optional<Build> Runtime::find_in_cache(const Job& job) {
  return accept(job, cache_.read(file_of(job.key)), Origin::cache, cache_.path());
}

std::optional<Build> Runtime::accept(const Job& job, const Folder::Content& content, Origin origin,
                                     const std::string& path) {
  if (!content.bytes && content.refusal.empty()) return std::nullopt;
  const std::string place = origin == Origin::pack ? path : path + "/" + file_of(job.key);
  Parsed parsed{nullptr, content.refusal};
  if (content.bytes) parsed = parse_entry(*content.bytes, job.key.text, job.key.digest);
  if (!parsed.binary) {
    ++counters_.bad_entries;
    report(job.event(Event::Kind::bad_entry, text(place, ": ", parsed.reason)));
    return std::nullopt;
  }
  if (is_too_old(parsed.binary->compiler)) return std::nullopt;
  ++(origin == Origin::pack        ? counters_.pack_hits
     : origin == Origin::read_only ? counters_.read_only_hits
                                   : counters_.cache_hits);
  report(job.event(Event::Kind::hit, place, origin));
  return Build{std::move(parsed.binary), origin, milliseconds_since(job.start), place};
}

Build Runtime::compile_and_publish(const Job& job, const Nvrtc& api) {
  const Request& request = job.request;
  Compiled compiled = compile(api, request.program, job.key, request.architecture, request.options.compile_limit);
  ++counters_.compiles;
  if (!compiled.remarks.empty()) report(job.event(Event::Kind::warning, compiled.remarks));
  Event event = job.event(Event::Kind::compiled);
  event.milliseconds = compiled.milliseconds;
  report(event);
  if (request.check) request.check(*compiled.binary);
  Build build{std::move(compiled.binary), Origin::compiled, 0, {}};
  publish_entry(job, build);
  build.milliseconds = milliseconds_since(job.start);
  return build;
}

void Runtime::publish_entry(const Job& job, Build& build) {
  if (!cache_.status().writable) return;
  const std::string file = file_of(job.key);
  sweep(cache_.handle());
  const std::string reason = publish(cache_.handle(), file, entry_bytes(*build.binary), cache_.mode_of_entries());
  const std::string place = cache_.path() + "/" + file;
  ++(reason.empty() ? counters_.published : counters_.not_published);
  if (reason.empty())
    report(job.event(Event::Kind::published, build.path = place));
  else
    report(job.event(Event::Kind::not_published, text(place, ": ", reason)));
}

}  // namespace ropeline::jit
