/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of every arm; the structures are built again from them. */
#include "policies/ucb_impl.h"

#define ARM_BYTES_MIN 3 /* state, n, o */

uint32_t ucb_slots(const void *state)
{
	return ((const struct ucb *)state)->slots;
}

void ucb_serialise(const void *state, struct buf *out)
{
	const struct ucb *u = state;

	buf_put_var(out, u->t);
	buf_put_var(out, u->slots);
	for (uint32_t i = 0; i < u->slots; i++) {
		const struct ucb_arm *a = &u->arm[i];

		buf_put_u8(out, a->state);
		buf_put_var(out, a->n);
		buf_put_var(out, a->o);
		if (a->o > 0) {
			buf_put_f64(out, a->s);
		}
		if (a->o > 0 && u->squares) {
			buf_put_f64(out, u->squares[i]);
		}
	}
	if (u->pend) {
		buf_put_var(out, u->npend);
		for (uint32_t i = 0; i < u->npend; i++) {
			buf_put_var(out, u->pend[i].slot);
			buf_put_f64(out, u->pend[i].reward);
		}
	}
}

/* Sums of o rewards in [0, 1] stay in [0, o], squares below them, whatever the rounding. */
static void load_sums(struct ucb *u, struct rd *in, uint32_t slot)
{
	struct ucb_arm *a = &u->arm[slot];

	a->s = rd_f64(in);
	if (!isfinite(a->s) || (!u->kind->ema && !(a->s >= 0 && a->s <= (double)a->o))) {
		rd_fail(in);
	}
	if (u->squares) {
		u->squares[slot] = rd_f64(in);
		if (!(u->squares[slot] >= 0 && u->squares[slot] <= a->s)) {
			rd_fail(in);
		}
	}
}

static void load_arm(struct ucb *u, struct rd *in)
{
	uint32_t slot = u->slots;
	unsigned state = rd_u8(in);
	uint64_t n = rd_var(in), o = rd_var(in), probes = ucb_probes(u);

	if (in->rc || state > ARM_RETIRED || n < probes || o > n - probes || n > u->t - u->issued) {
		rd_fail(in);
		return;
	}
	u->arm[slot] = (struct ucb_arm){
	    .n = n, .state = state, .o = o, .s = probes ? u->params->init_mean : 0};
	if (u->squares) {
		u->squares[slot] = 0;
	}
	u->slots++;
	u->active += state == ARM_ACTIVE;
	u->issued += n;
	if (o > 0) {
		load_sums(u, in, slot);
	}
}

static void load_pending(struct ucb *u, struct rd *in)
{
	size_t n = rd_count(in, 9);

	if (n >= (uint64_t)u->params->batch) {
		rd_fail(in);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t slot = rd_var(in);
		double reward = rd_f64(in);

		if (in->rc || slot >= u->slots || u->arm[slot].o + ucb_probes(u) < 2 ||
		    !isfinite(reward)) {
			rd_fail(in);
			return;
		}
		u->pend[u->npend++] = (struct ucb_pend){.slot = (uint32_t)slot, .reward = reward};
	}
}

int ucb_deserialise(
    const struct ucb_kind *kind, const struct policy_env *env, struct rd *in, void **ret_state)
{
	void *state = NULL;
	struct ucb *u;
	size_t slots;
	int rc = ucb_create(kind, env, &state);

	if (rc) {
		return rc;
	}
	u = state;
	u->t = rd_var(in);
	slots = rd_count(in, ARM_BYTES_MIN);
	rc = in->rc || u->t > INT64_MAX / 2 ? RC_CORRUPT : ucb_reserve(u, slots);
	for (size_t i = 0; rc == 0 && i < slots; i++) {
		load_arm(u, in);
		rc = in->rc;
	}
	if (rc == 0 && u->pend) {
		load_pending(u, in);
		rc = in->rc;
	}
	if (rc) {
		ucb_destroy(u);
		return rc == RC_LIMIT ? RC_CORRUPT : rc;
	}
	ucb_fast_build(u);
	*ret_state = u;
	return 0;
}
