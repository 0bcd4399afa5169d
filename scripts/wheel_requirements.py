#!/usr/bin/env python3
"""What the wheels of a folder require, a line each, but their extras and some packages.

wheel_requirements.py FOLDER PACKAGE...
"""

import email
import pathlib
import re
import sys
import zipfile


def requirements(wheel):
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(files.read(name)).get_all("Requires-Dist", [])


def main():
    folder, *unwanted = sys.argv[1:]
    for wheel in pathlib.Path(folder).glob("*.whl"):
        for requirement in requirements(wheel):
            package = re.match(r"[\w.-]+", requirement)[0].lower()
            if package not in unwanted and "extra ==" not in requirement:
                print(requirement)


if __name__ == "__main__":
    main()
