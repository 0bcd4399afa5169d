"""sglang's own Qwen3-MoE, imported beside the CPU build of torch. Its neighbours that cannot be had there are stubbed:
sgl_kernel (CUDA), triton, torchvision, IPython. So this is a call site of sglang, not its engine."""

import importlib.abc
import importlib.machinery
import os
import pathlib
import sys
import types
from unittest import mock

import pytest
import torch
import torch._inductor.compile_fx  # noqa: F401  it looks for triton, and must not find the stub
import transformers  # noqa: F401  so must it

sys.path.append(str(pathlib.Path(__file__).parents[1] / "python"))

from reference import Reference, build_reference  # noqa: E402

_STUBBED = {"IPython", "sgl_kernel", "torchvision", "triton"}


class _Stub(types.ModuleType):
    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {}) if name[0].isupper() else mock.MagicMock(name=name)


class _Stubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        stubbed = name.split(".")[0] in _STUBBED
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if stubbed else None

    def create_module(self, spec):
        return _Stub(spec.name)

    def exec_module(self, module):
        pass


@pytest.fixture(scope="session")
def qwen3_moe():
    """The module sglang.srt.models.qwen3_moe."""
    os.environ["SGLANG_USE_CPU_ENGINE"] = "1"
    sys.meta_path.insert(0, _Stubs())
    import sglang.srt.models.qwen3_moe as module

    return module


@pytest.fixture(scope="session")
def reference():
    return Reference(os.environ.get("ROPELINE_REFERENCE_LIBRARY") or build_reference())
