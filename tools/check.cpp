#include "tools/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <set>
#include <thread>

#include "ropeline/executor.h"
#include "tools/devices.h"
#include "tools/golden/golden.h"
#include "tools/golden/timing.h"
#include "tools/op.h"
#include "tools/progress.h"

namespace ropeline::tools {
namespace {

std::vector<Device> devices_of(const CheckWords& words) {
  if (!words.target.empty()) return {Device::cpu(cpu_target(words.target))};
  std::vector<Device> wanted = devices();
  if (words.device == "cpu") std::erase_if(wanted, [](Device d) { return d.kind != Device::Kind::cpu; });
  if (words.device.empty() || words.device == "cpu") return wanted;
  return {device_of(words.device, "best")};
}

std::string names_of(const std::vector<Device>& devices) {
  std::vector<std::string> names;
  for (Device device : devices) names.push_back(to_string(device));
  return fmt::format("{}", fmt::join(names, ", "));
}

// A GPU that was not asked for and is not there is said to be so.
void print_absence(const CheckWords& words) {
  if (words.target.empty() && words.device.empty() && !cuda_absence().empty())
    fmt::print("not run on a GPU: {}\n", cuda_absence());
}

std::string threads_of(Device device, int threads) {
  return device.kind == Device::Kind::cuda ? "" : threads == 1 ? "1 thread" : "2 threads";
}

bool check_op(const Op& op, Device device, int threads, const CheckWords& words) {
  const BackendCheck check = op.check(words.specs, words.seed, device);
  fmt::print("{:<11} {:<9}  {:<12}  {} specs, {} values, {} bits differ from the reference\n", to_string(device),
             threads_of(device, threads), op.name, check.specs, grouped(check.values), grouped(check.bits_differ));
  if (check.bits_differ) fmt::print("  first: {}\n", check.first_different);
  std::fflush(stdout);
  return check.bits_differ == 0;
}

bool check_machine(const CheckWords& words) {
  bool good = true;
  for (const std::string& op : words.ops) op_of(op);  // an unknown one is said first
  for (Device device : devices_of(words))
    for (int threads : {1, 2}) {
      if (device.kind == Device::Kind::cuda && threads != 1) continue;
      set_cpu_threads(threads);
      for (const std::string& op : words.ops) good = check_op(op_of(op), device, threads, words) && good;
    }
  print_absence(words);
  return good;
}

// --- the golden run ----------------------------------------------------------------------------------------------

struct Totals {
  std::int64_t values = 0, bits_differ = 0;
  golden::Judgement judgement;
  std::set<std::string> families;
  int files = 0;
  std::vector<std::string> faults, refused;
};

void add(Totals& totals, const golden::Report& report) {
  ++totals.files;
  totals.values += report.values;
  totals.bits_differ += report.bits_differ;
  for (const auto& judgement : {report.rows, report.inv_freq, report.parameters}) totals.judgement.add(judgement);
  if (report.values) totals.families.insert(report.family);
  for (const std::string& fault : report.faults) totals.faults.push_back(report.family + ": " + fault);
  for (const golden::Refusal& refusal : report.refusals)
    if (refusal.feed == golden::Feed::rows)
      totals.refused.push_back(fmt::format("{} {}: {}", report.family, refusal.what, refusal.reason));
}

void print(const Totals& totals) {
  const golden::Judgement& judged = totals.judgement;
  fmt::print("{} values of {} model families, {} bits differ\n", grouped(totals.values), totals.families.size(),
             grouped(totals.bits_differ));
  fmt::print("against the recorded models: {} of {} bf16 values differ, by at most {} ulp; fp32 within {:.1e}\n",
             grouped(judged.bf16_differ), grouped(judged.bf16_values), judged.bf16_worst_ulp, judged.fp32_worst_error);
  for (const std::string& fault : totals.faults) fmt::print("FAULT {}\n", fault);
}

void print_refused(const Totals& totals, bool why) {
  if (totals.refused.empty()) return;
  fmt::print("not run: {} of the recorded q, k and v, whose steps this version lacks{}\n", totals.refused.size(),
             why ? ":" : "; --why names them");
  for (const std::string& line : totals.refused)
    if (why) fmt::print("  {}\n", line);
}

struct Sum {
  double copy = 0;
  std::map<CpuTarget, double> targets;
  std::int64_t layers = 0;
};

void print_times(const std::map<std::int64_t, Sum>& sums, const std::vector<CpuTarget>& targets, int threads) {
  fmt::print(
      "\nmicroseconds per layer (mean of {} recorded layers, bf16, in place, {} thread{}), and against the in-place "
      "copy\n",
      sums.begin()->second.layers, threads, threads == 1 ? "" : "s");
  fmt::print("  {:<14}", "tokens");
  for (const auto& [tokens, sum] : sums) fmt::print("{:>20}", grouped(tokens));
  fmt::print("\n  {:<14}", "in-place copy");
  for (const auto& [tokens, sum] : sums) fmt::print("{:>20.2f}", sum.copy / static_cast<double>(sum.layers));
  for (CpuTarget target : targets) {
    fmt::print("\n  {:<14}", name_of(target));
    for (const auto& [tokens, sum] : sums) {
      const double time = sum.targets.at(target);
      fmt::print("{:>20}", fmt::format("{:.2f} ({:.1f} x)", time / static_cast<double>(sum.layers), time / sum.copy));
    }
  }
  fmt::print("\n");
}

void time_files(const std::vector<golden::Recording>& recordings, const CheckWords& words) {
  std::vector<CpuTarget> targets;
  for (Device device : devices_of(words))
    if (device.kind == Device::Kind::cpu) targets.push_back(device.target);
  set_cpu_threads(words.threads);
  std::map<std::int64_t, Sum> sums;
  for (const golden::Recording& recording : recordings)
    for (const golden::LayerTime& time : golden::time_layers(recording, targets, {1, 1024})) {
      Sum& sum = sums[time.tokens];
      ++sum.layers;
      sum.copy += time.copy;
      for (const auto& [target, micros] : time.targets) sum.targets[target] += micros;
    }
  if (!sums.empty()) print_times(sums, targets, words.threads);
}

bool check_golden(const CheckWords& words) {
  const std::vector<Device> devices = devices_of(words);
  std::vector<golden::Recording> recordings;
  for (const auto& path : golden::files_of(words.golden)) recordings.push_back(golden::Recording::read(path));
  fmt::print("{} files of recorded models through the scalar reference and {}\n", recordings.size(), names_of(devices));
  std::fflush(stdout);
  Totals totals;
  for (const golden::Recording& recording : recordings) add(totals, golden::run(recording, devices));
  print(totals);
  print_refused(totals, words.why);
  print_absence(words);
  std::fflush(stdout);
  if (words.time) time_files(recordings, words);
  return totals.faults.empty() && totals.bits_differ == 0 && totals.values > 0;
}

}  // namespace

bool check(const CheckWords& words) { return words.golden.empty() ? check_machine(words) : check_golden(words); }

}  // namespace ropeline::tools
