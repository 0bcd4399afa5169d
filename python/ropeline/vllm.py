"""A vLLM plugin: the attention layers of a model run both norms of q and k and the rotation as one op.

    ROPELINE_VLLM=1 vllm serve MODEL

vLLM finds `register` through the entry point `vllm.general_plugins` and calls it in each of its processes. With
ROPELINE_VLLM=1 every model that vLLM makes goes through `apply`, before its weights are loaded.

A switched layer keeps its own forward: its norms hand on what they get, and its rotary_emb does the work of all three,
in place. ROPELINE_VLLM=forward gives it a forward of ours instead, with one op on the packed qkv; a layer that does not
rotate gets that one either way. What a layer means comes from the tables below, for exactly the classes of vLLM that
stand there. Its source only decides whether the forward still is the one that the tables were written for.
"""

import ast
import functools
import inspect
import logging
import os
import sys
import textwrap
from typing import Callable, NamedTuple

import torch

from . import selfcheck
from ._library import library
from .report import Layer, LeftAlone, Report
from .spec import cos_sin_cache, dtype_name, prepare, qk_norm_rope_spec, rms_norm, rope, supports

_logger = logging.getLogger("vllm.ropeline")  # below vllm's own, which has the handler


class _Class(NamedTuple):
    """The norm class of an attention class, and which of its layers rotate."""

    norm: str
    rotates: Callable = lambda layer: True


_CLASSES = {
    "Exaone4Attention": _Class("RMSNorm", lambda layer: bool(layer.sliding_window or layer.apply_rope_all_layers)),
    "Gemma3Attention": _Class("GemmaRMSNorm"),
    "Glm4MoeAttention": _Class("RMSNorm"),
    "Qwen3Attention": _Class("RMSNorm"),
    "Qwen3MoeAttention": _Class("RMSNorm"),
}
_NORMS = {"GemmaRMSNorm": {"weight_offset": 1.0, "rounding": "end"}, "RMSNorm": {"rounding": "inner"}}
# All of them rotate by the row of cos_sin_cache at the token's position; they differ by how they fill it.
_ROTARIES = {
    "DynamicNTKAlphaRotaryEmbedding",
    "DynamicNTKScalingRotaryEmbedding",
    "LinearScalingRotaryEmbedding",
    "Llama3RotaryEmbedding",
    "NTKScalingRotaryEmbedding",
    "RotaryEmbedding",
    "YaRNScalingRotaryEmbedding",
}
AS_BEFORE = "as before"
# What their forwards consist of, see is_known.
_CALLS = ["qkv_proj", "q_norm", "k_norm", "rotary_emb", "attn", "o_proj"]
_OF_SHAPES = {"flatten", "reshape", "shape", "split", "unflatten", "view"}
_PLAIN = (
    *(ast.Assign, ast.Expr, ast.If, ast.Return),
    *(ast.BoolOp, ast.Constant, ast.List, ast.Name, ast.Slice, ast.Starred, ast.Tuple),
)

# The ops that switched layers call. Tests put others here: counting ones, wrong ones, the scalar reference.
qk_norm_rope_ = torch.ops.ropeline.qk_norm_rope_.default
qk_norm_rope_sep_ = torch.ops.ropeline.qk_norm_rope_sep_.default


# --- the plugin ------------------------------------------------------------------------------------------------------


def register():
    """What vLLM calls. Does nothing unless ROPELINE_VLLM is set, nor when called again.

    ROPELINE_VLLM: "1" or "forward", see above; "0" or left out: nothing. ValueError for another value.
    """
    way = os.environ.get("ROPELINE_VLLM", "0") or "0"
    if way not in ("0", "1", "forward"):
        raise ValueError(f"ROPELINE_VLLM: {way!r} is not 0, 1 or forward")
    if way != "0":
        _follow(initialize_model_of_vllm(), own_forward=way == "forward")


def initialize_model_of_vllm():
    """The function by which every loader of vLLM makes a model. RuntimeError if this vLLM has none."""
    import vllm

    try:
        from vllm.model_executor.model_loader.utils import initialize_model
    except ImportError as error:
        version = getattr(vllm, "__version__", "of unknown version")
        raise RuntimeError(f"ROPELINE_VLLM: vLLM {version} makes its models in a way that is not known here") from error
    return initialize_model


def _follow(initialize_model, own_forward):
    """Lets `apply` follow upon that function, under each name by which vLLM's modules have imported it."""
    if hasattr(initialize_model, "_ropeline"):
        return
    signature = inspect.signature(initialize_model)

    @functools.wraps(initialize_model)
    def initialize_and_apply(*arguments, **keywords):
        model = initialize_model(*arguments, **keywords)
        report = apply(model, own_forward=own_forward)
        config = signature.bind(*arguments, **keywords).arguments.get("vllm_config")
        _distinguish_compiled_graphs(config, report, own_forward)
        if not report or any(layer.reason != AS_BEFORE for layer in report):  # a model within a model comes by twice
            _logger.info("%s", report.grouped())
        return model

    initialize_and_apply._ropeline = True
    for name, module in list(sys.modules.items()):
        if name.startswith("vllm.model_executor.") and vars(module).get("initialize_model") is initialize_model:
            module.initialize_model = initialize_and_apply


def _distinguish_compiled_graphs(config, report, own_forward):
    """vLLM keeps compiled graphs from run to run, by a hash of its config. Those of switched layers are others."""
    extra = getattr(config, "additional_config", None)
    if isinstance(extra, dict):
        extra["ropeline"] = [library.version(), own_forward, [layer.switched for layer in report]]


# --- the layers ------------------------------------------------------------------------------------------------------


def apply(model, *, own_forward=False):
    """Switches every attention layer whose class the table knows, and reports each. A second call changes nothing.

    The model may have no weights yet. A layer is left alone, with the reason, if its class, norms or rotation are
    unknown, its forward is not the expected one, its device does not run its spec, or the op does not agree with its
    own modules on two random tokens. On a GPU it compiles the kernels or finds them in the cache.
    """
    library.default_threads(torch.get_num_threads())  # vLLM settles them after the import of its plugins
    layers = [(name, module) for name, module in model.named_modules() if _is_attention(module)]
    return Report(_apply(name, module, own_forward) for name, module in layers)


def _is_attention(module):
    return type(module).__name__.endswith("Attention") and "attn" in module._modules


def _apply(name, layer, own_forward):
    kind = type(layer).__name__
    if isinstance(layer, FusedForward) or isinstance(layer._modules.get("rotary_emb"), FusedRotary):
        return Layer(name, kind, True, AS_BEFORE)
    try:
        _switch(layer, own_forward)
    except (LeftAlone, AttributeError, ValueError, RuntimeError) as reason:
        return Layer(name, kind, False, str(reason))
    return Layer(name, kind, True, "")


def _switch(layer, own_forward):
    known = _CLASSES.get(type(layer).__name__)
    if known is None:
        raise LeftAlone(f"the class is not in the table, which has {', '.join(_CLASSES)}")
    _expect_of_vllm("class", layer, "models")
    _expect_children(layer, known)
    _expect_forward(layer)
    rotates = known.rotates(layer)
    spec = _spec(layer, rotates)
    device = layer.rotary_emb.cos_sin_cache.device
    if reason := supports(spec, device):
        raise LeftAlone(reason)
    prepare(spec, device)
    if rotates and not own_forward:
        fused = FusedRotary(layer, spec.id)
        _check(layer, rotates, fused.run)
        layer.rotary_emb = fused
        for norm in fused.norms:
            norm.__class__ = passing(type(norm))
    else:
        fused = PackedPrologue(layer, spec.id, rotates)
        _check(layer, rotates, fused.run)
        layer.__class__ = with_own_forward(type(layer))
        layer._ropeline = fused


def _expect_of_vllm(what, module, package):
    """Its class is vLLM's own, of vllm.model_executor.<package>, not another one of the same name."""
    kind = type(module)
    if not kind.__module__.startswith(f"vllm.model_executor.{package}."):
        raise LeftAlone(f"its {what} is {kind.__module__}.{kind.__name__}, not vLLM's {kind.__name__}")


def _expect_children(layer, known):
    """The norms and the rotation have a known meaning, by their classes."""
    for name in ("q_norm", "k_norm"):
        norm = layer._modules.get(name)
        if norm is None:
            raise LeftAlone(f"it has no {name}")
        if type(norm).__name__ != known.norm:
            raise LeftAlone(f"its {name} is a {type(norm).__name__}, expected {known.norm}")
        _expect_of_vllm(name, norm, "layers")
        if getattr(norm, "variance_size_override", None) is not None:
            raise LeftAlone(f"its {name} takes the mean of {norm.variance_size_override} elements, not of a head")
        if list(norm.weight.shape) != [layer.head_dim]:
            raise LeftAlone(f"its {name} has a weight of shape {list(norm.weight.shape)}, expected [{layer.head_dim}]")
    if layer.q_norm.variance_epsilon != layer.k_norm.variance_epsilon:
        raise LeftAlone(f"eps is {layer.q_norm.variance_epsilon} for q and {layer.k_norm.variance_epsilon} for k")
    rotary = layer._modules.get("rotary_emb")
    if type(rotary).__name__ not in _ROTARIES:
        raise LeftAlone(f"its rotary_emb is a {type(rotary).__name__}, known are {', '.join(sorted(_ROTARIES))}")
    _expect_of_vllm("rotary_emb", rotary, "layers")
    if rotary.head_size != layer.head_dim:
        raise LeftAlone(f"its rotary_emb is for a head_dim of {rotary.head_size}, the layer has {layer.head_dim}")
    if rotary.cos_sin_cache.dtype != layer.q_norm.weight.dtype:
        raise LeftAlone(f"its cos_sin_cache is {rotary.cos_sin_cache.dtype}, its weights {layer.q_norm.weight.dtype}")


def _expect_forward(layer):
    """Its forward calls each of the six modules once, in the usual order, and otherwise only cuts and reshapes."""
    if "forward" in vars(layer):
        raise LeftAlone("its forward was replaced on the instance")
    nodes = _nodes(type(layer).forward)
    called = own_calls(nodes)
    if called != _CALLS:
        raise LeftAlone(f"its forward calls {', '.join(called) or 'nothing'}; expected {', '.join(_CALLS)}")
    for node in nodes:
        if not is_known(node):
            raise LeftAlone(f"its forward does more: {ast.unparse(node).splitlines()[0]}")


def _nodes(function):
    """The statements and expressions in the source of a function."""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
    except (OSError, TypeError, ValueError, SyntaxError) as error:
        raise LeftAlone(f"the source of its forward is not to be had: {error}") from error
    nodes = [node for statement in definition.body for node in ast.walk(statement)]
    return [node for node in nodes if isinstance(node, (ast.stmt, ast.expr))]


def own_calls(nodes):
    """The names x of all self.x(...), in the order in which they end."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    own = [call for call in calls if ast.unparse(call.func.value) == "self"]
    return [call.func.attr for call in sorted(own, key=lambda c: (c.end_lineno, c.end_col_offset))]


def is_known(node):
    """Whether the forwards of the table have such a node: members and calls of self, reshapes, and the numbers that
    these take. Arithmetic on tensors is no such node, nor is another function."""
    if isinstance(node, ast.Attribute):
        return node.attr in _OF_SHAPES or (ast.unparse(node.value) == "self" and isinstance(node.ctx, ast.Load))
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute)
    if isinstance(node, ast.Subscript):
        return _is_size(node)
    if isinstance(node, ast.BinOp):
        return _is_size(node.left) and isinstance(node.op, ast.FloorDiv)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.operand, ast.Constant)
    return isinstance(node, _PLAIN)


def _is_size(node):
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "shape"


def _spec(layer, rotates):
    norm, rotary = layer.q_norm, layer.rotary_emb
    angles = cos_sin_cache(rotary.rotary_dim)
    dtype = norm.weight.dtype
    return qk_norm_rope_spec(
        layer.num_heads,
        layer.num_kv_heads,
        layer.head_dim,
        norm=rms_norm(norm.variance_epsilon, **_NORMS[type(norm).__name__]),
        rope=rope(angles, style="neox" if rotary.is_neox_style else "interleaved") if rotates else None,
        dtype=dtype,
        table=dtype_name(dtype),
    )


@torch.no_grad()
def _check(layer, rotates, run):
    """Compares the op with the layer's own modules, on random tokens and, since it has none yet, random weights."""
    rotary, random = layer.rotary_emb, torch.Generator().manual_seed(20)
    cache = rotary.cos_sin_cache
    qkv, *weights = (
        torch.randn(shape, generator=random, device="cpu").to(cache)
        for shape in ((2, layer.q_size + 2 * layer.kv_size), (layer.head_dim,), (layer.head_dim,))
    )
    positions = torch.tensor([1, len(cache) - 1], device=cache.device)
    got = qkv.clone()
    run(got, positions, *weights)
    sizes = [layer.q_size, layer.kv_size, layer.kv_size]
    q, k, v = qkv.split(sizes, -1)
    heads = zip((layer.q_norm, layer.k_norm), (q, k), weights)
    q, k = (_normed(norm, x.unflatten(-1, (-1, layer.head_dim)), w).flatten(-2) for norm, x, w in heads)
    if rotates:
        q, k = _kernel(rotary)(positions, q, k)
    for name, a, b in zip(("q", "k", "v"), (q, k, v), got.split(sizes, -1)):
        selfcheck.compare_heads(name, a, b)


def _kernel(rotary):
    """The forward of the engine's own kernel. One that compiles its models calls forward_native instead, which rounds
    in more places than it does once it is compiled."""
    return getattr(rotary, f"forward_{rotary.cos_sin_cache.device.type}", rotary.forward)


def _normed(norm, x, weight):
    return torch.func.functional_call(norm, {"weight": weight}, (x.contiguous(),))


# --- the layer keeps its forward -------------------------------------------------------------------------------------


class FusedRotary(torch.nn.Module):
    """The rotary_emb of a layer whose norms hand on what they get."""

    def __init__(self, layer, spec):
        super().__init__()
        self.rotary = layer.rotary_emb  # a child, so that its table stays among the model's buffers
        self.norms = layer.q_norm, layer.k_norm  # no children: their weights have their names already
        self.sizes, self.head_dim, self.spec = (layer.q_size, layer.kv_size), layer.head_dim, spec

    def forward(self, positions, query, key):
        """query, key [T, H * D], rotated by the rows of positions [T]; in place, and returned."""
        self._call(positions, query, key, *(norm.weight for norm in self.norms))
        return query, key

    def run(self, qkv, positions, q_weight, k_weight):
        self._call(positions, *qkv[:, : sum(self.sizes)].split(self.sizes, -1), q_weight, k_weight)

    def _call(self, positions, query, key, q_weight, k_weight):
        q, k = (x.unflatten(-1, (-1, self.head_dim)) for x in (query, key))
        qk_norm_rope_sep_(q, k, q_weight, k_weight, positions, None, None, self.rotary.cos_sin_cache, self.spec)


@functools.cache
def passing(norm):
    """That norm class, with a forward that hands on what it gets."""
    return type("Passing" + norm.__name__, (norm,), {"__module__": norm.__module__, "forward": lambda self, x: x})


# --- the layer gets a forward of ours --------------------------------------------------------------------------------


class PackedPrologue:
    """One op on the q and k heads of a packed qkv [T, N]."""

    def __init__(self, layer, spec, rotates):
        self.rotary, self.spec = layer.rotary_emb if rotates else None, spec

    def run(self, qkv, positions, q_weight, k_weight):
        turned = (None, None) if self.rotary is None else (positions, self.rotary.cos_sin_cache)
        qk_norm_rope_(qkv, q_weight, k_weight, turned[0], None, None, turned[1], self.spec)


class FusedForward:
    """What a layer with this forward has besides its own class. `_ropeline`: its PackedPrologue."""

    def forward(self, positions, hidden_states, **unused):
        qkv, _ = self.qkv_proj(hidden_states)
        self._ropeline.run(qkv, positions, self.q_norm.weight, self.k_norm.weight)
        attended = self.attn(*qkv.split([self.q_size, self.kv_size, self.kv_size], dim=-1))
        return self.o_proj(attended)[0]


@functools.cache
def with_own_forward(cls):
    return type("Ropeline" + cls.__name__, (FusedForward, cls), {"__module__": cls.__module__})
