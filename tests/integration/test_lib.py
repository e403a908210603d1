#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libbandit as others get it: installed into a folder, found by pkg-config, nothing else of ours."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from client import BUILD, SOURCE

# What the library was built with, its user must be linked with (script/check-with).
SANITIZER = os.environ.get("BANDIT_SANITIZER", "").split()
EDGES = r"""
#include <assert.h>
#include <bandit.h>
#include <stdlib.h>
#include <string.h>

#define SPEC "{\"policy\":\"ucb1\",\"seed\":3,\"arms\":[\"a\",\"b\"],\"slots\":1}"

static struct bandit *fresh(const char *name)
{
	struct bandit *b;

	assert(bandit_new(name, SPEC, &b, NULL) == 0);
	bandit_set_time(b, 1000000);
	return b;
}

static void bytes_of(const struct bandit *b, void **p, size_t *n)
{
	assert(bandit_save(b, p, n, NULL) == 0);
}

int main(void)
{
	struct bandit *b = fresh("x"), *c = fresh("y"), *none = NULL;
	struct bandit_decision *d, *e, *again = NULL;
	struct bandit_error err;
	enum bandit_status st;
	void *p, *q;
	size_t n, m;

	/* Errors name the field and change nothing. */
	assert(bandit_new("x", "{\"policy\":\"nope\",\"arms\":[]}", &none, &err) ==
	    BANDIT_E_INVALID && !none && !strcmp(err.word, "unknown_policy"));
	assert(bandit_new("x", "{\"policy\":\"ucb1\",\"colour\":1}", &none, &err) ==
	    BANDIT_E_INVALID && !strcmp(err.where, "/colour"));
	assert(bandit_new("x", "{", &none, &err) == BANDIT_E_INVALID &&
	    !strcmp(err.word, "invalid_json"));
	assert(bandit_new("a b", SPEC, &none, &err) == BANDIT_E_INVALID);
	assert(bandit_select(b, "{\"eligible\":[\"z\"]}", &again, &err) != 0 && !again &&
	    !strcmp(err.where, "/eligible/0"));
	assert(bandit_add_arm(b, "a", NULL, &err) == BANDIT_E_CONFLICT);
	assert(bandit_set_arm(b, "z", BANDIT_ARM_PAUSED, &err) == BANDIT_E_NOT_FOUND);
	bytes_of(b, &p, &n);
	assert(bandit_add_arm(b, "a", NULL, NULL) != 0);
	bytes_of(b, &q, &m);
	assert(n == m && !memcmp(p, q, n));
	free(q);

	/* Every truncation and every flipped byte of what was saved is refused. */
	for (size_t i = 0; i < n; i++) {
		assert(bandit_load(p, i, &none, NULL) == BANDIT_E_CORRUPT);
		((char *)p)[i] ^= 1;
		assert(bandit_load(p, n, &none, &err) == BANDIT_E_CORRUPT && !none);
		((char *)p)[i] ^= 1;
	}
	free(p);

	/* A decision is paid once, by its own experiment, from saved bytes as well. */
	assert(bandit_select(b, NULL, &d, &err) == 0 && bandit_decision_arms(d) == 1);
	assert(bandit_decision_arm(d, 1) == NULL && bandit_decision_propensity(d, 1) == 0);
	assert(bandit_decision_propensity(d, 0) > 0 && bandit_decision_propensity(d, 0) <= 1);
	assert(bandit_decision_save(d, &p, &n, &err) == 0);
	for (size_t i = 0; i < n; i++) {
		assert(bandit_decision_load(b, p, i, &again, NULL) == BANDIT_E_CORRUPT);
	}
	assert(bandit_decision_load(b, p, n, &again, &err) == 0);
	assert(!strcmp(bandit_decision_arm(d, 0), bandit_decision_arm(again, 0)));
	assert(bandit_select(c, NULL, &e, &err) == 0);
	assert(bandit_reward(c, again, 1, &st, &err) == BANDIT_E_NOT_FOUND);
	assert(bandit_reward(b, again, 1, &st, &err) == 0 && st == BANDIT_LEARNT);
	assert(bandit_reward(b, again, 1, &st, &err) == 0 && st == BANDIT_DUPLICATE);
	free(p);
	assert(bandit_drop(c, e, &err) == 0 && bandit_reward(c, e, 1, &st, &err) != 0);

	/* The same questions and rewards: the same bytes, through a save or not. */
	bandit_free(b);
	bandit_free(c);
	b = fresh("x");
	bytes_of(b, &p, &n); /* the moment of creation is part of it */
	assert(bandit_load(p, n, &c, NULL) == 0);
	bandit_set_time(c, 1000000);
	free(p);
	for (int i = 0; i < 50; i++) {
		bandit_decision_free(d);
		bandit_decision_free(e);
		assert(bandit_select(b, NULL, &d, NULL) == 0);
		assert(bandit_select(c, NULL, &e, NULL) == 0);
		assert(!strcmp(bandit_decision_arm(d, 0), bandit_decision_arm(e, 0)));
		assert(bandit_reward(b, d, i % 2, NULL, NULL) == 0);
		assert(bandit_reward(c, e, i % 2, NULL, NULL) == 0);
		if (i == 20) {
			bytes_of(c, &p, &n);
			bandit_free(c);
			assert(bandit_load(p, n, &c, NULL) == 0);
			bandit_set_time(c, 1000000);
			free(p);
		}
	}
	bytes_of(b, &p, &n);
	bytes_of(c, &q, &m);
	assert(n == m && !memcmp(p, q, n));
	free(p);
	free(q);
	bandit_decision_free(d);
	bandit_decision_free(e);
	bandit_decision_free(again);
	bandit_decision_free(NULL);
	bandit_free(NULL);
	bandit_free(b);
	bandit_free(c);
	return 0;
}
"""


class Library(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for tool in ("pkg-config", "make"):
            if not shutil.which(tool):
                raise unittest.SkipTest(tool + " is missing")
        cls.root = tempfile.mkdtemp(prefix="banditd-lib-")
        cls.addClassCleanup(shutil.rmtree, cls.root)
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        subprocess.run(["make", "-s", "-C", BUILD, "DESTDIR=" + cls.root, "install-includeHEADERS",
                        "install-libLTLIBRARIES", "install-pkgconfigDATA"], check=True, env=env,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = [os.path.join(d, f) for d, _, files in os.walk(cls.root) for f in files]
        cls.pc = next(f for f in found if f.endswith("libbandit.pc"))
        cls.so = next(f for f in found if re.search(r"libbandit\.so\.\d+\.\d+\.\d+$", f))
        cls.found = found

    def run_with_library(self, source):
        env = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=self.root,
                   PKG_CONFIG_PATH=os.path.dirname(self.pc), LD_LIBRARY_PATH=os.path.dirname(self.so))
        words = subprocess.run(["pkg-config", "--cflags", "--libs", "libbandit"], check=True,
                               env=env, stdout=subprocess.PIPE, text=True).stdout.split()
        program = os.path.join(self.root, "program")
        subprocess.run([os.environ.get("CC", "cc"), "-std=c99", "-Wall", "-Wextra", "-Werror",
                        "-pedantic", *SANITIZER, source, *words, "-o", program],
                       check=True, env=env)
        return subprocess.run([program], env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)

    def test_the_example_learns(self):
        r = self.run_with_library(os.path.join(SOURCE, "examples", "embed.c"))
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertRegex(r.stdout, r"^libbandit [0-9.]+: film in \d+ of 2000 decisions$")

    def test_edges(self):
        source = os.path.join(self.root, "edges.c")
        with open(source, "w", encoding="utf-8") as f:
            f.write(EDGES)
        r = self.run_with_library(source)
        self.assertEqual(r.returncode, 0, r.stdout)

    def test_what_the_header_declares_is_exported_with_a_version_and_nothing_else(self):
        with open(os.path.join(SOURCE, "include", "bandit.h"), encoding="utf-8") as f:
            declared = set(re.findall(r"^[a-z].*?\b(bandit_\w+)\(", f.read(), re.M))
        self.assertGreater(len(declared), 15)
        exported = subprocess.run(["nm", "-D", "--defined-only", self.so], check=True, text=True,
                                  stdout=subprocess.PIPE).stdout
        names = re.findall(r" T (\w+)@@LIBBANDIT_0$", exported, re.M)
        self.assertEqual(declared, set(names))
        others = [line for line in exported.splitlines() if " T " not in line]
        self.assertTrue(all(" A LIBBANDIT_0" in line for line in others), others)

    def test_only_one_header_is_installed(self):
        self.assertEqual(["bandit.h"],
                         [os.path.basename(f) for f in self.found if f.endswith(".h")])

    def test_it_is_c_plus_plus_too(self):
        if not shutil.which("c++"):
            self.skipTest("c++ is missing (Debian: g++)")
        subprocess.run(["c++", "-fsyntax-only", "-x", "c++", "-Wall", "-Werror",
                        os.path.join(SOURCE, "include", "bandit.h")], check=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
