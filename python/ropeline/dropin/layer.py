"""A layer in the plain numbers of the engines' argument lists, of which a spec is made once.

Both functions give the number by which the torch ops name the spec. They are asked in every call and look it up; under
torch.compile it is a constant of the graph. Their first arguments are the same: heads (q, k), head_dim, the norm as
(eps, weight offset) or None, is_neox, and the dtypes of q and k, of the weights and of positions. They raise what the
making of a spec raises.
"""

import functools

import torch

from ..spec import cos_sin_cache, dtype_name, frequencies, qk_norm_rope_spec, rms_norm, rope

_POSITIONS = {torch.int32: "int32", torch.int64: "int64"}


@torch.compiler.assume_constant_result
def with_theta(heads, head_dim, norm, is_neox, dtypes, *angles):
    """Angles from theta: base, rotary_dim, factor, low, high, attention_factor and, for M-RoPE, axes.

    A factor other than 1 is YaRN's; low and high are the ends of its ramp, as indices of frequencies. axes: the row of
    positions that feeds each frequency; left out for one row.
    """
    return _with_theta(heads, head_dim, norm, is_neox, dtypes, *angles)


@torch.compiler.assume_constant_result
def with_cache(heads, head_dim, norm, is_neox, dtypes, rotary_dim, table):
    """Angles from a cos_sin_cache [P, rotary_dim] of the dtype `table`."""
    return _with_cache(heads, head_dim, norm, is_neox, dtypes, rotary_dim, table)


@functools.cache
def _with_theta(heads, head_dim, norm, is_neox, dtypes, base, rotary_dim, factor, low, high, attention_factor, axes=()):
    if not attention_factor > 0:  # a spec's 0 asks for a formula
        raise ValueError(f"attention_factor: {attention_factor} must be above 0")
    scaling = {"attention_factor": attention_factor}
    if factor != 1:
        scaling = {**scaling, "kind": "yarn_range", "factor": factor, "low": low, "high": high}
    angles = {"angles": frequencies(base, rotary_dim, scaling=scaling), "axes": list(axes)}
    return _number(heads, head_dim, norm, is_neox, dtypes, angles)


@functools.cache
def _with_cache(heads, head_dim, norm, is_neox, dtypes, rotary_dim, table):
    angles = {"angles": cos_sin_cache(rotary_dim)}
    return _number(heads, head_dim, norm, is_neox, dtypes, angles, table=_named("table", table))


def _number(heads, head_dim, norm, is_neox, dtypes, rotation, **others):
    activation, weight, positions = dtypes
    _named("activation", activation)
    if positions not in _POSITIONS:
        raise ValueError(f"positions: dtype {positions} is neither torch.int32 nor torch.int64")
    return qk_norm_rope_spec(
        *heads,
        head_dim,
        norm=norm and rms_norm(norm[0], weight_offset=norm[1]),
        rope={**rope(None, style="neox" if is_neox else "interleaved"), **rotation},
        dtype=activation,
        weight=_named("weight", weight),
        positions=_POSITIONS[positions],
        **others,
    ).id


def _named(field, dtype):
    """The name of a dtype in a spec."""
    try:
        return dtype_name(dtype)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None
