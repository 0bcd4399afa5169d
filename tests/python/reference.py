"""The scalar reference behind the same torch ops, built from the sources beside these tests."""

import pathlib
import subprocess
import sys

import torch

from ropeline import ops
from ropeline._library import Library, library

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def build_reference():
    """Builds it for the torch of this interpreter, and returns its path."""
    folder = REPOSITORY / "build" / "python-reference"
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DROPELINE_PYTHON=ON", "-DROPELINE_TOOLS=ON"]
    configure = [
        "cmake",
        "-G",
        "Ninja",
        "-S",
        REPOSITORY,
        "-B",
        folder,
        *options,
        f"-DPython_EXECUTABLE={sys.executable}",
    ]
    for command in (configure, ["cmake", "--build", folder, "--target", "ropeline_torch_reference"]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder / "python" / "libropeline_torch_reference.so"


class Reference:
    """The ops of the library whose `execute` is tests/reference; specs are registered there by their text."""

    def __init__(self, path):
        self.library = Library(path)
        ops.register("ropeline_reference")
        namespace = torch.ops.ropeline_reference
        self.in_place = self._registering(namespace.qk_norm_rope_sep_.default)
        self.functional = self._registering(namespace.qk_norm_rope.default)
        self.packed = self._registering(namespace.qk_norm_rope_.default)

    def _registering(self, op):
        def call(*arguments):
            number = next(a for a in reversed(arguments) if type(a) is int)
            self.library.register_spec(library.spec_of(number))
            return op(*arguments)

        return call
