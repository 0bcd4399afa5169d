"""Prints the folder of the torch package whose headers this build uses, or nothing.

An isolated pip build hides the environment's packages from imports, but its interpreter still knows where they lie.
"""

import importlib.util
import pathlib
import sysconfig

spec = importlib.util.find_spec("torch")
found = [pathlib.Path(spec.origin).parent] if spec and spec.origin else []
found += [pathlib.Path(sysconfig.get_path(scheme)) / "torch" for scheme in ("platlib", "purelib")]
for folder in found:
    if (folder / "include/torch/csrc/stable/library.h").is_file():
        print(folder.as_posix(), end="")
        break
