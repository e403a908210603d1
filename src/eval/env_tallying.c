/* SPDX-License-Identifier: Apache-2.0 */
/* {"env":"tallying","memory":20,"decay":1,"losses":[{"from":0.3,"to":0.5,"power":1},
 * {"from":0.9,"to":0.2}],"subjects":1}: repeated exposure changes an arm. The last `memory` plays
 * of a subject, the present one included, weigh 1, decay, decay^2 ...; an arm's tally u is its
 * share of all that weight. It answers 1 with probability 1 - (from + (to - from) u^power), else 0.
 * Every play is of a subject drawn uniformly, each with a memory of its own, empty at first.
 *
 * Regret is complete policy regret: against the arm of least `to`, played from the first play on
 * with what that does to its tally. Where no arm has a smaller loss at any tally, which is what the
 * policy of the same name needs, no sequence of plays is better in the long run. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "eval/env.h"
#include "json/bind.h"

#define MEMORY_MOST 10000
#define SUBJECTS_MOST 1000000
#define KEPT_MOST 100000000 /* plays remembered, of all subjects */
#define NAME_BYTES 24

struct given {
	const json_t *env, *losses;
	double decay;
	uint64_t memory, subjects;
};

struct loss {
	double from, to, power;
};

struct subject {
	uint64_t plays;
	uint32_t *ring; /* play k is at k % memory */
};

struct tallying {
	struct loss *loss;
	uint32_t arms, best;
	uint64_t memory, subjects, plays;
	double *weight; /* weight[s], and total[k] of the first k */
	double *total;
	uint32_t *rings;
	struct subject *subject, *now;
	struct num_sum optimum; /* of the plays so far */
	char name[NAME_BYTES];
};

static void tallying_release(void *env)
{
	struct tallying *e = env;

	free(e->loss);
	free(e->weight);
	free(e->total);
	free(e->rings);
	free(e->subject);
}

static int read_loss(struct tallying *e, const json_t *spec, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"from", BIND_NUMBER, offsetof(struct loss, from), BIND_REQUIRED, 0, 1, NULL},
	    {"to", BIND_NUMBER, offsetof(struct loss, to), BIND_REQUIRED, 0, 1, NULL},
	    {"power", BIND_NUMBER, offsetof(struct loss, power), 0, 1e-3, 1e3, NULL},
	    {.name = NULL},
	};
	struct loss *loss = &e->loss[e->arms];
	char where[32];
	int rc;

	snprintf(where, sizeof(where), "/losses/%u", e->arms);
	*loss = (struct loss){.power = 1};
	rc = bind_object(spec, fields, where, NULL, loss, err);
	if (rc == 0 && loss->to < e->loss[e->best].to) {
		e->best = e->arms;
	}
	e->arms += rc == 0;
	return rc;
}

static int make_memory(struct tallying *e, double decay)
{
	double w = 1;

	e->weight = calloc(e->memory, sizeof(*e->weight));
	e->total = calloc(e->memory + 1, sizeof(*e->total));
	e->rings = calloc(e->memory * e->subjects, sizeof(*e->rings));
	e->subject = calloc(e->subjects, sizeof(*e->subject));
	if (!e->weight || !e->total || !e->rings || !e->subject) {
		return RC_MEMORY;
	}
	for (uint64_t s = 0; s < e->memory; s++, w *= decay) {
		e->weight[s] = w;
		e->total[s + 1] = e->total[s] + w;
	}
	for (uint64_t i = 0; i < e->subjects; i++) {
		e->subject[i].ring = e->rings + i * e->memory;
	}
	e->now = e->subject;
	return 0;
}

static int read_all(struct tallying *e, const struct given *given, struct errinfo *err)
{
	size_t n = json_array_size(given->losses);
	int rc = 0;

	if (n == 0 || n > ENV_ARMS_MAX) {
		return err_set(err, RC_INVALID, "wrong_type", "/losses",
		    "must be an array of 1 to %d objects", ENV_ARMS_MAX);
	}
	if (given->memory * given->subjects > KEPT_MOST) {
		return err_set(err, RC_INVALID, "out_of_range", "/subjects",
		    "memory * subjects must be at most %d", KEPT_MOST);
	}
	e->memory = given->memory;
	e->subjects = given->subjects;
	e->loss = calloc(n, sizeof(*e->loss));
	rc = e->loss ? 0 : RC_MEMORY;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = read_loss(e, json_array_get(given->losses, i), err);
	}
	return rc ? rc : make_memory(e, given->decay);
}

static int tallying_read(void *env, const json_t *spec, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"env", BIND_JSON, offsetof(struct given, env), 0, 0, 0, NULL},
	    {"memory", BIND_U64, offsetof(struct given, memory), BIND_REQUIRED, 1, MEMORY_MOST,
		NULL},
	    {"decay", BIND_NUMBER, offsetof(struct given, decay), 0, 0, 1, NULL},
	    {"losses", BIND_JSON, offsetof(struct given, losses), BIND_REQUIRED, 0, 0, NULL},
	    {"subjects", BIND_U64, offsetof(struct given, subjects), 0, 1, SUBJECTS_MOST, NULL},
	    {.name = NULL},
	};
	struct given given = {.decay = 1, .subjects = 1};
	struct tallying *e = env;
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	return rc ? rc : read_all(e, &given, err);
}

static uint32_t tallying_arms(const void *env)
{
	return ((const struct tallying *)env)->arms;
}

static void tallying_ask(void *env, uint64_t t, struct rng *rng, struct env_ask *ret)
{
	struct tallying *e = env;
	uint64_t i = rng_below(rng, e->subjects);

	(void)t;
	e->now = &e->subject[i];
	snprintf(e->name, sizeof(e->name), "%llu", (unsigned long long)i);
	*ret = (struct env_ask){.subject = e->name};
}

static double mean_at(const struct tallying *e, uint32_t arm, double tally)
{
	const struct loss *l = &e->loss[arm];
	double u = tally / e->total[e->memory];

	return 1 - (l->from + (l->to - l->from) * num_pow(u, l->power));
}

static double tallying_step(void *env, uint64_t t, uint32_t arm, struct rng *rng, double *ret_mean)
{
	struct tallying *e = env;
	struct subject *s = e->now;
	uint64_t depth;
	double tally = 0;

	(void)t;
	s->ring[s->plays++ % e->memory] = arm;
	depth = s->plays < e->memory ? s->plays : e->memory;
	for (uint64_t k = 0; k < depth; k++) {
		tally += s->ring[(s->plays - 1 - k) % e->memory] == arm ? e->weight[k] : 0;
	}
	e->plays++;
	num_sum_add(&e->optimum, mean_at(e, e->best, e->total[depth]));
	*ret_mean = mean_at(e, arm, tally);
	return rng_uniform(rng) < *ret_mean;
}

static double tallying_optimum(const void *env, uint64_t t)
{
	const struct tallying *e = env;

	assert(t == e->plays); /* which subjects play later is not known yet */
	(void)t;
	return num_sum_value(&e->optimum);
}

const struct env_ops env_tallying_ops = {
    .name = "tallying",
    .summary = "arms answer 0 or 1 and their probabilities depend on how much they were shown",
    .size = sizeof(struct tallying),
    .read = tallying_read,
    .release = tallying_release,
    .arms = tallying_arms,
    .ask = tallying_ask,
    .step = tallying_step,
    .optimum = tallying_optimum,
};
