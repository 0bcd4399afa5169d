"""The one op behind the names and argument lists of other engines: sglang, vllm_ops, tensorrt_llm.

Each function takes what the original takes, in its order, on tensors of a CPU or of a CUDA device, and fails as the
original does: with a RuntimeError that names the argument, before anything is written. docs/drop-in.md has the table of
them, and what differs. Nothing here is imported, registered or replaced unless it is asked for.
"""
