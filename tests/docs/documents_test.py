#!/usr/bin/env python3
"""Holds the documents to what they show: README's program and its output, the commands of docs/program.md, the tables
of steps and of environment variables, links, and the length of the reading path."""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

READING_PATH = 300  # lines


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def readme_program(a):
    """The first C++ block compiles without a warning and prints the block below it."""
    text = (a.root / "README.md").read_text()
    source, shown = blocks(text, "cpp")[0], blocks(text, "text")[0]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "first.cpp").write_text(source)
        flags = ["-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{a.root}/include", f"-Wl,-rpath,{a.library.parent}"]
        command = [a.compiler, *flags, f"{folder}/first.cpp", str(a.library), "-o", f"{folder}/first"]
        done = run(command)
        if done.returncode:
            return [f"README.md: its program does not compile:\n{done.stderr}"]
        printed = run([f"{folder}/first"]).stdout
    return [] if printed == shown else [f"README.md: shows\n{shown}but its program prints\n{printed}"]


def readme_steps(a):
    """Every step that `ropeline info` refuses is in README, and no step that it runs is said to be refused."""
    text = (a.root / "README.md").read_text()
    row = next((line for line in text.splitlines() if line.startswith("| Not in this version")), "")
    faults = []
    for line in run([a.program, "info"]).stdout.split("\nsteps\n")[1].splitlines():
        step, answer = re.match(r"  (.*?)\s{2,}(.*)", line).groups()
        if answer.startswith("no") != (f"{step}" in re.split(r"; |: | \| ", row)):
            faults.append(f"README.md: the row of refused steps disagrees with `ropeline info` on {step!r}: {answer}")
    return faults


def program_commands(a):
    """Every indented `ropeline ...` line of docs/program.md runs, in order, with a kernel cache of its own."""
    faults = []
    lines = re.findall(r"^    ropeline (.*)$", (a.root / "docs/program.md").read_text(), re.M)
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "ROPELINE_CACHE_DIR": cache}
        for line in lines:
            done = run([a.program, *shlex.split(line)], cwd=a.root, env=environment)
            if done.returncode == 3 and "NVRTC was not found" in done.stderr:
                print(f"not run: ropeline {line}: no NVRTC")
            elif done.returncode:
                faults.append(f"docs/program.md: `ropeline {line}` exits with {done.returncode}: {done.stderr}")
    return faults


def variables_read(folder):
    """What the sources below a folder look up in the environment."""
    names = set()
    for path in folder.rglob("*"):
        if path.suffix in (".cpp", ".py") and path.name != "documents_test.py":
            names |= set(re.findall(r"(?:getenv|environ(?:\.get)?)[(\[]\"(ROPELINE_\w+)\"", path.read_text()))
    return names


def environment_table(a):
    """docs/environment.md names the variables of src/env.h and of the Python package; tests name theirs there too."""
    page = (a.root / "docs/environment.md").read_text()
    library, tests = [set(re.findall(r"^\| `(ROPELINE_\w+)`", part, re.M)) for part in page.split("Tests read these.")]
    header = set(re.findall(r"^/// (ROPELINE_\w+):", (a.root / "src/env.h").read_text(), re.M))
    header |= variables_read(a.root / "python")
    read = variables_read(a.root / "tests")
    faults = [f"docs/environment.md and the library disagree on {name}" for name in sorted(library ^ header)]
    return faults + [
        f"docs/environment.md and the tests disagree on {name}" for name in sorted(tests ^ (read - header))
    ]


def links(a):
    """Every relative link of every page leads to a file."""
    faults = []
    pages = [p for p in a.root.rglob("*.md") if not {".venv", ".venv-vllm", "build"} & set(p.relative_to(a.root).parts)]
    for page in pages:
        text = re.sub(r"`[^`\n]*`", "", page.read_text())  # code is no link
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
            if not (page.parent / target).exists():
                faults.append(f"{page.relative_to(a.root)}: a link leads to {target}, which is not there")
    return faults


def reading_path(a):
    """The files of README's reading path have at most 300 lines together."""
    section = (a.root / "README.md").read_text().split("## A reading path")[1]
    files = re.findall(r"^\d+\. \[[^]]*\]\(([^)]+)\)", section, re.M)
    lines = sum(len((a.root / f).read_text().splitlines()) for f in files)
    ok = len(files) >= 4 and lines <= READING_PATH
    return [] if ok else [f"README.md: the reading path is {len(files)} files of {lines} lines"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("root", "library", "program"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--compiler", required=True)
    a = parser.parse_args()
    checks = (readme_program, readme_steps, program_commands, environment_table, links, reading_path)
    faults = [fault for check in checks for fault in check(a)]
    print("\n".join(faults) or f"{len(checks)} checks of the documents hold")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
