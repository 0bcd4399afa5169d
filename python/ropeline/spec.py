"""Specs: what is fixed for a layer. Python spells them, C++ reads and judges them (include/ropeline/spec.h).

A spec is JSON text. The functions below write the usual pieces of it as dicts; fields that are left out take the
defaults of spec.h, and a field that C++ does not know is refused by name.
"""

import torch

from ._library import CPU, library, to_json

_DTYPE_NAMES = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class Spec:
    """A well-formed spec. Equal specs have equal `json`. ValueError, naming the field, if the text is not one."""

    def __init__(self, text):
        self.json = library.parse_spec(text)
        runs = not library.why_unsupported(self.json)
        self._id = library.register_spec(self.json) if runs else None

    @classmethod
    def from_json(cls, text):
        """From JSON text or from a dict of the same shape."""
        return cls(text if isinstance(text, str) else to_json(text))

    @property
    def id(self):
        """The number by which the torch ops name this spec, the same in every process that has made the spec.
        RuntimeError or ValueError with the reason if this CPU does not run it."""
        return library.register_spec(self.json) if self._id is None else self._id

    def __repr__(self):
        return f"ropeline.Spec({self.json!r})"

    def __eq__(self, other):
        return isinstance(other, Spec) and self.json == other.json

    def __hash__(self):
        return hash(self.json)

    def __reduce__(self):
        return Spec, (self.json,)


def supports(spec, device="cpu"):
    """The reason why that device does not run the spec, or an empty string if it does. Compiles nothing.

    For a GPU, yes means that there is a driver and that device, sm_80 or newer; whether a compiler or compiled kernels
    can be had is for `prepare` to find out.
    """
    return library.why_unsupported(spec.json, device_number(device))


def prepare(spec, device, *, gradient=False):
    """Makes the spec ready for that device, which otherwise its first call there does: on a GPU, compiles its kernels
    or finds them in the cache. A call that is captured into a CUDA graph must find it ready. gradient: the kernels of
    the backward pass, too. RuntimeError with the reason if it cannot be done."""
    number, device = spec.id, device_number(device)
    library.prepare(number, device)
    if gradient:
        for step in sum(library.gradient(number).values(), []):
            if step["kind"] == "rope":
                library.prepare(step["turns"], device)


def device_number(device):
    """How the C functions name a device: CPU, or the number of a CUDA device. "cuda" alone is the current one."""
    device = torch.device(device)
    if device.type == "cpu":
        return CPU
    if device.type != "cuda":
        raise ValueError(f"device: {device} is neither a CPU nor a CUDA device")
    if device.index is None:
        return torch.cuda.current_device() if torch.cuda.is_initialized() else 0
    return device.index


def dtype_name(dtype):
    """The name of a torch dtype in a spec: "bf16"."""
    name = _DTYPE_NAMES.get(dtype, dtype)
    if not isinstance(name, str):
        raise ValueError(f"dtype: {dtype} is not one of {', '.join(map(str, _DTYPE_NAMES))}")
    return name


def rms_norm(eps=1e-6, *, weight="row", weight_offset=0.0, rounding="none"):
    """x / sqrt(mean(x^2) + eps) * (w + weight_offset). weight: "row" or "none".

    rounding: where it rounds to the activation dtype. "none" is the fused way; eager models: "inner", "end", "factor".
    """
    return {"eps": eps, "weight": weight, "weight_offset": weight_offset, "rounding": rounding}


def rope(angles, *, style="neox", rounding="end", table="fp32"):
    """A rotation. style: "neox" (pairs i, i + rotary_dim/2) or "interleaved" (pairs 2i, 2i + 1).

    rounding: "end" (once), or "products" as eager transformers; table "dtype" rounds cos and sin first.
    """
    return {"style": style, "angles": angles, "rounding": rounding, "table": table}


def rows(rotary_dim, layout="dup"):
    """Angles from cos and sin rows for each token. layout: "half", "dup" (what transformers hands over), "repeat".

    Rows are fp32 unless the spec says otherwise: table="bf16" for those of a bf16 model (qk_norm_rope_spec).
    """
    return {"rows": {"rotary_dim": rotary_dim, "layout": layout}}


def cos_sin_cache(rotary_dim):
    """Angles from a table [P, rotary_dim] by position: cos, then sin, as vLLM and sglang keep it."""
    return {"cos_sin_cache": {"rotary_dim": rotary_dim}}


def frequencies(base=None, rotary_dim=None, *, inv_freq=None, scaling=None):
    """Angles computed from positions: theta and rotary_dim, or explicit frequencies. scaling: a dict with `kind` and
    the fields of include/ropeline/frequencies.h."""
    if inv_freq is not None:
        made = {"rotary_dim": 2 * len(inv_freq), "values": [float(f) for f in inv_freq]}
    else:
        made = {"base": base, "rotary_dim": rotary_dim}
    return {"frequencies": {**made, **({"scaling": scaling} if scaling else {})}}


def qk_norm_rope_spec(q, k, head_dim, *, norm=None, rope=None, dtype=torch.bfloat16, **others):
    """The common case: the same norm, then the same rope, on `q` query and `k` key heads, all in one dtype.

    others: fields of the spec by name, such as weight="fp32", table="bf16", positions="int32", alignment=2.
    """
    steps = ([{"norm": norm}] if norm else []) + ([{"rope": rope}] if rope else [])
    streams = {name: {"heads": heads, "steps": steps} for name, heads in (("q", q), ("k", k)) if heads}
    dtypes = {"activation": dtype_name(dtype), "weight": dtype_name(dtype)}
    return Spec.from_json({"head_dim": head_dim, **streams, **dtypes, **others})


def cos_sin_table(angles, positions, *, mode="exact"):
    """cos and sin, fp32 [P, rotary_dim/2], of integer positions for `frequencies(...)`. mode "exact" is right at
    every position; "fp32_product" is what transformers computes."""
    if "frequencies" not in angles:
        raise ValueError(f"angles: {angles} must be made by frequencies(...); others have a table already")
    positions = torch.as_tensor(positions)
    if positions.dim() != 1 or (len(positions) and positions.dtype not in _INTEGERS):
        raise ValueError(f"positions: {positions.dtype} of shape {list(positions.shape)} must be integers [P]")
    inner = angles["frequencies"]
    width = inner.get("rotary_dim")
    pairs = max(width // 2, 0) if isinstance(width, int) else 0  # C++ says what is wrong with another
    cos, sin = (torch.empty(len(positions), pairs) for _ in range(2))
    library.cos_sin_table(inner, positions.to("cpu", torch.int64).contiguous(), mode, cos, sin)
    return cos, sin
