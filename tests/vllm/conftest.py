"""Runs of vLLM in processes of their own, and the table of what they measured."""

import functools
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parent / "python"))

import checkpoints  # noqa: E402
from reference import build_reference  # noqa: E402

_SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_ALLOW_INSECURE_SERIALIZATION": "1",  # engine.py sends functions to the process of the model
    "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
}


class Engine:
    def __init__(self, folder):
        self.folder = folder

    def checkpoint(self, family):
        folder = self.folder / family
        if not folder.exists():
            checkpoints.save(family, folder)
        return folder

    @functools.cached_property
    def reference_library(self):
        return os.environ.get("ROPELINE_REFERENCE_LIBRARY") or str(build_reference())

    def run(self, family, plugin, runs, engine=None, **environment):
        """The results of the runs, and all that was printed. plugin: the value of ROPELINE_VLLM."""
        request = json.dumps({"engine": engine or {}, "runs": runs})
        answer = self.folder / "answer.json"
        settings = {**os.environ, **_SETTINGS, "ROPELINE_REFERENCE_LIBRARY": self.reference_library, **environment}
        done = subprocess.run(
            [sys.executable, HERE / "engine.py", self.checkpoint(family), request, answer],
            env={**settings, "ROPELINE_VLLM": plugin},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        return json.loads(answer.read_text()), done.stdout


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    return Engine(tmp_path_factory.mktemp("checkpoints"))


_rows = []


@pytest.fixture
def record():
    """Takes a row of the table: model, how it ran, the figures."""
    return lambda *row: _rows.append(row)


def pytest_terminal_summary(terminalreporter):
    head = "model", "mode", "equal tokens", "lead of tokens that differ", "largest difference of a logprob", "calls"
    for row in (head, ["---"] * len(head), *_rows) if _rows else ():
        terminalreporter.write_line(f"| {' | '.join(map(str, row))} |")
