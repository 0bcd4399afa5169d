"""Python processes of their own, for tests of ropeline.jit."""

import json
import os
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "examples/jit"


def child(program, cache, **environment):
    """What a Python process of its own prints, as JSON."""
    environment = {**os.environ, "ROPELINE_CACHE_DIR": str(cache), **environment}
    done = subprocess.run([sys.executable, *program], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
