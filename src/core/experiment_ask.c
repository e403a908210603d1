/* SPDX-License-Identifier: Apache-2.0 */
/* The questions: each is const and answers with the event that would change the state. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/experiment_impl.h"
#include "core/pmf.h"

static int out_of_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

static struct event next_event(const struct experiment *e, enum event_kind kind, uint64_t at_us)
{
	struct event ev;

	memset(&ev, 0, sizeof(ev));
	ev.kind = kind;
	ev.seq = e->seq + 1;
	ev.at_us =
	    at_us > e->at_us ? at_us : e->at_us; /* the clock may jump back; the log does not */
	return ev;
}

static uint32_t id_check(const struct experiment *e, uint64_t seq)
{
	struct rng rng = rng_at(e->seed, seq, RNG_ID);

	return (uint32_t)rng_u64(&rng);
}

const char *experiment_decision_id(
    const struct experiment *e, const struct event *d, char scratch[DECISION_ID_MAX])
{
	if (d->decision.id) {
		return d->decision.id;
	}
	snprintf(scratch, DECISION_ID_MAX, "d:%" PRIu64 "-%08" PRIx32, d->seq, id_check(e, d->seq));
	return scratch;
}

bool decision_id_is_made(const char *id)
{
	return strncmp(id, "d:", 2) == 0;
}

uint64_t experiment_decision_seq(const struct experiment *e, const char *id)
{
	char again[DECISION_ID_MAX];
	uint64_t seq;
	char *end;

	if (!decision_id_is_made(id) || strlen(id) >= DECISION_ID_MAX) {
		return 0;
	}
	seq = strtoull(id + 2, &end, 10);
	snprintf(again, sizeof(again), "d:%" PRIu64 "-%08" PRIx32, seq, id_check(e, seq));
	return strcmp(again, id) == 0 ? seq : 0;
}

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
		return out_of_memory(err);
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

	*ret = (struct ask){.slots = e->arms.active, .n = e->arms.nactive, .all = true, .x = in->x};
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
			return rc ? rc : out_of_memory(err);
		}
		ret->n = subtract(ret->slots, ret->n, out, nout, left);
		ret->slots = left;
	}
	ret->all = ret->n == e->arms.nactive;
	if (ret->n == 0) {
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

/* Draws from the whole distribution, floor included; *ret_pmf has one entry per slot of the ask. */
static int draw_from_pmf(const struct experiment *e, const struct ask *ask, struct rng *policy_rng,
    struct rng *rng, struct arena *mem, double **ret_pmf, struct pick *ret, struct errinfo *err)
{
	double *pmf = arena_array(mem, ask->n, sizeof(*pmf));
	size_t i;

	if (!pmf) {
		return out_of_memory(err);
	}
	if (e->ops->pmf(e->state, ask, policy_rng, pmf)) {
		return bad_policy(e, err);
	}
	pmf_floor(ask->n, e->settings.floor, pmf);
	if (pmf_check(ask->n, pmf)) {
		return bad_policy(e, err);
	}
	i = pmf_draw(ask->n, pmf, rng_uniform(rng));
	*ret = (struct pick){.slot = ask->slots[i], .propensity = pmf[i]};
	*ret_pmf = pmf;
	return 0;
}

/* The same distribution without writing it out, for many arms. */
static int draw_sublinear(const struct experiment *e, const struct ask *ask, struct rng *policy_rng,
    struct rng *rng, struct pick *ret, struct errinfo *err)
{
	double floor = e->settings.floor, p;
	uint32_t slot;

	if (floor > 0 && rng_uniform(rng) < floor) {
		slot = ask->slots[rng_below(rng, ask->n)];
		p = e->ops->prob(e->state, ask, slot);
	} else if (e->ops->draw(e->state, ask, policy_rng, &slot, &p)) {
		return bad_policy(e, err);
	}
	p = (1 - floor) * p + floor / (double)ask->n;
	if (!(p > 0 && p <= 1)) {
		return bad_policy(e, err);
	}
	*ret = (struct pick){.slot = slot, .propensity = p};
	return 0;
}

static int check_select(const struct experiment *e, const struct select_in *in, struct errinfo *err)
{
	if (e->settings.state != RUN_RUNNING) {
		return err_set(err, RC_STATE,
		    e->settings.state == RUN_PAUSED ? "experiment_paused" : "experiment_archived",
		    "", "experiment %s is %s", e->name, run_state_names[e->settings.state]);
	}
	if (in->want_pmf && e->arms.nactive > PMF_MAX) {
		return err_set(err, RC_LIMIT, "too_many", "",
		    "include=pmf answers for up to %d arms", PMF_MAX);
	}
	if (experiment_env(e).dim != (in->x ? in->dim : 0) && (e->ops->flags & POLICY_CONTEXTUAL)) {
		return err_set(err, RC_INVALID, "missing_field", "/context",
		    "policy %s needs the %zu declared features", e->ops->name, e->nfeatures);
	}
	return 0;
}

int experiment_select(const struct experiment *e, const struct select_in *in, uint64_t at_us,
    struct arena *mem, struct event *ret_ev, struct errinfo *err)
{
	struct event ev = next_event(e, EVENT_DECISION, at_us);
	struct event_decision *d = &ev.decision;
	struct rng policy_rng = rng_at(e->seed, ev.seq, RNG_POLICY);
	struct rng rng = rng_at(e->seed, ev.seq, RNG_DRAW);
	struct pick *pick = arena_alloc(mem, sizeof(*pick));
	double *pmf = NULL;
	struct ask ask;
	int rc = check_select(e, in, err);

	if (rc == 0) {
		rc = pick ? eligible_arms(e, in, mem, &ask, err) : out_of_memory(err);
	}
	if (rc) {
		return rc;
	}
	if (e->ops->draw && ask.all && ask.n >= DRAW_FROM && !in->want_pmf) {
		rc = draw_sublinear(e, &ask, &policy_rng, &rng, pick, err);
	} else {
		rc = draw_from_pmf(e, &ask, &policy_rng, &rng, mem, &pmf, pick, err);
	}
	if (rc) {
		return rc;
	}
	d->flags = (in->defer ? DECISION_DEFER : 0) | (in->want_pmf ? DECISION_PMF : 0) |
		   (in->has_eligible || in->nexclude ? DECISION_RESTRICTED : 0);
	if (d->flags & (DECISION_RESTRICTED | DECISION_PMF)) {
		d->slots = ask.slots;
		d->nslots = ask.n;
	}
	d->pmf = in->want_pmf ? pmf : NULL;
	d->picks = pick;
	d->npicks = 1;
	d->id = in->id;
	d->fingerprint = in->id ? in->fingerprint : 0;
	d->expires_us = e->settings.window_us ? ev.at_us + e->settings.window_us : 0;
	d->x = in->x;
	d->dim = in->dim;
	d->subject = in->subject;
	d->context = in->context;
	d->groups = in->groups;
	d->ngroups = in->ngroups;
	*ret_ev = ev;
	return 0;
}

/* Feedback to decision d, with what its update will need copied over. */
static struct event feedback_event(
    const struct experiment *e, const struct event *d, enum event_kind kind, uint64_t at_us)
{
	struct event ev = next_event(e, kind, at_us);

	ev.feedback.ref = d->seq;
	ev.feedback.id = d->decision.id;
	ev.feedback.pick = d->decision.picks[0];
	ev.feedback.x = d->decision.x;
	ev.feedback.dim = d->decision.dim;
	return ev;
}

static double clip(const struct experiment *e, double v)
{
	return v < e->lo ? e->lo : v > e->hi ? e->hi : v;
}

static bool is_retired(const struct experiment *e, const struct event *d)
{
	return e->arms.arm[d->decision.picks[0].slot].state == ARM_RETIRED;
}

/* The aggregate that is held once this reward has come. */
static double aggregate_with(const struct experiment *e, const struct pending *p, double reward)
{
	if (p->rewards == 0) {
		return reward;
	}
	switch (e->settings.aggregate) {
	case AGGREGATE_FIRST:
		return p->held;
	case AGGREGATE_LAST:
		return reward;
	case AGGREGATE_SUM:
		return p->held + reward;
	case AGGREGATE_MAX:
		return reward > p->held ? reward : p->held;
	}
	return reward;
}

static void learn_now(struct event_feedback *f, const struct pending *p, double value)
{
	f->status = FEEDBACK_LEARNT;
	f->learn = value;
	f->flags |= FEEDBACK_LEARN;
	f->flags |= pending_is_open(p) ? FEEDBACK_CLOSE : 0;
	f->flags |= p->flags & PENDING_LOST ? FEEDBACK_REVIVED : 0;
}

static bool is_unshown(const struct pending *p)
{
	return (p->flags & PENDING_DEFERRED) && !(p->flags & PENDING_ACTIVATED);
}

/* Its window has closed and what was held, or the default, is about to be learnt: a reward that
 * comes now fares as one that comes just after. */
static bool is_closing(const struct experiment *e, const struct pending *p)
{
	return pending_is_open(p) && !is_unshown(p) && (p->rewards || e->settings.has_fallback);
}

/* What becomes of a reward, by the rules of the experiment: status, flags and value in f. */
static void judge_reward(const struct experiment *e, const struct event *d, const struct pending *p,
    double clipped, bool late, struct event_feedback *f)
{
	bool first = e->settings.aggregate == AGGREGATE_FIRST;

	if (p->flags & PENDING_LEARNT && (first || !late)) {
		f->status = FEEDBACK_DUPLICATE;
	} else if (is_retired(e, d)) {
		f->status = FEEDBACK_RECORDED;
	} else if (late && e->settings.late == LATE_DROP) {
		f->status = FEEDBACK_LATE;
	} else if (late && (e->settings.late == LATE_RECORD || p->flags & PENDING_LEARNT ||
			       is_closing(e, p))) {
		f->status = FEEDBACK_RECORDED;
	} else if (late) {
		learn_now(f, p, clipped);
	} else if (first && p->rewards) {
		f->status = FEEDBACK_DUPLICATE; /* the first one is held until activation */
	} else if (first && !is_unshown(p)) {
		learn_now(f, p, clipped);
	} else {
		f->status = FEEDBACK_PENDING;
		f->learn = aggregate_with(e, p, clipped);
	}
}

static int check_feedback(const struct experiment *e, const struct pending *p, struct errinfo *err)
{
	if (e->settings.state == RUN_ARCHIVED) {
		return err_set(
		    err, RC_STATE, "experiment_archived", "", "experiment %s is archived", e->name);
	}
	if (p->flags & PENDING_VOID) {
		return err_set(
		    err, RC_STATE, "decision_void", "/decision", "the decision was made void");
	}
	return 0;
}

int experiment_reward(const struct experiment *e, const struct event *d, const struct pending *p,
    const struct reward_in *in, uint64_t at_us, struct event *ret_ev,
    enum feedback_status *ret_status, struct errinfo *err)
{
	struct event ev = feedback_event(e, d, EVENT_REWARD, at_us);
	struct event_feedback *f = &ev.feedback;
	bool late = d->decision.expires_us && ev.at_us >= d->decision.expires_us;
	int rc = check_feedback(e, p, err);

	if (rc) {
		return rc;
	}
	if (!isfinite(in->reward)) {
		return err_set(err, RC_INVALID, "out_of_range", "/reward", "reward must be finite");
	}
	f->reward = in->reward;
	f->key = in->key;
	f->fingerprint = in->key ? in->fingerprint : 0;
	late = late || p->flags & PENDING_EXPIRED;
	f->flags = (late ? FEEDBACK_IS_LATE : 0) |
		   (clip(e, in->reward) != in->reward ? FEEDBACK_CLIPPED : 0);
	judge_reward(e, d, p, clip(e, in->reward), late, f);
	if (f->status == FEEDBACK_LATE || f->status == FEEDBACK_DUPLICATE) {
		ev.kind = (enum event_kind)0;
	}
	*ret_status = f->status;
	*ret_ev = ev;
	return 0;
}

int experiment_activate(const struct experiment *e, const struct event *d, const struct pending *p,
    uint64_t at_us, struct event *ret_ev, struct errinfo *err)
{
	struct event ev = feedback_event(e, d, EVENT_ACTIVATE, at_us);
	int rc = check_feedback(e, p, err);

	if (rc) {
		return rc;
	}
	if (!(p->flags & PENDING_DEFERRED)) {
		return err_set(err, RC_STATE, "decision_not_deferred", "",
		    "only a decision made with \"defer\": true is activated");
	}
	if (p->flags & PENDING_ACTIVATED) {
		return RC_EXISTS;
	}
	if (!pending_is_open(p)) {
		return err_set(err, RC_STATE, "decision_closed", "", "its window has closed");
	}
	if (p->rewards && e->settings.aggregate == AGGREGATE_FIRST && !is_retired(e, d)) {
		learn_now(&ev.feedback, p, p->held);
	}
	*ret_ev = ev;
	return 0;
}

int experiment_void(const struct experiment *e, const struct event *d, const struct pending *p,
    uint64_t at_us, struct event *ret_ev, struct errinfo *err)
{
	struct event ev = feedback_event(e, d, EVENT_VOID, at_us);

	if (p->flags & PENDING_VOID) {
		return RC_EXISTS;
	}
	if (e->settings.state == RUN_ARCHIVED || !pending_is_open(p)) {
		return err_set(err, RC_STATE, "decision_closed", "",
		    "the decision has been learnt from or its window has closed");
	}
	ev.feedback.flags = FEEDBACK_CLOSE | (is_retired(e, d) ? 0 : FEEDBACK_LOST);
	*ret_ev = ev;
	return 0;
}

int experiment_expire(const struct experiment *e, const struct event *d, const struct pending *p,
    uint64_t at_us, struct event *ret_ev)
{
	struct event ev = feedback_event(e, d, EVENT_EXPIRY, at_us);

	if (!pending_is_open(p)) {
		return RC_EXISTS;
	}
	if (d->decision.expires_us == 0 || ev.at_us < d->decision.expires_us) {
		return RC_STATE;
	}
	if (is_retired(e, d)) {
		ev.feedback.flags = FEEDBACK_CLOSE;
	} else if (!is_unshown(p) && (p->rewards || e->settings.has_fallback)) {
		learn_now(&ev.feedback, p, p->rewards ? clip(e, p->held) : e->settings.fallback);
	} else {
		ev.feedback.flags = FEEDBACK_CLOSE | FEEDBACK_LOST;
	}
	*ret_ev = ev;
	return 0;
}
