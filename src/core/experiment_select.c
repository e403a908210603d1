/* SPDX-License-Identifier: Apache-2.0 */
/* The question "which arm now?": the arms it may draw from, the draw, the event. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/experiment_impl.h"
#include "core/pmf.h"

#define WATCH_EACH 8 /* of decisions among many arms */

static int by_slot(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Ids to slots, ascending, each once; arms that cannot be drawn now are left out if asked. */
static int resolve(const struct experiment *e, const char *const *ids, size_t n, const char *field,
    bool only_active, struct arena *mem, uint32_t **ret, size_t *ret_n, struct errinfo *err)
{
	uint32_t *slots = arena_array(mem, n, sizeof(*slots));
	size_t kept = 0, unique = 0;
	char pointer[40];

	if (!slots) {
		return experiment_no_memory(err);
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t slot = arms_find(&e->arms, ids[i]);

		if (slot == ARM_NONE) {
			snprintf(pointer, sizeof(pointer), "/%s/%zu", field, i);
			return err_set(
			    err, RC_INVALID, "unknown_arm", pointer, "no arm %s", ids[i]);
		}
		if (!only_active || e->arms.arm[slot].state == ARM_ACTIVE) {
			slots[kept++] = slot;
		}
	}
	qsort(slots, kept, sizeof(*slots), by_slot);
	for (size_t i = 0; i < kept; i++) {
		if (i == 0 || slots[i] != slots[unique - 1]) {
			slots[unique++] = slots[i];
		}
	}
	*ret = slots;
	*ret_n = unique;
	return 0;
}

/* a minus b, both ascending. */
static size_t subtract(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, uint32_t *ret)
{
	size_t n = 0;

	for (size_t i = 0, j = 0; i < na; i++) {
		while (j < nb && b[j] < a[i]) {
			j++;
		}
		if (j == nb || b[j] != a[i]) {
			ret[n++] = a[i];
		}
	}
	return n;
}

/* The arms this decision may draw from. */
static int eligible_arms(const struct experiment *e, const struct select_in *in, struct arena *mem,
    struct ask *ret, struct errinfo *err)
{
	uint32_t *some = NULL, *out = NULL, *left;
	size_t nsome = 0, nout = 0;
	int rc;

	*ret = (struct ask){.slots = e->arms.active,
	    .n = e->arms.nactive,
	    .all = true,
	    .x = in->x,
	    .seq = e->seq + 1,
	    .k = e->slots,
	    .subject = in->subject};
	if (in->has_eligible) {
		rc = resolve(
		    e, in->eligible, in->neligible, "eligible", true, mem, &some, &nsome, err);
		if (rc) {
			return rc;
		}
		ret->slots = some;
		ret->n = nsome;
	}
	if (in->nexclude) {
		if (ret->n > SCAN_MAX) {
			return err_set(err, RC_LIMIT, "too_many", "/exclude",
			    "exclude works with up to %d arms; name the eligible ones", SCAN_MAX);
		}
		rc = resolve(e, in->exclude, in->nexclude, "exclude", false, mem, &out, &nout, err);
		left = rc ? NULL : arena_array(mem, ret->n, sizeof(*left));
		if (!left) {
			return rc ? rc : experiment_no_memory(err);
		}
		ret->n = subtract(ret->slots, ret->n, out, nout, left);
		ret->slots = left;
	}
	ret->all = ret->n == e->arms.nactive;
	if (ret->n == 0 && !(e->traits & POLICY_ARMLESS)) {
		return err_set(err, RC_INVALID, "no_eligible_arm",
		    in->has_eligible ? "/eligible"
		    : in->nexclude   ? "/exclude"
				     : "",
		    "no active arm is left to choose from");
	}
	return 0;
}

static int bad_policy(const struct experiment *e, struct errinfo *err)
{
	return err_set(
	    err, RC_FAILED, "internal", "", "policy %s gave no sound distribution", e->ops->name);
}

/* What a decision is made with. */
struct making {
	const struct experiment *e;
	struct ask ask;
	struct rng policy_rng, rng;
	struct arena *mem;
	struct buf memo;
	struct event_decision *d;
	struct pick *picks; /* room for ask.k */
	const char *forced; /* or NULL */
};

static int take_memo(struct making *m, struct errinfo *err)
{
	void *copy = m->memo.len ? arena_alloc(m->mem, m->memo.len) : NULL;

	if (m->memo.rc || (m->memo.len && !copy)) {
		return experiment_no_memory(err);
	}
	if (copy) {
		memcpy(copy, m->memo.data, m->memo.len);
	}
	m->d->memo = copy;
	m->d->nmemo = m->memo.len;
	return 0;
}

/* Draws without replacement: each arm from what is left of the distribution, which is what its
 * propensity says. The last entry stays as it is when nothing else is left. */
static void draw_more(struct making *m, double *pmf)
{
	size_t n = m->ask.n, k = m->ask.k < n ? m->ask.k : n;
	struct event_decision *d = m->d;

	while (d->npicks < k) {
		double left = 0;
		size_t i;

		for (i = 0; i < n; i++) {
			left += pmf[i];
		}
		if (!(left > 0)) {
			return; /* what is left has no probability */
		}
		for (i = 0; i < n; i++) {
			pmf[i] /= left;
		}
		i = pmf_draw(n, pmf, rng_uniform(&m->rng));
		m->picks[d->npicks++] = (struct pick){m->ask.slots[i], pmf[i]};
		pmf[i] = 0;
	}
}

/* The place of the arm that is to be taken; n: it has no probability. */
static size_t forced_arm(const struct making *m, const double *pmf)
{
	uint32_t slot = arms_find(&m->e->arms, m->forced);
	size_t i = 0;

	while (i < m->ask.n && (m->ask.slots[i] != slot || !(pmf[i] > 0))) {
		i++;
	}
	return i;
}

/* Draws from the whole distribution, floor included; *ret_pmf has one entry per slot of the ask. */
static int draw_from_pmf(struct making *m, const double **ret_pmf, struct errinfo *err)
{
	const struct experiment *e = m->e;
	size_t n = m->ask.n, i;
	double *pmf = arena_array(m->mem, n, sizeof(*pmf));
	double *own = e->ops->note ? arena_array(m->mem, n, sizeof(*own)) : NULL;

	if (!pmf || (e->ops->note && !own)) {
		return experiment_no_memory(err);
	}
	if (m->ask.k > 1 && n > SLATE_WORK_MAX / m->ask.k) {
		return err_set(err, RC_LIMIT, "too_many", "/eligible",
		    "a slate of %u is drawn from at most %u arms; name the eligible ones", m->ask.k,
		    SLATE_WORK_MAX / m->ask.k);
	}
	if (e->ops->pmf(e->state, &m->ask, &m->policy_rng, pmf)) {
		return bad_policy(e, err);
	}
	if (own) {
		memcpy(own, pmf, n * sizeof(*own));
	}
	pmf_floor(n, e->settings.floor, pmf);
	if (pmf_check(n, pmf)) {
		return bad_policy(e, err);
	}
	if (m->ask.k > 1) {
		draw_more(m, pmf);
		return 0;
	}
	i = m->forced ? forced_arm(m, pmf) : pmf_draw(n, pmf, rng_uniform(&m->rng));
	if (i == n) {
		return err_set(err, RC_INVALID, "no_eligible_arm", "/forced",
		    "arm %s cannot be drawn now", m->forced);
	}
	m->picks[0] = (struct pick){.slot = m->ask.slots[i], .propensity = pmf[i]};
	m->d->npicks = 1;
	if (own) {
		e->ops->note(e->state, &m->ask, own, i, &m->memo);
	}
	*ret_pmf = pmf;
	return 0;
}

/* The same distribution without writing it out, for many arms. */
static int draw_sublinear(struct making *m, struct errinfo *err)
{
	const struct experiment *e = m->e;
	double floor = e->settings.floor, p;
	uint32_t slot;

	if (floor > 0 && rng_uniform(&m->rng) < floor) {
		slot = m->ask.slots[rng_below(&m->rng, m->ask.n)];
		p = e->ops->prob(e->state, &m->ask, slot);
	} else if (e->ops->draw(e->state, &m->ask, &m->policy_rng, &slot, &p)) {
		return bad_policy(e, err);
	}
	p = (1 - floor) * p + floor / (double)m->ask.n;
	if (!(p > 0 && p <= 1)) {
		return bad_policy(e, err);
	}
	m->picks[0] = (struct pick){.slot = slot, .propensity = p};
	m->d->npicks = 1;
	return 0;
}

/* The policy answers as a whole. *ret_repeat: an older decision that is the answer, or 0. */
static int choose(struct making *m, uint64_t *ret_repeat, struct errinfo *err)
{
	const struct experiment *e = m->e;
	struct choice c = {.picks = m->picks, .memo = &m->memo};
	int rc = e->ops->choose(e->state, &m->ask, &m->policy_rng, &c, err);

	if (rc == RC_INVALID || rc == RC_LIMIT) {
		return rc;
	}
	if (rc || c.npicks > m->ask.k || !isfinite(c.prediction) || c.repeat > e->seq) {
		return rc == RC_MEMORY ? experiment_no_memory(err) : bad_policy(e, err);
	}
	m->d->npicks = c.npicks;
	m->d->prediction = c.prediction;
	*ret_repeat = c.repeat;
	return 0;
}

/* What the leader's chance was. Which decisions are watched depends on nothing but their number
 * where it takes a search of its own. */
static void watch(struct making *m, const double *pmf)
{
	const struct experiment *e = m->e;
	double floor = e->settings.floor, p;
	size_t i;

	if (m->d->npicks != 1 || m->ask.k != 1 || (!pmf && e->seq % WATCH_EACH != 0)) {
		return;
	}
	i = ask_place(&m->ask, e->leader);
	if (i == m->ask.n) {
		return;
	}
	p = pmf ? pmf[i]
		: (1 - floor) * e->ops->prob(e->state, &m->ask, e->leader) +
		      floor / (double)m->ask.n;
	if (p > 0 && p < 1) {
		m->d->watched = (struct watched){p, m->picks[0].slot == e->leader};
	}
}

static int answer(struct making *m, bool want_pmf, uint64_t *ret_repeat, struct errinfo *err)
{
	const struct experiment *e = m->e;
	const double *pmf = NULL;
	int rc;

	if (e->ops->choose && (!e->ops->pmf || (e->traits & POLICY_FORECAST))) {
		rc = choose(m, ret_repeat, err);
	} else if (m->ask.k == 1 && e->ops->draw && m->ask.all && m->ask.n >= DRAW_FROM &&
		   !want_pmf && !m->forced) {
		rc = draw_sublinear(m, err);
		if (rc == 0) {
			watch(m, NULL);
		}
	} else {
		rc = draw_from_pmf(m, &pmf, err);
		m->d->pmf = want_pmf ? pmf : NULL;
		if (pmf) {
			watch(m, pmf);
		}
	}
	return rc ? rc : take_memo(m, err);
}

/* Of a policy with a stream: the slot's arm may be another when the answer is asked for again. */
static int take_arm(struct making *m, struct errinfo *err)
{
	const char *id = arms_id(&m->e->arms, m->picks[0].slot);

	m->d->arm = arena_text(m->mem, id, strlen(id));
	return m->d->arm ? 0 : experiment_no_memory(err);
}

/* The indices of the named groups, each once; one that is new gets the number it will have. */
static int resolve_groups(
    const struct experiment *e, const struct select_in *in, struct making *m, struct errinfo *err)
{
	uint32_t *groups = arena_array(m->mem, in->ngroups, sizeof(*groups));
	const char **names = arena_array(m->mem, in->ngroups, sizeof(*names));
	uint32_t fresh = e->groups.n;
	char pointer[32];
	size_t n = 0;

	if (!groups || !names) {
		return experiment_no_memory(err);
	}
	for (size_t i = 0; i < in->ngroups; i++) {
		uint32_t g = arms_find(&e->groups, in->groups[i]);
		size_t j = 0;

		if (e->closed_groups && experiment_group(e, in->groups[i]) == ARM_NONE) {
			snprintf(pointer, sizeof(pointer), "/groups/%zu", i);
			return err_set(err, RC_INVALID, "unknown_group", pointer,
			    "no group %s was declared", in->groups[i]);
		}
		while (j < n && strcmp(names[j], in->groups[i]) != 0) {
			j++;
		}
		if (j == n) {
			names[n] = in->groups[i];
			groups[n++] = g == ARM_NONE ? fresh++ : g;
		}
	}
	if (n > GROUPS_MAX) {
		return err_set(err, RC_LIMIT, "too_many", "/groups",
		    "a decision has at most %d groups", GROUPS_MAX);
	}
	if (fresh > GROUPS_ALL_MAX) {
		return err_set(err, RC_LIMIT, "too_many", "/groups",
		    "an experiment has at most %d groups", GROUPS_ALL_MAX);
	}
	m->d->groups = names;
	m->d->ngroups = m->ask.ngroups = n;
	m->ask.groups = groups;
	return 0;
}

static int check_select(const struct experiment *e, const struct select_in *in, struct errinfo *err)
{
	bool armless = e->traits & POLICY_ARMLESS;

	if (e->settings.state != RUN_RUNNING) {
		return err_set(err, RC_STATE,
		    e->settings.state == RUN_PAUSED ? "experiment_paused" : "experiment_archived",
		    "", "experiment %s is %s", e->name, run_state_names[e->settings.state]);
	}
	if ((in->want_pmf || in->forced) && (!e->ops->pmf || armless || e->slots > 1)) {
		return err_set(err, RC_INVALID, "not_supported", "",
		    "policy %s gives no distribution over single arms here", e->ops->name);
	}
	if (in->want_pmf && e->arms.nactive > PMF_MAX) {
		return err_set(err, RC_LIMIT, "too_many", "",
		    "include=pmf answers for up to %d arms", PMF_MAX);
	}
	if (e->dim != (in->x ? in->dim : 0) && (e->traits & POLICY_CONTEXTUAL)) {
		return err_set(err, RC_INVALID, "missing_field", "/context",
		    "policy %s needs the %zu declared features", e->ops->name, e->dim);
	}
	if ((e->traits & POLICY_SUBJECT) && !in->subject) {
		return err_set(err, RC_INVALID, "missing_field", "/subject",
		    "policy %s needs the subject of each decision", e->ops->name);
	}
	if (in->defer && (e->slots > 1 || (e->traits & (POLICY_SLATE | POLICY_FORECAST)))) {
		return err_set(err, RC_INVALID, "not_supported", "/defer",
		    "a decision for other than one arm cannot be deferred");
	}
	if (armless && (in->has_eligible || in->nexclude)) {
		return err_set(err, RC_INVALID, "not_supported",
		    in->has_eligible ? "/eligible" : "/exclude", "policy %s chooses no arms",
		    e->ops->name);
	}
	return 0;
}

/* A test must not wait for ever for one reward. */
static uint64_t window_of(const struct experiment *e, const struct event_decision *d)
{
	const struct stream_ops *stream = e->ops->stream;

	return e->settings.window_us || !stream || !stream->explores(d->memo, d->nmemo)
		   ? e->settings.window_us
		   : stream->rules(e->params).pull_us;
}

/* What the event says beside the answer. */
static void describe(struct making *m, const struct select_in *in, uint64_t at_us)
{
	const struct experiment *e = m->e;
	struct event_decision *d = m->d;

	d->flags = (in->defer ? DECISION_DEFER : 0) | (in->want_pmf ? DECISION_PMF : 0) |
		   (in->has_eligible || in->nexclude ? DECISION_RESTRICTED : 0) |
		   (experiment_is_slate(e) ? DECISION_SLATE : 0) |
		   (e->traits & POLICY_FORECAST ? DECISION_FORECAST : 0) |
		   (e->traits & POLICY_FULL ? DECISION_RESTRICTED : 0);
	if (d->flags & (DECISION_RESTRICTED | DECISION_PMF)) {
		d->slots = m->ask.slots;
		d->nslots = m->ask.n;
	}
	d->picks = m->picks;
	d->id = in->id;
	d->fingerprint = in->id ? in->fingerprint : 0;
	d->expires_us = window_of(e, d) ? at_us + window_of(e, d) : 0;
	d->x = in->x;
	d->dim = in->dim;
	d->subject = in->subject;
	d->context = in->context;
}

int experiment_select(const struct experiment *e, const struct select_in *in, uint64_t at_us,
    struct arena *mem, struct event *ret_ev, struct errinfo *err)
{
	struct event ev = experiment_next(e, EVENT_DECISION, at_us);
	struct making m = {.e = e,
	    .policy_rng = rng_at(e->seed, ev.seq, RNG_POLICY),
	    .rng = rng_at(e->seed, ev.seq, RNG_DRAW),
	    .mem = mem,
	    .forced = in->forced,
	    .d = &ev.decision,
	    .picks = arena_array(mem, e->slots, sizeof(struct pick))};
	uint64_t repeat = 0;
	int rc = check_select(e, in, err);

	buf_init(&m.memo, MEMO_MAX);
	if (rc == 0) {
		rc = m.picks ? eligible_arms(e, in, mem, &m.ask, err) : experiment_no_memory(err);
	}
	m.ask.at_us = ev.at_us;
	if (rc == 0 && in->ngroups) {
		rc = resolve_groups(e, in, &m, err);
	}
	if (rc == 0) {
		rc = answer(&m, in->want_pmf, &repeat, err);
	}
	buf_release(&m.memo);
	if (rc == 0 && e->ops->stream) {
		rc = take_arm(&m, err);
	}
	if (rc) {
		return rc;
	}
	if (repeat) {
		ev.kind = (enum event_kind)0;
		ev.seq = repeat;
	} else {
		describe(&m, in, ev.at_us);
	}
	*ret_ev = ev;
	return 0;
}
