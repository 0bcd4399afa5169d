// The program as a user sees it: what it prints, what it writes, and how it exits.

#include "program/program.h"

#include <cstring>

#include "ropeline/device.h"
#include "ropeline/version.h"
#include "tools/safetensors.h"

namespace ropeline::tools {
namespace {

namespace fs = std::filesystem;

TEST_F(Program, SaysItsVersion) { EXPECT_EQ(program("--version").text, "ropeline " + std::string(version()) + "\n"); }

TEST_F(Program, InfoNamesTargetsFamiliesAndRefusedSteps) {
  const Outcome info = program("info");
  EXPECT_EQ(info.code, 0);
  for (CpuTarget target : cpu_targets()) EXPECT_TRUE(holds(info.text, std::string(name_of(target)))) << info.text;
  EXPECT_TRUE(holds(info.text, "qwen3_moe"));
  EXPECT_TRUE(holds(info.text, "RmsNorm, then rope            yes"));
  EXPECT_TRUE(
      holds(info.text, "LayerNorm                     no: q.norm: center (LayerNorm) is not run by this version"));
}

// The digest is a constant because every bit is: inputs, angles and outputs, on every instruction set.
TEST_F(Program, RunGivesTheSameBitsEverywhere) {
  for (CpuTarget target : cpu_targets()) {
    const Outcome run = program("run --q 32 --k 4 --target " + std::string(name_of(target)));
    EXPECT_EQ(run.code, 0);
    EXPECT_TRUE(holds(run.text,
                      "q_out     [16, 32, 128] bf16: -2.89062 to 3.01562, mean |x| 0.87351, 0 NaN or Inf, "
                      "digest 4ea62d9314d25186\n"))
        << run.text;
    EXPECT_TRUE(holds(run.text, "device    cpu:" + std::string(name_of(target)) + ", 1 thread\n")) << run.text;
  }
}

TEST_F(Program, RunGivesTheSameBitsOfKvCastEverywhere) {
  for (CpuTarget target : cpu_targets()) {
    const Outcome run = program("run --op kv_cast --k 4 --target " + std::string(name_of(target)));
    EXPECT_EQ(run.code, 0);
    EXPECT_TRUE(holds(run.text, "op        kv_cast\nspec      {\"heads\":4,\"head_dim\":128}\n")) << run.text;
    EXPECT_TRUE(holds(
        run.text,
        "v_cache   [32, 4, 128] fp8_e4m3: -448 to 448, mean |x| 130.411, 0 NaN or Inf, digest b5ed77b743797d22\n"))
        << run.text;
  }
}

TEST_F(Program, RunWritesWhatItCanReadAgain) {
  const std::string flags = "run --q 3 --k 1 --head-dim 64 --rotary-dim 32 --angles rows --dtype fp16 --rounding Ar ";
  const Outcome first = program(flags + "--tokens 5 --seed 9 --out " + path("a.safetensors"));
  ASSERT_EQ(first.code, 0) << first.text;
  const Outcome second = program(flags + "--tensors " + path("a.safetensors") + " --out " + path("b.safetensors"));
  ASSERT_EQ(second.code, 0) << second.text;
  const SafeTensors a = SafeTensors::read(path("a.safetensors")), b = SafeTensors::read(path("b.safetensors"));
  EXPECT_EQ(a.tensors().size(), 8u);  // q, k, two weights, cos, sin, two outputs
  EXPECT_EQ(a.metadata().at("spec"), b.metadata().at("spec"));
  for (const auto& [name, view] : a.tensors()) {
    const std::size_t bytes = static_cast<std::size_t>(view.elements()) * size_of(view.dtype);
    ASSERT_TRUE(b.contains(name)) << name;
    EXPECT_EQ(std::memcmp(view.data, b.at(name).data, bytes), 0) << name;
  }
}

// What --out wrote is a whole case: no flag need be repeated, and one that is given counts.
TEST_F(Program, RunTakesTheSpecFromTheFileOfItsTensors) {
  const std::string from = path("case.safetensors");
  const Outcome first = program("run --q 3 --k 1 --head-dim 64 --style interleaved --tokens 5 --seed 9 --out " + from);
  ASSERT_EQ(first.code, 0) << first.text;
  const Outcome again = program("run --tensors " + from);
  EXPECT_EQ(again.code, 0) << again.text;
  const auto line = [](const std::string& text, const char* name) {
    const auto start = text.find(name);
    return text.substr(start, text.find('\n', start) - start);
  };
  for (const char* name : {"spec ", "q_out ", "k_out "}) EXPECT_EQ(line(again.text, name), line(first.text, name));
  const Outcome other = program("run --q 3 --k 1 --head-dim 64 --tensors " + from);
  EXPECT_EQ(other.code, 0) << other.text;
  EXPECT_NE(line(other.text, "q_out "), line(first.text, "q_out "));
}

// The file says of which op it is.
TEST_F(Program, RunTakesACallOfKvCastFromItsFile) {
  const std::string from = path("cast.safetensors"), again = path("again.safetensors");
  const Outcome first = program("run --op kv_cast --config qwen3-8b --dtype fp16 --tokens 9 --seed 4 --out " + from);
  ASSERT_EQ(first.code, 0) << first.text;
  EXPECT_TRUE(holds(first.text, R"({"heads":8,"head_dim":128,"input":"fp16","alignment":2})")) << first.text;
  const Outcome second = program("run --target scalar --tensors " + from + " --out " + again);
  ASSERT_EQ(second.code, 0) << second.text;
  const SafeTensors a = SafeTensors::read(from), b = SafeTensors::read(again);
  EXPECT_EQ(a.tensors().size(), 7u);
  EXPECT_EQ(a.metadata(), b.metadata());
  EXPECT_EQ(a.metadata().at("op"), "kv_cast");
  for (const auto& [name, view] : a.tensors())
    EXPECT_EQ(std::memcmp(view.data, b.at(name).data, static_cast<std::size_t>(view.elements()) * size_of(view.dtype)),
              0)
        << name;
}

TEST_F(Program, RunSaysWhatItMissesInTheFileOfItsTensors) {
  const float values[128] = {};
  write_safetensors(path("bare.safetensors"), {{"q", TensorView(values, DType::fp32, {1, 1, 128})}});
  const Outcome bare = program("run --tensors " + path("bare.safetensors"));
  EXPECT_EQ(bare.code, 2);
  EXPECT_TRUE(holds(bare.text, "bare.safetensors: no spec in its metadata; give --spec, --config or heads\n"));
  const std::string header = R"({"q": {"dtype": "F32", "shape": [1, 1, 1, 1, 1], "data_offsets": [0, 4]}})";
  std::string deep = std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header + "1234";
  const Outcome rank = program("run --q 1 --tensors " + file("deep.safetensors", deep));
  EXPECT_EQ(rank.code, 2);
  EXPECT_TRUE(holds(rank.text, "deep.safetensors: q: rank 5 exceeds 4\n")) << rank.text;
}

TEST_F(Program, RunReadsAModelConfigAndAPrintedSpec) {
  const std::string config = file("config.json", R"({"model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 256,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0})");
  const Outcome model = program("run --tokens 3 --config " + config + " --layer 1");
  EXPECT_EQ(model.code, 0) << model.text;
  EXPECT_TRUE(holds(model.text, "q_out     [3, 4, 64] bf16")) << model.text;
  const Outcome beyond = program("run --config " + config + " --layer 99");
  EXPECT_EQ(beyond.code, 2);
  EXPECT_EQ(beyond.text, "ropeline: --layer: 99 must be from 0 to 1\n");
  const auto start = model.text.find('{');
  const std::string spec = model.text.substr(start, model.text.find('\n', start) - start);
  const Outcome again = program("run --tokens 3 --spec @" + file("spec.json", spec));
  EXPECT_EQ(again.code, 0) << again.text;
  EXPECT_TRUE(holds(again.text, "spec      " + spec + "\n")) << again.text;
}

TEST_F(Program, RunTakesAPublishedModelByName) {
  const Outcome run = program("run --tokens 2 --config gemma3-27b --layer 61");
  EXPECT_EQ(run.code, 0) << run.text;
  EXPECT_TRUE(holds(run.text, "q_out     [2, 32, 128] bf16") && holds(run.text, "k_out     [2, 16, 128]")) << run.text;
}

TEST_F(Program, CheckPrintsALineForEachBackend) {
  const Outcome check = program("check --specs 12");
  EXPECT_EQ(check.code, 0) << check.text;
  for (CpuTarget target : cpu_targets()) {
    std::string device = "cpu:" + std::string(name_of(target));
    device.resize(11, ' ');
    for (const char* op : {"qk_norm_rope  12 specs, ", "kv_cast       12 specs, "})
      EXPECT_TRUE(holds(check.text, device + " 2 threads  " + op)) << check.text;
  }
  EXPECT_TRUE(holds(check.text, " 0 bits differ from the reference\n")) << check.text;
  const Outcome one = program("check --specs 12 --op kv_cast");
  EXPECT_EQ(one.code, 0) << one.text;
  EXPECT_FALSE(holds(one.text, "qk_norm_rope")) << one.text;
}

TEST_F(Program, CheckRunsGoldenFiles) {
  fs::copy(ROPELINE_TESTS_DIR "/golden/qwen3.safetensors", path("qwen3.safetensors"));
  fs::copy(ROPELINE_TESTS_DIR "/golden/phi.safetensors", path("phi.safetensors"));
  const std::string call = "check --target scalar --golden " + path("");
  const Outcome brief = program(call), check = program(call + " --why");
  EXPECT_TRUE(
      holds(brief.text, "not run: 2 of the recorded q, k and v, whose steps this version lacks; --why names them\n"))
      << brief.text;
  EXPECT_EQ(check.code, 0) << check.text;
  EXPECT_TRUE(holds(check.text, " values of 1 model families, 0 bits differ\n")) << check.text;
  EXPECT_TRUE(holds(check.text, "  phi d64: q k: q.norm: center (LayerNorm) is not run by this version\n"))
      << check.text;
}

// A file whose outputs were tampered with must fail, or the golden run could not be trusted.
TEST_F(Program, CheckFailsOnAWrongRecording) {
  const SafeTensors good = SafeTensors::read(ROPELINE_TESTS_DIR "/golden/qwen3_moe.safetensors");
  auto* values = static_cast<std::uint16_t*>(good.at("attn.bf16.small.q_out").data);  // a private mapping
  values[300] ^= 0x0008;
  write_safetensors(path("bad.safetensors"), good.tensors(), good.metadata());
  const Outcome check = program("check --target scalar --golden " + path(""));
  EXPECT_EQ(check.code, 1) << check.text;
  EXPECT_TRUE(holds(check.text, "FAULT qwen3_moe: cos and sin rows: bf16 8 ulp away, 2 are allowed: attn.bf16.small"))
      << check.text;
}

struct Mistake {
  const char* arguments;
  int code;
  const char* text;
};

class ProgramMistake : public testing::TestWithParam<Mistake> {};

TEST_P(ProgramMistake, IsNamed) {
  const Outcome outcome = program(GetParam().arguments);
  EXPECT_EQ(outcome.code, GetParam().code) << outcome.text;
  EXPECT_TRUE(holds(outcome.text, GetParam().text)) << outcome.text;
}

INSTANTIATE_TEST_SUITE_P(
    All, ProgramMistake,
    testing::Values(
        Mistake{"", 2, "Usage: ropeline"}, Mistake{"walk", 2, "walk"},
        Mistake{"run --head-dim 130 --q 1", 2, "ropeline: head_dim: 130 must be a multiple of 8 from 16 to 512\n"},
        Mistake{"run", 2, "ropeline: spec: no stream has heads; give q, k or v at least one\n"},
        Mistake{"run --q 1 --rotary-dim 130", 2, "ropeline: q.rope: rotary_dim 130 exceeds head_dim 128\n"},
        Mistake{"run --q 1 --style circular", 2, "ropeline: --style: circular is not neox or interleaved\n"},
        Mistake{"run --q 1 --rounding Zr", 2, "Z"},
        Mistake{"run --q 1 --dtype int4", 2, "ropeline: --dtype: int4 is not bf16, fp16 or fp32\n"},
        Mistake{"run --q 1 --target mmx", 2, "mmx"},
        Mistake{"run --q 1 --tokens -1", 2, "--tokens: Value -1 not in range 0 to 1000000000\n"},
        Mistake{"run --q 4 --k 1 --tokens 100000000000", 2,
                "--tokens: Value 100000000000 not in range 0 to 1000000000"},
        Mistake{"run --q 65536 --k 1 --tokens 1000000000", 3,
                "ropeline: tensor: [1000000000, 65536, 128] of fp32 takes 33554432.0 GB, this machine has "},
        Mistake{"check --specs 0", 2, "--specs: Value 0 not in range 1 to 1000000\n"},
        Mistake{"run --q 1 --tensors nowhere.safetensors", 2,
                "ropeline: nowhere.safetensors: cannot open: No such file"},
        Mistake{"run --q 1 --out nowhere/o.safetensors", 2,
                "ropeline: nowhere/o.safetensors: cannot write: No such file"},
        Mistake{"run --op matmul", 2, "ropeline: --op: matmul is not qk_norm_rope or kv_cast\n"},
        Mistake{"run --op kv_cast --k 4 --style neox --q 4", 2,
                "ropeline: --op kv_cast: the spec is of --k, --head-dim"},
        Mistake{"run --op kv_cast --k 4 --first-position 7", 2, "positions are qk_norm_rope's\n"},
        Mistake{"run --op kv_cast --k 4 --dtype fp32", 2, "ropeline: input: fp32 must be bf16 or fp16\n"},
        Mistake{"run --op kv_cast --config qwen3-8b --dtype fp32", 2,
                "ropeline: --dtype: kv_cast takes bf16 and fp16, not fp32\n"},
        Mistake{R"(run --op kv_cast --spec '{"q": {}}')", 2, "ropeline: q: unknown field; known are heads, head_dim"},
        Mistake{"check --op matmul", 2, "ropeline: --op: matmul is not qk_norm_rope or kv_cast\n"},
        Mistake{"check --op kv_cast --golden .", 2, "--golden excludes --op"},
        Mistake{"run --config qwen3-9b", 2, "ropeline: model: \"qwen3-9b\" is not one of gemma3-270m, "},
        Mistake{"run --config nowhere.json", 2, "ropeline: nowhere.json: cannot be read\n"},
        Mistake{R"(run --spec '{"head_dim": 64, "q": {"heads": 1, "steps": [{"clamp": {"bound": 1}}]}}')", 3,
                "ropeline: q.clamp is not run by this version\n"},
        Mistake{R"(run --spec '{"head_size": 64}')", 2, "head_size"},
        Mistake{"check --golden nowhere", 2, "ropeline: nowhere: No such file or directory\n"},
        Mistake{"check --why", 2, "--golden"}, Mistake{"check --device cuda --target scalar", 2, "--target"},
        Mistake{"run --q 4 --k 1 --device cuda --target scalar", 2, "--target"}, Mistake{"check --time", 2, "--golden"},
        Mistake{"cache", 2, "A subcommand is required"},
        Mistake{"cache prune", 2, "ropeline: nothing to prune by: name --size, --age, --compiler or --damaged"},
        Mistake{"cache prune --age 30", 2, "--age"}, Mistake{"cache prune --size lots", 2, "--size"},
        Mistake{"cache list --pack nowhere", 3, "pack nowhere: No such file or directory"},
        Mistake{"cache explain", 2, "ropeline: nothing to compile: name a --model or a --spec\n"},
        Mistake{"warm", 2, "ropeline: nothing to compile: name a --model or a --spec\n"},
        Mistake{"warm --model qwen3-9b", 2, "ropeline: model: \"qwen3-9b\" is not one of gemma3-270m, "},
        Mistake{"warm --model nowhere/config.json", 2, "ropeline: nowhere/config.json: cannot be read\n"},
        Mistake{"warm --model qwen3-8b --tp 3", 2,
                "ropeline: --tp: the 32 query heads of qwen3-8b cannot be divided by 3\n"},
        Mistake{"warm --model qwen3-14b --tp 5", 2,
                "ropeline: --tp: the 8 key heads of qwen3-14b cannot be divided by 5\n"},
        Mistake{"warm --model qwen3-8b --op kv_cast --dtype fp32", 2,
                "ropeline: --dtype: kv_cast takes bf16 and fp16, not fp32\n"},
        Mistake{"warm --model qwen3-8b --op matmul", 2, "ropeline: --op: matmul is not qk_norm_rope or kv_cast\n"},
        Mistake{"warm --spec {} --op kv_cast,qk_norm_rope", 2,
                "ropeline: --spec: is of one op, --op names kv_cast and qk_norm_rope\n"},
        Mistake{"warm --model qwen3-8b --dtype int4", 2, "ropeline: --dtype: int4 is not bf16, fp16 or fp32\n"},
        Mistake{"warm --model qwen3-8b --angles none", 2,
                "ropeline: --angles: none is not rows, frequencies or cache\n"},
        Mistake{"warm --model qwen3-8b --arch h100", 2, "'h100' is not an architecture"},
        Mistake{R"(warm --spec '{"head_dim": 64, "q": {"heads": 1, "steps": [{"clamp": {"bound": 1}}]}}')", 3,
                "ropeline: q.clamp is not run by this version\n"}));

}  // namespace
}  // namespace ropeline::tools
