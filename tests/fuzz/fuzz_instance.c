/* SPDX-License-Identifier: Apache-2.0 */
/* What bandit simulate plays on: the first line is an instance, the rest the CSV file of one that
 * has a table. It is refused with a pointer, or gives rewards within the range that it tells of. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "eval/env.h"
#include "eval/regress.h"
#include "eval/table.h"
#include "fuzz.h"
#include "json/bind.h"
#include "json/memory.h"
#include "memory_file.h"

#define PLAYS 5
#define ROOM 64   /* arms and slots that are played */
#define SLOW 1000 /* arms beyond which nothing is played: making them is enough */

/* A normal deviate has no range; the environments say where most of theirs lie. */
static bool is_bounded(const struct env_ops *ops)
{
	return ops != &env_gaussian_ops && ops != &env_sor_ops && ops != &env_recovering_ops;
}

static void play_one(const struct env_ops *ops, void *env, uint64_t t, struct rng *rng)
{
	double lo, hi, mean = 0, r = ops->step(env, t, (uint32_t)(t % ops->arms(env)), rng, &mean);

	env_range(ops, env, &lo, &hi);
	FUZZ_HOLDS(isfinite(r) && isfinite(mean));
	FUZZ_HOLDS(!is_bounded(ops) || (r >= lo && r <= hi));
}

static void play_slate(const struct env_ops *ops, void *env, uint64_t t, struct rng *rng)
{
	uint32_t arms[ROOM], n = ops->slots(env);
	double rewards[ROOM], mean = 0;

	n = n < ops->arms(env) ? n : ops->arms(env);
	if (n > ROOM) {
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		arms[i] = i;
	}
	ops->slate(env, t, arms, n, rng, rewards, &mean);
	for (uint32_t i = 0; i < n; i++) {
		FUZZ_HOLDS(isfinite(rewards[i]));
	}
	FUZZ_HOLDS(isfinite(mean));
}

static void play(const struct env_ops *ops, void *env)
{
	struct rng rng = rng_at(1, 1, RNG_TEST);
	struct env_ask ask;
	double lo, hi;

	env_range(ops, env, &lo, &hi);
	FUZZ_HOLDS(ops->arms(env) > 0 && lo <= hi);
	for (uint64_t t = 1; t <= PLAYS && ops->arms(env) <= SLOW; t++) {
		memset(&ask, 0, sizeof(ask));
		if (ops->ask) {
			ops->ask(env, t, &rng, &ask);
			FUZZ_HOLDS(ask.ngroups <= GROUPS_MAX);
		}
		if (ops->slots) {
			play_slate(ops, env, t, &rng);
		} else {
			play_one(ops, env, t, &rng);
		}
		FUZZ_HOLDS(isfinite(ops->optimum(env, t)));
	}
}

static void try_table(json_t *spec, const uint8_t *csv, size_t n)
{
	struct errinfo err = {.rc = 0};
	struct table t;

	if (json_object_get(spec, "csv")) {
		json_object_set_new(spec, "csv", json_string(memory_file(csv, n)));
	}
	if (table_read(spec, &t, &err) == 0) {
		for (size_t i = 0; i < t.rows; i++) {
			FUZZ_HOLDS(t.y[i] >= 0 && t.y[i] <= 1);
			for (size_t k = 0; k < t.dim; k++) {
				FUZZ_HOLDS(t.x[i * t.dim + k] >= 0 && t.x[i * t.dim + k] <= 1);
			}
		}
		table_release(&t);
	} else {
		FUZZ_HOLDS(err.rc == 0 || (err.code && err.text[0]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
	size_t n = nl ? (size_t)(nl - data) : size;
	struct errinfo err = {.rc = 0};
	const struct env_ops *ops;
	json_t *spec;
	void *env;
	int rc;

	json_memory_init();
	if (json_parse((const char *)data, n, &spec, &err)) {
		return 0;
	}
	if (regress_is(spec)) {
		try_table(spec, nl ? nl + 1 : data, nl ? size - n - 1 : 0);
	} else {
		rc = env_new(spec, &ops, &env, &err);
		FUZZ_HOLDS(rc != RC_INVALID || (err.rc && err.code && err.text[0]));
		if (rc == 0) {
			play(ops, env);
			env_free(ops, env);
		}
	}
	json_decref(spec);
	return 0;
}
