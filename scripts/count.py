#!/usr/bin/env python3
"""Adds up a folder of JUnit files:  count.py FOLDER  prints `N passed, M failed`.

The lines before it name each failure and say why tests were skipped.

GoogleTest and pytest write one file a program. CTest writes ctest*.xml: in it, a test with the label `script` counts by
itself; the others are the GoogleTest programs again, and count only when they died without a report of a failure.
"""

import collections
import re
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

HINTS = {"no NVRTC": "./scripts/test full fetches it"}
REASONS = 4  # that are spelled out


def cases(path):
    """(name, 'passed' | 'failed' | 'skipped', why it was skipped) for each test of one JUnit file."""
    for case in xml.parse(path).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed", ""
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            yield name, "skipped", reason(case)
        else:
            yield name, "passed", ""


def reason(case):
    """What a skipped test said, without the place in its source."""
    skipped = case.find("skipped")
    if skipped is None:
        return "disabled"
    text = re.sub(r"^\S+:\d+\n", "", skipped.get("message") or skipped.text or "")
    return " ".join(text.removesuffix(", see above").split()) or "no reason given"


def grouped(reasons):
    """The reasons with their counts, most frequent first: `12 no NVRTC, 3 ...`.

    A reason "a: b" goes by whichever half more tests share.
    """
    halves = collections.Counter(half for text in reasons for half in set(text.split(": ", 1)))
    groups = collections.Counter(max(text.split(": ", 1), key=halves.get) for text in reasons)
    ranked = groups.most_common()
    parts = [f"{n} {text}" + (f" ({HINTS[text]})" if text in HINTS else "") for text, n in ranked[:REASONS]]
    rest = sum(n for _, n in ranked[REASONS:])
    return ", ".join(parts + ([f"{rest} for other reasons, see the JUnit files"] if rest else []))


def main():
    folder = Path(sys.argv[1])
    reports = [p for p in sorted(folder.rglob("*.xml")) if not p.name.startswith("ctest")]
    results = [case for path in reports for case in cases(path)]
    reported_failure = any(result == "failed" for _, result, _ in results)
    for path in sorted(folder.rglob("ctest*.xml")):
        alone = path.name.startswith("ctest-script")
        for name, result, why in cases(path):
            if alone or (result != "passed" and not reported_failure):
                results.append((name, "failed" if not alone else result, why))
    for name, result, _ in results:
        if result == "failed":
            print(f"failed: {name}")
    count = {key: sum(result == key for _, result, _ in results) for key in ("passed", "failed", "skipped")}
    if count["skipped"]:
        print(f"{count['skipped']} skipped: {grouped([why for _, result, why in results if result == 'skipped'])}")
    print(f"{count['passed']} passed, {count['failed']} failed")
    sys.exit(1 if count["failed"] or not count["passed"] else 0)


if __name__ == "__main__":
    main()
