#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Validates what test_api.py and test_auth.py recorded against schema/openapi.json, by node and ajv. Skipped where
there is no node, no npm, or nothing to install from."""

import os
import shutil
import subprocess
import sys

from client import BUILD, SOURCE

SKIPPED = 77
HERE = os.path.join(SOURCE, "tests", "integration")
PLACE = os.path.join(BUILD, "tests", "integration", "npm")
RECORDINGS = [os.path.join(BUILD, "tests", "integration", f)
              for f in ("replies.jsonl", "replies_auth.jsonl")]
LOCK = "package-lock.json"


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def same(a, b):
    return os.path.exists(b) and open(a, "rb").read() == open(b, "rb").read()


def install():
    """The locked packages, into the build directory, once."""
    done = os.path.join(PLACE, "installed-" + LOCK)
    if same(os.path.join(HERE, LOCK), done):
        return
    os.makedirs(PLACE, exist_ok=True)
    for name in ("package.json", LOCK, ".npmrc"):
        shutil.copyfile(os.path.join(HERE, name), os.path.join(PLACE, name))
    r = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=PLACE,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
    if r.returncode:
        print(r.stdout)
        skip("npm ci does not succeed here")
    shutil.copyfile(os.path.join(HERE, LOCK), done)


def main():
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            skip(f"{tool} is not installed")
    for file in RECORDINGS:
        if not os.path.exists(file):
            skip(f"{file}: nothing was recorded")
    install()
    # Packages are looked for beside the script.
    script = shutil.copy(os.path.join(HERE, "validate_replies.mjs"), PLACE)
    return subprocess.run(["node", script, os.path.join(SOURCE, "schema", "openapi.json"),
                           *RECORDINGS]).returncode


if __name__ == "__main__":
    sys.exit(main())
