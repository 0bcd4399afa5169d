"""Specs from Python: text in, text out, and the reasons of C++ unchanged."""

import json
import pickle
import subprocess
import sys

import pytest
import torch

import ropeline


def spec(**others):
    return ropeline.qk_norm_rope_spec(
        32, 4, 128, norm=ropeline.rms_norm(1e-6), rope=ropeline.rope(ropeline.cos_sin_cache(128)), **others
    )


def test_the_printed_form_comes_back_equal():
    made = spec()
    again = ropeline.Spec.from_json(made.json)
    assert again == made and hash(again) == hash(made) and again.id == made.id
    assert ropeline.Spec.from_json(json.loads(made.json)) == made
    assert pickle.loads(pickle.dumps(made)) == made


def test_defaults_are_left_out():
    read = json.loads(spec().json)
    assert read["q"]["steps"][0] == {"norm": {}}
    assert "activation" not in read


def test_different_specs_have_different_ids():
    ids = {spec().id, spec(dtype=torch.float32).id, spec(positions="int32").id, spec(table="bf16").id}
    assert len(ids) == 4 and all(0 <= number < 2**63 for number in ids)


def test_the_id_is_the_same_in_another_process():
    code = f"import ropeline; print(ropeline.Spec.from_json({spec().json!r}).id)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(out) == spec().id


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "spec: not JSON: {"),
        ('{"head_dims": 128}', "head_dims: unknown field; known are head_dim, q, k, v, activation, weight, table,"),
        ('{"head_dim": "128"}', 'head_dim: "128" is not a 32-bit integer'),
        ({"q": {"steps": [{"norm": {"eps": float("nan")}}]}}, 'q.steps[0].norm.eps: "NaN" is not a finite fp32 number'),
        ({"q": {"steps": [{"norm": {"eps": 1e39}}]}}, "q.steps[0].norm.eps: 1e+39 is not a finite fp32 number"),
        (
            {"k": {"steps": [{"rope": ropeline.rope(ropeline.frequencies(float("inf"), 64))}]}},
            'k.steps[0].rope.angles.frequencies.base: "Infinity" is not a finite number',
        ),
        (
            {"k": {"steps": [{"rope": ropeline.rope(ropeline.frequencies(inv_freq=[1, -float("inf")]))}]}},
            'k.steps[0].rope.angles.frequencies.values[1]: "-Infinity" is not a finite fp32 number',
        ),
        ('{"q": {"steps": [{"nrm": {}}]}}', 'q.steps[0]: {"nrm":{}} is not an object with one of norm, rope, scale'),
    ],
)
def test_malformed_text_is_a_value_error_that_names_the_field(text, message):
    with pytest.raises(ValueError) as caught:
        ropeline.Spec.from_json(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"head_dim": 100}, "head_dim: 100 must be a multiple of 8 from 16 to 512"),
        ({"rope": ropeline.rope(ropeline.rows(130))}, "q.rope: rotary_dim 130 exceeds head_dim 128"),
        ({"rope": ropeline.rope(ropeline.rows(7))}, "q.rope: rotary_dim 7 must be even and at least 0"),
        ({"norm": ropeline.rms_norm(0.0)}, "q.norm: eps 0 must be a finite number above 0"),
        ({"weight": "fp16"}, "weight: fp16 must be bf16 (the activation dtype) or fp32"),
    ],
)
def test_impossible_specs_are_value_errors_when_prepared(change, message):
    made = {"q": 32, "k": 4, "head_dim": 128, "norm": ropeline.rms_norm(), "rope": ropeline.rope(ropeline.rows(64))}
    with pytest.raises(ValueError) as caught:
        _ = ropeline.qk_norm_rope_spec(**{**made, **change}).id
    assert str(caught.value) == message


def test_supports_gives_the_reason_and_preparing_raises_it():
    later = ropeline.Spec.from_json({"head_dim": 64, "q": {"heads": 1, "steps": [{"clamp": {"bound": 8.0}}]}})
    reason = ropeline.supports(later)
    assert reason == "q.clamp is not run by this version"
    with pytest.raises(RuntimeError) as caught:
        _ = later.id
    assert str(caught.value) == reason
    assert ropeline.supports(spec()) == ""


def test_a_dtype_that_has_no_counterpart_is_named():
    with pytest.raises(ValueError, match=r"dtype: torch.float64 is not one of torch.float32"):
        ropeline.qk_norm_rope_spec(1, 1, 64, dtype=torch.float64)


@pytest.mark.parametrize("mode", ["exact", "fp32_product"])
def test_the_table_of_small_positions_is_cos_and_sin(mode):
    positions = torch.arange(7)
    cos, sin = ropeline.cos_sin_table(ropeline.frequencies(1e4, 64), positions, mode=mode)
    angles = positions[:, None].double() * 1e4 ** -(torch.arange(0, 64, 2).double() / 64)
    assert cos.shape == sin.shape == (7, 32)
    torch.testing.assert_close(cos.double(), angles.cos(), rtol=0, atol=1e-6)
    torch.testing.assert_close(sin.double(), angles.sin(), rtol=0, atol=1e-6)


def test_the_two_angle_modes_part_at_long_positions():
    far = [131071]
    exact, product = (ropeline.cos_sin_table(ropeline.frequencies(1e6, 128), far, mode=m)[0] for m in _MODES)
    assert not torch.equal(exact, product)
    torch.testing.assert_close(exact, product, rtol=0, atol=0.05)


_MODES = ("exact", "fp32_product")


def test_explicit_frequencies_and_scaling():
    inv_freq = (1e4 ** -(torch.arange(0, 64, 2) / 64)).tolist()
    given, _ = ropeline.cos_sin_table(ropeline.frequencies(inv_freq=inv_freq), [3])
    from_theta, _ = ropeline.cos_sin_table(ropeline.frequencies(1e4, 64), [3])
    torch.testing.assert_close(given, from_theta, rtol=0, atol=1e-5)
    halved, _ = ropeline.cos_sin_table(ropeline.frequencies(1e4, 64, scaling={"kind": "linear", "factor": 2.0}), [6])
    torch.testing.assert_close(halved, from_theta, rtol=0, atol=1e-6)


def test_errors_of_the_table_name_the_field():
    with pytest.raises(ValueError, match="mode: fast is not one of exact, fp32_product"):
        ropeline.cos_sin_table(ropeline.frequencies(1e4, 64), [1], mode="fast")
    with pytest.raises(ValueError, match="position"):
        ropeline.cos_sin_table(ropeline.frequencies(1e4, 64), [2**31])


@pytest.mark.parametrize(
    "angles, positions, message",
    [
        ((1e4, 64), [0.5], "positions: torch.float32 of shape [1] must be integers [P]"),
        ((1e4, 64), [[0, 1]], "positions: torch.int64 of shape [1, 2] must be integers [P]"),
        ((1e4, -2), [0], "rotary_dim -2 must be even and at least 0"),
        ((1e4, "64"), [0], 'frequencies.rotary_dim: "64" is not a 32-bit integer'),
        ((float("nan"), 64), [0], 'frequencies.base: "NaN" is not a finite number'),
        (
            ropeline.rows(64),
            [0],
            "angles: {'rows': {'rotary_dim': 64, 'layout': 'dup'}} must be made by frequencies(...); "
            "others have a table already",
        ),
    ],
)
def test_a_table_of_something_else_is_a_value_error(angles, positions, message):
    with pytest.raises(ValueError) as caught:
        ropeline.cos_sin_table(angles if isinstance(angles, dict) else ropeline.frequencies(*angles), positions)
    assert str(caught.value) == message
