#!/usr/bin/env python3
"""Makes golden.json: what src/angles must compute, from mpmath at 400 bits and from transformers itself.

    python make_golden.py > golden.json        (needs mpmath, numpy, torch, transformers 5.24)

frequencies: each case gives transformers' rope_parameters, then for each frequency its turns F = round(f / 2 pi * 2^64)
mod 2^64 (hex), f rounded to fp32 (hex), and inv_freq as transformers computes it (hex); and the factor of cos and sin.
values: fp32 numbers and their turns. exp, log: arguments and results as pairs of doubles whose sum is the number.
angles: cos and sin of position * f (exact) and of the fp32 product.
Formulas are written out here once more, from the papers and from modeling_rope_utils.py, in multiple precision.
"""

import json
import sys

import numpy as np
import torch
from mpmath import cos, exp, log, mp, mpf, nint, pi, sin, sqrt
from transformers import Qwen3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

mp.prec = 400
LONG_FACTOR = [1 + 0.25 * i for i in range(48)]
SHORT_FACTOR = [1 + 0.01 * i for i in range(48)]
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": SHORT_FACTOR,
    "long_factor": LONG_FACTOR,
    "factor": 32.0,
    "original_max_position_embeddings": 4096,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
QWEN_YARN = {"rope_type": "yarn", "rope_theta": 1000000.0, "factor": 4.0, "original_max_position_embeddings": 32768}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}
# name -> rotary_dim, rope_parameters, max_position_embeddings, seq_len
CASES = {
    "theta_1e4": (64, {"rope_type": "default", "rope_theta": 10000.0}, 4096, 0),
    "theta_1e6": (128, {"rope_type": "default", "rope_theta": 1000000.0}, 4096, 0),
    "theta_of_no_round_number": (40, {"rope_type": "default", "rope_theta": 11158840.5}, 4096, 0),
    "linear": (128, {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0}, 4096, 0),
    "dynamic_beyond": (128, DYNAMIC, 4096, 16384),
    "dynamic_within": (128, DYNAMIC, 4096, 1024),
    "yarn": (128, QWEN_YARN, 131072, 0),
    "yarn_betas": (64, dict(QWEN_YARN, beta_fast=64.0, beta_slow=0.5, attention_factor=0.9), 131072, 0),
    "yarn_not_truncated": (
        64,
        dict(QWEN_YARN, rope_theta=150000.0, factor=32.0, original_max_position_embeddings=4096, truncate=False),
        131072,
        0,
    ),
    "yarn_mscale": (64, dict(QWEN_YARN, factor=40.0, mscale=1.0, mscale_all_dim=0.707), 131072, 0),
    "yarn_equal_ends": (64, dict(QWEN_YARN, original_max_position_embeddings=4), 16, 0),
    "llama3": (128, LLAMA3, 131072, 0),
    "longrope_short": (96, LONGROPE, 131072, 4096),
    "longrope_long": (96, LONGROPE, 131072, 4097),
    "longrope_of_the_ratio": (96, {k: v for k, v in LONGROPE.items() if k != "factor"}, 131072, 4096),
    "proportional": (
        256,
        {"rope_type": "proportional", "rope_theta": 1000000.0, "partial_rotary_factor": 0.25},
        4096,
        0,
    ),
    "proportional_factor": (
        64,
        {"rope_type": "proportional", "rope_theta": 10000.0, "partial_rotary_factor": 0.5, "factor": 2.5},
        4096,
        0,
    ),
}
VALUES = [
    1.0,
    0.5,
    -0.5,
    3.14159274,
    6.28318548,
    256.0,
    1e-3,
    1e-30,
    1e-40,
    1.4e-45,
    0.0,
    1e10,
    1e30,
    3.4028234e38,
    -3.4028234e38,
]


def plain(p, dim):
    return [mpf(p["rope_theta"]) ** (mpf(-2 * i) / dim) for i in range(dim // 2)]


def yarn(p, dim):
    def index(turns):
        return (
            dim * log(mpf(p["original_max_position_embeddings"]) / (turns * 2 * pi)) / (2 * log(mpf(p["rope_theta"])))
        )

    low, high = index(mpf(p.get("beta_fast", 32))), index(mpf(p.get("beta_slow", 1)))
    if p.get("truncate", True):
        low, high = mp.floor(low), mp.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    if low == high:
        high += mpf(0.001)
    ramp = [min(max((i - low) / (high - low), 0), 1) for i in range(dim // 2)]
    return [f / p["factor"] * r + f * (1 - r) for f, r in zip(plain(p, dim), ramp)]


def llama3(p, dim):
    lo, hi, out = p["low_freq_factor"], p["high_freq_factor"], []
    for f in plain(p, dim):
        turns = p["original_max_position_embeddings"] * f / (2 * pi)
        smooth = (turns - lo) / (mpf(hi) - lo)
        out.append(f / p["factor"] if turns < lo else f if turns > hi else (1 - smooth) * f / p["factor"] + smooth * f)
    return out


def exact_frequencies(p, dim, length, seq_len):
    kind = p["rope_type"]
    if kind == "dynamic":
        stretch = mpf(p["factor"]) * max(seq_len, length) / length - (mpf(p["factor"]) - 1)
        return plain(dict(p, rope_theta=p["rope_theta"] * stretch ** (mpf(dim) / (dim - 2))), dim)
    if kind == "longrope":
        divisors = p["long_factor"] if seq_len > p["original_max_position_embeddings"] else p["short_factor"]
        return [f / mpf(d) for f, d in zip(plain(p, dim), divisors)]
    if kind == "proportional":
        turning = int(p["partial_rotary_factor"] * dim // 2)
        return [f / mpf(p.get("factor", 1)) if i < turning else mpf(0) for i, f in enumerate(plain(p, dim))]
    if kind == "linear":
        return [f / mpf(p["factor"]) for f in plain(p, dim)]
    return {"default": plain, "yarn": yarn, "llama3": llama3}[kind](p, dim)


def exact_factor(p, length):
    if "attention_factor" in p:
        return mpf(p["attention_factor"])
    if p["rope_type"] == "yarn":

        def m(scale):
            return mpf("0.1") * mpf(scale) * log(mpf(p["factor"])) + 1

        return m(p["mscale"]) / m(p["mscale_all_dim"]) if "mscale" in p else m(1)
    if p["rope_type"] == "longrope":
        old = p["original_max_position_embeddings"]
        return sqrt(1 + log(mpf(p.get("factor", length / old))) / log(mpf(old)))
    return mpf(1)


def transformers_frequencies(p, dim, length, seq_len):
    if p["rope_type"] == "default":
        return 1.0 / (p["rope_theta"] ** (torch.arange(0, dim, 2, dtype=torch.float) / dim)), 1.0
    config = Qwen3Config(head_dim=dim, max_position_embeddings=length, rope_parameters=dict(p))
    return ROPE_INIT_FUNCTIONS[p["rope_type"]](config, None, seq_len=seq_len or None)


def turns(f):
    return f"{int(nint(f / (2 * pi) * 2**64)) % 2**64:016x}"


def to_fp32(x):
    with mp.workprec(24):
        return float(+x)


def bits(x):
    return f"{np.float32(x).view(np.uint32):08x}"


def pair(x):
    high = float(x)
    return [high.hex(), float(x - mpf(high)).hex()]


def frequency_case(dim, p, length, seq_len):
    f = exact_frequencies(p, dim, length, seq_len)
    theirs, factor = transformers_frequencies(p, dim, length, seq_len)
    mine = np.array([to_fp32(x) for x in f])
    assert np.all(np.abs(mine - theirs.numpy()) <= 2e-6 * mine), p
    assert abs(factor - exact_factor(p, length)) < 1e-12, p
    return {
        "rotary_dim": dim,
        "rope_parameters": p,
        "max_position_embeddings": length,
        "seq_len": seq_len,
        "attention_factor": bits(to_fp32(exact_factor(p, length))),
        "turns": " ".join(map(turns, f)),
        "fp32": " ".join(map(bits, mine)),
        "transformers": " ".join(map(bits, theirs.numpy())),
    }


def angle_rows():
    f = exact_frequencies(CASES["theta_1e6"][1], 128, 4096, 0)
    for position in (0, 1, -1, 4095, 131071, -131071, 1048575, 2**31 - 1, -(2**31)):
        for i in (0, 1, 7, 31, 63):
            exact = position * f[i]
            product = mpf(float(np.float32(position) * np.float32(to_fp32(f[i]))))
            yield {
                "position": position,
                "frequency": i,
                "exact": [float(cos(exact)), float(sin(exact))],
                "fp32_product": [float(cos(product)), float(sin(product))],
            }


def main():
    out = {
        "frequencies": {name: frequency_case(*case) for name, case in CASES.items()},
        "values": [[bits(np.float32(v)), turns(mpf(float(np.float32(v))))] for v in VALUES],
        "exp": [[x.hex(), *pair(exp(mpf(x)))] for x in (0.0, 1.0, -1.0, 0.34, -0.35, 10.5, -18.4, 300.25, -300.75)],
        "log": [[x.hex(), *pair(log(mpf(x)))] for x in (1.0, 2.0, 1e4, 1e6, 1.5, 0.7, 1e-5, 1e300, 1.0000001)],
        "angles": list(angle_rows()),
    }
    items = {
        key: [f"{json.dumps(k)}: {json.dumps(v, indent=1)}" for k, v in part.items()]
        if isinstance(part, dict)
        else [json.dumps(v) for v in part]
        for key, part in out.items()
    }
    parts = [
        f'"{key}": ' + ("{{\n{}\n}}" if isinstance(out[key], dict) else "[\n{}\n]").format(",\n".join(lines))
        for key, lines in items.items()
    ]
    sys.stdout.write("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()
