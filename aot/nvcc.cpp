#include "aot/nvcc.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "error.h"
#include "jit/compile_log.h"
#include "jit/program.h"

namespace ropeline::aot {
namespace {

namespace fs = std::filesystem;

/// A folder that is gone with its owner.
class Workplace {
 public:
  Workplace() {
    std::string name = fs::temp_directory_path() / "ropeline-aot-XXXXXX";
    if (!mkdtemp(name.data())) throw Error(ErrorKind::unavailable, text(name, ": ", std::strerror(errno)));
    path_ = name;
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  ~Workplace() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

void write(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Runs a command to its end, standard output and error into a file. Throws with the file's content unless it ends
/// with 0.
void run(const std::vector<std::string>& command, const fs::path& log) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int error = posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error) throw Error(ErrorKind::unavailable, text(command[0], ": ", std::strerror(error)));
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) throw Error(ErrorKind::unavailable, text(command[0], " failed:\n", read(log)));
}

/// The program with the address of each kernel taken, which makes nvcc instantiate it.
std::string with_instances(const jit::Program& program) {
  std::string text = program.text;
  for (std::size_t i = 0; i < program.kernels.size(); ++i)
    text += ropeline::text("\nauto* const instance_", i, " = &", program.kernels[i], ";\n");
  return text;
}

}  // namespace

jit::Binary twin_of(const jit::Binary& binary, const jit::Source& source, const std::string& nvcc) {
  const jit::Program program = jit::resolve(source);
  const Workplace folder;
  for (const auto& [name, content] : program.headers) write(folder / name, content);
  const fs::path text_file = folder / program.name, cubin = folder / "twin.cubin", log = folder / "log";
  write(text_file, with_instances(program));
  // NVRTC's -default-device is unknown to nvcc; the constexpr functions of the text need no more than this.
  run({nvcc, "-cubin", "-arch=" + binary.architecture, "-std=c++20", "--expt-relaxed-constexpr", "--ptxas-options=-v",
       "--diag-suppress=177", "-I" + text_file.parent_path().string(), "-o", cubin, text_file},
      log);
  jit::Binary twin = binary;
  twin.image = read(cubin);
  twin.compiler = jit::compiler_of(twin.image, 0, 0) + " nvcc";
  for (jit::KernelFacts& kernel : twin.kernels) {
    if (twin.image.find(".text." + kernel.symbol) == std::string::npos)
      throw Error(ErrorKind::internal, text(kernel.expression, ": nvcc has made no ", kernel.symbol));
    kernel = {.expression = kernel.expression, .symbol = kernel.symbol};
  }
  jit::read_facts(read(log), twin.kernels);
  return twin;
}

}  // namespace ropeline::aot
