/* SPDX-License-Identifier: Apache-2.0 */
/* How fast logs are read, and logs to read.
 *
 *     read_bench FILE...              rounds and bytes a second of each; - is standard input
 *     read_bench --json FILE...       the same, one JSON object a line
 *     read_bench --reject SPEC FILE   replay by rejection of rounds that were read beforehand
 *     read_bench --make jsonl ROUNDS  writes a log of ten arms with decisions and rewards
 *     read_bench --make obd ROUNDS    the like of the Open Bandit Dataset, 34 items, 3 positions */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "eval/rejection.h"
#include "json/event_json.h"
#include "json/spec_json.h"
#include "policies/policies.h"
#include "rig.h"

#define START_US UINT64_C(1790000000000000) /* 2026 */
#define ARMS 10
#define ITEMS 34
#define AFFINITIES 34

static int read_one(const char *path, bool json)
{
	struct errinfo err = {.rc = 0};
	struct log_arms *arms = NULL;
	struct log *l = NULL;
	struct round round;
	uint64_t start = clock_mono_us(), start_ns = cpu_ns();
	double seconds, busy, sum = 0;
	int rc = log_arms_new(&arms);

	rc = rc ? rc : log_open(path, NULL, arms, &l, &err);
	while (rc == 0 && (rc = log_next(l, &round, &err)) == 1) {
		sum += round.reward;
		rc = 0;
	}
	if (rc == 0) {
		const struct log_counts *c = log_counts(l);

		seconds = (double)(clock_mono_us() - start) / 1e6;
		busy = (double)(cpu_ns() - start_ns) / 1e9;
		printf(json ? "{\"format\":\"%s\",\"rounds\":%" PRIu64 ",\"refused\":%" PRIu64
			      ",\"rounds_per_second\":%.0f,\"mb_per_second\":%.1f,"
			      "\"mb_per_cpu_second\":%.1f,\"sum\":%.0f,\"file\":\"%s\"}\n"
			    : "%-7s %10" PRIu64 " rounds %6" PRIu64 " refused %12.0f rounds/s "
			      "%8.1f MB/s %8.1f MB/s of CPU sum %.0f  %s\n",
		    log_format(l), c->rounds, log_refused(c), (double)c->rounds / seconds,
		    (double)c->bytes / seconds / 1e6, (double)c->bytes / busy / 1e6, sum, path);
	} else {
		fprintf(stderr, "read_bench: %s: %s\n", err.pointer, err.text);
	}
	log_close(l);
	log_arms_free(arms);
	return rc;
}

/* Rounds without features or lists of arms, so that nothing is borrowed. */
static struct round *rounds_of(struct rejection_log *l, const char *path, size_t *ret_n)
{
	struct round *all = malloc(l->rows * sizeof(*all)), round;
	struct errinfo err = {.rc = 0};
	struct log *in = NULL;
	size_t n = 0;
	int rc = log_open(path, NULL, l->arms, &in, &err);

	while (all && rc == 0 && log_next(in, &round, &err) == 1 && n < l->rows) {
		all[n++] = round;
	}
	log_close(in);
	if (!all || rc || n < l->rows) {
		die(path, RC_FAILED, &err);
	}
	*ret_n = n;
	return all;
}

static int reject(const char *text, const char *path)
{
	struct experiment_spec spec = {.name = "replay"};
	struct rejection_result result = {.rounds = 0};
	struct errinfo err = {.rc = 0};
	struct experiment *e = NULL;
	struct rejection_log l;
	struct arena keep, mem;
	struct round *rounds;
	uint64_t start_ns;
	size_t n;
	int rc;

	arena_init(&keep, (size_t)1 << 20);
	arena_init(&mem, (size_t)1 << 20);
	rc = policy_from_text(text, &keep, &spec, &err);
	rc = rc ? rc : rejection_scan(path, NULL, &l, &err);
	if (rc || !policy_find(spec.policy)) {
		die(text, rc, &err);
	}
	rounds = rounds_of(&l, path, &n);
	rc = rejection_start(&l, policy_find(spec.policy), spec.params, spec.nparams, 1, &e, &err);
	start_ns = cpu_ns();
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = rejection_play(&l, e, i + 1, &rounds[i], &mem, &result, &err);
	}
	if (rc) {
		die(text, rc, &err);
	}
	printf("{\"policy\":\"%s\",\"rounds\":%" PRIu64 ",\"accepted\":%" PRIu64
	       ",\"rounds_per_second\":%.0f}\n",
	    text, result.rounds, result.accepted, (double)n * 1e9 / (double)(cpu_ns() - start_ns));
	experiment_free(e);
	free(rounds);
	rejection_log_release(&l);
	arena_release(&mem);
	arena_release(&keep);
	return 0;
}

static void print_event(const struct experiment *e, const struct event *ev)
{
	json_t *o = event_to_json(e, ev);

	if (!o || json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17)) ||
	    putchar('\n') == EOF) {
		die("write", RC_IO, NULL);
	}
	json_decref(o);
}

/* Events of a real experiment, as bandit export writes them; a reward comes 16 decisions late. */
static void make_jsonl(uint64_t rounds)
{
	struct rng rng = rng_at(1, 0, RNG_TEST);
	struct arena keep, mem[16];
	struct experiment_spec spec;
	struct experiment *e;
	struct event late[16], ev;

	arena_init(&keep, (size_t)1 << 20);
	spec = make_spec(&keep, "home", "epsilon_greedy:epsilon=0.5", ARMS);
	e = make_experiment(&spec);
	for (size_t i = 0; i < 16; i++) {
		arena_init(&mem[i], (size_t)1 << 20);
	}
	for (uint64_t i = 0; i < rounds + 16; i++) {
		struct event *d = &late[i % 16];
		char subject[24], context[48];
		struct select_in in = {.subject = subject, .context = context};
		uint64_t at_us = START_US + i * 1717;

		if (i >= 16) {
			struct reward_in paid = {.form = FORM_REWARD};

			paid.reward = rng_uniform(&rng) < d->decision.picks[0].slot / 11.0;
			ev = reward_of(e, &mem[i % 16], d, &paid);
			ev.at_us = at_us;
			print_event(e, &ev);
			apply(e, &ev);
		}
		arena_reset(&mem[i % 16]);
		snprintf(subject, sizeof(subject), "u-%" PRIu64, rng_below(&rng, 100000));
		snprintf(context, sizeof(context), "{\"hour\":%d,\"place\":\"p%d\"}",
		    (int)(i / 4096 % 24), (int)(i % 7));
		if (i < rounds) {
			int rc = experiment_select(e, &in, at_us, &mem[i % 16], d, NULL);

			if (rc) {
				die("select", rc, NULL);
			}
			print_event(e, d);
			apply(e, d);
		}
	}
	experiment_free(e);
	for (size_t i = 0; i < 16; i++) {
		arena_release(&mem[i]);
	}
	arena_release(&keep);
}

static void make_obd(uint64_t rounds)
{
	static const char hash[] = "0123456789abcdef0123456789abcdef";
	struct rng rng = rng_at(1, 0, RNG_TEST);

	printf(",timestamp,item_id,position,click,propensity_score");
	for (int i = 0; i < 4; i++) {
		printf(",user_feature_%d", i);
	}
	for (int i = 0; i < AFFINITIES; i++) {
		printf(",user-item_affinity_%d", i);
	}
	putchar('\n');
	for (uint64_t i = 0; i < rounds; i++) {
		char at[CLOCK_TEXT_MAX];
		uint64_t item = rng_below(&rng, ITEMS), from = rng_below(&rng, 16);

		clock_format(START_US + i * 23262671, at);
		printf("%" PRIu64 ",%.10s %.15s+00:00,%" PRIu64 ",%" PRIu64 ",%d,%.17g", i, at,
		    at + 11, item, 1 + rng_below(&rng, 3),
		    rng_uniform(&rng) < (double)item / ITEMS / 50, 1.0 / ITEMS);
		for (int k = 0; k < 4; k++) {
			printf(",%s%.*s", hash + from, (int)from, hash);
		}
		for (uint64_t k = 0; k < AFFINITIES; k++) {
			fputs(k == item && from == 0 ? ",1.0" : ",0.0", stdout);
		}
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	int rc = hash_init();

	if (rc == 0 && argc == 4 && strcmp(argv[1], "--make") == 0) {
		(strcmp(argv[2], "obd") == 0 ? make_obd : make_jsonl)(strtoull(argv[3], NULL, 10));
		return fflush(stdout) != 0;
	}
	if (rc == 0 && argc == 4 && strcmp(argv[1], "--reject") == 0) {
		return reject(argv[2], argv[3]);
	}
	for (int i = 1 + json; rc == 0 && i < argc; i++) {
		rc = read_one(argv[i], json);
	}
	return rc != 0;
}
