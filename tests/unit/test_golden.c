/* SPDX-License-Identifier: Apache-2.0 */
/* The same log gives the same bytes on every machine, from every compiler: each policy with each of
 * its settings lives through a fixed life, and the digest of its log and of its last state must be
 * the one in tests/golden/digests. script/check-digests runs this under several compilers.
 *
 * A new policy, or a change that is meant to change what is logged: `make golden`, and look at what
 * it changes in that file before you commit it. */
#include <stdio.h>

#include "base/hash.h"
#include "policies/policies.h"
#include "test.h"
#include "world.h"

#define LINES_MAX 1000
#define LINE_MAX 160
#define FEW 5
#define MANY 100 /* beyond DRAW_FROM: the road of draw() */
#define STEPS 400
#define RECENT 16

static char line[LINES_MAX][LINE_MAX];
static size_t lines;

static void read_lines(void)
{
	const char *dir = getenv("SRCDIR");
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/golden/digests", dir ? dir : ".");
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "cannot read %s", path);
	while (lines < LINES_MAX && fgets(line[lines], LINE_MAX, f)) {
		line[lines][strcspn(line[lines], "\n")] = '\0';
		lines++;
	}
	fclose(f);
}

/* One step of trouble: arms come, rest and go; feedback is late, lost, taken back or never due. */
static void trouble(struct world *w, int i, const uint64_t recent[RECENT])
{
	uint64_t some = recent[rng_below(&w->rng, RECENT)];

	if (i % 97 == 96 && experiment_arms(w->e)->n < WORLD_ARMS_MAX) {
		world_add_arm(w);
	}
	if (i % 53 == 20) {
		world_set_arm(w, 1, i % 2 ? ARM_PAUSED : ARM_ACTIVE);
	}
	if (i == STEPS / 2) {
		world_set_arm(w, 2, ARM_RETIRED);
	}
	if (some && i % 7 == 3) {
		world_void(w, some);
	} else if (some && i % 7 == 5) {
		world_expire(w, some);
	}
}

static void live(struct world *w)
{
	const char *some[] = {"a0", "a3", "a4"};
	uint64_t recent[RECENT] = {0};

	for (int i = 0; i < STEPS; i++) {
		struct select_in in = {.want_pmf = i % 11 == 0, .defer = i % 29 == 0};
		struct event d;

		if (i % 13 == 12) {
			in.eligible = some;
			in.neligible = 3;
			in.has_eligible = true;
		}
		d = world_select(w, &in);
		trouble(w, i, recent);
		recent[i % RECENT] = d.seq;
		if (in.defer) {
			world_activate(w, d.seq);
		}
		/* Most feedback at once, some of it later and out of order, some never. */
		if (i % 4) {
			world_reward(w, d.seq, rng_uniform(&w->rng) * (d.seq % 3 ? 0.5 : 1.2));
		} else if (recent[(i + 1) % RECENT]) {
			world_reward(w, recent[(i + 1) % RECENT], rng_uniform(&w->rng));
		}
	}
}

/* Log and state in one digest, in words. False: these settings are refused together. */
static bool tell(const struct variant *v, size_t arms, char ret_line[LINE_MAX])
{
	const struct settings settings = {
	    .label = "", .window_us = 60, .late = LATE_LEARN, .floor = 0.015625};
	struct world *w = world_new(v, arms, &settings);
	unsigned char digest[HASH_DIGEST_BYTES];
	size_t n = 0;

	if (!w) {
		return false;
	}
	live(w);
	experiment_save(w->e, &w->log);
	ck_assert_int_eq(w->log.rc, 0);
	hash_digest(w->log.data, w->log.len, digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		n += (size_t)snprintf(ret_line + n, LINE_MAX - n, "%02x", digest[i]);
	}
	snprintf(ret_line + n, LINE_MAX - n, "  arms=%zu %s", arms, v->text);
	world_free(w);
	return true;
}

static bool is_listed(const char *text)
{
	for (size_t i = 0; i < lines; i++) {
		if (strcmp(line[i], text) == 0) {
			return true;
		}
	}
	return false;
}

static void check_policy(const struct policy_ops *ops, FILE *out)
{
	struct variant v;
	char text[LINE_MAX];

	for (size_t i = 0; variant_next(ops, &i, &v);) {
		bool plain = v.nparams == 0 || (v.nparams == 1 && v.param[0].text);

		for (int many = 0; many < 1 + plain; many++) {
			if (!tell(&v, many ? MANY : FEW, text)) {
				continue;
			}
			if (out) {
				fprintf(out, "%s\n", text);
			} else {
				ck_assert_msg(is_listed(text),
				    "not in tests/golden/digests (see `make golden`): %s", text);
			}
		}
	}
}

START_TEST(every_machine_gives_the_golden_digests)
{
	const char *to = getenv("GOLDEN_OUT");
	FILE *out = to ? fopen(to, "a") : NULL;

	ck_assert_int_eq(hash_init(), 0);
	ck_assert(!to || out != NULL);
	if (!to) {
		read_lines();
	}
	for (const struct policy_ops *const *ops = policy_table; *ops; ops++) {
		check_policy(*ops, out);
	}
	if (out) {
		ck_assert_int_eq(fclose(out), 0);
	}
}
END_TEST

RUN("golden", every_machine_gives_the_golden_digests)
