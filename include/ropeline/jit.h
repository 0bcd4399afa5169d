#pragma once

/// A JIT runtime for anybody's CUDA kernel. It knows no op: source + options + architecture -> kernel -> launch.
///
///     namespace jit = ropeline::jit;
///     jit::Module module = jit::load({.name = "scale.cu", .text = text, .kernels = {"scale<float>"}});
///     module.kernel().launch({.grid = {blocks}, .block = {256}, .stream = stream}, x, factor, n);
///
/// Needs NVRTC and a driver at run time only, each opened when it is first needed: no CUDA header, no nvcc, no host
/// compiler. A binary is looked for in memory, packs, read-only folders and the cache folder, and compiled last; who
/// finds it in one of them never opens NVRTC. docs/jit.md describes the cache, its files and what may go wrong.
///
/// Everything here may be called from any thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "ropeline/error.h"
#include "ropeline/once.h"

namespace ropeline::jit {

// --- what to compile ---------------------------------------------------------------------------------------------

/// The text of an include file, by the name that `#include` says.
struct Header {
  std::string name;
  std::string text;
};

/// A program: one text, the kernels wanted of it, and the headers it includes.
///
/// An include is looked for in `headers`, then among the headers embedded in Ropeline ("kernels/..."), then in
/// `include_folders`; a quoted one also beside the file that includes it. The *text* of every file that is reached
/// becomes part of the key, never its path, so a changed header is another program. `..` may lead out of an include
/// folder, to a file beside it; of two names for one file under the include folders one is used. What is found nowhere
/// is left to the compiler, which knows its own headers and opens no file: neither the working directory nor the
/// folder of `name` is searched.
///
/// Refused, by an #error that counts where the compiler comes by: absolute paths, and names that are not in the text
/// (`#include NAME` of a macro, a directive over two lines). A header that cannot be read is an error.
struct Source {
  std::string name;                               ///< "scale.cu": what the compiler's messages call it. Not a path.
  std::string text;                               ///< CUDA C++
  std::vector<std::string> kernels;               ///< name expressions: "scale", "scale<float, 4>". At least one.
  std::vector<Header> headers = {};               ///< the caller's own
  std::vector<std::string> include_folders = {};  ///< searched last; CUDA's own headers, for example
};

/// How to compile.
struct Options {
  std::string architecture = {};        ///< "sm_90", "sm_90a", "compute_90" (PTX). Empty: the current device's.
  std::vector<std::string> flags = {};  ///< one word each: "-DWIDTH=4". Their order does not count. None that names
                                        ///< a file or folder (-I, -include, --pre-include, --use-pch ...)
  bool minimal = true;                  ///< --minimal: faster, but no textures, surfaces and device-side launches
  bool pin_compiler = false;            ///< makes the compiler's version part of the key
  std::chrono::milliseconds compile_limit = std::chrono::seconds(60);  ///< a compile beyond it is an error
};

// --- what comes of it --------------------------------------------------------------------------------------------

/// What the compiler says of one kernel. All zero for PTX, which is not machine code yet.
struct KernelFacts {
  std::string expression;     ///< as in Source::kernels
  std::string symbol;         ///< mangled name in the image
  int registers = 0;          ///< per thread
  int stack_bytes = 0;        ///< per thread
  int spill_store_bytes = 0;  ///< per thread
  int spill_load_bytes = 0;   ///< per thread
  int shared_bytes = 0;       ///< static shared memory per block
};

/// A compiled program. Immutable.
struct Binary {
  std::string key;           ///< SHA-256 of key_text, 64 hexadecimal digits
  std::string key_text;      ///< everything that the code depends on, in full
  std::string architecture;  ///< "sm_90"; "compute_90" when the image is PTX
  std::string compiler;      ///< "13.0.88"
  std::vector<KernelFacts> kernels;
  std::string image;  ///< a cubin, or PTX
};

/// Where a binary came from.
enum class Origin : std::uint8_t { memory, pack, read_only, cache, compiled };

/// "memory", "pack", "read-only folder", "cache", "compiled"
ROPELINE_API const char* name_of(Origin origin) noexcept;

/// A binary and how it was had.
struct Build {
  std::shared_ptr<const Binary> binary;
  Origin origin = Origin::compiled;
  double milliseconds = 0;  ///< of this look-up or compile
  std::string path;         ///< the entry or pack that holds it; empty when it lives in memory only
};

/// The binary of a program for one architecture, from wherever it can be had. Needs no GPU when `architecture` is set.
/// Throws jit::Error.
ROPELINE_API Build build(const Source& source, const Options& options = {});

/// As `build`, but nothing is compiled: the binary out of a pack, a read-only folder or the cache folder, if one has
/// it.
ROPELINE_API std::optional<Build> find(const Source& source, const Options& options = {});

// --- running it --------------------------------------------------------------------------------------------------

namespace detail {
struct Loaded;
}

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

/// The shape of a launch and where it is queued.
struct Launch {
  Dim3 grid = {};
  Dim3 block = {};
  unsigned shared_bytes = 0;      ///< dynamic shared memory per block
  void* stream = nullptr;         ///< CUstream or cudaStream_t; null is the default stream
  bool overlap_previous = false;  ///< programmatic dependent launch: may start before the stream's previous kernel
                                  ///< ends. The kernel must run griddepcontrol.wait before it reads what that one
                                  ///< writes. From sm_90 on; elsewhere Error{invalid_argument}.
};

/// A kernel on the device it was loaded for. Cheap to copy; keeps its module alive.
class ROPELINE_API Kernel {
 public:
  /// Queues the kernel on its device, whichever device is current; that stays as it is. The stream is one of the
  /// kernel's device, and null that device's default stream. Each argument is passed by value and must have exactly the
  /// type of the kernel's parameter. Does not allocate, lock or synchronise, and is legal while the stream is being
  /// captured.
  /// Throws jit::Error with stage `launch`.
  template <class... Args>
  void launch(const Launch& how, const Args&... args) const {
    const void* addresses[] = {static_cast<const void*>(&args)..., nullptr};
    launch_addresses(how, addresses);
  }

  /// The same with the addresses of the arguments, as cuLaunchKernelEx takes them.
  void launch_addresses(const Launch& how, const void* const* arguments) const;

  /// Allows launches with up to so much dynamic shared memory (needed above 48 KiB), to all who hold this kernel on its
  /// device; the most that was ever allowed stays.
  void allow_shared_bytes(int bytes) const;

  const KernelFacts& facts() const noexcept { return *facts_; }

 private:
  friend class Module;
  void launch_elsewhere(const Launch& how, const void* const* arguments) const;

  std::shared_ptr<const detail::Loaded> loaded_;
  const KernelFacts* facts_ = nullptr;
  void* handle_ = nullptr;    // for any context
  void* function_ = nullptr;  // the same, in the context that it was loaded in
};

/// A program on one device, uploaded. Cheap to copy.
class ROPELINE_API Module {
 public:
  /// `load` makes modules.
  explicit Module(std::shared_ptr<const detail::Loaded> loaded) : loaded_(std::move(loaded)) {}

  /// The kernel of that place in Source::kernels.
  Kernel kernel(std::size_t index = 0) const;
  /// The kernel of that name expression. Throws Error{invalid_argument} that lists the ones there are.
  Kernel kernel(const std::string& expression) const;

  const Binary& binary() const noexcept;

 private:
  friend struct ModuleMaker;
  std::shared_ptr<const detail::Loaded> loaded_;
};

/// Builds the program for the current device (the first one, made current, when this thread has none) and uploads it.
/// The second call for a device is a look-up. A device newer than the compiler gets PTX of the newest architecture that
/// the compiler knows. `stream`: where the kernels are going to run; a program that is not loaded yet is refused while
/// that stream is being captured, because loading it would break the capture.
/// Throws jit::Error.
ROPELINE_API Module load(const Source& source, const Options& options = {}, void* stream = nullptr);

/// The device that is current in this thread, or -1 when there is no driver or none is current.
ROPELINE_API int current_device() noexcept;

/// The memo of a function of plain arguments: made by `cached`.
template <class Make, class Result, class... Args>
class Cached {
 public:
  explicit Cached(Make make) : make_(std::move(make)) {}

  /// What the function returned for these arguments on the current device. The reference stays valid as long as this.
  const Result& operator()(const Args&... args) {
    return once_.get(Key{current_device(), args...}, [&] { return make_(args...); });
  }

 private:
  using Key = std::tuple<int, Args...>;

  struct Hash {
    std::size_t operator()(const Key& key) const {
      return std::apply(
          [](const auto&... part) {
            std::size_t sum = 0;
            ((sum = sum * 0x9e3779b97f4a7c15u + std::hash<std::decay_t<decltype(part)>>{}(part)), ...);
            return sum;
          },
          key);
    }
  };

  Make make_;
  Once<Key, Result, Hash> once_;
};

namespace detail {
template <class Make, class Result, class Class, class... Args>
Cached<Make, Result, std::decay_t<Args>...> cached_as(Make make, Result (Class::*)(Args...) const) {
  return Cached<Make, Result, std::decay_t<Args>...>(std::move(make));
}
}  // namespace detail

/// Remembers what a function returns, per arguments and device: called once for each, whatever the number of threads;
/// failures are not kept. Arguments need == , < and std::hash. For launch sites that pick a variant:
///
///     static auto scale = jit::cached([](int width) { return jit::load(source_for(width)).kernel(); });
///     scale(8).launch(...);
template <class Make>
auto cached(Make make) {
  return detail::cached_as(std::move(make), &Make::operator());
}

// --- settings ----------------------------------------------------------------------------------------------------

/// Something that happened, for logs and progress bars.
struct Event {
  enum class Kind : std::uint8_t {
    hit,             ///< found; `origin` says where
    miss,            ///< found nowhere; a compile follows, or an error
    compiled,        ///< `milliseconds` is the compiler's time
    published,       ///< written to the cache folder
    not_published,   ///< could not be written (`text` says why); the binary is used all the same
    bad_entry,       ///< an entry did not verify (`text` says why); it is treated as absent, and replaced
    folder_refused,  ///< a folder is not used (`text` says why)
    lock_abandoned,  ///< another process held the key's lock for too long; compiled without it
    warning,         ///< the compiler's remarks, or a fallback
  };
  Kind kind;
  Origin origin;        ///< of a hit
  std::string key;      ///< empty when no program is concerned
  std::string name;     ///< Source::name
  double milliseconds;  ///< what it took
  std::string text;     ///< path, reason or log
};

/// "hit", "miss", "compiled" ...
ROPELINE_API const char* name_of(Event::Kind kind) noexcept;

/// Where binaries are looked for, and whether and with what they are compiled.
struct Config {
  /// The folder that is read and written; made when absent. Empty: memory only. It must belong to this user or root, be
  /// writable by nobody else and be no link; a folder that is refused is not used, and events say so.
  std::string cache_folder;
  std::vector<std::string> read_only_folders;  ///< folders of the same form that are only read, in order
  std::vector<std::string> packs;              ///< files written by write_pack, in order
  bool compile = true;                         ///< false: a program that is found nowhere is an error that names it
  std::string nvrtc;                           ///< libnvrtc's file or folder; empty: searched
  std::vector<std::string> python_prefixes;    ///< where pip may have put NVRTC: sys.prefix, or a folder of packages
  std::chrono::milliseconds lock_wait = std::chrono::seconds(30);  ///< for another process that compiles the same key
  std::function<void(const Event&)> on_event;  ///< called in the thread that asked; must not throw, fork or call build
};

/// The settings that the environment names (docs/environment.md), with Ropeline's defaults for the rest.
ROPELINE_API Config default_config();

/// Names one more of the python_prefixes that default_config has: for a package that knows its interpreter. Opens
/// nothing. Settings that are in force already stay as they are.
ROPELINE_API void add_python_prefix(std::string prefix);

/// Replaces the settings of this process; what is in memory is forgotten, what is loaded stays usable. A pack that
/// cannot be read throws jit::Error, and nothing changes.
ROPELINE_API void configure(Config config);

/// What has happened since the last `configure`.
struct Statistics {
  std::uint64_t memory_hits = 0, pack_hits = 0, read_only_hits = 0, cache_hits = 0, compiles = 0;
  std::uint64_t published = 0, not_published = 0, bad_entries = 0, locks_abandoned = 0;
};
ROPELINE_API Statistics statistics();

/// The cache folder as it stands.
struct CacheStatus {
  std::string folder;     ///< as configured
  bool readable = false;  ///< entries are read from it
  bool writable = false;  ///< entries are written to it
  std::string reason;     ///< why not, when either is false
};
ROPELINE_API CacheStatus cache_status();

/// The compiler. Asking opens it.
struct CompilerStatus {
  std::string path;                        ///< the library's file
  std::string version;                     ///< "13.0"
  std::vector<std::string> architectures;  ///< "sm_75", "sm_80" ...
  std::string reason;                      ///< why there is none
};
ROPELINE_API CompilerStatus compiler_status();

/// Writes binaries into one file that `Config::packs` reads. Written aside and renamed, so a reader sees all or
/// nothing. Throws jit::Error.
ROPELINE_API void write_pack(const std::string& path, const std::vector<std::shared_ptr<const Binary>>& binaries);

// --- errors ------------------------------------------------------------------------------------------------------

/// What was being done when an error came up.
enum class Stage : std::uint8_t { source, compiler, compile, cache, driver, load, launch };

/// "source", "compiler", "compile" ...
ROPELINE_API const char* name_of(Stage stage) noexcept;

/// An error with everything that is needed to act on it. what() says it all in one text.
class ROPELINE_API Error : public ropeline::Error {
 public:
  struct Parts {
    Stage stage;
    std::string sentence;              ///< what went wrong, with names and values
    std::string hint = {};             ///< what would help; may be empty
    std::vector<std::string> options;  ///< the compiler's, when it was asked
    std::string log = {};              ///< the compiler's, in full
  };

  Error(ErrorKind kind, Parts parts);
  Stage stage() const noexcept { return parts_.stage; }
  const std::string& sentence() const noexcept { return parts_.sentence; }
  const std::string& hint() const noexcept { return parts_.hint; }
  const std::vector<std::string>& options() const noexcept { return parts_.options; }
  const std::string& log() const noexcept { return parts_.log; }

 private:
  Parts parts_;
};

}  // namespace ropeline::jit
