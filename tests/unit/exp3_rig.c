/* SPDX-License-Identifier: Apache-2.0 */
#include "exp3_rig.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE_MAX ((size_t)1 << 26)

static void set_params(struct play *p, const char *settings)
{
	char name[32], value[32];
	int used;

	param_defaults(p->ops->params, &p->params);
	while (sscanf(settings, " %31[^=]=%31s%n", name, value, &used) == 2) {
		const struct param_desc *d = param_find(p->ops->params, name);

		ck_assert_msg(d && param_set_text(d, &p->params, value, "", NULL) == 0, "%s", name);
		settings += used;
	}
}

static void set_ask(struct play *p)
{
	p->ask = (struct ask){.slots = p->active, .all = true};
	for (uint32_t i = 0; i < p->nslots; i++) {
		if (p->arm[i] == ARM_ACTIVE) {
			p->active[p->ask.n++] = i;
		}
	}
}

static struct play *make(const struct policy_ops *ops, const char *settings)
{
	struct play *p = calloc(1, sizeof(*p));

	ck_assert_ptr_nonnull(p);
	p->ops = ops;
	set_params(p, settings);
	p->env = (struct policy_env){.params = &p->params, .lo = -1, .hi = 1};
	p->rng = rng_at(3, 0, RNG_TEST);
	return p;
}

struct play *play_new(const struct policy_ops *ops, const char *settings, uint32_t arms)
{
	struct play *p = make(ops, settings);
	void *state;

	ck_assert_int_eq(ops->create(&p->env, &state), 0);
	p->state = state;
	play_add(p, arms);
	return p;
}

void play_free(struct play *p)
{
	if (p) {
		p->ops->destroy(p->state);
		free(p);
	}
}

void play_add(struct play *p, uint32_t n)
{
	ck_assert_uint_le(p->nslots + n, EXP3_ARMS_MAX);
	ck_assert_int_eq(p->ops->reserve(p->state, p->nslots + n), 0);
	for (uint32_t i = 0; i < n; i++) {
		p->ops->arm_add(p->state, p->nslots++);
	}
	set_ask(p);
}

void play_set(struct play *p, uint32_t slot, enum arm_state to)
{
	p->ops->arm_set(p->state, slot, to);
	p->arm[slot] = to;
	set_ask(p);
}

const double *play_pmf(struct play *p)
{
	if (p->ops->pmf(p->state, &p->ask, NULL, p->pmf)) {
		ck_abort_msg("pmf fails");
	}
	return p->pmf;
}

double play_prob(struct play *p, uint32_t slot)
{
	return p->ops->prob(p->state, &p->ask, slot);
}

uint32_t play_draw(struct play *p, double *ret_propensity)
{
	struct rng rng = rng_at(17, ++p->seq, RNG_POLICY);
	uint32_t slot;

	if (p->ops->draw(p->state, &p->ask, &rng, &slot, ret_propensity)) {
		ck_abort_msg("draw fails");
	}
	return slot;
}

void play_pulled(struct play *p, uint32_t slot, double propensity)
{
	p->ops->pulled(
	    p->state, &(struct pull){.picks = &(struct pick){slot, propensity}, .npicks = 1});
}

void play_reward(struct play *p, uint32_t slot, double propensity, double reward)
{
	p->ops->update(
	    p->state, &(struct outcome){.slot = slot, .propensity = propensity, .reward = reward});
}

void play_learn(struct play *p, int steps)
{
	double propensity, mean;
	uint32_t slot;

	for (int i = 0; i < steps; i++) {
		slot = play_draw(p, &propensity);
		mean = slot == 0 ? 0.8 : 0.2 + 0.4 * (slot % 7) / 7;
		play_pulled(p, slot, propensity);
		play_reward(p, slot, propensity, rng_uniform(&p->rng) < mean ? 1 : -1);
	}
}

double play_disagreement(struct play *p)
{
	const double *pmf = play_pmf(p);
	double worst = 0, sum = 0;

	for (size_t i = 0; i < p->ask.n; i++) {
		worst = fmax(worst, fabs(play_prob(p, p->active[i]) / pmf[i] - 1));
		sum += pmf[i];
	}
	return fmax(worst, fabs(sum - 1));
}

struct buf play_save(const struct play *p)
{
	struct buf b;

	buf_init(&b, STATE_MAX);
	p->ops->serialise(p->state, &b);
	ck_assert_int_eq(b.rc, 0);
	return b;
}

struct play *play_load(const struct play *like, const struct buf *saved, size_t len)
{
	struct play *p = calloc(1, sizeof(*p));
	void *state = NULL;
	struct rd in;
	int rc;

	ck_assert_ptr_nonnull(p);
	*p = *like;
	p->env.params = &p->params;
	rd_init(&in, saved->data, len);
	rc = p->ops->deserialise(&p->env, &in, &state);
	if (rc == 0 && rd_left(&in)) {
		p->ops->destroy(state);
		rc = RC_CORRUPT;
	}
	if (rc) {
		if (rc != RC_CORRUPT) {
			ck_abort_msg("refused with %d", rc);
		}
		free(p);
		return NULL;
	}
	p->state = state;
	set_ask(p);
	return p;
}
