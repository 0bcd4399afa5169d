"""vLLM in a process of its own: engine.py CHECKPOINT REQUEST ANSWER, where REQUEST is JSON:

    {"engine": {"max_num_batched_tokens": 64}, "runs": [{"op": "ours", "batches": [[[5, 7, 11]]], "steps": 32}]}

It writes to the file ANSWER, for each run: tokens and log-probabilities of each prompt, and how often the model and the
op were called.

op: "ours" is the library's, "reference" the scalar reference; "wrong sin" and "wrong norm" are faults that a comparison
must see. The engine begins with ours, because the plugin compares what it switches; each run then sets its own.
"""

import functools
import json
import os
import pathlib
import sys

import torch

sys.path.append(str(pathlib.Path(__file__).parents[1] / "python"))

_PARAMETERS = (
    "Tensor? q_weight, Tensor? k_weight, Tensor? positions, Tensor? cos, Tensor? sin, Tensor? cos_sin_cache, int spec"
)
_SCHEMAS = {
    "qk_norm_rope_": f"(Tensor(a!) qkv, {_PARAMETERS}) -> ()",
    "qk_norm_rope_sep_": f"(Tensor(a!) q, Tensor(b!) k, {_PARAMETERS}, bool heads_first=False) -> ()",
}


class Watched:
    """Ops in the place of the plugin's, which count their calls and do what `op` says."""

    def __init__(self):
        import ropeline.vllm

        self.op, self.model, self.calls, self.forwards = "ours", None, 0, 0
        self.ours = {name: getattr(ropeline.vllm, name) for name in _SCHEMAS}
        self.library = torch.library.Library("ropeline_watched", "DEF")
        for name, schema in _SCHEMAS.items():
            self.library.define(name + schema)
            self.library.impl(name, functools.partial(self._run, name), "CPU")
            torch.library.register_fake(f"ropeline_watched::{name}", lambda *arguments: None, lib=self.library)
            setattr(ropeline.vllm, name, getattr(torch.ops.ropeline_watched, name).default)

    def watch(self, model):
        if self.model is not model:
            self.model = model
            model.register_forward_pre_hook(self._count_forward)

    def _count_forward(self, model, arguments):
        self.forwards += 1

    def _run(self, name, *arguments):
        self.calls += 1
        if self.op == "reference":
            return getattr(reference(), {"qk_norm_rope_": "packed", "qk_norm_rope_sep_": "in_place"}[name])(*arguments)
        arguments = list(arguments)
        q_weight = {"qk_norm_rope_": 1, "qk_norm_rope_sep_": 2}[name]
        cache = q_weight + 5
        if self.op == "wrong sin" and arguments[cache] is not None:
            cos, sin = arguments[cache].chunk(2, -1)
            arguments[cache] = torch.cat((cos, -sin), -1)
        if self.op == "wrong norm":
            arguments[q_weight] = arguments[q_weight] + 0.01
        return self.ours[name](*arguments)


@functools.cache
def watched():
    """The one of this process; vLLM may run the model in another one than the caller's."""
    return Watched()


@functools.cache
def reference():
    from reference import Reference

    return Reference(os.environ["ROPELINE_REFERENCE_LIBRARY"])


def begin(model, op):
    """In the process that has the model. Returns what it has counted so far."""
    watched().watch(model)
    watched().op = op
    return watched().calls, watched().forwards


def generated(llm, prompts, steps):
    """Tokens and log-probabilities of each prompt, and how much of it came out of the prefix cache."""
    from vllm import SamplingParams

    sampling = SamplingParams(temperature=0, max_tokens=steps, ignore_eos=True, detokenize=False, logprobs=4)
    prompts = [{"prompt_token_ids": prompt} for prompt in prompts]
    for request in llm.generate(prompts, sampling, use_tqdm=False):
        (answer,) = request.outputs
        logprobs = [{token: entry.logprob for token, entry in step.items()} for step in answer.logprobs]
        yield {"tokens": list(answer.token_ids), "logprobs": logprobs, "cached": request.num_cached_tokens}


def run(llm, op, batches, steps):
    """The batches one after the other, beginning with an empty prefix cache."""
    assert llm.reset_prefix_cache()
    ((calls, forwards),) = llm.apply_model(functools.partial(begin, op=op))
    answers = [answer for prompts in batches for answer in generated(llm, prompts, steps)]
    ((all_calls, all_forwards),) = llm.apply_model(functools.partial(begin, op=op))
    return {"answers": answers, "calls": all_calls - calls, "forwards": all_forwards - forwards}


def main(checkpoint, engine, runs):
    from vllm import LLM

    watched()
    options = {"enforce_eager": True, "dtype": "bfloat16", "max_model_len": 512, "max_num_seqs": 8, "seed": 0}
    llm = LLM(checkpoint, skip_tokenizer_init=True, **{**options, **engine})
    return [run(llm, **each) for each in runs]


if __name__ == "__main__":
    import engine  # by the name under which another process imports it

    checkpoint, request, answer = sys.argv[1:]
    pathlib.Path(answer).write_text(json.dumps(engine.main(checkpoint, **json.loads(request))))
