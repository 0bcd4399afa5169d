#pragma once

namespace ropeline::jit {

/// While one exists, a compile is under way, and fork() waits for it (up to a second): a child must not inherit a
/// compiler that was stopped in the middle. Copies count as one more.
class CompileSection {
 public:
  CompileSection();
  CompileSection(const CompileSection&);
  CompileSection& operator=(const CompileSection&) = delete;
  ~CompileSection();
};

/// Throws jit::Error in a process that was forked while its parent's compile went on longer than fork() waits.
void check_compiler_survived_fork();

}  // namespace ropeline::jit
