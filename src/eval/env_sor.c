/* SPDX-License-Identifier: Apache-2.0 */
/* {"env":"sor","problem":"iid","spread":"low"}: linear systems that are really solved; an arm is
 * the solver's omega, 1.00, 1.05 .. 1.95, its cost is the iterations, and x is known before.
 *   iid: SOR on 100 unknowns whose diagonal is 4 + x, x = -0.15 + 0.6 Beta(2, 6), or of spread
 *        high Beta(1/2, 3/2).
 *   heat: the heat equation with "cells" a side (25), CG with SSOR, x the coefficient; after
 *        "steps" (5000) it starts anew.
 * Regret is against the one omega that is best over all plays so far: each is solved at each play,
 * so a play takes twenty solves. */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "eval/env.h"
#include "eval/sor_solve.h"
#include "json/bind.h"

#define OMEGAS 20
#define COST_MAX 10000
#define STEPS_MAX 100000
#define CELLS_MAX 200

_Static_assert(OMEGAS <= SOR_EACH_MAX, "the omegas are solved at once");

enum problem { PROBLEM_IID, PROBLEM_HEAT };

struct given {
	const json_t *env;
	int problem, spread;
	uint64_t cells, steps;
};

struct sor_env {
	struct given given;
	struct heat heat;
	double *start; /* u at the step's start, then u as it was at first */
	double x, cost[OMEGAS];
	struct num_sum total[OMEGAS];
};

static void sor_release(void *env)
{
	struct sor_env *s = env;

	heat_release(&s->heat);
	free(s->start);
}

static size_t size_of(const struct sor_env *s)
{
	return (size_t)s->heat.a.points * s->heat.a.points;
}

static int sor_read(void *env, const json_t *spec, struct errinfo *err)
{
	static const char *const problems[] = {"iid", "heat", NULL};
	static const char *const spreads[] = {"low", "high", NULL};
	static const struct bind_field fields[] = {
	    {"env", BIND_JSON, offsetof(struct given, env), 0, 0, 0, NULL},
	    {"problem", BIND_CHOICE, offsetof(struct given, problem), 0, 0, 0, problems},
	    {"spread", BIND_CHOICE, offsetof(struct given, spread), 0, 0, 0, spreads},
	    {"cells", BIND_U64, offsetof(struct given, cells), 0, 3, CELLS_MAX, NULL},
	    {"steps", BIND_U64, offsetof(struct given, steps), 0, 1, STEPS_MAX, NULL},
	    {.name = NULL},
	};
	struct given given = {.cells = 25, .steps = 5000};
	struct sor_env *s = env;
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	if (rc) {
		return rc;
	}
	s->given = given;
	rc = heat_init(&s->heat, (uint32_t)given.cells);
	if (rc == 0) {
		s->start = calloc(2 * size_of(s), sizeof(*s->start));
		rc = s->start ? 0 : RC_MEMORY;
	}
	if (rc) {
		return rc;
	}
	for (size_t i = 0; i < size_of(s); i++) {
		s->start[size_of(s) + i] = s->heat.u[i];
	}
	return 0;
}

static uint32_t sor_arms(const void *env)
{
	(void)env;
	return OMEGAS;
}

static void sor_range(const void *env, double *ret_lo, double *ret_hi)
{
	(void)env;
	*ret_lo = 1;
	*ret_hi = COST_MAX;
}

static double omega_of(uint32_t arm)
{
	return 1 + 0.05 * arm;
}

static double cost_of(uint32_t iterations)
{
	return iterations > 1 ? iterations : 1; /* none at all is as good as one */
}

static void draw_iid(struct sor_env *s, struct rng *rng)
{
	struct sor_system system;
	double omega[OMEGAS], work[OMEGAS * (SOR_POINTS + 2) * (SOR_POINTS + 2)];
	uint32_t sweeps[OMEGAS];

	sor_draw(&system, s->given.spread, rng);
	s->x = system.x;
	for (uint32_t i = 0; i < OMEGAS; i++) {
		omega[i] = omega_of(i);
	}
	sor_solve_each(&system.a, system.b, OMEGAS, omega, 1e-8, COST_MAX, work, sweeps);
	for (uint32_t i = 0; i < OMEGAS; i++) {
		s->cost[i] = sweeps[i];
	}
}

/* Every omega from the same start; the last result is kept, they agree to the tolerance. */
static void step_heat(struct sor_env *s)
{
	size_t n = size_of(s);

	if (s->heat.step == s->given.steps) {
		s->heat.step = 0;
		for (size_t i = 0; i < n; i++) {
			s->heat.u[i] = s->start[n + i];
		}
	}
	s->x = heat_context(&s->heat);
	for (size_t i = 0; i < n; i++) {
		s->start[i] = s->heat.u[i];
	}
	for (uint32_t k = 0; k < OMEGAS; k++) {
		for (size_t i = 0; k && i < n; i++) {
			s->heat.u[i] = s->start[i];
		}
		s->heat.step -= k > 0;
		s->cost[k] = cost_of(heat_step(&s->heat, omega_of(k), COST_MAX));
	}
}

static size_t sor_dim(const void *env)
{
	(void)env;
	return 1;
}

static void sor_ask(void *env, uint64_t t, struct rng *rng, struct env_ask *ret)
{
	struct sor_env *s = env;

	(void)t;
	if (s->given.problem == PROBLEM_HEAT) {
		step_heat(s);
	} else {
		draw_iid(s, rng);
	}
	for (uint32_t i = 0; i < OMEGAS; i++) {
		num_sum_add(&s->total[i], s->cost[i]);
	}
	*ret = (struct env_ask){.x = &s->x, .dim = 1};
}

static double sor_step(void *env, uint64_t t, uint32_t arm, struct rng *rng, double *ret_mean)
{
	(void)t, (void)rng;
	return *ret_mean = ((struct sor_env *)env)->cost[arm];
}

static double sor_optimum(const void *env, uint64_t t)
{
	const struct sor_env *s = env;
	double best = HUGE_VAL;

	(void)t; /* the plays so far */
	for (uint32_t i = 0; i < OMEGAS; i++) {
		best = fmin(best, num_sum_value(&s->total[i]));
	}
	return best;
}

const struct env_ops env_sor_ops = {
    .name = "sor",
    .summary = "an iterative solver's parameter against its iterations",
    .goal = GOAL_MINIMISE,
    .size = sizeof(struct sor_env),
    .read = sor_read,
    .release = sor_release,
    .arms = sor_arms,
    .range = sor_range,
    .dim = sor_dim,
    .ask = sor_ask,
    .step = sor_step,
    .optimum = sor_optimum,
};
