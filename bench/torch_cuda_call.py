"""What a call of the torch op costs the host when the kernel runs on a GPU, beside torch's smallest op and the model's
own prologue. 32 q and 4 k heads of 128 in bf16, as in a layer of Qwen3-30B-A3B.

    python bench/torch_cuda_call.py

A call is queued and returns: microseconds of one of many, before the GPU is waited for. The last column is the GPU's
share, of a CUDA graph of 50 calls.
"""

import statistics
import time

import torch
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm, apply_rotary_pos_emb

import ropeline

CALLS, ROUNDS, OF_A_GRAPH = 300, 15, 50


def main():
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, ropeline {ropeline.__version__}")
    with torch.inference_mode():
        for tokens in (1, 16, 1024):
            forms = contestants(tokens)
            host = {name: [] for name in forms}
            for _ in range(ROUNDS):  # by turns, so that a busy machine slows them all
                for name, call in forms.items():
                    host[name].append(on_the_host(call))
            for name, call in forms.items():
                print(f"T = {tokens:<5} {name:<42} {statistics.median(host[name]):7.2f} us {on_the_gpu(call):7.2f} us")


def contestants(tokens):
    like = {"dtype": torch.bfloat16, "device": "cuda"}
    q, k = (torch.randn(1, tokens, heads, 128, **like).transpose(1, 2) for heads in (32, 4))
    angles = torch.randn(1, tokens, 64, device="cuda").repeat(1, 1, 2)
    cos, sin = angles.cos().bfloat16(), angles.sin().bfloat16()
    norm, nothing = Qwen3RMSNorm(128).to(**like), torch.zeros(1, device="cuda")
    weights = {"q_weight": norm.weight, "k_weight": norm.weight}
    spec = ropeline.qk_norm_rope_spec(
        32,
        4,
        128,
        norm=ropeline.rms_norm(rounding="inner"),
        rope=ropeline.rope(ropeline.rows(128), rounding="products", table="dtype"),
        table="bf16",
    )
    raw, functional = torch.ops.ropeline.qk_norm_rope_sep_.default, torch.ops.ropeline.qk_norm_rope.default
    parameters = norm.weight, norm.weight, None, cos, sin, None, spec.id, True
    return {
        "torch's add_, one element": lambda: nothing.add_(1),
        "torch.ops.ropeline.qk_norm_rope_sep_": lambda: raw(q, k, *parameters),
        "torch.ops.ropeline.qk_norm_rope, new tensors": lambda: functional(q, k, *parameters),
        "ropeline.qk_norm_rope_sep_": lambda: ropeline.qk_norm_rope_sep_(
            q, k, spec, heads_first=True, cos=cos, sin=sin, **weights
        ),
        "eager: two norms and the rotary function": lambda: apply_rotary_pos_emb(norm(q), norm(k), cos, sin),
    }


def on_the_host(call):
    call()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    took = time.perf_counter() - started
    torch.cuda.synchronize()
    return took / CALLS * 1e6


def on_the_gpu(call):
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(OF_A_GRAPH):
            call()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    samples = []
    for _ in range(ROUNDS):
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        samples.append(start.elapsed_time(end) / OF_A_GRAPH * 1e3)
    return statistics.median(samples)


if __name__ == "__main__":
    main()
