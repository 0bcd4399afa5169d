// The program `ropeline`: info, run, check, warm, cache. Exit codes: 0 all is well, 1 a check failed, 2 a mistake in
// the call or in a file, 3 this machine or this version cannot do it.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <new>

#include "ropeline/error.h"
#include "ropeline/models.h"
#include "ropeline/version.h"
#include "tools/cache.h"
#include "tools/check.h"
#include "tools/explain.h"
#include "tools/info.h"
#include "tools/op.h"
#include "tools/run.h"
#include "tools/warm.h"

namespace ropeline::tools {
namespace {

constexpr int kFailed = 1, kMistake = 2, kUnable = 3;
constexpr std::int64_t kMostTokens = 1'000'000'000;
constexpr int kMostSpecs = 1'000'000;

std::string ops_in_words() { return fmt::format("{}", fmt::join(op_names(), " or ")); }

void add_spec_words(CLI::App& app, SpecWords& words) {
  auto* config = app.add_option("--config", words.config,
                                "a model's config.json, or its published name; the spec is that of its layer");
  app.add_option("--layer", words.layer, "which layer of the config")->needs(config)->capture_default_str();
  app.add_option("--spec", words.spec, "a spec as it is printed: JSON, or @FILE")->excludes(config);
  app.add_option("--q", words.q, "query heads");
  app.add_option("--k", words.k, "key heads");
  app.add_option("--head-dim", words.head_dim, "elements of a head")->capture_default_str();
  app.add_option("--norm", words.norm, "rms or none")->capture_default_str();
  app.add_option("--eps", words.eps, "of the norm")->capture_default_str();
  app.add_option("--weight-offset", words.weight_offset, "added to the norm weight: 1 for Gemma")
      ->capture_default_str();
  app.add_flag("--no-weight", words.no_weight, "a norm without weight");
  app.add_option("--rotary-dim", words.rotary_dim, "rotated elements; 0 = no rope, left out = head_dim");
  app.add_option("--theta", words.theta, "base of the frequencies")->capture_default_str();
  app.add_option("--style", words.style, "neox or interleaved")->capture_default_str();
  app.add_option("--angles", words.angles, "frequencies, cache or rows")->capture_default_str();
  app.add_option("--dtype", words.dtype, "bf16, fp16 or fp32")->capture_default_str();
  app.add_option("--rounding", words.rounding, "fused, or two letters of docs/models.md such as Ar")
      ->capture_default_str();
}

void add_run(CLI::App& app, RunWords& words) {
  auto* run = app.add_subcommand("run", "Run one call and print or write its outputs");
  run->add_option("--op", words.op,
                  fmt::format("{}; left out: that of the tensors' file, or {}", ops_in_words(), kQkNormRope.name));
  add_spec_words(*run, words.spec);
  run->add_option("--tensors", words.tensors,
                  "safetensors file with q, k, q_weight, positions, cos ...; otherwise made up. Without a spec in the "
                  "call, the one that --out wrote into it");
  run->add_option("--out", words.out, "safetensors file to write: all inputs and outputs");
  run->add_option("--tokens", words.tokens, "tokens to make up")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{0}, kMostTokens));
  run->add_option("--first-position", words.first_position, "position of the first token")->capture_default_str();
  run->add_option("--seed", words.seed, "of what is made up")->capture_default_str();
  auto* device = run->add_option("--device", words.device, "cpu, cuda or cuda:N")->capture_default_str();
  run->add_option("--target", words.target, "of the CPU: best, scalar, avx2, avx512, neon or sve")
      ->capture_default_str()
      ->excludes(device);
  run->add_option("--threads", words.threads, "of the library's pool")->capture_default_str();
  run->footer(
      "Examples:\n"
      "  ropeline run --q 32 --k 4 --tokens 128\n"
      "  ropeline run --q 32 --k 4 --tokens 128 --device cuda\n"
      "  ropeline run --op kv_cast --k 4 --tokens 128\n"
      "  ropeline run --config Qwen3-30B-A3B/config.json --layer 0 --out layer0.safetensors\n"
      "  ropeline run --tensors layer0.safetensors --target scalar");
}

void add_check(CLI::App& app, CheckWords& words) {
  auto* check = app.add_subcommand("check", "Compare every backend of this machine with the reference, bit for bit");
  words.ops = op_names();
  auto* golden =
      check->add_option("--golden", words.golden, "folder of recorded tensors to run instead of drawn specs");
  check->add_flag("--time", words.time, "print microseconds per recorded layer too")->needs(golden);
  check->add_flag("--why", words.why, "print what was not run, and why")->needs(golden);
  check->add_option("--op", words.ops, "only this: " + ops_in_words())->delimiter(',')->excludes(golden);
  check->add_option("--specs", words.specs, "how many specs to draw for each op")
      ->capture_default_str()
      ->check(CLI::Range(1, kMostSpecs));
  check->add_option("--seed", words.seed, "of the drawn specs")->capture_default_str();
  auto* device = check->add_option("--device", words.device, "only this: cpu, cuda or cuda:N");
  check->add_option("--target", words.target, "only this instruction set of the CPU")->excludes(device);
  check->add_option("--threads", words.threads, "for the times")->capture_default_str();
  check->footer(
      "Exits with 1 when a bit differs.\n"
      "Examples:\n"
      "  ropeline check\n"
      "  ropeline check --golden tests/golden --time");
}

void add_program_words(CLI::App& app, ProgramWords& words) {
  app.add_option("--model", words.models, "published names, paths of config.json files, or all")->delimiter(',');
  app.add_option("--spec", words.specs, "a spec of the op as it is printed: JSON, or @FILE");
  app.add_option(
         "--arch", words.architectures,
         "sm_80,sm_90 ...; left out: of this machine's GPUs; without one, and for a pack, sm_80,sm_90,sm_100,sm_120")
      ->delimiter(',');
  app.add_option("--op", words.ops, ops_in_words())->delimiter(',')->capture_default_str();
  app.add_option("--dtype", words.dtypes, "of the models: bf16, fp16, fp32")->delimiter(',')->capture_default_str();
  app.add_option("--tp", words.tensor_parallel, "ranks that the heads are divided by: 1,2,4,8")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--angles", words.angles, "rows (what transformers hands over), frequencies, cache")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--rounding", words.rounding, "model (as the eager model) or fused")
      ->delimiter(',')
      ->capture_default_str();
}

void add_warm(CLI::App& app, WarmWords& words) {
  auto* warm = app.add_subcommand("warm", "Compile the GPU kernels of models ahead of time; needs no GPU");
  add_program_words(*warm, words.programs);
  warm->add_option("--pack", words.pack, "file to write, for ROPELINE_PACKS; left out: the cache folder");
  warm->add_option("--jobs", words.jobs, "processes; 0: one for each core")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  std::string names;
  for (const std::string& name : models::published()) names += "\n  " + name;
  warm->footer(
      "Examples:\n"
      "  ropeline warm --model qwen3-30b-a3b --arch sm_90\n"
      "  ropeline warm --model Qwen3-8B/config.json --dtype bf16,fp16 --tp 1,2,4 --pack kernels.pack\n"
      "Published names:" +
      names);
}

struct CacheCommands {
  CacheWords list, verify;
  ProgramWords explain;
  PruneWords prune;
};

void add_prune(CLI::App& cache, PruneWords& words) {
  auto* prune = cache.add_subcommand("prune", "Remove entries; whatever any of the options names");
  prune->add_option("--size", words.size, "the oldest, until the rest takes no more than this: 100M, 2G (of 1024)")
      ->transform(CLI::AsSizeValue(false))
      ->transform(CLI::Validator(
          [](std::string& word) { return word.starts_with("-") ? "--size: " + word + " is less than nothing" : ""; },
          ""));
  const std::map<std::string, std::uint64_t> units = {{"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
  prune->add_option("--age", words.age, "what is older than this: 12h, 30d, 8w")
      ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME"));
  prune->add_option("--compiler", words.compiler, "what that NVRTC compiled: 12.8");
  prune->add_flag("--damaged", words.damaged, "what does not verify");
  prune->add_flag("--dry-run", words.dry_run, "only say what would go");
}

void add_cache(CLI::App& app, CacheCommands& words) {
  auto* cache = app.add_subcommand("cache", "What is in the cache of compiled kernels; verify, explain, prune it");
  cache->require_subcommand(1);
  const auto add_place = [](CLI::App* command, CacheWords& place) {
    auto* folder = command->add_option("--folder", place.folder, "of this folder, which is only read");
    command->add_option("--pack", place.pack, "of this pack")->excludes(folder);
  };
  auto* list = cache->add_subcommand("list", "A table of the entries");
  add_place(list, words.list);
  list->add_flag("--kernels", words.list.kernels, "a line for each kernel too");
  auto* verify = cache->add_subcommand("verify", "Check the digest of each entry; exits with 1 when one is damaged");
  add_place(verify, words.verify);
  auto* explain = cache->add_subcommand("explain", "Where programs are found, or how the nearest entry differs");
  add_program_words(*explain, words.explain);
  add_prune(*cache, words.prune);
  cache->footer(
      "Examples:\n"
      "  ropeline cache list\n"
      "  ropeline cache explain --model qwen3-30b-a3b --arch sm_90\n"
      "  ropeline cache prune --size 100M --age 30d --dry-run");
}

bool run_cache(const CLI::App& cache, const CacheCommands& words) {
  if (cache.got_subcommand("verify")) return cache_verify(words.verify);
  const std::string text = cache.got_subcommand("list")      ? cache_list(words.list)
                           : cache.got_subcommand("explain") ? explain(words.explain)
                                                             : cache_prune(words.prune);
  std::fputs(text.c_str(), stdout);
  return true;
}

int fail(const char* sentence, int code) {
  std::fprintf(stderr, "ropeline: %s\n", sentence);
  return code;
}

int code_of(ErrorKind kind) {
  return kind == ErrorKind::unsupported || kind == ErrorKind::unavailable ? kUnable : kMistake;
}

int main(int count, char** arguments) {
  CLI::App app(
      "The attention prologue of language models in one pass: norm, rotary embedding, the same bits everywhere.",
      "ropeline");
  app.set_version_flag("--version", std::string("ropeline ") + version());
  app.require_subcommand(0, 1);
  app.footer(
      "Exit codes: 0 well, 1 a check failed, 2 a mistake in the call or a file, 3 not possible here.\n"
      "`ropeline COMMAND --help` shows examples.");
  RunWords run_words;
  CheckWords check_words;
  WarmWords warm_words;
  CacheCommands cache_commands;
  auto* info_command = app.add_subcommand("info", "Version, instruction sets, devices, and the steps that run here");
  add_run(app, run_words);
  add_check(app, check_words);
  add_warm(app, warm_words);
  add_cache(app, cache_commands);
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kMistake;
  }
  try {
    if (app.get_subcommands().empty()) return std::fputs(app.help().c_str(), stderr), kMistake;
    if (app.got_subcommand("check")) return check(check_words) ? 0 : kFailed;
    if (app.got_subcommand("cache")) return run_cache(*app.get_subcommand("cache"), cache_commands) ? 0 : kFailed;
    if (app.got_subcommand("warm")) return warm(warm_words), 0;
    std::fputs((app.got_subcommand(info_command) ? info() : run(run_words)).c_str(), stdout);
    return 0;
  } catch (const Error& error) {
    return fail(error.what(), code_of(error.kind()));
  } catch (const std::bad_alloc&) {
    return fail("not enough memory for this call", kUnable);
  } catch (const std::exception& error) {
    return fail(error.what(), kUnable);
  }
}

}  // namespace
}  // namespace ropeline::tools

int main(int count, char** arguments) { return ropeline::tools::main(count, arguments); }
