/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/frozen.h"

#include <stdlib.h>
#include <string.h>

#define MEM_MAX ((size_t)64 << 20)
#define NOT_LOGGED UINT32_MAX

struct frozen {
	struct experiment *e;
	struct arena mem;
	const char *const *arms; /* of the log, borrowed */
	size_t narms;
	uint32_t *arm_of; /* by slot of the experiment, or NOT_LOGGED */
	double *p;        /* by arm of the log */
	double missing;
	bool asked; /* without eligible arms and context: the answer stays */
};

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* A question about what it would do; nobody is served by it. */
static int make_running(struct experiment *e)
{
	struct event ev = {.kind = EVENT_CHANGE, .seq = experiment_seq(e) + 1};

	if (experiment_settings(e)->state == RUN_RUNNING) {
		return 0;
	}
	ev.change = *experiment_settings(e);
	ev.change.state = RUN_RUNNING;
	return experiment_apply(e, &ev);
}

int frozen_new(struct experiment *e, struct frozen **ret, struct errinfo *err)
{
	const struct policy_ops *ops = experiment_policy(e);
	unsigned traits = experiment_traits(e);
	struct frozen *f;
	int rc;

	if (!ops->pmf || ops->flags & POLICY_MEMORY ||
	    traits & (POLICY_SLATE | POLICY_FORECAST | POLICY_SUBJECT | POLICY_ARMLESS)) {
		return err_set(err, RC_INVALID, "target", experiment_name(e),
		    "policy %s gives no distribution over single arms by context alone", ops->name);
	}
	f = calloc(1, sizeof(*f));
	rc = f ? make_running(e) : RC_MEMORY;
	if (rc) {
		free(f);
		return err_set(err, rc, "failed", experiment_name(e), "%s", err_name(rc));
	}
	f->e = e;
	arena_init(&f->mem, MEM_MAX);
	*ret = f;
	return 0;
}

void frozen_free(struct frozen *f)
{
	if (f) {
		experiment_free(f->e);
		arena_release(&f->mem);
		free(f->arm_of);
		free(f->p);
		free(f);
	}
}

int frozen_bind(struct frozen *f, const char *const *arms, size_t narms, struct errinfo *err)
{
	const struct arms *own = experiment_arms(f->e);

	free(f->arm_of);
	free(f->p);
	f->arm_of = calloc((size_t)own->n + 1, sizeof(*f->arm_of));
	f->p = calloc(narms + 1, sizeof(*f->p));
	if (!f->arm_of || !f->p) {
		return no_memory(err);
	}
	f->arms = arms;
	f->narms = narms;
	f->asked = false;
	memset(f->arm_of, 0xff, own->n * sizeof(*f->arm_of));
	for (uint32_t i = 0; i < narms; i++) {
		uint32_t slot = arms_find(own, arms[i]);

		if (slot == ARM_NONE) {
			return err_set(err, RC_NOT_FOUND, "target", experiment_name(f->e),
			    "the log has the arm %s, and the experiment has not", arms[i]);
		}
		f->arm_of[slot] = i;
	}
	return 0;
}

static int question(struct frozen *f, const struct round *r, struct select_in *ret)
{
	const char **ids = arena_array(&f->mem, r->neligible, sizeof(*ids));

	for (size_t i = 0; ids && i < r->neligible; i++) {
		ids[i] = f->arms[r->eligible[i]];
	}
	*ret = (struct select_in){.want_pmf = true,
	    .x = experiment_dim(f->e) ? r->x : NULL,
	    .dim = experiment_dim(f->e),
	    .eligible = ids,
	    .neligible = r->neligible,
	    .has_eligible = r->neligible > 0};
	return ids ? 0 : RC_MEMORY;
}

int frozen_ask(struct frozen *f, const struct round *r, struct errinfo *err)
{
	size_t dim = experiment_dim(f->e);
	struct select_in in;
	struct event d;
	int rc;

	if (f->asked) {
		return 0;
	}
	if (dim && r->dim != dim) {
		return err_set(err, RC_INVALID, "target", experiment_name(f->e),
		    "the policy reads %zu features, and the round at line %llu has %zu", dim,
		    (unsigned long long)r->line, r->dim);
	}
	arena_reset(&f->mem);
	rc = question(f, r, &in);
	rc = rc ? rc : experiment_select(f->e, &in, r->at_us, &f->mem, &d, err);
	if (rc) {
		return err_set(err, rc, "failed", "", "%s", err_name(rc));
	}
	memset(f->p, 0, f->narms * sizeof(*f->p));
	f->missing = 0;
	for (size_t i = 0; i < d.decision.nslots; i++) {
		uint32_t arm = f->arm_of[d.decision.slots[i]];

		*(arm == NOT_LOGGED ? &f->missing : &f->p[arm]) += d.decision.pmf[i];
	}
	f->asked = dim == 0 && r->neligible == 0;
	return 0;
}

double frozen_prob(const struct frozen *f, uint32_t arm)
{
	return f->p[arm];
}

double frozen_missing(const struct frozen *f)
{
	return f->missing;
}
