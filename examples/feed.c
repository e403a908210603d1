/* SPDX-License-Identifier: Apache-2.0 */
/* A feed as a client: items keep coming, many more than will ever be shown, and each visitor is
 * shown one. Offers the items to a running daemon in batches while it asks what to show, and
 * reports how each visitor liked it.
 *
 *     feed URL [ITEMS [BATCH [PID]]]
 *
 * Prints how fast the items were taken, what the memory of the daemon did (with its PID), and the
 * item it found best. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "cli/client.h"

#define VISITORS_PER_BATCH 10
#define BATCH_MAX 10000

struct feed {
	struct client *client;
	char path[64]; /* of the experiment: new in each run */
	uint64_t items, batch, visitors;
	uint64_t offer_us; /* spent waiting for offers to be taken */
	double likes;
};

static int call(struct feed *f, const char *method, const char *what, json_t *body, json_t **ret)
{
	struct errinfo err = {.rc = 0};
	char path[128];
	int rc;

	snprintf(path, sizeof(path), "%s%s", f->path, what);
	rc = client_call(f->client, method, path, body, ret, &err);
	json_decref(body);
	if (rc) {
		fprintf(stderr, "feed: %s %s: %s %s\n", method, path, err.pointer, err.text);
	}
	return rc;
}

/* How well an item is liked, which only its visitors know. */
static double quality(uint64_t item)
{
	struct rng rng = rng_at(1, item, RNG_ENV);

	return rng_uniform(&rng);
}

static int offer(struct feed *f, uint64_t from)
{
	json_t *arms = json_array(), *answer = NULL;
	uint64_t start_us = clock_mono_us();
	char id[32];
	int rc;

	for (uint64_t i = from; i < from + f->batch && i < f->items; i++) {
		snprintf(id, sizeof(id), "item-%09" PRIu64, i);
		json_array_append_new(arms, json_pack("{ss}", "id", id));
	}
	rc = call(f, "POST", "/arms", arms, &answer);
	f->offer_us += clock_mono_us() - start_us;
	json_decref(answer);
	return rc;
}

/* One visitor: what to show, and was it liked? */
static int visit(struct feed *f)
{
	struct rng rng = rng_at(2, f->visitors, RNG_ENV);
	json_t *answer = NULL;
	const char *arm;
	char id[32];
	bool likes;
	int rc;

	snprintf(id, sizeof(id), "visit-%" PRIu64, f->visitors++);
	rc = call(f, "POST", "/decisions", json_pack("{ss}", "id", id), &answer);
	if (rc) {
		return rc;
	}
	arm = json_string_value(json_object_get(answer, "arm"));
	likes = arm && rng_uniform(&rng) < quality(strtoull(arm + strlen("item-"), NULL, 10));
	json_decref(answer);
	f->likes += likes;
	rc = call(f, "POST", "/rewards",
	    json_pack("{sssiss}", "decision", id, "reward", (int)likes, "key", id), &answer);
	if (rc == 0) {
		json_decref(answer);
	}
	return rc;
}

/* VmRSS in KiB; 0 when it cannot be read. */
static long resident_kib(const char *pid)
{
	char path[64], line[128];
	long kib = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid ? pid : "");
	in = pid ? fopen(path, "r") : NULL;
	while (in && fgets(line, sizeof(line), in)) {
		if (strncmp(line, "VmRSS:", 6) == 0) {
			kib = strtol(line + 6, NULL, 10);
		}
	}
	if (in) {
		fclose(in);
	}
	return kib;
}

static int report(struct feed *f, long before, long after)
{
	json_t *stats = NULL;
	const json_t *s;
	const char *king;
	int rc = call(f, "GET", "/stats", NULL, &stats);

	if (rc) {
		return rc;
	}
	s = json_object_get(stats, "stream");
	king = json_string_value(json_object_get(s, "king"));
	printf("offers per second %.0f\n", (double)f->items / ((double)f->offer_us / 1e6));
	if (before && after) {
		printf("resident KiB before %ld, after %ld\n", before, after);
	}
	printf("visitors %" PRIu64 ", liked %.3f, waiting %" JSON_INTEGER_FORMAT "\n", f->visitors,
	    f->likes / (double)f->visitors, json_integer_value(json_object_get(s, "backlog")));
	printf("king %s, liked by %.3f\n", king ? king : "none",
	    king ? quality(strtoull(king + strlen("item-"), NULL, 10)) : 0.0);
	json_decref(stats);
	return 0;
}

static int run(struct feed *f, const char *pid)
{
	long before = 0;
	json_t *answer = NULL;
	int rc = call(f, "PUT", "",
	    json_pack(
		"{s{sss{sf}}s[]}", "policy", "name", "streaming", "params", "ratio", 100.0, "arms"),
	    &answer);

	json_decref(answer);
	for (uint64_t from = 0; rc == 0 && from < f->items; from += f->batch) {
		rc = offer(f, from);
		if (from / f->batch == f->items / f->batch / 10) { /* its caches are warm */
			before = resident_kib(pid);
		}
		for (int i = 0; rc == 0 && i < VISITORS_PER_BATCH; i++) {
			rc = visit(f);
		}
	}
	return rc ? rc : report(f, before, resident_kib(pid));
}

int main(int argc, char **argv)
{
	struct feed f = {.items = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000,
	    .batch = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000};
	struct errinfo err = {.rc = 0};
	int rc;

	if (argc < 2 || f.items == 0 || f.batch == 0 || f.batch > BATCH_MAX) {
		fprintf(stderr, "usage: feed URL [ITEMS [BATCH [PID]]]\n");
		return 2;
	}
	snprintf(f.path, sizeof(f.path), "/v1/experiments/feed-%" PRIx64, clock_wall_us());
	if (client_new(argv[1], &f.client, &err)) {
		fprintf(stderr, "feed: %s\n", err.text);
		return 1;
	}
	rc = run(&f, argc > 4 ? argv[4] : NULL);
	client_free(f.client);
	return rc ? 1 : 0;
}
