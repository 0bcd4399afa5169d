"""Ropeline: the attention prologue of language models (qk-norm, then RoPE) in one pass."""

from ._library import library as _library
from .kv_cast import kv_cast, prepare_kv_cast
from .ops import qk_norm_rope, qk_norm_rope_, qk_norm_rope_sep_
from .spec import (
    Spec,
    cos_sin_cache,
    cos_sin_table,
    frequencies,
    prepare,
    qk_norm_rope_spec,
    rms_norm,
    rope,
    rows,
    supports,
)

__version__ = _library.version()
cpu_targets = _library.cpu_targets
threads = _library.threads
set_threads = _library.set_threads

__all__ = [
    "Spec",
    "cos_sin_cache",
    "cos_sin_table",
    "cpu_targets",
    "frequencies",
    "kv_cast",
    "prepare",
    "prepare_kv_cast",
    "qk_norm_rope",
    "qk_norm_rope_",
    "qk_norm_rope_sep_",
    "qk_norm_rope_spec",
    "rms_norm",
    "rope",
    "rows",
    "set_threads",
    "supports",
    "threads",
]
