/* SPDX-License-Identifier: Apache-2.0 */
/* {"env":"recovering","slots":2,"tables":[[0.2,0.5,0.9],[0.5,0.6,0.65]],"noise":"bernoulli"}:
 * slates of arms whose rewards grow while they rest; row i is what arm i is worth after 1, 2, ...
 * plays without it, and it has recovered after the last. Rewards are 0 or 1, or with noise "none"
 * the table's own. Regret is against t times what the best known plan of these tables earns per
 * play; it can be negative, for an arm starts out recovered. */
#include <stdlib.h>
#include <string.h>

#include "eval/env.h"
#include "json/bind.h"
#include "json/spec_json.h"
#include "policies/recovering_plan.h"

#define SLOTS_MOST 64
#define TABLES_MAX ((size_t)8 << 20) /* bytes */
#define ODD_CLASSES 32
#define NEVER 0

enum { NOISE_BERNOULLI, NOISE_NONE };

struct given {
	const json_t *env, *tables;
	uint64_t slots;
	int noise;
};

struct recovering {
	struct arena mem;
	struct recovering_tables t;
	uint64_t *last; /* play of the last pull; plays count from 1 */
	double per_play;
	int noise;
};

static void recovering_release(void *env)
{
	struct recovering *r = env;

	arena_release(&r->mem);
	free(r->last);
}

static int plan(struct recovering *r)
{
	struct recovering_plan p = {.n = 0};
	int rc = recovering_plan_make(&r->t, &p);

	r->per_play = p.value;
	recovering_plan_release(&p);
	return rc;
}

static int read_tables(struct recovering *r, const struct given *given, struct errinfo *err)
{
	struct param_list list = {.n = 0};
	int rc = list_from_json(given->tables, "/tables", &r->mem, &list, err);

	if (rc) {
		return rc;
	}
	if (list.width == 0 || list.width > RECOVERING_D_MAX ||
	    list.n / list.width > ENV_ARMS_MAX) {
		return err_set(err, RC_INVALID, "wrong_type", "/tables",
		    "must be an array of rows, one per arm");
	}
	r->t = (struct recovering_tables){.r = list.v,
	    .n = (uint32_t)(list.n / list.width),
	    .d_max = (uint32_t)list.width,
	    .k = (uint32_t)given->slots,
	    .j_max = ODD_CLASSES,
	    .improve = true};
	for (size_t i = 0; i < list.n; i++) {
		if (list.v[i] > 1) {
			return err_set(err, RC_INVALID, "out_of_range", "/tables",
			    "rewards must lie in [0, 1]");
		}
	}
	if (recovering_tables_check(&r->t, NULL)) {
		return err_set(err, RC_INVALID, "out_of_range", "/tables",
		    "rewards must lie in [0, 1] and never fall along a row");
	}
	r->last = calloc(r->t.n, sizeof(*r->last));
	return r->last ? plan(r) : RC_MEMORY;
}

static int recovering_read(void *env, const json_t *spec, struct errinfo *err)
{
	static const char *const noises[] = {"bernoulli", "none", NULL};
#define AT(m) offsetof(struct given, m)
	static const struct bind_field fields[] = {
	    {"env", BIND_JSON, AT(env), 0, 0, 0, NULL},
	    {"slots", BIND_U64, AT(slots), 0, 1, SLOTS_MOST, NULL},
	    {"tables", BIND_JSON, AT(tables), BIND_REQUIRED, 0, 0, NULL},
	    {"noise", BIND_CHOICE, AT(noise), 0, 0, 0, noises},
	    {.name = NULL},
	};
#undef AT
	struct given given = {.slots = 1};
	struct recovering *r = env;
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	if (rc) {
		return rc;
	}
	arena_init(&r->mem, TABLES_MAX);
	r->noise = given.noise;
	return read_tables(r, &given, err);
}

static uint32_t recovering_arms(const void *env)
{
	return ((const struct recovering *)env)->t.n;
}

static uint32_t recovering_slots(const void *env)
{
	return ((const struct recovering *)env)->t.k;
}

static void recovering_slate(void *env, uint64_t t, const uint32_t *arms, size_t n, struct rng *rng,
    double *ret_rewards, double *ret_mean)
{
	struct recovering *r = env;
	struct rng luck = *rng; /* arm i has the i-th draw, whoever else is in the slate */
	double sum = 0, u = 0;
	size_t k = 0;

	for (uint32_t i = 0; r->noise == NOISE_BERNOULLI && i < r->t.n; i++) {
		u = rng_uniform(&luck);
		if (k < n && arms[k] == i) {
			ret_rewards[k++] = u;
		}
	}
	for (k = 0; k < n; k++) {
		uint32_t i = arms[k];
		uint64_t idle = r->last[i] == NEVER ? r->t.d_max : t - r->last[i];
		double mean =
		    r->t.r[(size_t)i * r->t.d_max + (idle < r->t.d_max ? idle : r->t.d_max) - 1];

		r->last[i] = t;
		ret_rewards[k] = r->noise == NOISE_NONE ? mean : ret_rewards[k] < mean;
		sum += mean;
	}
	*rng = luck;
	*ret_mean = sum;
}

static double recovering_optimum(const void *env, uint64_t t)
{
	return ((const struct recovering *)env)->per_play * (double)t;
}

const struct env_ops env_recovering_ops = {
    .name = "recovering",
    .summary = "slates of arms whose rewards grow while they rest",
    .size = sizeof(struct recovering),
    .read = recovering_read,
    .release = recovering_release,
    .arms = recovering_arms,
    .slots = recovering_slots,
    .slate = recovering_slate,
    .optimum = recovering_optimum,
};
