#!/usr/bin/env python3
"""What the prologue of an attention layer costs inside vLLM on a CPU, unmodified and with the plugin.

    .venv-vllm/bin/python bench/vllm_prologue.py        after ./scripts/setup vllm and an installation of ropeline there

A model of one layer with the heads of Qwen3-30B-A3B (32 and 4 of 128, bf16) is loaded by the engine, eager. Then the
layer's own modules are called as its forward calls them: q_norm, k_norm, rotary_emb. Microseconds, the best of 9
rounds. The allocator keeps its memory, as the one that vLLM recommends does: with glibc's defaults the unmodified
prologue is slower still.
"""

import os
import subprocess
import sys
import tempfile
import time

import torch

TOKENS = (1, 16, 128, 1024)
HEADS, KV_HEADS, DIM = 32, 4, 128


def save_model(folder):
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = {"num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": DIM}
    small = {"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1, "vocab_size": 512}
    config = AutoConfig.for_model("qwen3", **shape, **small, max_position_embeddings=4096)
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)


def prologue(layer, qkv, positions):
    q, k, _ = qkv.split([layer.q_size, layer.kv_size, layer.kv_size], -1)
    q = layer.q_norm(q.unflatten(-1, (-1, DIM))).flatten(-2)
    k = layer.k_norm(k.unflatten(-1, (-1, DIM))).flatten(-2)
    return layer.rotary_emb(positions, q, k)


def best(layer, tokens, rounds=9):
    qkv = torch.randn(tokens, (HEADS + 2 * KV_HEADS) * DIM).bfloat16()
    positions, calls = torch.arange(tokens), max(5, 2000 // tokens)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            prologue(layer, qkv, positions)
        times.append((time.perf_counter() - start) / calls)
    return 1e6 * min(times)


@torch.inference_mode()
def measure(model):
    return [best(model.model.layers[0].self_attn, tokens) for tokens in TOKENS]


def run_engine(folder):
    from vllm import LLM

    llm = LLM(folder, skip_tokenizer_init=True, enforce_eager=True, dtype="bfloat16", max_model_len=512, max_num_seqs=8)
    (row,) = llm.apply_model(measure)
    print("row", *(f"{microseconds:.1f}" for microseconds in row))


def main():
    engine = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "HF_HUB_OFFLINE": "1"}
    allocator = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "2147483647"}
    print("| |" + "".join(f" T = {tokens} |" for tokens in TOKENS))
    with tempfile.TemporaryDirectory() as folder:
        save_model(folder)
        for plugin, name in (("0", "unmodified"), ("1", "ropeline")):
            environment = {**os.environ, **engine, **allocator, "ROPELINE_VLLM": plugin}
            done = subprocess.run([sys.executable, __file__, folder], env=environment, capture_output=True, text=True)
            rows = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("row ")]
            if not rows:
                sys.exit(done.stderr[-4000:])
            print(f"| {name} | {' | '.join(rows[0])} |")


if __name__ == "__main__":
    run_engine(sys.argv[1]) if sys.argv[1:] else main()
