/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "needed.h"

#define LOG_MAX (64u << 20)
#define ARENA_MAX (1u << 20)

/* A value near or at one end of the range; false when there is no such end. */
static bool end_of_range(const struct param_desc *d, bool high, double *ret)
{
	double end = high ? d->max : d->min, from = isfinite(d->dflt) ? d->dflt : 0;
	bool open = d->flags & (high ? PARAM_OPEN_MAX : PARAM_OPEN_MIN);

	if (d->type == PARAM_BOOL) {
		*ret = high;
		return true;
	}
	if (d->type == PARAM_CHOICE || d->type == PARAM_TEXT || d->type == PARAM_LIST ||
	    !isfinite(end)) {
		return false;
	}
	*ret = open ? end + (from - end) * 1e-3 : end;
	return !open || from != end;
}

static size_t count_choices(const struct param_desc *d)
{
	size_t n = 0;

	while (d->choices[n]) {
		n++;
	}
	return n;
}

void must(const struct variant *v, bool holds, const char *claim)
{
	if (!holds) {
		ck_abort_msg("%s: %s", v->text, claim);
	}
}

static void append_param(struct variant *v, const struct spec_param *p)
{
	size_t len = strlen(v->text), room = sizeof(v->text) - len;
	char sep = v->nparams ? ',' : ':';

	if (p->text) {
		snprintf(v->text + len, room, "%c%s=%s", sep, p->name, p->text);
	} else {
		snprintf(v->text + len, room, "%c%s=%.9g", sep, p->name, p->number);
	}
	v->param[v->nparams++] = *p;
}

static void add_param(struct variant *v, const struct spec_param *p)
{
	for (size_t i = 0; i < v->nparams; i++) {
		if (strcmp(v->param[i].name, p->name) == 0) {
			v->nparams = i; /* the needed one, which is the only one so far */
			v->text[strlen(v->ops->name)] = '\0';
		}
	}
	append_param(v, p);
}

/* The k-th setting of one parameter, counted over all choices and ends; false when past the last.
 */
static bool single(const struct policy_ops *ops, bool choices, size_t k, struct spec_param *ret)
{
	for (const struct param_desc *d = ops->params; d && d->name; d++) {
		*ret = (struct spec_param){.name = d->name};
		if (choices && d->type == PARAM_CHOICE) {
			size_t n = count_choices(d);

			for (size_t c = 0; c < n; c++) {
				if (c != (size_t)d->dflt && k-- == 0) {
					ret->text = d->choices[c];
					return true;
				}
			}
		}
		for (int high = 0; !choices && high < 2; high++) {
			if (end_of_range(d, high, &ret->number) && ret->number != d->dflt &&
			    k-- == 0) {
				return true;
			}
		}
	}
	return false;
}

bool variant_next(const struct policy_ops *ops, size_t *i, struct variant *ret)
{
	struct spec_param p;
	size_t choices = 0, ends = 0, k = (*i)++;

	while (single(ops, true, choices, &p)) {
		choices++;
	}
	while (single(ops, false, ends, &p)) {
		ends++;
	}
	if (k >= (choices + 1) * (ends + 1)) {
		return false;
	}
	*ret = (struct variant){.ops = ops};
	snprintf(ret->text, sizeof(ret->text), "%s", ops->name);
	if (policy_needs(ops, &p)) {
		add_param(ret, &p);
	}
	if (k % (choices + 1)) {
		single(ops, true, k % (choices + 1) - 1, &p);
		add_param(ret, &p);
	}
	if (k / (choices + 1)) {
		single(ops, false, k / (choices + 1) - 1, &p);
		add_param(ret, &p);
	}
	return true;
}

static struct experiment *create(const struct world *w, struct errinfo *err)
{
	struct experiment *e = NULL;
	int rc = experiment_new(&w->spec, w->v->ops, 1, &e, err);

	ck_assert_msg(rc == 0 || rc == RC_INVALID, "%s: %s", w->v->text, err_name(rc));
	return e;
}

struct world *world_new(const struct variant *v, size_t arms, const struct settings *settings)
{
	static const char *const features[WORLD_DIM] = {"u", "v", "w"};
	struct world *w = calloc(1, sizeof(*w));
	struct errinfo err = {.rc = 0};

	ck_assert_ptr_nonnull(w);
	for (size_t i = 0; i < WORLD_ARMS_MAX; i++) {
		snprintf(w->ids[i], sizeof(w->ids[i]), "a%zu", i);
		w->arms[i] = (struct spec_arm){.id = w->ids[i], .label = ""};
	}
	w->v = v;
	w->spec = (struct experiment_spec){
	    .name = "world",
	    .policy = v->ops->name,
	    .params = v->param,
	    .nparams = v->nparams,
	    .arms = w->arms,
	    .narms = arms,
	    .slots = 1,
	    .seed = 7,
	    .hi = 1,
	    .features = features,
	    .nfeatures = v->ops->flags & POLICY_CONTEXTUAL ? WORLD_DIM : 0,
	    .settings = settings ? *settings : (struct settings){.label = ""},
	};
	arena_init(&w->mem, ARENA_MAX);
	arena_init(&w->old, ARENA_MAX);
	buf_init(&w->log, LOG_MAX);
	w->rng = rng_at(1, 0, RNG_TEST);
	w->now_us = 1;
	w->e = create(w, &err);
	/* What is told of all arms, or of none, has tests of its own. */
	if (!w->e || (experiment_traits(w->e) & (POLICY_FORECAST | POLICY_FULL))) {
		world_free(w);
		return NULL;
	}
	return w;
}

void world_free(struct world *w)
{
	if (w) {
		experiment_free(w->e);
		arena_release(&w->mem);
		arena_release(&w->old);
		buf_release(&w->log);
		free(w);
	}
}

void world_commit(struct world *w, const struct event *ev)
{
	must(w->v, ev->seq < WORLD_EVENTS_MAX, "log too long");
	w->at[ev->seq] = w->log.len;
	event_encode(ev, &w->log);
	w->at[ev->seq + 1] = w->log.len;
	must(w->v, w->log.rc == 0, "event is not encoded");
	must(w->v, experiment_reserve(w->e, ev) == 0, "reserve fails");
	must(w->v, experiment_apply(w->e, ev) == 0, "event is not applied");
	if (ev->kind == EVENT_DECISION) {
		pending_start(&w->pending[ev->seq], &ev->decision);
	} else if (event_is_feedback(ev)) {
		pending_apply(&w->pending[ev->feedback.ref], ev);
	}
}

const char *subject_name(uint64_t i)
{
	static const char *const names[WORLD_SUBJECTS] = {
	    "ann", "ben", "cem", "dee", "eva", "fay", "gus"};

	return names[i];
}

struct event world_select(struct world *w, struct select_in *in)
{
	const struct policy_ops *ops = w->v->ops;
	struct errinfo err = {.rc = 0};
	struct event ev;
	int rc;

	if (ops->traits || (ops->flags & POLICY_SUBJECT)) {
		in->subject = subject_name(w->subjects++ ? rng_below(&w->rng, WORLD_SUBJECTS) : 0);
	}
	in->want_pmf = in->want_pmf && ops->pmf;

	if (w->v->ops->flags & POLICY_CONTEXTUAL) {
		for (size_t i = 0; i < WORLD_DIM; i++) {
			w->x[i] = rng_uniform(&w->rng);
		}
		in->x = w->x;
		in->dim = WORLD_DIM;
	}
	arena_reset(&w->mem);
	rc = experiment_select(w->e, in, ++w->now_us, &w->mem, &ev, &err);
	if (rc == RC_LIMIT) {
		in->subject = subject_name(0); /* whom it knows */
		rc = experiment_select(w->e, in, w->now_us, &w->mem, &ev, &err);
	}
	must(w->v, rc == 0, err.text);
	world_commit(w, &ev);
	return ev;
}

struct event world_event(struct world *w, uint64_t seq)
{
	struct event ev;
	int rc;

	arena_reset(&w->old);
	rc = event_decode(w->log.data + w->at[seq], w->at[seq + 1] - w->at[seq], seq, &w->old, &ev);
	must(w->v, rc == 0, "event is not decoded");
	return ev;
}

enum feedback_status world_reward(struct world *w, uint64_t decision, double reward)
{
	struct event d = world_event(w, decision), ev;
	struct reward_in in = {.reward = reward};
	enum feedback_status status = FEEDBACK_STATUSES;
	int rc;

	rc = experiment_reward(
	    w->e, &d, &w->pending[decision], &in, ++w->now_us, &w->mem, &ev, &status, NULL);
	must(w->v, rc == 0, "reward is refused");
	if (ev.kind) {
		world_commit(w, &ev);
	}
	return status;
}

int world_expire(struct world *w, uint64_t decision)
{
	struct event d = world_event(w, decision), ev;
	int rc;

	if (d.decision.expires_us > w->now_us) {
		w->now_us = d.decision.expires_us;
	}
	rc = experiment_expire(w->e, &d, &w->pending[decision], w->now_us, &w->mem, &ev);
	if (rc == 0) {
		world_commit(w, &ev);
	}
	return rc;
}

int world_void(struct world *w, uint64_t decision)
{
	struct event d = world_event(w, decision), ev;
	int rc = experiment_void(w->e, &d, &w->pending[decision], ++w->now_us, &w->mem, &ev, NULL);

	if (rc == 0) {
		world_commit(w, &ev);
	}
	return rc;
}

int world_activate(struct world *w, uint64_t decision)
{
	struct event d = world_event(w, decision), ev;
	int rc =
	    experiment_activate(w->e, &d, &w->pending[decision], ++w->now_us, &w->mem, &ev, NULL);

	if (rc == 0) {
		world_commit(w, &ev);
	}
	return rc;
}

void world_add_arm(struct world *w)
{
	struct event ev;

	arena_reset(&w->mem);
	ck_assert_int_eq(experiment_add_arms(w->e, &w->arms[experiment_arms(w->e)->n], NULL, 1,
			     ++w->now_us, &w->mem, &ev, NULL),
	    0);
	world_commit(w, &ev);
}

int world_set_arm(struct world *w, uint32_t slot, enum arm_state to)
{
	struct event ev;
	int rc;

	arena_reset(&w->mem);
	rc = experiment_set_arm(w->e, slot, to, ++w->now_us, &w->mem, &ev, NULL);
	if (rc == 0) {
		world_commit(w, &ev);
	}
	return rc;
}

struct experiment *world_replay(struct world *w)
{
	struct experiment *e = create(w, NULL);

	ck_assert_ptr_nonnull(e);
	for (uint64_t seq = 2; seq <= experiment_seq(w->e); seq++) {
		struct event ev = world_event(w, seq);

		must(w->v, experiment_apply(e, &ev) == 0, "event is not applied again");
	}
	return e;
}

bool same_state(const struct experiment *a, const struct experiment *b)
{
	unsigned char x[16], y[16];

	ck_assert_int_eq(experiment_digest(a, x) | experiment_digest(b, y), 0);
	return memcmp(x, y, sizeof(x)) == 0;
}
