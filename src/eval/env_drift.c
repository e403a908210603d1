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

static void drift_release(void *env)
{
	struct drift *d = env;

	for (size_t i = 0; i < d->n; i++) {
		free(d->segment[i].mean);
	}
	free(d->segment);
}

static int read_segment(struct drift *d, const json_t *spec, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"length", BIND_U64, offsetof(struct given_segment, length), BIND_REQUIRED, 1,
		LENGTH_MOST, NULL},
	    {"means", BIND_JSON, offsetof(struct given_segment, means), BIND_REQUIRED, 0, 0, NULL},
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

static int drift_read(void *env, const json_t *spec, struct errinfo *err)
{
	static const struct bind_field fields[] = {
	    {"env", BIND_JSON, offsetof(struct given, env), 0, 0, 0, NULL},
	    {"segments", BIND_JSON, offsetof(struct given, segments), BIND_REQUIRED, 0, 0, NULL},
	    {.name = NULL},
	};
	struct given given;
	struct drift *d = env;
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
	d->segment = calloc(n, sizeof(*d->segment));
	rc = d->segment ? 0 : RC_MEMORY;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = read_segment(d, json_array_get(given.segments, i), err);
	}
	return rc;
}

static uint32_t drift_arms(const void *env)
{
	return ((const struct drift *)env)->arms;
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
    .size = sizeof(struct drift),
    .read = drift_read,
    .release = drift_release,
    .arms = drift_arms,
    .step = drift_step,
    .optimum = drift_optimum,
};
