"""Switches the attention layers of a loaded transformers model to the op, and back.

    report = ropeline.transformers.apply(model)
    print(report)
    ropeline.transformers.revert(model)

What a layer means (norm, eps, rounding, rotary width) comes from the C++ table of model families, for the config and
the layer index that the layer itself has. The projections, the cache and the attention function stay the model's own.
"""

import functools
import inspect
import warnings

import torch
from torch.autograd import forward_ad
from torch.nn.modules.module import _has_any_global_hook

from . import selfcheck
from ._library import library
from .report import Layer, LeftAlone, Report
from .rewrite import Names, UnexpectedForward, rewritten_forward
from .spec import Spec, device_number, dtype_name, prepare, supports

_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def apply(model, *, strict=False):
    """Switches every attention layer whose class the table knows, and reports each. A second call changes nothing.

    A layer is left alone, with the reason, if its class is unknown, its forward is not the expected one, its device
    does not run its spec, or the op does not agree with the layer on two random tokens. strict: then raise
    RuntimeError, and leave the whole model as it was. On a GPU it compiles the kernels or finds them in the cache.
    """
    table = {name: family for family in library.families() for name in family["attention_classes"]}
    known = {name: Names(f["q_norm"], f["k_norm"], f["rope_function"]) for name, f in table.items()}
    layers = [(name, module) for name, module in model.named_modules() if _is_attention(module)]
    fresh = [module for _, module in layers if not isinstance(module, Fused)]
    report = Report(_apply(name, module, known) for name, module in layers)
    if strict and report.left_alone:
        for module in fresh:
            _revert(module)
        raise RuntimeError(str(report))
    return report


def revert(model):
    """Gives every switched layer its own class back. Returns how many there were."""
    return sum(_revert(module) for module in model.modules())


def _is_attention(module):
    return type(module).__name__.endswith("Attention") and hasattr(module, "config")


def _apply(name, module, known):
    kind = type(module).__name__
    if isinstance(module, Fused):
        return Layer(name, kind, True, "as before")
    try:
        _switch(module, known)
    except (LeftAlone, UnexpectedForward, ValueError, RuntimeError) as reason:
        return Layer(name, kind, False, str(reason))
    return Layer(name, kind, True, "")


def _switch(module, known):
    names = known.get(type(module).__name__)
    if names is None:
        raise LeftAlone(f"the class is not in the table, which has {', '.join(sorted(known))}")
    if "forward" in vars(module):
        raise LeftAlone("its forward was replaced on the instance")
    weight = _weight(module, names)
    fused = fused_class(type(module), names)
    specs = _specs(module, weight)
    selfcheck.check(module, fused, specs)
    module.__class__ = fused
    module._ropeline = {dtype: spec.id for dtype, spec in specs.items()}


def _weight(module, names):
    """The weight of its q norm, whose dtype and device the layer has."""
    weight = getattr(module, names.q_norm).weight
    if weight.device.type not in ("cpu", "cuda"):
        raise LeftAlone(f"its weights are on {weight.device}, the op runs on CPUs and CUDA devices")
    for norm in (getattr(module, names.q_norm), getattr(module, names.k_norm)):
        if _has_hooks(norm):
            raise LeftAlone("a norm has hooks, which the op would pass by")
    dtype_name(weight.dtype)
    return weight


def _specs(module, weight):
    """The spec of the layer in each dtype that it may be moved to later; the present one must run where it is."""
    config = module.config.to_json_string(use_diff=False)
    specs = {d: Spec(library.layer(config, module.layer_idx, dtype_name(d))) for d in _DTYPES}
    if reason := supports(specs[weight.dtype], weight.device):
        raise LeftAlone(reason)
    prepare(specs[weight.dtype], weight.device)
    return {d: spec for d, spec in specs.items() if not supports(spec)}


class Fused:
    """What a switched layer has besides its own class. `_ropeline`: the registered spec for each dtype."""

    _ropeline_base: type
    _ropeline_names: Names

    def _ropeline_rope(self, q, k, cos, sin):
        """Both norms and the rotation of q and k [B, H, T, D]."""
        q_norm, k_norm = (self._modules[name] for name in self._ropeline_names[:2])
        if _has_hooks(q_norm) or _has_hooks(k_norm) or forward_ad._current_level >= 0:
            return self._ropeline_eager(q, k, cos, sin)
        q_weight, k_weight = q_norm.weight, k_norm.weight
        spec = self._ropeline.get(q.dtype)
        same = q.dtype == k.dtype == q_weight.dtype == k_weight.dtype == cos.dtype
        if spec is None or not same:
            self._ropeline_warn(q)
            return self._ropeline_eager(q, k, cos, sin)
        if not _runs_on(spec, q.device.type, q.device.index):
            return self._ropeline_eager(q, k, cos, sin)
        parameters = (q_weight, k_weight, None, cos, sin, None, spec, True)
        if torch.is_grad_enabled() and any(t.requires_grad for t in (q, k, q_weight, k_weight, cos, sin)):
            return qk_norm_rope(q, k, *parameters)
        if not (_is_fresh(self, "q_proj") and _is_fresh(self, "k_proj")):
            return qk_norm_rope(q, k, *parameters)
        qk_norm_rope_sep_(q, k, *parameters)
        return q, k

    def _ropeline_warn(self, q):
        if not torch.compiler.is_compiling():
            warnings.warn(f"{type(self).__name__}: {q.dtype} on {q.device} runs on the model's own code", stacklevel=3)

    def _ropeline_eager(self, q, k, cos, sin):
        """The layer's own modules, for what the op does not take: hooks, forward mode, autocast, another device."""
        q_norm, k_norm = (self._modules[name] for name in self._ropeline_names[:2])
        return self._ropeline_function(q_norm(q), k_norm(k), cos, sin)

    def __reduce_ex__(self, protocol):
        texts = {dtype: library.spec_of(number) for dtype, number in self._ropeline.items()}
        return _restore, (self._ropeline_base, self._ropeline_names, texts), self.__dict__


# The ops that switched layers call. Tests put others here: counting ones, wrong ones, the scalar reference.
qk_norm_rope = torch.ops.ropeline.qk_norm_rope.default
qk_norm_rope_sep_ = torch.ops.ropeline.qk_norm_rope_sep_.default


@torch.compiler.assume_constant_result
def _runs_on(spec, kind, index):
    """Whether the op runs a spec on a device, since a switched model may be moved to a GPU later. The first question
    prepares the spec there. While a graph is captured that cannot be, and the op itself says so."""
    where = spec, kind, index
    if where not in _RUNS:
        if kind == "cuda" and torch.cuda.is_current_stream_capturing():
            return True
        _RUNS[where] = _can_be_prepared(spec, torch.device(kind, index))
    return _RUNS[where]


def _can_be_prepared(spec, device):
    try:
        library.prepare(spec, device_number(device))
    except (RuntimeError, ValueError) as reason:
        warnings.warn(f"ropeline: switched layers on {device} run on the model's own code: {reason}", stacklevel=2)
        return False
    return True


_RUNS = {}


def _has_hooks(norm):
    """Whether a call of the norm does more than its forward. Hooks on all modules count."""
    own = norm._forward_hooks or norm._forward_pre_hooks or norm._backward_hooks or norm._backward_pre_hooks
    return bool(own) or _has_any_global_hook()


def _is_fresh(module, name):
    """Whether nobody else can hold what this projection returns, so that it may be overwritten."""
    projection = module._modules.get(name)
    return type(projection) is torch.nn.Linear and not projection._forward_hooks


@functools.cache
def fused_class(cls, names):
    """The class that a switched instance of `cls` has. Raises UnexpectedForward."""
    forward = rewritten_forward(cls, names, "_ropeline_rope")
    members = {
        "__module__": cls.__module__,
        "__doc__": cls.__doc__,
        "forward": forward,
        "_ropeline_base": cls,
        "_ropeline_names": names,
        "_ropeline_function": staticmethod(inspect.unwrap(forward).__globals__[names.rope_function]),
    }
    return type("Ropeline" + cls.__name__, (Fused, cls), members)


def _restore(base, names, texts):
    """Unpickles a switched layer, in a process that may not know its specs yet."""
    for text in texts.values():
        library.register_spec(text)
    cls = fused_class(base, names)
    return cls.__new__(cls)


def _revert(module):
    if not isinstance(module, Fused):
        return False
    module.__class__ = module._ropeline_base
    del module._ropeline
    return True
