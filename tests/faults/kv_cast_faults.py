"""The faults that run.py plants in kv_cast: as in faults.py."""

# fmt: off  (a table: a fault takes the lines that it reads best in)

CODEC = "kernels/shared/fp8.h"
LOOPS = "src/cpu/kv_cast.cpp"
PARAMS = "src/ops/kv_cast_params.cpp"
VECTORS = "src/cpu/simd/kv_cast.cc"

KV_CAST = [
    ("kv_cast: ties away from even", CODEC, "0x7ffffu + ((a >> 20) & 1u)) >> 20", "0x80000u) >> 20"),
    ("kv_cast: nothing saturates", CODEC, "magnitude < kE4m3Largest ? magnitude : kE4m3Largest", "magnitude"),
    ("kv_cast: subnormal codes flushed", CODEC, "a < kE4m3Normal ? subnormal : normal", "a < kE4m3Normal ? 0 : normal"),
    ("kv_cast: NaN keeps its sign", CODEC, "return kE4m3Nan;", "return kE4m3Nan | ((u >> 24) & 0x80u);"),
    ("kv_cast: divided by the scale", LOOPS, "E::widen(in[i]) * inverse", "E::widen(in[i]) / (1.0f / inverse)"),
    (
        "kv_cast: v by the scale of k",
        LOOPS,
        "cast_token(call, params.stream[1], v",
        "cast_token(call, params.stream[1], k",
    ),
    (
        "kv_cast: int64 loc cut to its low half",
        LOOPS,
        "return static_cast<const std::int64_t*>(call.params.loc)[at];",
        "return static_cast<std::int32_t>(static_cast<const std::int64_t*>(call.params.loc)[at]);",
    ),
    (
        "kv_cast: negative loc taken for a row",
        LOOPS,
        "static_cast<std::uint64_t>(loc) >= params.locs",
        "loc >= static_cast<std::int64_t>(params.locs)",
    ),
    ("kv_cast: one loc too many", PARAMS, "(rows - 1 - offset) / mult + 1 : 0", "(rows - 1 - offset) / mult + 2 : 0"),
    ("kv_cast: one loc too few", PARAMS, "(rows - 1 - offset) / mult + 1 : 0", "(rows - 1 - offset) / mult : 0"),
    ("kv_cast: offset forgotten", PARAMS, "locs > 0 ? args.offset * cache.strides[0] : 0", "0"),
    ("kv_cast: mult forgotten", PARAMS, "args.mult * cache.strides[0]", "cache.strides[0]"),
    (
        "kv_cast: heads of the cache taken for dense",
        LOOPS,
        "stream.in_head == spec.head_dim && stream.cache_head == spec.head_dim",
        "stream.in_head == spec.head_dim",
    ),
    (
        "kv_cast: overlapping caches let through",
        "src/ops/kv_cast_args.cpp",
        "  check_apart(k_cache, v_cache);\n",
        "",
    ),
    ("kv_cast: ties of vectors away from even", VECTORS, "hn::And(hn::ShiftRight<20>(a), word(1))", "word(1)"),
    (
        "kv_cast: NaN in vectors not told apart",
        VECTORS,
        "hn::IfThenElse(hn::RebindMask(U(), hn::IsNaN(x)), word(kE4m3Nan), signed_code)",
        "signed_code",
    ),
    (
        "kv_cast: a tail of vectors written whole",
        VECTORS,
        "std::memcpy(out + i, last, static_cast<std::size_t>(rest))",
        "std::memcpy(out + i, last, static_cast<std::size_t>(n))",
    ),
]

KERNEL = "kernels/ops/kv_cast.cuh"

# In the text of the kernel, which the emulator runs.
KV_CAST_KERNEL = [
    ("kv_cast: kernel: one row too many", KERNEL, "if (loc >= locs) return;", "if (loc > locs) return;"),
    (
        "kv_cast: kernel: lanes beyond the token",
        KERNEL,
        "lane >= lanes_of(v) || at.token >= p.tokens",
        "at.token >= p.tokens",
    ),
    (
        "kv_cast: kernel: codes of a run swapped",
        KERNEL,
        "codes[2 * i] | codes[2 * i + 1] << 16",
        "codes[2 * i + 1] | codes[2 * i] << 16",
    ),
    ("kv_cast: kernel: v from the memory of k", KERNEL, "value(p.stream[1], at)", "value(p.stream[0], at)"),
    (
        "kv_cast: kernel: place in the head forgotten",
        KERNEL,
        "at.head, stream.cache_head) + at.first",
        "at.head, stream.cache_head)",
    ),
]
