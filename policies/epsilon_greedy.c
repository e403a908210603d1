/* SPDX-License-Identifier: Apache-2.0 */
/* The arm with the best mean so far, and with probability epsilon any arm. `decaying` is epsilon_n-
 * greedy of Auer, Cesa-Bianchi, Fischer 2002, fig. 3: epsilon_t = min(1, c K / (d^2 t)), t counting
 * decisions, K the arms asked for.
 *
 * Greedy is the largest mean, among equals the arm that came first. An arm without a reward is
 * found by exploration alone: taking it for good would give a new arm all traffic until its first
 * reward comes. As long as no eligible arm has one, all are alike. Rewards r count as (r - lo) /
 * (hi - lo). Select O(1) and update O(log K) over all arms, O(n) for n of them. */
#include <math.h>
#include <stdlib.h>

#include "core/maxtree.h"
#include "policies/policies.h"

#define COUNT_MAX (UINT64_C(1) << 53) /* counts that a double holds exactly */
#define NO_MEAN (-1.0)                /* below every mean */
#define NO_ARM UINT32_MAX
#define FEW 64 /* arms that are scanned */

enum decay { DECAY_CONSTANT, DECAY_DECAYING };

struct epsilon_greedy_params {
	double epsilon, c, d;
	int decay;
};

struct greedy_arm {
	uint64_t n : 63, active : 1;
	double sum; /* of mapped rewards, so in [0, n] */
};

struct epsilon_greedy {
	const struct epsilon_greedy_params *params;
	double lo, width;
	uint64_t decisions;
	struct greedy_arm *arm;
	struct maxtree *means; /* of the active arms; NULL while a scan is as fast */
	uint32_t slots, cap;
};

static double mean_of(const struct epsilon_greedy *g, uint32_t slot)
{
	const struct greedy_arm *arm = &g->arm[slot];

	return arm->n ? arm->sum / (double)arm->n : NO_MEAN;
}

static double epsilon_of(const struct epsilon_greedy *g, size_t n)
{
	const struct epsilon_greedy_params *p = g->params;
	double epsilon = p->epsilon;

	if (p->decay == DECAY_DECAYING) {
		epsilon = p->c * (double)n / (p->d * p->d * ((double)g->decisions + 1));
	}
	return epsilon < 1 ? epsilon : 1;
}

/* The slot of the best mean among those asked for; NO_ARM when none has a reward. */
static uint32_t greedy_slot(const struct epsilon_greedy *g, const struct ask *ask)
{
	uint32_t best = ask->slots[0];

	if (ask->all && g->means) {
		best = (uint32_t)maxtree_top(g->means);
	} else {
		for (size_t i = 1; i < ask->n; i++) {
			best = mean_of(g, ask->slots[i]) > mean_of(g, best) ? ask->slots[i] : best;
		}
	}
	return g->arm[best].n ? best : NO_ARM;
}

static double entry(
    const struct epsilon_greedy *g, const struct ask *ask, uint32_t greedy, uint32_t slot)
{
	double each = 1 / (double)ask->n, epsilon = epsilon_of(g, ask->n);

	if (greedy == NO_ARM) {
		return each;
	}
	return epsilon * each + (slot == greedy ? 1 - epsilon : 0);
}

static int greedy_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf)
{
	const struct epsilon_greedy *g = state;
	uint32_t greedy = greedy_slot(g, ask);

	(void)rng;
	for (size_t i = 0; i < ask->n; i++) {
		ret_pmf[i] = entry(g, ask, greedy, ask->slots[i]);
	}
	return 0;
}

static double greedy_prob(const void *state, const struct ask *ask, uint32_t slot)
{
	return entry(state, ask, greedy_slot(state, ask), slot);
}

static int greedy_draw(const void *state, const struct ask *ask, struct rng *rng,
    uint32_t *ret_slot, double *ret_propensity)
{
	const struct epsilon_greedy *g = state;
	uint32_t greedy = greedy_slot(g, ask);

	if (greedy == NO_ARM || rng_uniform(rng) < epsilon_of(g, ask->n)) {
		*ret_slot = ask->slots[rng_below(rng, ask->n)];
	} else {
		*ret_slot = greedy;
	}
	*ret_propensity = entry(g, ask, greedy, *ret_slot);
	return 0;
}

static size_t greedy_bound(const void *params, size_t slots, size_t dim)
{
	(void)params, (void)dim;
	return sizeof(struct epsilon_greedy) + slots * sizeof(struct greedy_arm) +
	       (slots > FEW ? maxtree_bytes(slots) : 0);
}

static void greedy_destroy(void *state)
{
	struct epsilon_greedy *g = state;

	if (g) {
		maxtree_free(g->means);
		free(g->arm);
		free(g);
	}
}

static int greedy_create(const struct policy_env *env, void **ret_state)
{
	struct epsilon_greedy *g = calloc(1, sizeof(*g));

	if (!g) {
		return RC_MEMORY;
	}
	g->params = env->params;
	g->lo = env->lo;
	g->width = env->hi - env->lo;
	*ret_state = g;
	return 0;
}

static void note_mean(struct epsilon_greedy *g, uint32_t slot)
{
	if (g->means) {
		maxtree_set(
		    g->means, slot, g->arm[slot].active ? mean_of(g, slot) : (double)-INFINITY);
	}
}

static int reserve_means(struct epsilon_greedy *g, size_t slots)
{
	int rc;

	if (g->means || slots <= FEW) {
		return g->means ? maxtree_reserve(g->means, slots) : 0;
	}
	rc = maxtree_new(&g->means);
	if (rc == 0) {
		rc = maxtree_reserve(g->means, slots);
	}
	if (rc) {
		maxtree_free(g->means);
		g->means = NULL;
		return rc;
	}
	for (uint32_t slot = 0; slot < g->slots; slot++) {
		note_mean(g, slot);
	}
	return 0;
}

static uint32_t greedy_slots(const void *state)
{
	return ((const struct epsilon_greedy *)state)->slots;
}

static int greedy_reserve(void *state, size_t slots)
{
	struct epsilon_greedy *g = state;
	struct greedy_arm *arm;
	int rc;

	if (slots <= g->cap) {
		return 0;
	}
	rc = reserve_means(g, slots);
	if (rc) {
		return rc;
	}
	arm = realloc(g->arm, slots * sizeof(*arm));
	if (!arm) {
		return RC_MEMORY;
	}
	g->arm = arm;
	g->cap = (uint32_t)slots;
	return 0;
}

static void greedy_arm_add(void *state, uint32_t slot)
{
	struct epsilon_greedy *g = state;

	g->arm[slot] = (struct greedy_arm){.active = 1};
	g->slots = slot + 1;
	note_mean(g, slot);
}

static void greedy_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	struct epsilon_greedy *g = state;

	g->arm[slot].active = to == ARM_ACTIVE;
	note_mean(g, slot);
}

static void greedy_pulled(void *state, const struct pull *p)
{
	struct epsilon_greedy *g = state;

	(void)p;
	g->decisions++;
}

static void greedy_update(void *state, const struct outcome *o)
{
	struct epsilon_greedy *g = state;
	struct greedy_arm *arm = &g->arm[o->slot];

	arm->n++;
	arm->sum += (o->reward - g->lo) / g->width;
	note_mean(g, o->slot);
}

static void greedy_serialise(const void *state, struct buf *out)
{
	const struct epsilon_greedy *g = state;

	buf_put_var(out, g->decisions);
	buf_put_var(out, g->slots);
	for (uint32_t i = 0; i < g->slots; i++) {
		buf_put_var(out, (uint64_t)g->arm[i].n << 1 | g->arm[i].active);
		if (g->arm[i].n) {
			buf_put_f64(out, g->arm[i].sum);
		}
	}
}

static void load_arm(struct epsilon_greedy *g, struct rd *in)
{
	uint32_t slot = g->slots;
	uint64_t word = rd_var(in), n = word >> 1;
	double sum = n ? rd_f64(in) : 0;

	if (in->rc || n > COUNT_MAX || signbit(sum) || !(sum <= (double)n)) {
		rd_fail(in);
		return;
	}
	g->arm[slot] = (struct greedy_arm){.n = n, .active = word & 1, .sum = sum};
	g->slots++;
	note_mean(g, slot);
}

static int greedy_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	uint64_t decisions = rd_var(in);
	size_t slots = rd_count(in, 1);
	struct epsilon_greedy *g;
	void *state;
	int rc = in->rc || decisions > COUNT_MAX ? RC_CORRUPT : greedy_create(env, &state);

	if (rc) {
		return rc;
	}
	g = state;
	g->decisions = decisions;
	rc = greedy_reserve(g, slots);
	while (rc == 0 && g->slots < slots) {
		load_arm(g, in);
		rc = in->rc;
	}
	if (rc) {
		greedy_destroy(g);
		return rc;
	}
	*ret_state = g;
	return 0;
}

static void greedy_describe(const void *state, uint32_t slot, struct arm_view *ret)
{
	const struct epsilon_greedy *g = state;

	ret->n = 0;
	if (g->arm[slot].n) {
		ret->n = 1;
		ret->item[0].name = "mean";
		ret->item[0].value = g->lo + g->width * mean_of(g, slot);
	}
}

static const char *const decays[] = {"constant", "decaying", NULL};

/* clang-format off */
static const struct param_desc greedy_params[] = {
	{.name = "epsilon", .type = PARAM_F64,
	 .offset = offsetof(struct epsilon_greedy_params, epsilon), .min = 0, .max = 1, .dflt = 0.1,
	 .text = "constant: probability of drawing any arm"},
	{.name = "decay", .type = PARAM_CHOICE, .offset = offsetof(struct epsilon_greedy_params, decay),
	 .choices = decays, .text = "constant, or min(1, c K / (d^2 t)) at the t-th decision"},
	{.name = "c", .type = PARAM_F64, .offset = offsetof(struct epsilon_greedy_params, c),
	 .min = 0, .max = 1e6, .dflt = 0.2, .flags = PARAM_OPEN_MIN,
	 .text = "decaying: how much is explored; the theorem needs more than 5"},
	{.name = "d", .type = PARAM_F64, .offset = offsetof(struct epsilon_greedy_params, d),
	 .min = 0, .max = 1, .dflt = 0.1, .flags = PARAM_OPEN_MIN,
	 .text = "decaying: at most the gap between the two best means, as a share of hi - lo"},
	{.name = NULL},
};
/* clang-format on */

const struct policy_ops epsilon_greedy_ops = {
    .name = "epsilon_greedy",
    .summary = "the arm with the best mean so far, and now and then any",
    .version = 1,
    .flags = POLICY_ANY_SLATE,
    .params = greedy_params,
    .params_size = sizeof(struct epsilon_greedy_params),
    .bound = greedy_bound,
    .create = greedy_create,
    .destroy = greedy_destroy,
    .slots = greedy_slots,
    .reserve = greedy_reserve,
    .arm_add = greedy_arm_add,
    .arm_set = greedy_arm_set,
    .pmf = greedy_pmf,
    .draw = greedy_draw,
    .prob = greedy_prob,
    .pulled = greedy_pulled,
    .update = greedy_update,
    .serialise = greedy_serialise,
    .deserialise = greedy_deserialise,
    .describe = greedy_describe,
};
