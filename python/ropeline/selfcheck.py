"""Two random tokens through a layer as it is and through its switched form, before it is switched."""

import json

import torch

# How far two right answers may be apart, because the sum of squares may be taken in another order: a step or two of
# the dtype, in a few elements. A wrong cast rule changes 4 % of the elements or more, a wrong rotation nearly all.
_STEP = {torch.float32: 1e-5, torch.bfloat16: 2**-6, torch.float16: 2**-9}
_DIFFERENT = 0.005
_ROWS = {
    "half": lambda half: half,
    "dup": lambda half: torch.cat((half, half), dim=-1),
    "repeat": lambda half: half.repeat_interleave(2, dim=-1),
}


@torch.no_grad()
def check(module, fused, specs):
    """Raises RuntimeError that says what differs. `module` is not changed."""
    trial = fused.__new__(fused)
    trial.__dict__.update(module.__dict__, _ropeline={dtype: spec.id for dtype, spec in specs.items()})
    weight = getattr(module, fused._ropeline_names.q_norm).weight
    spec = json.loads(specs[weight.dtype].json)
    random = torch.Generator().manual_seed(20)
    cos, sin = _angles(spec, weight, random)
    _check_heads(trial, spec, weight, random, cos, sin)
    _check_layer(module, trial, weight, random, (cos, sin))


def _randn(shape, like, random):
    """The same values in every dtype and on every device."""
    return torch.randn(shape, generator=random).to(like)


def _angles(spec, like, random):
    rope = next(step["rope"] for step in spec["q"]["steps"] if "rope" in step)
    rows = rope["angles"]["rows"]
    angles = torch.randn((1, 2, rows["rotary_dim"] // 2), generator=random)
    return tuple(_ROWS[rows["layout"]](f(angles)).to(like) for f in (torch.cos, torch.sin))


def _check_heads(trial, spec, like, random, cos, sin):
    q, k = (_randn((1, spec[name]["heads"], 2, spec["head_dim"]), like, random) for name in "qk")
    expected = trial._ropeline_eager(q, k, cos, sin)
    got = trial._ropeline_rope(q.clone(), k.clone(), cos, sin)
    for name, a, b in zip("qk", expected, got):
        compare_heads(name, a, b)


def compare_heads(name, expected, got):
    """Raises RuntimeError if these heads after norm and rotation are not what the layer's own modules give."""
    different = (expected != got).float().mean().item()
    if expected.dtype != torch.float32 and different > _DIFFERENT:
        raise RuntimeError(f"self-check: {different:.1%} of {name} differs from the layer's own")
    _check_close(name, expected, got, _STEP[expected.dtype])


def _check_layer(module, trial, like, random, angles):
    hidden = _randn((1, 2, module.config.hidden_size), like, random)
    call = {"hidden_states": hidden, "position_embeddings": angles, "attention_mask": None}
    expected, got = (type(layer).forward(layer, **call)[0] for layer in (module, trial))
    _check_close("the output of the layer", expected, got, 4 * _STEP[like.dtype])


def _check_close(name, expected, got, step):
    error = (expected.float() - got.float()).abs().max().item()
    largest = expected.float().abs().max().item()
    if not error <= step * max(largest, 1e-3):
        raise RuntimeError(f"self-check: {name} differs from the layer's own by {error:.3g}, at most {largest:.3g}")
