"""Faults in the text of the CUDA kernel: (name, file, text, what it becomes). The emulator sees what they do."""

# fmt: off  (a table: a fault takes the lines that it reads best in)

ANGLES = "kernels/parts/angles.cuh"

EMULATED = [
    (
        "kernel: lanes without a rotation skip the shuffle",  # vLLM's garbage at 96 of 128
        ANGLES,
        "angle.cos = from_lane(angle.cos, from), angle.sin = from_lane(angle.sin, from);",
        "if (first_pair<C>(lane, i / pairs) + i % pairs < Spans<C>::rotary)\n"
        "        angle.cos = from_lane(angle.cos, from), angle.sin = from_lane(angle.sin, from);",
    ),
    (
        "kernel: a mask made of the number of lanes",  # sglang's, undefined for 32 of them
        "kernels/parts/sum.cuh",
        "sum[s][w] = add(sum[s][w], from_neighbour(sum[s][w], distance));",
        "sum[s][w] = add(sum[s][w], __shfl_xor_sync((1u << lanes) - 1, sum[s][w], distance));",
    ),
    (
        "kernel: the sums of the heads of a warp run together",
        "kernels/parts/sum.cuh",
        "for (int distance = 1; distance < lanes; distance *= 2)",
        "for (int distance = 1; distance < kWarp; distance *= 2)",
    ),
    (
        "kernel: pairs beyond the rotary part are turned",
        "kernels/parts/rotation.cuh",
        "if (!Spans<C>::some_do_not_turn || pair < Spans<C>::rotary)",
        "if (!Spans<C>::some_do_not_turn || pair <= Spans<C>::rotary)",
    ),
]

# What they cost, or that a build is not what the one before it was: kernels_compile_test reads the machine code.
COMPILED = [
    (
        "machine code: a run is stored in words",
        "kernels/core/run.cuh",
        "if constexpr (bytes == 8) ptx::store_8(at, run.word);",
        "if constexpr (bytes == 8) ptx::store_4(at, run.word), ptx::store_4(at + 4, run.word + 1);",
    ),
    (
        "machine code: q and k are loaded in words",
        "kernels/core/run.cuh",
        "constexpr int bytes = least(16, n * size_of(type));",
        "constexpr int bytes = least(memory == Memory::data ? 4 : 16, n * size_of(type));",
    ),
    (
        "machine code: more blocks promised than there are registers for",
        "src/ops/qk_norm_rope_variant.cpp",
        ".heads = 2, .batched = true",
        ".heads = 2, .batched = true, .threads = 384, .blocks = 4",
    ),
    (
        "machine code: an address of the process in the key",
        "src/jit/key.cpp",
        'key.text += text("ropeline jit ", kFormat, "\\n");',
        'key.text += text("ropeline jit ", kFormat, &key, "\\n");',
    ),
]
