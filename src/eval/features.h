/* SPDX-License-Identifier: Apache-2.0 */
/* Features that have names, as a vector of fixed length: a name goes to one entry by its hash, and
 * adds its value there or takes it away, by another bit of it, so that names that meet in one entry
 * cancel in the mean (Weinberger, Dasgupta, Langford, Smola, Attenberg 2009). One thread. */
#ifndef EVAL_FEATURES_H
#define EVAL_FEATURES_H

#include <stddef.h>

#include "eval/log_read.h"

struct features {
	double *x;
	size_t dim; /* 0: features are passed over */
};
int features_init(struct features *f, size_t dim); /* RC_MEMORY */
void features_release(struct features *f);
void features_clear(struct features *f);
/* Names of one space apart from those of another; the first 512 bytes of both together count.
 * What would leave the range of numbers is passed over. */
void features_add(struct features *f, const char *space, size_t nspace, const char *name,
    size_t nname, double value);
/* The round borrows them. */
void features_give(const struct features *f, struct round *ret);

#endif
