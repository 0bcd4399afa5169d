#!/usr/bin/env python3
"""Says what pip is about to download, before it does: downloads.py PIP-ARGUMENTS...

Prints one line with the packages and their megabytes. Exits with 3 when the answer holds CUDA wheels that nobody asked
for by name, which a machine without a GPU must never fetch.
"""

import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request

CUDA = ("nvidia-", "cuda-", "triton")


def size_of(url):
    """Bytes behind a URL, or None when the server does not say."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "file":
        return os.path.getsize(urllib.request.url2pathname(parts.path))
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=20) as answer:
            return int(answer.headers["Content-Length"])
    except (OSError, TypeError, ValueError):
        return None


def planned(arguments):
    """[(name, version, url)] of what pip would install."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip() or "pip could not plan the installation")
    install = json.loads(done.stdout)["install"]
    return [(i["metadata"]["name"], i["metadata"]["version"], i["download_info"]["url"]) for i in install]


def megabytes(size):
    return "size not stated" if size is None else f"{size / 1e6:.1f} MB"


def main():
    arguments = sys.argv[1:]
    asked = {argument.split("==")[0] for argument in arguments}
    packages = planned(arguments)
    cuda = [name for name, _, _ in packages if name.lower().startswith(CUDA) and name not in asked]
    if cuda:
        print("the index offers only CUDA builds: " + ", ".join(cuda))
        sys.exit(3)
    sizes = sorted(((size_of(url), name, version) for name, version, url in packages), key=lambda s: -(s[0] or 0))
    if not sizes:
        print("pip has nothing to download")
        return
    total = sum(size or 0 for size, _, _ in sizes)
    largest = ", ".join(f"{name} {version} {megabytes(size)}" for size, name, version in sizes[:4])
    print(f"pip downloads {megabytes(total)} in {len(sizes)} package{'s' * (len(sizes) > 1)}, the largest: {largest}")


if __name__ == "__main__":
    main()
