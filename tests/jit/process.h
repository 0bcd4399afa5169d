#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace ropeline::jit {

/// How a process ended and what it said.
struct Outcome {
  int exit = -1;    ///< exit status, or -1
  int signal = 0;   ///< the signal that ended it
  std::string out;  ///< standard output and error

  bool says(const std::string& text) const { return out.find(text) != std::string::npos; }
};

using Environment = std::map<std::string, std::string>;  ///< an empty value removes the variable

/// A process that runs; collected by `wait`. Ended by force when it takes longer than a minute.
class Process {
 public:
  Process(const std::vector<std::string>& command, const Environment& environment);
  Outcome wait();

 private:
  pid_t id_ = 0;
  int output_ = -1;
};

/// Runs a command to its end.
Outcome run(const std::vector<std::string>& command, const Environment& environment = {});

/// The probe with its cache in that folder.
Outcome probe(const std::string& what, const std::string& cache, Environment environment = {});

/// The command that runs a shell script in mounts of its own; empty when this machine does not allow it.
std::vector<std::string> in_own_mounts(const std::string& script);

/// The command as user 65534; empty when we cannot become another user.
std::vector<std::string> as_nobody(const std::vector<std::string>& command);

}  // namespace ropeline::jit
