/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/log_places.h"

#include <stdio.h>
#include <stdlib.h>

#define PLACES_MAX ((size_t)1 << 20)

int places_upto(struct places *p, struct log_arms *arms, size_t n)
{
	char name[24];
	int len, rc = 0;

	if (n > PLACES_MAX) {
		return RC_LIMIT;
	}
	if (n > p->cap) {
		uint32_t *arm = realloc(p->arm, 2 * n * sizeof(*arm));

		if (!arm) {
			return RC_MEMORY;
		}
		p->arm = arm;
		p->cap = 2 * n;
	}
	while (rc == 0 && p->n < n) {
		len = snprintf(name, sizeof(name), "%zu", p->n + 1);
		rc = log_arms_put(arms, name, (size_t)len, &p->arm[p->n]);
		p->n += rc == 0;
	}
	return rc;
}

void places_release(struct places *p)
{
	free(p->arm);
}
