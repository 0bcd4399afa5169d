#include "tests/jit/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

namespace ropeline::jit {
namespace {

void become(const std::vector<std::string>& command, const Environment& environment, int output) {
  for (const auto& [name, value] : environment)
    value.empty() ? unsetenv(name.c_str()) : setenv(name.c_str(), value.c_str(), 1);
  dup2(output, 1), dup2(output, 2);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  _exit(127);
}

}  // namespace

Process::Process(const std::vector<std::string>& command, const Environment& environment) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) std::abort();
  if ((id_ = fork()) == 0) become(command, environment, pipe_ends[1]);
  close(pipe_ends[1]);
  output_ = pipe_ends[0];
}

Outcome Process::wait() {
  Outcome outcome;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  pollfd ready{output_, POLLIN, 0};
  char bytes[4096];
  for (ssize_t n = 1; n > 0;) {
    if (std::chrono::steady_clock::now() > deadline) kill(id_, SIGKILL);
    if (poll(&ready, 1, 1000) <= 0) continue;
    n = read(output_, bytes, sizeof bytes);
    if (n > 0) outcome.out.append(bytes, n);
  }
  close(output_);
  int status = 0;
  waitpid(id_, &status, 0);
  if (WIFEXITED(status)) outcome.exit = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  return outcome;
}

Outcome run(const std::vector<std::string>& command, const Environment& environment) {
  return Process(command, environment).wait();
}

Outcome probe(const std::string& what, const std::string& cache, Environment environment) {
  environment.try_emplace("ROPELINE_CACHE_DIR", cache);
  return run({ROPELINE_PROBE, what}, environment);
}

std::vector<std::string> in_own_mounts(const std::string& script) {
  const std::vector<std::string> unshare =
      geteuid() == 0 ? std::vector<std::string>{"unshare", "-m"} : std::vector<std::string>{"unshare", "-rm"};
  const auto with = [&](const std::string& text) {
    auto command = unshare;
    command.insert(command.end(), {"sh", "-c", text});
    return command;
  };
  static const bool allowed = run(with("mount -t tmpfs none /mnt")).exit == 0;
  return allowed ? with(script) : std::vector<std::string>{};
}

std::vector<std::string> as_nobody(const std::vector<std::string>& command) {
  std::vector<std::string> whole = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  const auto with = [&](const std::vector<std::string>& rest) {
    auto all = whole;
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  };
  static const bool allowed = run(with({"test", "-x", ROPELINE_PROBE})).exit == 0;
  return allowed ? with(command) : std::vector<std::string>{};
}

}  // namespace ropeline::jit
