/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by src/serve/metrics*.c. */
#ifndef SERVE_METRICS_IMPL_H
#define SERVE_METRICS_IMPL_H

#include "serve/metrics.h"

/* The two lines before a family of samples. */
void metrics_head(struct buf *out, const char *name, const char *type, const char *help);

#define DRAWS_BETTORS 4

/* Of one policy; zeroes are a beginning. One thread. */
struct draws {
	double nats, expected, wealth_log[DRAWS_BETTORS];
	uint64_t answers, watched, drawn;
};
void draws_add(struct draws *w, const struct event_decision *d);
/* ln of the bettors' mean wealth, which began at 1. */
double draws_evidence(const struct draws *w);
void draws_render(const struct draws *of, const char *const *policies, struct buf *out);

#endif
