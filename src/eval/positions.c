/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/positions.h"

bool positions_find(const struct positions *p, uint64_t position, uint32_t *ret)
{
	size_t i = 0;

	while (i < p->n && p->at[i] != position) {
		i++;
	}
	*ret = (uint32_t)i;
	return i < p->n;
}

int positions_put(struct positions *p, uint64_t position, uint32_t *ret, struct errinfo *err)
{
	if (positions_find(p, position, ret)) {
		return 0;
	}
	if (p->n == POSITIONS_MAX) {
		return err_set(err, RC_LIMIT, "too_many", "", "the log has more than %d positions",
		    POSITIONS_MAX);
	}
	p->at[p->n++] = position; /* *ret is where */
	return 0;
}
