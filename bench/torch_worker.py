"""PyTorch's side of the benchmark: one process for one number of threads, asked by bench/run.py.

It reads requests, one JSON object a line, and answers each with one. {"do": "prepare", "model": ..., "tokens": ...}
builds, compiles and checks the contestants of a case; {"do": "time", "rounds": ..., "slice": seconds,
"realtime": ...} times them.

    eager             the model's own modules and functions, as transformers runs them
    compile           the same function under torch.compile, static shapes
    torch-model-rows  Ropeline in place, rounding as the model does, from the cos and sin that transformers has
    torch-fused-rows  the same with one rounding
    torch-fused-frequencies  the same, angles computed from positions
    torch-packed      the same on a packed qkv, as engines hold it (beside the case of one token)
    torch-call-alone  the call of torch-fused-rows with no token (beside the case of one token)
"""

import copy
import ctypes
import importlib
import json
import random
import sys
import time

import machine
import torch

sys.stdout, answers = sys.stderr, sys.stdout  # whatever a library prints is not an answer

# name: q heads, k heads, head_dim, theta, module of transformers, norm class
MODELS = {
    "qwen3-30b-a3b": (32, 4, 128, 1e6, "qwen3_moe", "Qwen3MoeRMSNorm"),
    "qwen3-8b": (32, 8, 128, 1e6, "qwen3", "Qwen3RMSNorm"),
    "gemma3-270m": (4, 1, 256, 1e6, "gemma3", "Gemma3RMSNorm"),
}
EPS = 1e-6


def import_ropeline():
    """The package, or None and the reason."""
    try:
        return importlib.import_module("ropeline"), ""
    except (ImportError, OSError) as error:
        return None, f"{type(error).__name__}: {error}"


class Layer:
    """The tensors of one case, and the prologue as transformers spells it."""

    def __init__(self, name, tokens):
        self.q_heads, self.k_heads, self.dim, self.theta, module, norm = MODELS[name]
        self.name, self.tokens = name, tokens
        code = importlib.import_module(f"transformers.models.{module}.modeling_{module}")
        self.rotate = code.apply_rotary_pos_emb
        self.is_gemma = module == "gemma3"
        torch.manual_seed(tokens)
        self.q_norm, self.k_norm = (self._norm(getattr(code, norm)) for _ in range(2))
        self.q = torch.randn(1, tokens, self.q_heads * self.dim).bfloat16()
        self.k = torch.randn(1, tokens, self.k_heads * self.dim).bfloat16()
        self.positions = torch.arange(tokens)
        self.cos, self.sin = self._rows()

    def of_no_tokens(self):
        empty = copy.copy(self)
        empty.tokens, empty.positions = 0, self.positions[:0]
        empty.q, empty.k, empty.cos, empty.sin = (x[:, :0] for x in (self.q, self.k, self.cos, self.sin))
        return empty

    def _norm(self, cls):
        norm = cls(self.dim, eps=EPS).bfloat16()
        with torch.no_grad():
            norm.weight.add_(0.1 * torch.randn(self.dim))
        return norm

    def _rows(self):
        """As the rotary modules of transformers make them."""
        inv_freq = 1.0 / (self.theta ** (torch.arange(0, self.dim, 2).float() / self.dim))
        angles = self.positions[None, :, None].float() * inv_freq
        both = torch.cat((angles, angles), dim=-1)
        return both.cos().bfloat16(), both.sin().bfloat16()

    def prologue(self, q, k, cos, sin):
        shape = (1, self.tokens, -1, self.dim)
        if self.is_gemma:
            q, k = self.q_norm(q.view(shape).transpose(1, 2)), self.k_norm(k.view(shape).transpose(1, 2))
        else:
            q, k = self.q_norm(q.view(shape)).transpose(1, 2), self.k_norm(k.view(shape)).transpose(1, 2)
        return self.rotate(q, k, cos, sin)

    def spec(self, ropeline, fused, rows):
        table = {"table": "dtype"} if not fused else {}
        angles = ropeline.rows(self.dim) if rows else ropeline.frequencies(self.theta, self.dim)
        norm = ropeline.rms_norm(
            EPS,
            weight_offset=1.0 if self.is_gemma else 0.0,
            rounding="none" if fused else "end" if self.is_gemma else "inner",
        )
        rope = ropeline.rope(angles, rounding="end" if fused else "products", **table)
        others = {"table": "bf16"} if rows else {}
        return ropeline.qk_norm_rope_spec(self.q_heads, self.k_heads, self.dim, norm=norm, rope=rope, **others)


class Contestant:
    """`call` works on the layer's tensors; one that works in place has a `refresh`, which is not timed."""

    def __init__(self, name, call, refresh=lambda: None):
        self.name, self.call, self.refresh = name, call, refresh


def torch_contestants(layer):
    arguments = (layer.q, layer.k, layer.cos, layer.sin)
    torch._dynamo.reset()
    compiled = torch.compile(layer.prologue, dynamic=False, fullgraph=True)
    return [
        Contestant("eager", lambda: layer.prologue(*arguments)),
        Contestant("compile", lambda: compiled(*arguments)),
    ]


def ropeline_contestant(layer, ropeline, fused, rows):
    """As ropeline.transformers calls it: q and k are [1, H, T, D] views of what the projections gave."""
    flat_q, flat_k = layer.q.clone(), layer.k.clone()
    q, k = (x.unflatten(-1, (-1, layer.dim)).transpose(1, 2) for x in (flat_q, flat_k))
    angles = (None, layer.cos, layer.sin, None) if rows else (layer.positions, None, None, None)
    parameters = (layer.q_norm.weight, layer.k_norm.weight, *angles, layer.spec(ropeline, fused, rows).id, True)
    op = torch.ops.ropeline.qk_norm_rope_sep_.default

    def call():
        op(q, k, *parameters)
        return q, k

    def refresh():
        """Not by torch: its threads would spin on the other cores long after the copy, while the op is timed."""
        for to, fresh in ((flat_q, layer.q), (flat_k, layer.k)):
            ctypes.memmove(to.data_ptr(), fresh.data_ptr(), to.nbytes)

    name = f"torch-{'fused' if fused else 'model'}-{'rows' if rows else 'frequencies'}"
    return Contestant(name, call, refresh)


def packed_contestant(layer, ropeline):
    """As an engine calls it: [T, N] from one projection, angles from positions."""
    fresh = torch.cat((layer.q[0], layer.k[0]), dim=-1)
    qkv = fresh.clone()
    spec = layer.spec(ropeline, fused=True, rows=False).id
    parameters = (layer.q_norm.weight, layer.k_norm.weight, layer.positions, None, None, None, spec)
    op = torch.ops.ropeline.qk_norm_rope_.default
    heads = qkv.view(1, layer.tokens, -1, layer.dim).transpose(1, 2)
    q_and_k = heads[:, : layer.q_heads], heads[:, layer.q_heads :]

    def call():
        op(qkv, *parameters)
        return q_and_k

    return Contestant("torch-packed", call, lambda: ctypes.memmove(qkv.data_ptr(), fresh.data_ptr(), qkv.nbytes))


def call_alone(layer, ropeline):
    """The same call with no token: what PyTorch and the binding cost, in microseconds that no kernel can save."""
    none = layer.of_no_tokens()
    return Contestant("torch-call-alone", ropeline_contestant(none, ropeline, True, True).call)


def contestants_of(layer, ropeline):
    all_of_them = torch_contestants(layer)
    if ropeline:
        for fused, rows in ((False, True), (True, True), (True, False)):
            all_of_them.append(ropeline_contestant(layer, ropeline, fused, rows))
        if layer.tokens == 1:
            all_of_them += [packed_contestant(layer, ropeline), call_alone(layer, ropeline)]
    return all_of_them


def steps_apart(a, b, dim):
    """Distances in steps of bf16, at the size of the larger element of each rotated pair: where a*c and b*s nearly
    cancel, one step in a product is many steps of what is left of it."""
    larger = torch.maximum(b.abs(), b.roll(dim // 2, -1).abs()).float()
    step = torch.exp2(torch.floor(torch.log2(larger.clamp_min(2.0**-100))) - 7)
    return (a.float() - b.float()).abs() / step


def agreement(contestant, expected):
    """How far a contestant's q and k are from eager's. RuntimeError if farther than its rounding explains."""
    contestant.refresh()
    pairs = [(got, want, want.shape[-1]) for got, want in zip(contestant.call(), expected)]
    steps = torch.cat([steps_apart(*pair).flatten() for pair in pairs])
    found = {"differ": (steps > 0).float().mean().item(), "steps": round(steps.max().item(), 2)}
    same_rounding = contestant.name in ("eager", "torch-model-rows")
    most = 2 if same_rounding else 8
    if found["steps"] > most or (same_rounding and found["differ"] > 5e-4):
        raise RuntimeError(f"{contestant.name} does not agree with eager: {found}; nothing was timed")
    return found


def calls_per_batch(tokens):
    """Between two refreshes; the same numbers as in qk_norm_rope_bench.cpp, for the same reason."""
    return 32 if tokens <= 16 else 8 if tokens <= 128 else 2


def time_slice(contestant, calls, seconds):
    """Microseconds per call, on the wall and on this thread's own clock, over batches that together last `seconds`."""
    wall = thread = batches = 0
    call, wall_clock, thread_clock = contestant.call, time.perf_counter_ns, time.thread_time_ns
    while wall < seconds * 1e9:
        contestant.refresh()
        thread_begin, begin = thread_clock(), wall_clock()
        for _ in range(calls):
            call()
        wall += wall_clock() - begin
        thread += thread_clock() - thread_begin
        batches += 1
    return wall / (batches * calls * 1000), thread / (batches * calls * 1000)


class Worker:
    def __init__(self, threads):
        torch.set_num_threads(threads)
        self.ropeline, self.reason = import_ropeline()
        if self.ropeline:
            self.ropeline.set_threads(threads)

    def hello(self):
        return {"torch": torch.__version__, "ropeline": not self.reason, "reason": self.reason}

    def prepare(self, model, tokens):
        layer = Layer(model, tokens)
        self.calls, self.contestants = calls_per_batch(tokens), contestants_of(layer, self.ropeline)
        expected = layer.prologue(layer.q, layer.k, layer.cos, layer.sin)
        return {c.name: agreement(c, expected) for c in self.contestants if c.name != "torch-call-alone"}

    def time(self, rounds, slice, realtime):
        """One pair a round for each contestant, the order shuffled anew in each round."""
        samples, order, calls = {c.name: [] for c in self.contestants}, self.contestants[:], self.calls
        for c in order:
            time_slice(c, calls, slice / 4)
        if realtime:
            machine.run_first()
        for _ in range(rounds):
            random.shuffle(order)
            for c in order:
                samples[c.name].append(time_slice(c, calls, slice))
        if realtime:
            machine.run_first(False)
        return samples


def main():
    worker = Worker(int(sys.argv[1]))
    with torch.no_grad():
        for line in sys.stdin:
            request = json.loads(line)
            answer = getattr(worker, request.pop("do"))(**request)
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
