/* SPDX-License-Identifier: Apache-2.0 */
/* Every eligible arm with the same probability: the baseline of every comparison and the best
 * logging policy there is. Learns nothing; select O(1) beyond writing the distribution. */
#include <stdlib.h>

#include "core/pmf.h"
#include "policies/policies.h"

struct uniform {
	uint32_t slots;
};

static size_t uniform_bound(const void *params, size_t slots, size_t dim)
{
	(void)params, (void)slots, (void)dim;
	return sizeof(struct uniform);
}

static int uniform_create(const struct policy_env *env, void **ret_state)
{
	(void)env;
	*ret_state = calloc(1, sizeof(struct uniform));
	return *ret_state ? 0 : RC_MEMORY;
}

static uint32_t uniform_slots(const void *state)
{
	return ((const struct uniform *)state)->slots;
}

static int uniform_reserve(void *state, size_t slots)
{
	(void)state, (void)slots;
	return 0;
}

static void uniform_arm_add(void *state, uint32_t slot)
{
	struct uniform *u = state;

	u->slots = slot + 1;
}

static void uniform_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	(void)state, (void)slot, (void)to;
}

static int uniform_pmf(const void *state, const struct ask *ask, struct rng *rng, double *ret_pmf)
{
	(void)state, (void)rng;
	pmf_uniform(ask->n, ret_pmf);
	return 0;
}

static void uniform_update(void *state, const struct outcome *o)
{
	(void)state, (void)o;
}

static void uniform_serialise(const void *state, struct buf *out)
{
	const struct uniform *u = state;

	buf_put_var(out, u->slots);
}

static int uniform_deserialise(const struct policy_env *env, struct rd *in, void **ret_state)
{
	uint64_t slots = rd_var(in);
	int rc;

	if (in->rc || slots > UINT32_MAX) {
		return RC_CORRUPT;
	}
	rc = uniform_create(env, ret_state);
	if (rc == 0) {
		((struct uniform *)*ret_state)->slots = (uint32_t)slots;
	}
	return rc;
}

const struct policy_ops uniform_ops = {
    .name = "uniform",
    .summary = "every eligible arm with the same probability",
    .version = 1,
    .flags = POLICY_ANY_SLATE,
    .bound = uniform_bound,
    .create = uniform_create,
    .destroy = free,
    .slots = uniform_slots,
    .reserve = uniform_reserve,
    .arm_add = uniform_arm_add,
    .arm_set = uniform_arm_set,
    .pmf = uniform_pmf,
    .update = uniform_update,
    .serialise = uniform_serialise,
    .deserialise = uniform_deserialise,
};
