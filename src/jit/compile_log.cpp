#include "compile_log.h"

#include <charconv>

#include "error.h"

namespace ropeline::jit {
namespace {

// Calls visit(line) for each line.
template <class Visit>
void each_line(std::string_view log, Visit&& visit) {
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    visit(log.substr(0, end));
    log.remove_prefix(std::min(end + 1, log.size()));
  }
}

// The number before a phrase: number_before("12 bytes spill stores, 4 ...", " bytes spill stores") is 12.
int number_before(std::string_view line, std::string_view phrase) {
  const std::size_t end = line.find(phrase);
  if (end == line.npos) return 0;
  const std::size_t begin = line.find_last_not_of("0123456789", end - 1) + 1;
  int number = 0;
  std::from_chars(line.data() + begin, line.data() + end, number);
  return number;
}

// The kernel whose symbol follows the phrase; null for any other function.
KernelFacts* named_after(std::string_view line, std::string_view phrase, std::vector<KernelFacts>& kernels) {
  std::string_view symbol = line.substr(line.find(phrase) + phrase.size());
  symbol = symbol.substr(0, symbol.find('\''));
  for (KernelFacts& kernel : kernels)
    if (symbol == kernel.symbol) return &kernel;
  return nullptr;
}

bool is_figure(std::string_view line) {
  return line.starts_with("ptxas info") || line.starts_with("ptxas         .") || line.empty();
}

}  // namespace

void read_facts(std::string_view log, std::vector<KernelFacts>& kernels) {
  constexpr std::string_view compiling = "Compiling entry function '", properties = "Function properties for ";
  KernelFacts* kernel = nullptr;    // being compiled: "Used N registers" is about it
  KernelFacts* function = nullptr;  // whose properties come next; a called function has its own
  const auto says = [](std::string_view line, std::string_view phrase) { return line.find(phrase) != line.npos; };
  each_line(log, [&](std::string_view line) {
    if (says(line, compiling)) kernel = named_after(line, compiling, kernels);
    if (says(line, properties)) function = named_after(line, properties, kernels);
    if (function && says(line, " bytes stack frame")) {
      function->stack_bytes = number_before(line, " bytes stack frame");
      function->spill_store_bytes = number_before(line, " bytes spill stores");
      function->spill_load_bytes = number_before(line, " bytes spill loads");
    }
    if (kernel && says(line, " registers")) {
      kernel->registers = number_before(line, " registers");
      kernel->shared_bytes = number_before(line, " bytes smem");
    }
  });
}

std::string without_figures(std::string_view log) {
  std::string rest;
  each_line(log, [&](std::string_view line) {
    if (!is_figure(line)) rest += text(line, "\n");
  });
  return rest;
}

std::string compiler_of(std::string_view image, int major, int minor) {
  constexpr std::string_view signature = "Cuda compilation tools, release ";
  const std::size_t line = image.find(signature);
  const std::size_t at = line == image.npos ? line : image.find(", V", line);
  if (at == image.npos) return text(major, ".", minor);
  const std::size_t end = image.find_first_not_of("0123456789.", at + 3);
  return std::string(image.substr(at + 3, end - at - 3));
}

}  // namespace ropeline::jit
