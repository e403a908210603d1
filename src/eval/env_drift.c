/* SPDX-License-Identifier: Apache-2.0 */
/* {"env":"drift","segments":[{"length":5000,"means":[0.6,0.4]},{"length":5000,"means":[0.4,0.6]}]}:
 * arms answer 0 or 1, and their probabilities jump from segment to segment; the last one lasts for
 * ever. Regret is against the one arm that was best over all plays so far. */
#include <stdio.h>
#include <stdlib.h>

#include "eval/env.h"
#include "json/bind.h"

#define SEGMENTS_MAX 10000
#define LENGTH_MOST 1e15

struct given {
	const json_t *env, *segments;
};

struct given_segment {
	uint64_t length;
	const json_t *means;
};

struct segment {
	uint64_t end; /* its last play */
	double *mean;
};

struct drift {
	struct segment *segment;
	size_t n, now;
	uint32_t arms;
};

static void drift_destroy(void *env)
{
	struct drift *d = env;

	if (d) {
		for (size_t i = 0; i < d->n; i++) {
			free(d->segment[i].mean);
		}
		free(d->segment);
		free(d);
	}
}

static int read_segment(struct drift *d, const json_t *spec, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {.name = "length",
		.type = BIND_U64,
		.offset = offsetof(struct given_segment, length),
		.flags = BIND_REQUIRED,
		.min = 1,
		.max = LENGTH_MOST},
	    {.name = "means",
		.type = BIND_JSON,
		.offset = offsetof(struct given_segment, means),
		.flags = BIND_REQUIRED},
	    {.name = NULL},
	};
	struct given_segment given;
	struct segment *s = &d->segment[d->n];
	char where[32], means[40];
	uint32_t arms;
	int rc;

	snprintf(where, sizeof(where), "/segments/%zu", d->n);
	snprintf(means, sizeof(means), "%s/means", where);
	rc = bind_object(spec, fields, where, NULL, &given, err);
	if (rc) {
		return rc;
	}
	rc = env_numbers(given.means, means, 0, 1, &s->mean, &arms, err);
	if (rc) {
		return rc;
	}
	s->end = (d->n ? s[-1].end : 0) + given.length;
	d->n++;
	if (d->arms && arms != d->arms) {
		return err_set(err, RC_INVALID, "wrong_length", means,
		    "every segment needs a mean for each of the %u arms", d->arms);
	}
	d->arms = arms;
	return 0;
}

static int drift_create(const json_t *spec, void **ret_env, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {.name = "env", .type = BIND_JSON, .offset = offsetof(struct given, env)},
	    {.name = "segments",
		.type = BIND_JSON,
		.offset = offsetof(struct given, segments),
		.flags = BIND_REQUIRED},
	    {.name = NULL},
	};
	struct given given;
	struct drift *d;
	size_t n;
	int rc = bind_object(spec, fields, "", NULL, &given, err);

	if (rc) {
		return rc;
	}
	n = json_array_size(given.segments);
	if (n == 0 || n > SEGMENTS_MAX) {
		return err_set(err, RC_INVALID, "wrong_type", "/segments",
		    "must be an array of 1 to %d segments", SEGMENTS_MAX);
	}
	d = calloc(1, sizeof(*d));
	if (!d) {
		return RC_MEMORY;
	}
	d->segment = calloc(n, sizeof(*d->segment));
	rc = d->segment ? 0 : RC_MEMORY;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = read_segment(d, json_array_get(given.segments, i), err);
	}
	if (rc) {
		drift_destroy(d);
		return rc;
	}
	*ret_env = d;
	return 0;
}

static uint32_t drift_arms(const void *env)
{
	return ((const struct drift *)env)->arms;
}

static void drift_range(const void *env, double *ret_lo, double *ret_hi)
{
	(void)env;
	*ret_lo = 0;
	*ret_hi = 1;
}

static double drift_step(void *env, uint64_t t, uint32_t arm, struct rng *rng, double *ret_mean)
{
	struct drift *d = env;

	while (t > d->segment[d->now].end && d->now + 1 < d->n) {
		d->now++;
	}
	*ret_mean = d->segment[d->now].mean[arm];
	return rng_uniform(rng) < *ret_mean;
}

static double drift_optimum(const void *env, uint64_t t)
{
	const struct drift *d = env;
	double best = 0;

	for (uint32_t arm = 0; arm < d->arms; arm++) {
		double sum = 0;
		uint64_t from = 0, to;

		for (size_t i = 0; i < d->n && from < t; i++) {
			to = d->segment[i].end < t && i + 1 < d->n ? d->segment[i].end : t;
			sum += (double)(to - from) * d->segment[i].mean[arm];
			from = to;
		}
		best = sum > best ? sum : best;
	}
	return best;
}

const struct env_ops env_drift_ops = {
    .name = "drift",
    .summary = "arms answer 0 or 1 and their probabilities jump between segments",
    .create = drift_create,
    .destroy = drift_destroy,
    .arms = drift_arms,
    .range = drift_range,
    .step = drift_step,
    .optimum = drift_optimum,
};
