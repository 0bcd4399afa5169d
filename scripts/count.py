#!/usr/bin/env python3
"""Adds up a folder of JUnit files:  count.py FOLDER  prints `N passed, M failed` and names each failure before it.

GoogleTest and pytest write one file a program. CTest writes ctest*.xml: in it, a test with the label `script` counts by
itself; the others are the GoogleTest programs again, and count only when they died without a report of a failure.
"""

import sys
import xml.etree.ElementTree as xml
from pathlib import Path


def cases(path):
    """[(name, 'passed' | 'failed' | 'skipped')] of one JUnit file."""
    for case in xml.parse(path).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed"
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            yield name, "skipped"
        else:
            yield name, "passed"


def main():
    folder = Path(sys.argv[1])
    reports = [p for p in sorted(folder.rglob("*.xml")) if not p.name.startswith("ctest")]
    results = [case for path in reports for case in cases(path)]
    reported_failure = any(result == "failed" for _, result in results)
    for path in sorted(folder.rglob("ctest*.xml")):
        alone = path.name.startswith("ctest-script")
        for name, result in cases(path):
            if alone or (result != "passed" and not reported_failure):
                results.append((name, "failed" if not alone else result))
    for name, result in results:
        if result == "failed":
            print(f"failed: {name}")
    count = {key: sum(result == key for _, result in results) for key in ("passed", "failed", "skipped")}
    if count["skipped"]:
        print(f"({count['skipped']} skipped, each with its reason in build/logs)")
    print(f"{count['passed']} passed, {count['failed']} failed")
    sys.exit(1 if count["failed"] or not count["passed"] else 0)


if __name__ == "__main__":
    main()
