/* SPDX-License-Identifier: Apache-2.0 */
/* {"env":"groups","arms":2,"groups":[{"name":"circle","share":0.5,"set":"shape"},
 *  {"name":"square","share":0.5,"set":"shape"},{"name":"red","share":1,"set":"colour"}],
 *  "loss":[[0.2,0.4],[0.4,0.2]]}: a play belongs to one group of each set, drawn by their shares;
 * arm k then loses 1 with the probability in the row of that cell, else 0. One row for each
 * combination, the first set slowest. The reward is 1 less the loss.
 *
 * Regret of a group is against the arm that is best for the plays of that group; the overall one
 * against the arm that is best for all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/env.h"
#include "json/bind.h"

#define GROUPS_MOST 256
#define SETS_MOST 16
#define CELLS_MOST 65536
#define SHARES_OFF 1e-6

struct given {
	const json_t *env, *groups, *loss;
	uint64_t arms;
};

struct given_group {
	const char *name, *set;
	double share;
};

struct group {
	char *name;
	double share;
	uint32_t set, place; /* which one of its set */
};

struct groups {
	struct group group[GROUPS_MOST];
	char *set[SETS_MOST];
	uint32_t size[SETS_MOST]; /* groups of the set */
	uint32_t n, nsets, arms, ncells;
	double *loss;    /* a row per cell */
	uint64_t *plays; /* per cell and arm */
	const char *awake[SETS_MOST];
	uint32_t cell; /* of the present play */
};

static void groups_release(void *env)
{
	struct groups *g = env;

	for (uint32_t i = 0; i < g->n; i++) {
		free(g->group[i].name);
	}
	for (uint32_t i = 0; i < g->nsets; i++) {
		free(g->set[i]);
	}
	free(g->loss);
	free(g->plays);
}

static int find_set(struct groups *g, const char *name, uint32_t *ret)
{
	for (uint32_t i = 0; i < g->nsets; i++) {
		if (strcmp(g->set[i], name) == 0) {
			*ret = i;
			return 0;
		}
	}
	if (g->nsets == SETS_MOST) {
		return RC_INVALID;
	}
	g->set[g->nsets] = strdup(name);
	if (!g->set[g->nsets]) {
		return RC_MEMORY;
	}
	*ret = g->nsets++;
	return 0;
}

static int read_group(struct groups *g, const json_t *spec, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"name", BIND_ID, offsetof(struct given_group, name), BIND_REQUIRED, 0, 0, NULL},
	    {"set", BIND_ID, offsetof(struct given_group, set), BIND_REQUIRED, 0, 0, NULL},
	    {"share", BIND_NUMBER, offsetof(struct given_group, share), BIND_REQUIRED, 0, 1, NULL},
	    {.name = NULL},
	};
	struct given_group given;
	struct group *group = &g->group[g->n];
	char where[32];
	int rc;

	snprintf(where, sizeof(where), "/groups/%u", g->n);
	rc = bind_object(spec, fields, where, NULL, &given, err);
	if (rc == 0) {
		rc = find_set(g, given.set, &group->set);
	}
	if (rc) {
		return err_set(err, rc, "too_many", where, "at most %d sets", SETS_MOST);
	}
	group->name = strdup(given.name);
	if (!group->name) {
		return RC_MEMORY;
	}
	group->share = given.share;
	group->place = g->size[group->set]++;
	g->n++;
	return 0;
}

static int check_shares(const struct groups *g, struct errinfo *err)
{
	for (uint32_t s = 0; s < g->nsets; s++) {
		double sum = -1;

		for (uint32_t i = 0; i < g->n; i++) {
			sum += g->group[i].set == s ? g->group[i].share : 0;
		}
		if (!(sum > -SHARES_OFF && sum < SHARES_OFF)) {
			return err_set(err, RC_INVALID, "out_of_range", "/groups",
			    "the shares of set %s must sum to 1", g->set[s]);
		}
	}
	return 0;
}

static int read_groups(struct groups *g, const json_t *array, struct errinfo *err)
{
	size_t n = json_array_size(array), cells = 1;
	int rc;

	if (n == 0 || n > GROUPS_MOST) {
		return err_set(err, RC_INVALID, "wrong_type", "/groups",
		    "must be an array of 1 to %d groups", GROUPS_MOST);
	}
	for (size_t i = 0; i < n; i++) {
		rc = read_group(g, json_array_get(array, i), err);
		if (rc) {
			return rc;
		}
	}
	for (uint32_t s = 0; s < g->nsets && cells <= CELLS_MOST; s++) {
		cells *= g->size[s];
	}
	if (cells > CELLS_MOST) {
		return err_set(err, RC_INVALID, "too_many", "/groups",
		    "at most %d combinations of groups", CELLS_MOST);
	}
	g->ncells = (uint32_t)cells;
	return check_shares(g, err);
}

static int read_loss(struct groups *g, const json_t *rows, struct errinfo *err)
{
	double *row;
	uint32_t n;
	char where[32];
	int rc;

	if (json_array_size(rows) != g->ncells) {
		return err_set(err, RC_INVALID, "wrong_length", "/loss",
		    "needs a row for each of the %u combinations of groups", g->ncells);
	}
	g->loss = calloc((size_t)g->ncells * g->arms, sizeof(*g->loss));
	g->plays = calloc((size_t)g->ncells * g->arms, sizeof(*g->plays));
	if (!g->loss || !g->plays) {
		return RC_MEMORY;
	}
	for (uint32_t i = 0; i < g->ncells; i++) {
		snprintf(where, sizeof(where), "/loss/%u", i);
		rc = env_numbers(json_array_get(rows, i), where, 0, 1, &row, &n, err);
		if (rc) {
			return rc;
		}
		if (n == g->arms) {
			memcpy(g->loss + (size_t)i * n, row, n * sizeof(*row));
		}
		free(row);
		if (n != g->arms) {
			return err_set(err, RC_INVALID, "wrong_length", where,
			    "needs a loss for each of the %u arms", g->arms);
		}
	}
	return 0;
}

static int groups_read(void *env, const json_t *spec, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"env", BIND_JSON, offsetof(struct given, env), 0, 0, 0, NULL},
	    {"arms", BIND_U64, offsetof(struct given, arms), BIND_REQUIRED, 1, 1000, NULL},
	    {"groups", BIND_JSON, offsetof(struct given, groups), BIND_REQUIRED, 0, 0, NULL},
	    {"loss", BIND_JSON, offsetof(struct given, loss), BIND_REQUIRED, 0, 0, NULL},
	    {.name = NULL},
	};
	struct given given;
	struct groups *g = env;
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	if (rc) {
		return rc;
	}
	g->arms = (uint32_t)given.arms;
	rc = read_groups(g, given.groups, err);
	return rc ? rc : read_loss(g, given.loss, err);
}

static uint32_t groups_arms(const void *env)
{
	return ((const struct groups *)env)->arms;
}

/* One group of the set, by its share; what rounding leaves goes to the last one that has any. */
static const struct group *draw_of_set(const struct groups *g, uint32_t set, double u)
{
	const struct group *ret = NULL;

	for (uint32_t i = 0; i < g->n; i++) {
		const struct group *group = &g->group[i];

		if (group->set != set || group->share == 0) {
			continue;
		}
		ret = group;
		if (u < group->share) {
			break;
		}
		u -= group->share;
	}
	return ret;
}

static void groups_ask(void *env, uint64_t t, struct rng *rng, struct env_ask *ret)
{
	struct groups *g = env;

	(void)t;
	g->cell = 0;
	for (uint32_t s = 0; s < g->nsets; s++) {
		const struct group *group = draw_of_set(g, s, rng_uniform(rng));

		g->awake[s] = group->name;
		g->cell = g->cell * g->size[s] + group->place;
	}
	*ret = (struct env_ask){.groups = g->awake, .ngroups = g->nsets};
}

static double groups_step(void *env, uint64_t t, uint32_t arm, struct rng *rng, double *ret_mean)
{
	struct groups *g = env;
	size_t at = (size_t)g->cell * g->arms + arm;

	(void)t;
	g->plays[at]++;
	*ret_mean = 1 - g->loss[at];
	return rng_uniform(rng) >= g->loss[at];
}

/* Whether the cell's plays belong to the group; all do to NULL. */
static bool belongs(const struct groups *g, uint32_t cell, const struct group *group)
{
	for (uint32_t s = g->nsets; group && s-- > 0;) {
		if (s == group->set) {
			return cell % g->size[s] == group->place;
		}
		cell /= g->size[s];
	}
	return true;
}

/* What the best arm expects of the group's plays so far, and what was to be expected of those that
 * were made. */
static double best_of(const struct groups *g, const struct group *group, double *ret_own)
{
	double best = 0, own = 0;

	for (uint32_t arm = 0; arm < g->arms; arm++) {
		double sum = 0;

		for (uint32_t c = 0; c < g->ncells; c++) {
			const uint64_t *plays = &g->plays[(size_t)c * g->arms];
			const double *loss = &g->loss[(size_t)c * g->arms];
			uint64_t n = 0;

			if (!belongs(g, c, group)) {
				continue;
			}
			for (uint32_t k = 0; k < g->arms; k++) {
				n += plays[k];
			}
			sum += (double)n * (1 - loss[arm]);
			own += (double)plays[arm] * (1 - loss[arm]);
		}
		best = sum > best ? sum : best;
	}
	*ret_own = own;
	return best;
}

/* Of the plays made, whose number t is. */
static double groups_optimum(const void *env, uint64_t t)
{
	double own;

	(void)t;
	return best_of(env, NULL, &own);
}

static size_t groups_ngroups(const void *env)
{
	return ((const struct groups *)env)->n;
}

static double groups_regret(const void *env, size_t i, const char **ret_name)
{
	const struct groups *g = env;
	double own, best = best_of(g, &g->group[i], &own);

	*ret_name = g->group[i].name;
	return best - own;
}

const struct env_ops env_groups_ops = {
    .name = "groups",
    .summary = "plays belong to overlapping groups, whose best arms differ",
    .size = sizeof(struct groups),
    .read = groups_read,
    .release = groups_release,
    .arms = groups_arms,
    .ask = groups_ask,
    .step = groups_step,
    .optimum = groups_optimum,
    .ngroups = groups_ngroups,
    .group_regret = groups_regret,
};
