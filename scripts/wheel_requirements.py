#!/usr/bin/env python3
"""What a wheel requires, a line each, but its extras and some packages:   wheel_requirements.py WHEEL PACKAGE..."""

import email
import re
import sys
import zipfile


def main():
    wheel, *unwanted = sys.argv[1:]
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(files.read(name))
    for requirement in metadata.get_all("Requires-Dist", []):
        package = re.match(r"[\w.-]+", requirement)[0].lower()
        if package not in unwanted and "extra ==" not in requirement:
            print(requirement)


if __name__ == "__main__":
    main()
