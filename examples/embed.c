/* SPDX-License-Identifier: Apache-2.0 */
/* libbandit in a program of one's own: learns which of three arms pays, saves what it knows half
 * way, goes on from there, and pays the last decision after it was saved as well.
 *
 *	cc embed.c $(pkg-config --cflags --libs libbandit) -o embed && ./embed */
#include <bandit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 2000

static const char *const spec = "{\"policy\":\"thompson\",\"seed\":7,"
				"\"arms\":[\"news\",\"sport\",\"film\"]}";
static const char *const names[] = {"news", "sport", "film"};
static const double pays[] = {0.2, 0.3, 0.6};

static void check(int rc, const struct bandit_error *err)
{
	if (rc) {
		fprintf(stderr, "embed: %s (%s) %s\n", err->text, err->word, err->where);
		exit(1);
	}
}

/* A small generator of its own: the example prints the same everywhere. */
static double chance(unsigned *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8) / 16777216.0;
}

static double reward_of(const char *arm, unsigned *state)
{
	for (size_t i = 0; i < 3; i++) {
		if (strcmp(arm, names[i]) == 0) {
			return chance(state) < pays[i];
		}
	}
	return 0;
}

static struct bandit *save_and_load(struct bandit *b)
{
	struct bandit_error err;
	struct bandit *again;
	void *bytes;
	size_t len;

	check(bandit_save(b, &bytes, &len, &err), &err);
	check(bandit_load(bytes, len, &again, &err), &err);
	free(bytes);
	bandit_free(b);
	return again;
}

static struct bandit_decision *save_and_load_decision(struct bandit *b, struct bandit_decision *d)
{
	struct bandit_decision *again;
	struct bandit_error err;
	void *bytes;
	size_t len;

	check(bandit_decision_save(d, &bytes, &len, &err), &err);
	check(bandit_decision_load(b, bytes, len, &again, &err), &err);
	free(bytes);
	bandit_decision_free(d);
	return again;
}

int main(void)
{
	struct bandit_decision *d;
	struct bandit_error err;
	struct bandit *b;
	enum bandit_status status;
	unsigned state = 1, best = 0;

	check(bandit_new("front-page", spec, &b, &err), &err);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS / 2) {
			b = save_and_load(b);
		}
		check(bandit_select(b, NULL, &d, &err), &err);
		if (i == ROUNDS - 1) {
			d = save_and_load_decision(b, d);
		}
		best += strcmp(bandit_decision_arm(d, 0), "film") == 0;
		check(bandit_reward(
			  b, d, reward_of(bandit_decision_arm(d, 0), &state), &status, &err),
		    &err);
		bandit_decision_free(d);
	}
	printf("libbandit %s: film in %u of %u decisions\n", bandit_version(), best, ROUNDS);
	bandit_free(b);
	return best > ROUNDS / 2 ? 0 : 1;
}
