#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The completion of bash offers what the programs' help says."""

import os
import re
import shutil
import subprocess
import unittest

from client import BUILD, SOURCE

ASK = """. "$1"; program=$2; shift 2; COMP_WORDS=("$program" "$@"); COMP_CWORD=$#
"_${program##*/}" "$program" "${!#}" ""; printf '%s\\n' "${COMPREPLY[@]}"
"""


def said_by(*command):
    return subprocess.run([os.path.join(BUILD, command[0]), *command[1:]], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


@unittest.skipUnless(shutil.which("bash"), "bash is missing")
class Completion(unittest.TestCase):
    def offered(self, program, *words):
        script = os.path.join(SOURCE, "deploy", "completion", "bandit")
        out = subprocess.run(["bash", "-c", ASK, "ask", script, os.path.join(BUILD, program),
                              *words], check=True, stdout=subprocess.PIPE, text=True).stdout
        return set(out.split())

    def test_options_of_the_daemon(self):
        told = set(re.findall(r"--[a-z][a-z-]+", said_by("banditd", "--help")))
        self.assertIn("--listen", told)
        self.assertEqual(told, self.offered("banditd", "--"))
        self.assertEqual({o for o in told if o.startswith("--lo")}, self.offered("banditd", "--lo"))

    def test_commands_and_their_options(self):
        told = set(re.findall(r"(?m)^  ([a-z-]+) ", said_by("bandit", "help")))
        self.assertIn("verify", told)
        self.assertEqual(told | {"help"}, self.offered("bandit", ""))
        for command in told:
            options = set(re.findall(r"--[a-z][a-z-]*", said_by("bandit", "help", command)))
            self.assertEqual(options, self.offered("bandit", command, "--"), command)

    def test_files_where_no_option_is_asked_for(self):
        self.assertIn("/dev/null", self.offered("bandit", "verify", "/dev/nul"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
