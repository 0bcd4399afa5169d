"""The faults that run.py plants: (name, file, text, what it becomes). Each is one slip that a hand could make."""

# fmt: off  (a table: a fault takes the lines that it reads best in)

SCALAR = "src/cpu/scalar.cpp"

# One for each stage of the op, in the loops that every instruction set must equal.
STAGES = [
    (
        "norm: tree over halves instead of neighbours",
        SCALAR,
        "p[i] = p[2 * i] + p[2 * i + 1];",
        "p[i] = p[i] + p[i + padded / 2];",
    ),
    (
        "norm: leaves left over by the power of two are dropped",
        SCALAR,
        "while (padded < count) padded *= 2;",
        "while (2 * padded <= count) padded *= 2;",
    ),
    (
        "norm: square and sum not fused",
        SCALAR,
        "std::fma(x[run.hi + i], x[run.hi + i], x[run.lo + i] * x[run.lo + i])",
        "x[run.hi + i] * x[run.hi + i] + x[run.lo + i] * x[run.lo + i]",
    ),
    (
        "norm: pairs of a partial NeoX slice taken as halves of the head",
        "src/cpu/lowered.cpp",
        "if (rope && rope->style == Style::neox) return",
        "if (rope && rope->rotary_dim() < 0) return",
    ),
    (
        "norm: eps outside the root",
        SCALAR,
        "const double square = std::fma(tree_sum(p, n), norm.unit, norm.eps);\n"
        "  return static_cast<float>(1.0 / std::sqrt(square));",
        "const double square = tree_sum(p, n) * norm.unit;\n"
        "  return static_cast<float>(1.0 / (std::sqrt(square) + norm.eps));",
    ),
    (
        "norm: root in single precision",
        SCALAR,
        "return static_cast<float>(1.0 / std::sqrt(square));",
        "return 1.0f / std::sqrt(static_cast<float>(square));",
    ),
    (
        "norm: one weight dropped",
        SCALAR,
        "x[i] = normalised<E>(norm, x[i], inv, weight[i]);",
        "x[i] = normalised<E>(norm, x[i], inv, i == 5 ? 1.0f : weight[i]);",
    ),
    ("norm: weight offset forgotten", SCALAR, "if (stream.norm.weighted && offset != 0) out[i] += offset;", ";"),
    (
        "norm: weight offset of zero added, which loses -0",
        SCALAR,
        "if (stream.norm.weighted && offset != 0) out[i] += offset;",
        "if (stream.norm.weighted) out[i] += offset;",
    ),
    (
        "norm: inner rounding dropped",
        SCALAR,
        "return rounded<E>(weight * rounded<E>(x * inv));",
        "return rounded<E>(weight * (x * inv));",
    ),
    (
        "norm: root not rounded in mode factor",
        SCALAR,
        "if (norm.rounding == NormRounding::factor) inv = rounded<E>(inv);",
        ";",
    ),
    (
        "angles: table row off by one",
        "src/cpu/token.h",
        "? position * params.table_row : kNoRow",
        "? (position > 0 ? position - 1 : 0) * params.table_row : kNoRow",
    ),
    (
        "angles: last row of the table counted out",
        "src/cpu/token.h",
        "position < params.table_rows ?",
        "position + 1 < params.table_rows ?",
    ),
    (
        "angles: int64 position cut to its low half",
        "src/cpu/token.h",
        "return static_cast<const std::int64_t*>(params.positions)[index];",
        "return static_cast<std::int32_t>(static_cast<const std::int64_t*>(params.positions)[index]);",
    ),
    (
        "angles: position taken as unsigned",
        SCALAR,
        "sin_cos(phase_of(position, turns))",
        "sin_cos(phase_of(position, turns) + (position < 0 ? static_cast<std::uint32_t>(turns.lo) : 0u))",
    ),
    (
        "angles: attention factor dropped from sin",
        SCALAR,
        "out.sin[i] = value.sin * loop.factor;",
        "out.sin[i] = value.sin;",
    ),
    (
        "angles: table not rounded to the dtype",
        SCALAR,
        "if (loop.rounded) cos[i] = rounded<E>(cos[i]), sin[i] = rounded<E>(sin[i]);",
        ";",
    ),
    ("angles: inverse rotation forgotten", SCALAR, "if (loop.inverse) sin[i] = -sin[i];", ";"),
    (
        "angles: layout full read as half",
        "src/cpu/lowered.cpp",
        "return style == Style::neox ? TableRead::split_halves : TableRead::split_neighbours;",
        "return TableRead::consecutive;",
    ),
    ("rope: sign of sin", SCALAR, "a = std::fma(x, cos, -(y * sin));", "a = std::fma(x, cos, y * sin);"),
    (
        "rope: the wrong half",
        SCALAR,
        "float& b = rope.style == Style::neox ? slice[i + rope.pairs] : slice[2 * i + 1];",
        "float& b = rope.style == Style::neox ? slice[2 * rope.pairs - 1 - i] : slice[2 * i + 1];",
    ),
    (
        "rope: interleaved read as NeoX",
        SCALAR,
        "float& a = rope.style == Style::neox ? slice[i] : slice[2 * i];\n"
        "    float& b = rope.style == Style::neox ? slice[i + rope.pairs] : slice[2 * i + 1];",
        "float& a = slice[i];\n    float& b = slice[i + rope.pairs];",
    ),
    (
        "rope: second product rounded once too few",
        SCALAR,
        "b = rounded<E>(y * second_cos) + rounded<E>(x * second_sin);",
        "b = rounded<E>(y * second_cos) + x * second_sin;",
    ),
    (
        "rope: one product fused the other way round",
        SCALAR,
        "b = std::fma(y, second_cos, x * second_sin);",
        "b = std::fma(x, second_sin, y * second_cos);",
    ),
    (
        "store: truncated instead of rounded",
        "src/cpu/element.h",
        "static Raw narrow(float x) { return fp32_to_bf16(x); }",
        "static Raw narrow(float x) { return static_cast<Raw>(bits_of(x) >> 16); }",
    ),
    (
        "heads: two of them exchanged",
        SCALAR,
        "in + h * params.in_head, out + h * params.out_head);",
        "in + (h < 2 && stream.heads > 1 ? 1 - h : h) * params.in_head, out + h * params.out_head);",
    ),
    (
        "heads: strides of the input used for the output",
        SCALAR,
        "in + h * params.in_head, out + h * params.out_head);",
        "in + h * params.in_head, out + h * params.in_head);",
    ),
]

# What all instruction sets share around the loops.
AROUND = [
    (
        "call: batches of positions taken as one",
        "src/ops/qk_norm_rope_params.cpp",
        "batch_stride(positions, 1)",
        "0",
    ),
    (
        "call: last token left to nobody when threads share",
        "src/cpu/share.cpp",
        "shared.tokens * (part + 1) / shared.parts);",
        "shared.tokens * (part + 1) / shared.parts - (shared.parts > 1 && part + 1 == shared.parts ? 1 : 0));",
    ),
    (
        "call: the caller's floating-point mode is kept",
        "src/float_mode.h",
        "if (differs_) write_float_word((saved_ & ~kControlBits) | kContractBits);",
        ";",
    ),
    (
        "call: the caller's floating-point mode is not given back",
        "src/float_mode.h",
        "if (differs_) write_float_word(saved_);",
        ";",
    ),
    (
        "check: overlapping outputs let through",
        "src/ops/aliasing.cpp",
        "if (a.rank != b.rank || a.dtype != b.dtype) return true;",
        "return false;",
    ),
    (
        "check: alignment not looked at",
        "src/ops/qk_norm_rope_args.cpp",
        "  check_alignment(name, view, call.contract.alignment);\n",
        "",
    ),
    (
        "check: eps of NaN let through",
        "src/ops/qk_norm_rope_spec.cpp",
        "std::isfinite(norm.eps) && norm.eps > 0",
        "!(norm.eps <= 0)",
    ),
    ("shared: sign of cos in two eighths", "kernels/shared/phase.h", "^ (v & 0x80000000u)", "^ (u & 0x80000000u)"),
    (
        "shared: ties of bf16 away from even",
        "kernels/shared/numbers.h",
        "(u + 0x7fffu + ((u >> 16) & 1u)) >> 16",
        "(u + 0x8000u) >> 16",
    ),
]

# The same slips in the vector loops.
VECTORS = [
    (
        "vectors: sign of sin",
        "src/cpu/simd/head-inl.h",
        "a = hn::MulAdd(x, cos, hn::Neg(hn::Mul(y, sin)));",
        "a = hn::MulAdd(x, cos, hn::Mul(y, sin));",
    ),
    (
        "vectors: neighbours merged in the wrong order",
        "src/cpu/simd/tree-inl.h",
        "return hn::Add(hn::ConcatEven(F(), hi, lo), hn::ConcatOdd(F(), hi, lo));",
        "return hn::Add(lo, hi);",
    ),
    (
        "vectors: the last group of heads one row short",
        "src/cpu/simd/tokens-inl.h",
        "return std::min(kGroupRows, loop_.heads - head); }",
        "return std::min(kGroupRows, loop_.heads - head) - (head > 0 && loop_.heads - head > 1 ? 1 : 0); }",
    ),
    (
        "vectors: the shortcut for numbers of ordinary size taken for all",
        "src/cpu/simd/tokens-inl.h",
        "return smallest_ * smallest_of(inv_, rows) >= kSmallest;",
        "return true;",
    ),
    (
        "vectors: the shortcut's minimum loses what a NaN passes",
        "src/cpu/simd/bounded-inl.h",
        "hn::IfThenZeroElse(hn::IsNaN(x), x)",
        "x",
    ),
    (
        "vectors: bf16 ties away from even",
        "src/cpu/simd/vectors-inl.h",
        "const Words sticky = hn::OrAnd(u, hn::ShiftRight<16>(u), hn::Set(U(), 1));",
        "const Words sticky = hn::Or(u, hn::Set(U(), 1));",
    ),
    (
        "vectors: a tail written whole",
        "src/cpu/simd/vectors-inl.h",
        "if (i < count) store_first<E>(hn::LoadU(F(), in + i), out + i, count - i);",
        "if (i < count) Elements<E>::store(hn::LoadU(F(), in + i), out + i);",
    ),
]
