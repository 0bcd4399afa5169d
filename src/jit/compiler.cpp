#include "compiler.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "compile_log.h"
#include "error.h"
#include "fork.h"
#include "kernel_names.h"

namespace ropeline::jit {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// One compile, shared between the thread that compiles and the one that waits and may give up.
struct Job {
  const Nvrtc& api;
  Program program;
  Key key;
  std::string architecture;
  std::atomic<bool> cancelled = false;
  std::promise<Compiled> promise;

  static int asked_to_stop(void* job, void*) { return static_cast<Job*>(job)->cancelled ? 1 : 0; }
};

class Handle {
 public:
  explicit Handle(const Job& job) : api_(job.api) {
    std::vector<const char*> names, texts;
    for (const auto& [name, text] : job.program.headers) names.push_back(name.c_str()), texts.push_back(text.c_str());
    if (const auto result = api_.create(&handle_, job.program.text.c_str(), job.program.name.c_str(),
                                        static_cast<int>(names.size()), texts.data(), names.data()))
      throw Error(ErrorKind::internal,
                  {Stage::compile, text(job.program.name, ": ", api_.error_string(result)), {}, {}, {}});
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { api_.destroy(&handle_); }
  operator Nvrtc::Program() const { return handle_; }

 private:
  const Nvrtc& api_;
  Nvrtc::Program handle_ = nullptr;
};

using Size = Nvrtc::Result (*)(Nvrtc::Program, std::size_t*);
using Read = Nvrtc::Result (*)(Nvrtc::Program, char*);

std::string fetch(Nvrtc::Program program, Size size, Read read) {
  std::size_t bytes = 0;
  size(program, &bytes);
  std::string content(bytes, '\0');
  if (bytes) read(program, content.data());
  return content;
}

std::string fetch_text(Nvrtc::Program program, Size size, Read read) {
  std::string content = fetch(program, size, read);
  content.resize(std::min(content.find('\0'), content.size()));
  return content;
}

std::string known_architectures(const Nvrtc& api) {
  std::string list;
  for (int architecture : api.architectures) list += text(list.empty() ? "sm_" : ", sm_", architecture);
  return list;
}

std::string hint_for(const Job& job, Nvrtc::Result result, const std::string& log) {
  const bool builtins = result == Nvrtc::builtins_failed || log.find("nvrtc-builtins") != std::string::npos;
  if (builtins)
    return text("libnvrtc-builtins.so.", job.api.major, ".", job.api.minor, " is missing beside ", job.api.path,
                "; install the whole nvidia-cuda-nvrtc package");
  if (log.find("#error directive: an include may not be") != std::string::npos)
    return "name its folder in source.include_folders, and the rest of the path in the #include";
  if (log.find("#error directive: only #include") != std::string::npos)
    return "write the header's name itself: its text becomes part of the key";
  if (log.find("#error directive: found beside none") != std::string::npos ||
      log.find("could not open source file") != std::string::npos ||
      log.find("cannot open source file") != std::string::npos)
    return "give the header's text in source.headers, or its folder in source.include_folders";
  if (log.find("--nv_arch") != std::string::npos || log.find("gpu-architecture") != std::string::npos)
    return text("NVRTC ", job.api.major, ".", job.api.minor, " knows ", known_architectures(job.api),
                "; not each of them with an a or f behind it");
  return {};
}

// What the text has in place of a kernel that it has not.
std::string hint_for_name(const Program& program, std::string_view expression) {
  std::vector<std::string> names = kernels_in(program.text);
  for (const auto& [name, content] : program.headers)
    for (std::string& kernel : kernels_in(content)) names.push_back(std::move(kernel));
  if (std::ranges::find(names, bare_name(expression)) != names.end())
    return "a kernel of that name is there: write its namespace and its template arguments as C++ does, such as "
           "mine::scale<float, 4>";
  std::string list;
  for (const std::string& name : names) list += text(list.empty() ? "" : ", ", name);
  return list.empty() ? "no text of the program has a __global__ function" : "its kernels are " + list;
}

// The name expression that the compiler could make nothing of, where nothing went wrong before it; or an empty string.
std::string misnamed(const std::string& log) {
  constexpr std::string_view pragma = "#pragma nv_mangled_name ";
  const std::size_t line = log.rfind('\n', log.find("error:")) + 1,
                    at = log.find(pragma);  // line 0, or behind a line feed
  if (at == log.npos || log.compare(line, 14, "__nv_name_map(") != 0) return {};
  return log.substr(at + pragma.size(), log.find('\n', at) - at - pragma.size());
}

[[noreturn]] void fail_for_name(const Job& job, const std::string& expression, const std::string& log) {
  throw Error(ErrorKind::invalid_argument,
              {Stage::compile, text(job.program.name, " has no kernel '", expression, "'"),
               hint_for_name(job.program, expression), job.key.flags, without_figures(log)});
}

[[noreturn]] void fail(const Job& job, Nvrtc::Result result, const std::string& log) {
  if (const std::string expression = misnamed(log); !expression.empty()) fail_for_name(job, expression, log);
  const bool users_mistake =
      result == Nvrtc::compilation || result == Nvrtc::invalid_option || result == Nvrtc::name_invalid;
  throw Error(users_mistake ? ErrorKind::invalid_argument : ErrorKind::unavailable,
              {Stage::compile, text(job.program.name, " for ", job.architecture, ": ", job.api.error_string(result)),
               hint_for(job, result, log), job.key.flags, without_figures(log)});
}

void check(const Job& job, Nvrtc::Result result, const std::string& log = {}) {
  if (result != Nvrtc::success) fail(job, result, log);
}

std::string symbol_of(const Job& job, Nvrtc::Program program, const std::string& expression) {
  const char* symbol = nullptr;
  if (job.api.lowered_name(program, expression.c_str(), &symbol) != Nvrtc::success || !symbol)
    fail_for_name(job, expression, {});
  return symbol;
}

std::vector<const char*> pointers(const std::vector<std::string>& words) {
  std::vector<const char*> list;
  for (const std::string& word : words) list.push_back(word.c_str());
  return list;
}

std::shared_ptr<const Binary> collect(const Job& job, Nvrtc::Program program, const std::string& log) {
  auto binary = std::make_shared<Binary>();
  binary->key = hex(job.key.digest);
  binary->key_text = job.key.text;
  binary->architecture = job.architecture;
  for (const std::string& kernel : job.program.kernels)
    binary->kernels.push_back({.expression = kernel, .symbol = symbol_of(job, program, kernel)});
  const bool real = job.architecture.starts_with("sm_");
  binary->image =
      real ? fetch(program, job.api.cubin_size, job.api.cubin) : fetch(program, job.api.ptx_size, job.api.ptx);
  binary->compiler = compiler_of(binary->image, job.api.major, job.api.minor);
  read_facts(log, binary->kernels);
  return binary;
}

Compiled run(Job& job) {
  const Clock::time_point start = Clock::now();
  const Handle program(job);
  for (const std::string& kernel : job.program.kernels) check(job, job.api.add_name(program, kernel.c_str()));
  if (job.api.set_flow_callback) job.api.set_flow_callback(program, Job::asked_to_stop, &job);
  const std::vector<const char*> flags = pointers(job.key.flags);
  const auto result = job.api.compile(program, static_cast<int>(flags.size()), flags.data());
  const std::string log = fetch_text(program, job.api.log_size, job.api.log);
  check(job, result, log);
  auto binary = collect(job, program, log);
  return {std::move(binary), milliseconds_since(start), without_figures(log)};
}

void start_thread(std::shared_ptr<Job> job) {
  std::thread([job = std::move(job), section = CompileSection()] {
    try {
      job->promise.set_value(run(*job));
    } catch (...) {
      job->promise.set_exception(std::current_exception());
    }
  }).detach();
}

// An architecture that this compiler does not know is better said before it is asked.
void check_known(const Job& job) {
  const std::string digits = job.architecture.substr(job.architecture.find('_') + 1);
  const int number = std::atoi(digits.c_str());
  if (!std::ranges::binary_search(job.api.architectures, number))
    throw Error(ErrorKind::unsupported, {Stage::compile,
                                         text(job.program.name, ": architecture ", job.architecture,
                                              " is unknown to NVRTC ", job.api.major, ".", job.api.minor),
                                         text("it knows ", known_architectures(job.api)),
                                         job.key.flags,
                                         {}});
}

}  // namespace

Compiled compile(const Nvrtc& api, const Program& program, const Key& key, const std::string& architecture,
                 std::chrono::milliseconds limit) {
  const auto job = std::make_shared<Job>(api, program, key, architecture);
  check_known(*job);
  check_compiler_survived_fork();
  std::future<Compiled> result = job->promise.get_future();
  start_thread(job);
  if (result.wait_for(limit) == std::future_status::ready) return result.get();
  job->cancelled = true;
  throw Error(ErrorKind::unavailable, {Stage::compile,
                                       text(program.name, " for ", architecture, ": not compiled within ",
                                            limit.count(), " ms; the compile has been cancelled"),
                                       "options.compile_limit is too short, or the program too large",
                                       key.flags,
                                       {}});
}

std::string full_version(const Nvrtc& api) {
  static Once<int, std::string> once;
  return once.get(0, [&] {
    const std::string architecture = text("compute_", api.architectures.back());
    const Program program{"version.cu", "__global__ void version() {}", {"version"}, {}};
    const Key key{{}, {}, {"--minimal", "-arch=" + architecture}};
    return compile(api, program, key, architecture, std::chrono::seconds(60)).binary->compiler;
  });
}

}  // namespace ropeline::jit
