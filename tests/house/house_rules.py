#!/usr/bin/env python3
"""The house rules: what each room may include, how long a file may be, which files an op has, and what the repository
never contains.

house_rules.py ROOT     prints each breach as path:line: sentence; exits with 1 when there is one
house_rules.py --self-test
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

MAX_LINES = 400
LARGEST_FILE = 400_000  # bytes; the largest golden file is 315,128
SOURCE = {".h", ".hpp", ".cpp", ".cc", ".cuh", ".cu", ".inc", ".py", ".cmake", ".sh"}
CXX = {".h", ".hpp", ".cpp", ".cc", ".cuh", ".cu", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
STANDARD = re.compile(r"^[a-z_0-9]+$")  # <vector>, <cstdint>: the standard library has no dot and no slash

# Words that belong to no product: paths of a machine, its tools, unfinished work. Spelled in pieces, since this file is
# read by its own rule.
FORBIDDEN = [
    (r"\bkernel-de" + r"sign\b", "a document that is not in the repository"),
    (r"(?<![\w.])/(?:work|root|home)/\w", "a path of one machine"),
    (r"/opt/\w+env", "a path of one machine"),
    (r"/tmp/(?!\$)\w+\.(?:log|txt)", "a log of one machine"),
    (r"\bTO" + r"DO\b|\bFIX" + r"ME\b|\bXX" + r"X\b", "unfinished work"),
    (r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:gh[po]_|sk-)[A-Za-z0-9]{20}", "a secret"),
]


NOT_OURS = ("build", ".venv", ".venv-vllm", ".git")


def tracked(root):
    """The files of the repository; outside of git, every file that is not build output."""
    listing = subprocess.run(
        ["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True
    )
    if listing.returncode == 0 and listing.stdout:
        names = listing.stdout.splitlines()
    else:
        names = [str(p.relative_to(root)) for p in Path(root).rglob("*")]
    return [n for n in names if (Path(root) / n).is_file() and n.split("/")[0] not in NOT_OURS]


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        if m := INCLUDE.match(line):
            yield number, m[1] == "<", m[2]


def room_rule(name, angled, target):
    """Why a file of that name may not include the target, or None."""
    if name.startswith("include/ropeline/"):
        own = target.startswith("ropeline/")
        return (
            None
            if own or (angled and STANDARD.match(target))
            else "a public header includes only ours and the standard library"
        )
    if name.startswith("kernels/"):
        return None if not angled or STANDARD.match(target) else "kernels/ includes only itself"
    if name.startswith("src/"):
        if target.startswith(("tools/", "tests/", "bench/", "python/")):
            return "src/ stands on nothing outside of it"
        if "cuda.h" in target or "cuda_runtime" in target or "nvrtc" in target:
            return "no CUDA header"
    if name.startswith("src/cpu/") and "cuda/" in target:
        return "src/cpu never meets src/cuda"
    if name.startswith("src/ops/") and target.startswith(("cpu/", "cuda/", "jit/")):
        return "src/ops has no device in sight"
    if name.startswith("src/jit/") and target.startswith(("ops/", "models/", "cpu/")):
        return "src/jit knows no op"
    if name.startswith("tests/reference/") and target.startswith(("cpu/", "src/cpu/", "hwy/")):
        return "the reference shares nothing with the backend that it judges"
    return None


def kernel_rule(root, name, angled, target):
    """kernels/ is compiled as text at run time: whatever it includes by quotes must be inside."""
    if not name.startswith("kernels/") or angled:
        return None
    here = (Path(root) / name).parent
    inside = [p for p in (here / target, Path(root) / target) if p.is_file()]
    ok = any((Path(root) / "kernels").resolve() in p.resolve().parents for p in inside)
    return None if ok else "kernels/ includes only itself"


def tool_rule(root, name, angled, target):
    """tools/ sees the library as any program does."""
    if not name.startswith("tools/") or angled or (Path(root) / name).with_name(Path(target).name).is_file():
        return None
    return "tools/ includes public headers only" if (Path(root) / "src" / target).is_file() else None


# The files of an op, one stem in every room; docs/adding-an-op.md says what each holds.
OP_FILES = [
    "kernels/shared/{op}_params.h",
    "kernels/shared/{op}_variant.h",
    "kernels/ops/{op}.cuh",
    "include/ropeline/{op}.h",
    "src/ops/{op}.h",
    "src/ops/{op}_spec.cpp",
    "src/ops/{op}_args.cpp",
    "src/ops/{op}_params.cpp",
    "src/ops/{op}_launch.h",
    "src/ops/{op}_launch.cpp",
    "src/cpu/{op}.h",
    "src/cpu/{op}.cpp",
    "src/cpu/simd/{op}.cc",
    "src/cuda/{op}.h",
    "src/cuda/{op}.cpp",
    "src/{op}.cpp",
    "python/binding/{op}.cpp",
    "python/ropeline/{op}.py",
    "bench/{op}_bench.cpp",
    "bench/{op}_cuda_bench.cpp",
    "tests/reference/{op}.h",
    "tests/reference/{op}.cpp",
    "tests/reference/{op}_test.cpp",
    "tests/ops/{op}_test.cpp",
    "tests/conformance/{op}_test.cpp",
    "tests/conformance/{op}_backends.h",
    "tests/conformance/{op}_backends.cpp",
    "tests/conformance/{op}_call.h",
    "tests/conformance/{op}_call.cpp",
    "tests/cuda/{op}_test.cpp",
    "tests/emulator/{op}_test.cpp",
    "tests/emulator/{op}_cases.h",
    "tests/emulator/{op}_kernels.h",
    "tests/emulator/{op}_kernels.cpp",
    "tests/faults/{op}_faults.py",
    "tests/kernels/{op}_compile_test.cpp",
    "tests/python/test_{op}.py",
    "tools/{op}.cpp",
]
# The first op has the plain name where it was once the only one.
PLAIN_NAMES = {
    "include/ropeline/qk_norm_rope.h": "include/ropeline/plan.h",
    "src/cpu/simd/qk_norm_rope.cc": "src/cpu/simd/loops.cc",
    "python/binding/qk_norm_rope.cpp": "python/binding/ops.cpp",
    "python/ropeline/qk_norm_rope.py": "python/ropeline/ops.py",
    "tests/reference/qk_norm_rope.h": "tests/reference/reference.h",
    "tests/reference/qk_norm_rope.cpp": "tests/reference/reference.cpp",
    "tests/reference/qk_norm_rope_test.cpp": "tests/reference/steps_test.cpp",
    "tests/ops/qk_norm_rope_test.cpp": "tests/ops/refused_calls_test.cpp",
    "tests/conformance/qk_norm_rope_test.cpp": "tests/conformance/suite.h",
    "tests/conformance/qk_norm_rope_backends.h": "tests/conformance/backend.h",
    "tests/conformance/qk_norm_rope_backends.cpp": "tests/conformance/backend.cpp",
    "tests/conformance/qk_norm_rope_call.h": "tests/conformance/call.h",
    "tests/conformance/qk_norm_rope_call.cpp": "tests/conformance/call.cpp",
    "tests/cuda/qk_norm_rope_test.cpp": "tests/cuda/plan_test.cpp",
    "tests/emulator/qk_norm_rope_test.cpp": "tests/emulator/conformance_test.cpp",
    "tests/emulator/qk_norm_rope_cases.h": "tests/emulator/cases.h",
    "tests/emulator/qk_norm_rope_kernels.h": "tests/emulator/kernels.h",
    "tests/emulator/qk_norm_rope_kernels.cpp": "tests/emulator/kernels.cpp",
    "tests/faults/qk_norm_rope_faults.py": "tests/faults/faults.py",
    "tests/kernels/qk_norm_rope_compile_test.cpp": "tests/kernels/compile_test.cpp",
    "tests/python/test_qk_norm_rope.py": "tests/python/test_ops.py",
}


def files_of(op):
    return [PLAIN_NAMES.get(name, name) for name in (pattern.format(op=op) for pattern in OP_FILES)]


def ops_among(names):
    """Every stem of a kernel or of a spec's check, so that neither can be the one that is missing."""
    found = (re.fullmatch(r"kernels/ops/(\w+)\.cuh|src/ops/(\w+)_spec\.cpp", name) for name in names)
    return sorted({m[1] or m[2] for m in found if m})


def missing_of_ops(names):
    """(a file that the op has, a sentence) for each file that it lacks."""
    for op in ops_among(names):
        here = next(name for name in files_of(op) if name in names)
        for name in files_of(op):
            if name not in names:
                yield here, f"the op {op} has no {name}"


def untold_of_ops(page):
    """Each file of an op that the page on adding one does not name: whole, or beside another one of its folder."""
    for pattern in OP_FILES:
        stem = pattern.rsplit(".", 1)[0].replace("{op}", "<op>")
        if f"`{stem}." not in page and f"`{Path(stem).name}." not in page:
            yield f"does not name {pattern.replace('{op}', '<op>')}"


# What only some files of the library may say: pattern, who may, why.
RESERVED = [
    (r"\bgetenv\b", ("src/env.cpp",), "src/env.cpp alone reads the environment"),
    (r"\bdlopen\s*\(", ("src/jit/", "src/cuda/"), "libraries are opened by src/jit and src/cuda alone"),
    (r'"libcuda', ("src/cuda/",), "src/cuda alone talks to the driver"),
    (r"\basm\b\s*(volatile)?\s*\(", ("kernels/ptx/",), "asm stands in kernels/ptx alone"),
]


def reserved(name, line):
    if not name.startswith(("src/", "include/", "kernels/")):
        return
    for pattern, owners, why in RESERVED:
        if not name.startswith(owners) and (m := re.search(pattern, line)):
            yield f"{m[0]!r}: {why}"


def breaches_of_text(root, name, text):
    suffix = Path(name).suffix
    lines = text.splitlines()
    if suffix in SOURCE and len(lines) > MAX_LINES:
        yield 1, f"{len(lines)} lines, {MAX_LINES} are allowed"
    if suffix in CXX:
        for number, angled, target in includes(text):
            rules = room_rule(name, angled, target), kernel_rule(root, name, angled, target)
            reason = next(filter(None, (*rules, tool_rule(root, name, angled, target))), None)
            if reason:
                yield number, f"includes {target}: {reason}"
    if re.search(r"(^|/)(utils?|helpers?|common)(\.|/)", name):
        yield 1, "no utils, helpers or common: a file is named after its subject"
    for number, line in enumerate(lines, 1):
        yield from ((number, sentence) for sentence in reserved(name, line))
        for pattern, what in FORBIDDEN:
            if m := re.search(pattern, line, re.IGNORECASE):
                yield number, f"{m[0]!r} is {what}"


def breaches(root):
    names = tracked(root)
    for name, sentence in missing_of_ops(set(names)):
        yield f"{name}:1: {sentence}"
    for name in names:
        path = Path(root) / name
        if path.stat().st_size > LARGEST_FILE:
            yield f"{name}:1: {path.stat().st_size} bytes, {LARGEST_FILE} are allowed"
        data = path.read_bytes()
        if b"\0" in data or name == "LICENSE":
            continue
        text = data.decode("utf-8", "replace")
        for number, sentence in breaches_of_text(root, name, text):
            yield f"{name}:{number}: {sentence}"
        if name == "docs/adding-an-op.md":
            yield from (f"{name}:1: {sentence}" for sentence in untold_of_ops(text))


SEEDED = {
    "include/ropeline/a.h": "#include <nlohmann/json.hpp>\n",
    "include/ropeline/b.h": '#include "error.h"\n',
    "kernels/parts/c.cuh": '#include "../../src/error.h"\n',
    "kernels/parts/d.cuh": "#include <cuda_bf16.h>\n",
    "src/cpu/e.cpp": '#include "cuda/driver.h"\n',
    "src/jit/f.cpp": '#include "ops/qk_norm_rope.h"\n',
    "src/g.cpp": '#include "tools/tensor.h"\n',
    "tests/reference/h.cpp": '#include "cpu/qk_norm_rope.h"\n',
    "src/long.cpp": "\n" * (MAX_LINES + 1),
    "src/utils.h": "\n",
    "src/ops/k.cpp": '#include "cuda/driver.h"\n',
    "src/error.h": "\n",
    "tools/l.cpp": '#include "error.h"\n',
    "src/m.cpp": 'std::getenv("X");\n',
    "src/n.cpp": 'dlopen("x", 0);\n',
    "src/o.cpp": 'open("libcuda.so.1");\n',
    "kernels/parts/p.cuh": 'asm("x");\n',
    "docs/q.md": "gh" + "p_0123456789abcdefghij\n",
    "docs/i.md": "see /" + "work/x\n",
    "docs/j.md": "TO" + "DO: write\n",
}


def self_test_of_ops():
    """An op that lacks any one of its files is seen, by the name of that file; one that has all is not."""
    whole = {*files_of("qk_norm_rope"), *files_of("second")}
    faults = [f"self-test: {sentence}" for _, sentence in missing_of_ops(whole)]
    for op in ("qk_norm_rope", "second"):
        for name in files_of(op):
            if [sentence for _, sentence in missing_of_ops(whole - {name})] != [f"the op {op} has no {name}"]:
                faults.append(f"self-test: that {op} lacks {name} was not seen")
    if len(list(untold_of_ops("`src/ops/<op>.h`, `<op>_spec.cpp`"))) != len(OP_FILES) - 2:
        faults.append("self-test: a page that names two files of an op was not seen through")
    return faults


def self_test():
    """Each seeded breach must be seen, and nothing else."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in SEEDED.items():
            (Path(root) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(root) / name).write_text(text)
        (Path(root) / "src/fine.cpp").write_text('#include <vector>\n#include "error.h"\n')
        found = {line.split(":")[0] for line in breaches(root)}
    seeded = set(SEEDED) - {"src/error.h"}  # what tools/l.cpp should not see
    missed, extra = seeded - found, found - seeded
    faults = [f"self-test: {n} was not seen" for n in sorted(missed)]
    return faults + [f"self-test: {n} is fine" for n in sorted(extra)] + self_test_of_ops()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = self_test() + ([] if sys.argv[1] == "--self-test" else list(breaches(sys.argv[1])))
    print("\n".join(found) or "every rule holds")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
