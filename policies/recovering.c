/* SPDX-License-Identifier: Apache-2.0 */
/* Slates of arms whose reward grows with the time they were left alone: D. Simchi-Levi, Z. Zheng,
 * F. Zhu, "Dynamic Planning and Learning under Recovering Rewards", ICML 2021. An upper bound on
 * R_i(d), the reward of arm i after d periods without it, is planned as if it were true (see
 * recovering_plan.c), and the plan is followed until some count has doubled:
 *
 *	U_i(d) = min over d' >= d of 1 and mean + sqrt(alpha ln(1 + t) / (2 n)) of (i, d')
 *
 * Rewards in [lo, hi], mapped to [0, 1]; lo must be what showing nothing is worth. Select O(N),
 * update O(1); planning O(N d_max (d_max + j_max)), outside the decision when that is long. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policies/recovering_impl.h"

static int recovering_check(const void *params, struct errinfo *err)
{
	const struct recovering_params *p = params;
	struct recovering_tables t = {.r = p->tables.v,
	    .n = p->tables.width ? (uint32_t)(p->tables.n / p->tables.width) : 0,
	    .d_max = (uint32_t)p->tables.width,
	    .k = 1,
	    .j_max = 1};

	if (p->clock == REC_TICK && !(p->tick_seconds > 0)) {
		return err_set(err, RC_INVALID, "missing_field", "/tick_seconds",
		    "clock tick needs tick_seconds");
	}
	if (p->tables.n == 0) {
		return 0;
	}
	if (p->tables.width == 0 || p->tables.width > RECOVERING_D_MAX) {
		return err_set(err, RC_INVALID, "wrong_type", "/tables",
		    "tables are rows of at most %d numbers, one row per arm", RECOVERING_D_MAX);
	}
	return recovering_tables_check(&t, NULL)
		   ? err_set(err, RC_INVALID, "out_of_range", "/tables",
			 "tables must be >= 0 and never fall along a row")
		   : 0;
}

static uint32_t d_max_of(const struct recovering_params *p)
{
	return (uint32_t)(p->tables.n ? p->tables.width : (size_t)p->d_max);
}

size_t recovering_bound(const void *params, size_t slots, size_t dim)
{
	const struct recovering_params *p = params;
	size_t arm = sizeof(struct rec_arm) + d_max_of(p) * sizeof(struct rec_cell);
	size_t subjects = REC_SUBJECTS_MAX * (sizeof(struct rec_subject) + 2 * sizeof(void *)) +
			  ((size_t)REC_PULLS_MAX + 65536) * 8 * sizeof(struct rec_recent);

	(void)dim;
	return sizeof(struct recovering) + slots * arm + (p->scope == REC_SUBJECT ? subjects : 0);
}

static unsigned recovering_traits(const void *params)
{
	const struct recovering_params *p = params;

	return POLICY_SLATE | POLICY_DETERMINISTIC |
	       (p->scope == REC_SUBJECT ? (unsigned)POLICY_SUBJECT : 0u);
}

int recovering_create(const struct policy_env *env, void **ret_state)
{
	struct recovering *r = calloc(1, sizeof(*r));

	if (!r) {
		return RC_MEMORY;
	}
	r->params = env->params;
	r->lo = env->lo;
	r->width = env->hi - env->lo;
	r->d_max = d_max_of(r->params);
	r->k = env->k ? env->k : 1;
	*ret_state = r;
	return 0;
}

void recovering_destroy(void *state)
{
	struct recovering *r = state;

	if (!r) {
		return;
	}
	for (size_t i = 0; i < r->nsubjects; i++) {
		rec_subject_free(r->subject[i]);
	}
	rec_subject_free(r->spare);
	free(r->subject);
	free(r->arm);
	free(r->cell);
	free(r);
}

static uint32_t recovering_slots(const void *state)
{
	return ((const struct recovering *)state)->slots;
}

int recovering_reserve(void *state, size_t slots)
{
	struct recovering *r = state;
	struct rec_arm *arm;
	struct rec_cell *cell;

	if (slots <= r->cap) {
		return 0;
	}
	if (slots > REC_CELLS_MAX / r->d_max) {
		return RC_LIMIT;
	}
	arm = realloc(r->arm, slots * sizeof(*arm));
	if (!arm) {
		return RC_MEMORY;
	}
	r->arm = arm;
	cell = realloc(r->cell, slots * r->d_max * sizeof(*cell));
	if (!cell) {
		return RC_MEMORY;
	}
	r->cell = cell;
	r->cap = (uint32_t)slots;
	return 0;
}

static int recovering_reserve_change(void *state, const void *params, uint32_t k)
{
	struct recovering *r = state;
	size_t wide = d_max_of(params);
	struct rec_cell *cell;

	(void)k;
	if (r->slots > 0 && wide > REC_CELLS_MAX / r->slots) {
		return RC_LIMIT;
	}
	if (wide <= r->d_max || r->cap == 0) {
		return 0;
	}
	cell = realloc(r->cell, r->cap * wide * sizeof(*cell));
	if (!cell) {
		return RC_MEMORY;
	}
	r->cell = cell;
	return 0;
}

/* The last bucket of a smaller d_max holds what was idle for that long and for longer: too mixed
 * for any bucket of a larger one. In the other direction those that are too long become the last.
 */
static void rebucket(const struct rec_cell *from, uint32_t nfrom, struct rec_cell *to, uint32_t nto)
{
	struct rec_cell x;

	for (uint32_t d = nto > nfrom ? nfrom - 1 : nto; d < nto; d++) {
		to[d] = (struct rec_cell){.n = 0};
	}
	for (uint32_t d = 0; d < nfrom; d++) {
		x = from[d];
		if (d < nto && (nto <= nfrom || d + 1 < nfrom)) {
			to[d] = x;
		} else if (nto < nfrom) {
			to[nto - 1].n += x.n;
			to[nto - 1].snap += x.snap;
			to[nto - 1].sum += x.sum;
		}
	}
}

/* Plans are stale, and the present one is followed, as far as k arms go, until the next. */
static void recovering_change(void *state, const void *params_before, uint32_t k)
{
	struct recovering *r = state;
	uint32_t before = r->d_max, now = d_max_of(r->params);
	struct rec_cell arm[RECOVERING_D_MAX];

	(void)params_before;
	for (uint32_t i = 0; now != before && i < r->slots; i++) {
		uint32_t slot = now > before ? r->slots - 1 - i : i; /* rows move over others */

		memcpy(arm, &r->cell[(size_t)slot * before], before * sizeof(*arm));
		rebucket(arm, before, &r->cell[(size_t)slot * now], now);
	}
	r->d_max = now;
	r->shrunk = r->shrunk || k < r->k;
	r->wide = r->wide || k < r->k;
	r->k = k;
	r->dirty = true;
}

static int recovering_reserve_subject(void *state, const char *subject)
{
	struct recovering *r = state;

	return r->params->scope == REC_SUBJECT ? rec_subject_reserve(r, rec_subject_key(subject))
					       : 0;
}

static void recovering_arm_add(void *state, uint32_t slot)
{
	struct recovering *r = state;

	r->arm[slot] = (struct rec_arm){.state = ARM_ACTIVE, .last = REC_NEVER};
	for (uint32_t d = 0; d < r->d_max; d++) {
		r->cell[(size_t)slot * r->d_max + d] = (struct rec_cell){.n = 0};
	}
	r->slots = slot + 1;
	r->nactive++;
	r->dirty = true;
}

/* Its periods stay free until the next plan. */
static void recovering_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	struct recovering *r = state;
	struct rec_arm *arm = &r->arm[slot];

	if ((arm->state == ARM_ACTIVE) != (to == ARM_ACTIVE)) {
		r->nactive += to == ARM_ACTIVE ? 1 : UINT32_MAX; /* one more or one less */
		r->dirty = true;
		arm->period = 0;
		arm->offset = 0;
	}
	arm->state = to;
}

static void recovering_describe(const void *state, uint32_t slot, struct arm_view *ret)
{
	const struct recovering *r = state;
	const struct rec_cell *c = &r->cell[(size_t)slot * r->d_max];
	double n = 0, sum = 0;

	for (uint32_t d = 0; d < r->d_max; d++) {
		n += (double)c[d].n;
		sum += c[d].sum;
	}
	ret->n = 4;
	ret->item[0].name = "observed";
	ret->item[0].value = n;
	ret->item[1].name = "mean";
	ret->item[1].value = r->lo + (n > 0 ? r->width * (sum / n) : 0);
	ret->item[2].name = "period";
	ret->item[2].value = r->arm[slot].period;
	ret->item[3].name = "offset";
	ret->item[3].value = r->arm[slot].offset;
}

static void recovering_plan_show(
    const void *state, uint32_t *periods, uint32_t *offsets, struct plan_view *ret)
{
	const struct recovering *r = state;

	for (uint32_t i = 0; i < r->slots; i++) {
		periods[i] = r->arm[i].period;
		offsets[i] = r->arm[i].offset;
	}
	*ret = (struct plan_view){
	    .plans = r->planned ? r->phases : 0, .value = r->value, .upper = r->upper};
}

static const char *const clocks[] = {"select", "tick", NULL};
static const char *const scopes[] = {"global", "subject", NULL};
static const char *const fills[] = {"none", "unplanned", NULL};

#define AT(m) offsetof(struct recovering_params, m)
/* clang-format off */
static const struct param_desc recovering_params[] = {
	{.name = "d_max", .type = PARAM_INT, .offset = AT(d_max), .min = 1,
	 .max = RECOVERING_D_MAX, .dflt = 16, .flags = PARAM_CHANGE,
	 .text = "periods after which an arm has recovered; with tables: their row's length"},
	{.name = "alpha", .type = PARAM_F64, .offset = AT(alpha), .min = 0, .max = 16, .dflt = 1,
	 .flags = PARAM_OPEN_MIN | PARAM_CHANGE,
	 .text = "optimism: width sqrt(alpha ln(1 + t) / (2 n)); the guarantee needs 3"},
	{.name = "phase_min", .type = PARAM_INT, .offset = AT(phase_min), .min = 0, .max = 1e9,
	 .dflt = 0, .flags = PARAM_CHANGE,
	 .text = "least periods under one plan; 0: twice d_max"},
	{.name = "j_max", .type = PARAM_INT, .offset = AT(j_max), .min = 1,
	 .max = RECOVERING_J_MAX, .dflt = 32, .flags = PARAM_CHANGE,
	 .text = "planner: most odd classes of periods tried together"},
	{.name = "improve", .type = PARAM_BOOL, .offset = AT(improve), .min = 0, .max = 1,
	 .dflt = 1, .flags = PARAM_CHANGE, .text = "planner: improve a plan by moving arms"},
	{.name = "clock", .type = PARAM_CHOICE, .offset = AT(clock), .choices = clocks,
	 .text = "what a period is: a decision, or tick_seconds with one decision at most"},
	{.name = "tick_seconds", .type = PARAM_F64, .offset = AT(tick_seconds), .min = 0.001,
	 .max = 1e9, .flags = PARAM_UNSET, .text = "length of a period with clock tick"},
	{.name = "scope", .type = PARAM_CHOICE, .offset = AT(scope), .choices = scopes,
	 .text = "whose rest lets an arm recover: everybody's, or each subject's own"},
	{.name = "fill", .type = PARAM_CHOICE, .offset = AT(fill), .choices = fills,
	 .text = "what goes into slots that the plan leaves free: none, or unplanned arms"},
	{.name = "tables", .type = PARAM_LIST, .offset = AT(tables), .min = 0, .max = 1e9,
	 .text = "known rewards, a row R(1), R(2), ... per arm: planned once, nothing is learnt"},
	{.name = NULL},
};
/* clang-format on */

const struct policy_ops recovering_ops = {
    .name = "recovering",
    .summary = "planned slates of arms whose reward grows while they rest",
    .version = 1,
    .flags = POLICY_SLATE | POLICY_DETERMINISTIC | POLICY_MEMORY,
    .params = recovering_params,
    .params_size = sizeof(struct recovering_params),
    .check = recovering_check,
    .traits = recovering_traits,
    .bound = recovering_bound,
    .create = recovering_create,
    .destroy = recovering_destroy,
    .slots = recovering_slots,
    .reserve = recovering_reserve,
    .reserve_change = recovering_reserve_change,
    .change = recovering_change,
    .reserve_subject = recovering_reserve_subject,
    .arm_add = recovering_arm_add,
    .arm_set = recovering_arm_set,
    .choose = recovering_choose,
    .plan_due = recovering_plan_due,
    .plan_cost = recovering_plan_steps,
    .plan_input = recovering_plan_input,
    .plan_make = recovering_plan_answer,
    .plan_begin = recovering_plan_begin,
    .plan_apply = recovering_plan_apply,
    .plan_show = recovering_plan_show,
    .pulled = recovering_pulled,
    .lost = recovering_lost,
    .update = recovering_update,
    .serialise = recovering_serialise,
    .deserialise = recovering_deserialise,
    .describe = recovering_describe,
};
