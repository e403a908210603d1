/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <check.h>
#include <stdlib.h>

#include "core/pmf.h"

#define SEED 11
#define MEMO_ROOM 4096

static bool set_params(struct rig *r, const struct variant *v)
{
	param_defaults(r->ops->params, r->params);
	for (size_t i = 0; i < v->nparams; i++) {
		const struct spec_param *p = &v->param[i];
		const struct param_desc *d = param_find(r->ops->params, p->name);
		int rc;

		ck_assert_ptr_nonnull(d);
		if (p->text) {
			rc = param_set_text(d, r->params, p->text, "", NULL);
		} else if (d->type == PARAM_BOOL) {
			rc = param_set_bool(d, r->params, p->number != 0, "", NULL);
		} else {
			rc = param_set_number(d, r->params, p->number, "", NULL);
		}
		ck_assert_msg(rc == 0, "%s", v->text);
	}
	return !r->ops->check || r->ops->check(r->params, NULL) == 0;
}

/* What learns from one reward of one arm; the others have tests of their own. */
static bool is_for_rig(const struct rig *r)
{
	unsigned traits = r->ops->traits ? r->ops->traits(r->params) : r->ops->flags;

	return (traits & (POLICY_FORECAST | POLICY_FULL)) == 0;
}

bool rig_init(struct rig *r, const struct variant *v, double lo, double hi)
{
	*r = (struct rig){.v = *v, .ops = v->ops};
	r->params = calloc(1, v->ops->params_size ? v->ops->params_size : 1);
	ck_assert_ptr_nonnull(r->params);
	if (!set_params(r, v) || !is_for_rig(r)) {
		rig_release(r);
		return false;
	}
	r->env = (struct policy_env){
	    .params = r->params,
	    .dim = v->ops->flags & POLICY_CONTEXTUAL ? WORLD_DIM : 0,
	    .lo = lo,
	    .hi = hi,
	};
	r->ask = (struct ask){.slots = r->slots, .all = true, .x = r->env.dim ? r->x : NULL};
	r->rng = rng_at(SEED, 0, RNG_TEST);
	r->ask.k = 1;
	r->subjects = (r->ops->traits ? r->ops->traits(r->params) : r->ops->flags) & POLICY_SUBJECT;
	buf_init(&r->memo, MEMO_MAX);
	ck_assert_int_eq(buf_reserve(&r->memo, MEMO_ROOM), 0); /* not while memory is counted */
	ck_assert_int_eq(r->ops->create(&r->env, &r->state), 0);
	return true;
}

void rig_release(struct rig *r)
{
	r->ops->destroy(r->state);
	buf_release(&r->memo);
	free(r->params);
}

int rig_add_arms(struct rig *r, uint32_t n)
{
	int rc = r->ops->reserve(r->state, r->ask.n + n);

	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		r->slots[r->ask.n] = (uint32_t)r->ask.n;
		r->ops->arm_add(r->state, (uint32_t)r->ask.n++);
	}
	return rc;
}

/* For whom choose() is asked; one that a full state knows when it refuses another. */
static int choose(struct rig *r, struct rng *rng, struct pick *ret)
{
	struct choice c = {.picks = ret, .memo = &r->memo};
	int rc;

	r->ask.seq = r->seq;
	buf_reset(&r->memo);
	rc = r->ops->choose(r->state, &r->ask, rng, &c, NULL);
	if (rc == RC_LIMIT) {
		r->ask.subject = subject_name(0);
		rc = r->ops->choose(r->state, &r->ask, rng, &c, NULL);
	}
	must(&r->v, rc == 0 && c.npicks == 1 && c.repeat == 0, "choose fails");
	return rc;
}

void rig_pmf(struct rig *r, uint64_t i)
{
	struct rng rng = rng_at(SEED, i, RNG_POLICY);
	struct pick pick;

	if (r->ops->pmf) {
		must(&r->v, r->ops->pmf(r->state, &r->ask, &rng, r->pmf) == 0, "pmf fails");
	} else {
		choose(r, &rng, &pick);
		for (size_t k = 0; k < r->ask.n; k++) {
			r->pmf[k] = r->slots[k] == pick.slot;
		}
	}
	must(&r->v, pmf_check(r->ask.n, r->pmf) == 0, "not a distribution");
}

void rig_pulled(struct rig *r, uint32_t slot, double propensity)
{
	if (r->ops->reserve_subject && r->ask.subject) {
		must(&r->v, r->ops->reserve_subject(r->state, r->ask.subject) == 0,
		    "no room for a subject");
	}
	if (r->ops->pulled) {
		r->ops->pulled(r->state, &(struct pull){.seq = r->seq,
					     .picks = &(struct pick){slot, propensity},
					     .npicks = 1,
					     .x = r->ask.x,
					     .subject = r->ask.subject,
					     .memo = r->memo.data,
					     .nmemo = r->memo.len});
	}
}

uint32_t rig_select(struct rig *r, double *ret_propensity)
{
	struct rng rng = rng_at(SEED, ++r->seq, RNG_POLICY);
	struct pick pick;
	size_t i;

	for (size_t k = 0; k < r->env.dim; k++) {
		r->x[k] = rng_uniform(&r->rng);
	}
	if (r->subjects) {
		r->ask.subject = subject_name(r->seq > 1 ? rng_below(&r->rng, WORLD_SUBJECTS) : 0);
	}
	if (r->ops->choose && !r->ops->pmf) {
		choose(r, &rng, &pick);
	} else if (r->ops->draw && r->ask.n >= DRAW_FROM) {
		must(&r->v,
		    r->ops->draw(r->state, &r->ask, &rng, &pick.slot, &pick.propensity) == 0,
		    "draw fails");
	} else {
		rig_pmf(r, r->seq);
		i = pmf_draw(r->ask.n, r->pmf, rng_uniform(&r->rng));
		pick = (struct pick){.slot = r->slots[i], .propensity = r->pmf[i]};
	}
	*ret_propensity = pick.propensity;
	rig_pulled(r, pick.slot, pick.propensity);
	return pick.slot;
}

void rig_reward(struct rig *r, uint64_t ref, uint32_t slot, double propensity, double reward)
{
	r->ops->update(r->state, &(struct outcome){.ref = ref,
				     .slot = slot,
				     .reward = reward,
				     .propensity = propensity,
				     .x = r->ask.x,
				     .memo = r->memo.data,
				     .nmemo = r->memo.len});
}

void rig_learn(struct rig *r, int steps)
{
	double p, width = r->env.hi - r->env.lo;

	for (int i = 0; i < steps; i++) {
		uint32_t slot = rig_select(r, &p);
		double mean = slot == 0 ? 0.7 : 0.4;

		rig_reward(r, r->seq, slot, p,
		    rng_uniform(&r->rng) < mean ? r->env.lo + width : r->env.lo);
	}
}
