#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Documents tell what the programs tell."""

import json
import os
import re
import subprocess
import tempfile
import unittest

from client import BUILD, SOURCE, Daemon


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as f:
        return f.read()


def said_by(*command):
    return subprocess.run([os.path.join(BUILD, command[0]), *command[1:]], check=True,
                          stdout=subprocess.PIPE, text=True, timeout=30).stdout


def examples(page):
    """Commands with what they answer, of each section."""
    for name, text in re.findall(r"^## (\w+)$(.*?)(?=^## |\Z)", page, re.M | re.S):
        for block in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S):
            for item in re.split(r"^\$ ", block, flags=re.M)[1:]:
                command, answer = re.match(r"((?:.*\\\n)?(?:[^\n]*'[^']*'|[^\n]*))\n(.*)", item,
                                           re.S).groups()
                yield name, command, answer


def untimed(answer):
    """JSON without what no two runs have in common."""
    answer = json.loads(answer)
    if isinstance(answer, dict):
        for member in ("at", "expires_at", "request_id"):
            if answer.get(member):
                answer[member] = "..."
    return answer


def policies():
    return set(re.findall(r"&(\w+)_ops,", read("policies", "table.c")))


class Documents(unittest.TestCase):
    def test_the_manuals_have_the_options_of_the_daemon(self):
        told = set(re.findall(r"--([a-z-]+)", said_by("banditd", "--help")))
        page = set(re.findall(r"^\.It Fl Fl ([a-z-]+)", read("doc", "banditd.8"), re.M))
        keys = re.findall(r"^\.It Ic ([a-z_]+) Li = ", read("doc", "banditd.conf.5"), re.M)
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual(told, page | {k.replace("_", "-") for k in keys})

    def test_the_manual_tells_what_is_reloaded(self):
        table = read("src", "serve", "config.c")
        live = re.findall(r"^\t\w+\((\w+), (?:\w+ \| )?LIVE,", table, re.M)
        page = re.split(r"^\.It Ic ", read("doc", "banditd.conf.5"), flags=re.M)[1:]
        told = [item.split()[0] for item in page if "\n.Em Reloaded " in item]
        self.assertGreater(len(live), 5)
        self.assertEqual(sorted(live), sorted(told))

    def test_the_manual_has_the_commands_of_the_tool(self):
        told = set(re.findall(r"^  ([a-z-]+) ", said_by("bandit", "help"), re.M))
        page = set(re.findall(r"^\.Ss bandit ([a-z-]+)", read("doc", "bandit.1"), re.M))
        self.assertEqual(told, page)

    def test_every_policy_has_its_section(self):
        sections = set(re.findall(r"^## (\w+)$", read("doc", "policies.md"), re.M))
        self.assertEqual(policies(), sections)

    def test_every_policy_has_its_row_in_the_readme(self):
        table = read("README.md").split("## Policies")[1].split("\n## ")[0]
        rows = re.findall(r"^\| (`.*?) \|", table, re.M)
        self.assertEqual(policies(), set(re.findall(r"`(\w+)`", " ".join(rows))))

    def test_the_examples_of_the_policies_are_what_curl_gets(self):
        page = read("doc", "policies.md")
        settings = re.search(r"^```sh\n(api=.*?)^```$", page, re.M | re.S).group(1)
        seen = {}
        with tempfile.TemporaryDirectory() as state, Daemon(state) as d:
            settings = settings.replace("127.0.0.1:8080", d.address)
            for name, command, answer in examples(page):
                got = subprocess.run(["sh", "-c", settings + command], check=True, timeout=30,
                                     stdout=subprocess.PIPE, text=True).stdout
                self.assertEqual(untimed(got), untimed(answer), command)
                seen.setdefault(name, []).append(command)
        for name in ("recovering", "tallying", "streaming", "groupwise", "tsallis_inf",
                     "tsallis_bins", "cheb_cb", "exp3_flad", "ucb1_flad"):
            for word in ("-X PUT", "/decisions", "/rewards"):
                self.assertIn(word, " ".join(seen[name]), name)

    def test_every_link_leads_somewhere(self):
        for page in ["README.md", "HACKING.md"] + [
                os.path.join("doc", f) for f in os.listdir(os.path.join(SOURCE, "doc"))
                if f.endswith(".md")]:
            for target in re.findall(r"\]\(([^)#:]+)\)", read(page)):
                place = os.path.normpath(os.path.join(SOURCE, os.path.dirname(page), target))
                self.assertTrue(os.path.exists(place), f"{page} links to {target}")

    def test_every_limit_is_where_the_page_says(self):
        page = read("doc", "limits.md")
        found = re.findall(r"`([A-Z_]{4,})`, `([a-z_/]+\.[ch])`", page)
        self.assertGreater(len(found), 20)
        for name, path in found:
            place = [path] if path.startswith("policies/") else ["src", path]
            self.assertRegex(read(*place), rf"#define {name}\b", f"{name} in {path}")

    def test_every_setting_and_code_of_the_limits_exists(self):
        page = read("doc", "limits.md")
        settings = {line.split(" = ")[0] for line in
                    said_by("banditd", "--print-config").splitlines()}
        codes = set(re.findall(r'^\t\{"(\w+)", \d{3}', read("src", "serve", "problem.c"), re.M))
        words = set(re.findall(r"`([a-z]+_[a-z_]+)`", page))
        self.assertEqual(set(), words - settings - codes)


if __name__ == "__main__":
    unittest.main(verbosity=2)
