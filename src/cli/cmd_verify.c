/* SPDX-License-Identifier: Apache-2.0 */
/* bandit verify: everything that a state claims, derived again from its log. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/past.h"
#include "core/replay.h"
#include "policies/policies.h"
#include "store/care.h"

#define MEM_MAX ((size_t)64 << 20)
#define SNAPSHOTS_MAX 8 /* looked at per experiment; the store keeps two */

const char verify_usage[] =
    "usage: bandit verify STATE [--experiment E] [--json] [--no-draws]\n"
    "\n"
    "Folds the log of a state anew. Every draw, propensity and reward is derived again and "
    "compared\n"
    "with what is logged, the digest of the state with every snapshot; keys and ends of the logs\n"
    "are checked. The first divergence of each experiment is printed, and the exit status is 1.\n"
    "STATE is a state directory or its state.db; the daemon may run meanwhile.\n"
    "\n"
    "  -e, --experiment E   this experiment alone\n"
    "      --no-draws       fold and compare digests, but do not derive the events again\n"
    "      --json           one JSON document\n";

struct args {
	const char *where, *only;
	bool json, no_draws;
	bool quiet; /* problems alone */
};

struct snapshot {
	uint64_t seq;
	unsigned char digest[HASH_DIGEST_BYTES];
	bool met;
};

/* One experiment. */
struct check {
	const struct args *a;
	const char *name;
	uint32_t number;
	struct replay replay;
	struct past *past;
	struct snapshot snapshot[SNAPSHOTS_MAX];
	size_t nsnapshots, good;
	struct progress progress;
	uint64_t elapsed_us;
	uint64_t base;    /* the log was pruned up to here; 0: it begins with 1 */
	json_t *problems; /* [{"seq","text"}] */
	struct errinfo err;
};

/* seq 0: of no one event. */
static void problem(struct check *c, uint64_t seq, const char *text)
{
	json_t *o = json_pack(
	    "{so ss*}", "seq", seq ? json_integer((json_int_t)seq) : json_null(), "text", text);

	json_array_append_new(c->problems, o);
	progress_clear(&c->progress);
	if (c->a->json) {
		return;
	}
	if (seq) {
		printf("%s: seq %" PRIu64 ": %s\n", c->name, seq, text);
	} else {
		printf("%s: %s\n", c->name, text);
	}
}

static int take_snapshot(void *arg, const struct store_snapshot *s)
{
	struct check *c = arg;
	struct snapshot *t = &c->snapshot[c->nsnapshots];
	struct experiment *e;
	struct rd in;
	int rc;

	rd_init(&in, s->body, s->len);
	rc = experiment_load(&in, policy_find, &e);
	if (rc == RC_VERSION) {
		return 0; /* of another version, as the daemon passes it over for the log */
	}
	if (rc) {
		if (rc != RC_MEMORY) {
			problem(c, s->seq, "the snapshot cannot be loaded");
		}
		return rc == RC_MEMORY ? rc : 0;
	}
	if (experiment_seq(e) != s->seq || strcmp(experiment_name(e), c->name) != 0) {
		problem(c, s->seq, "the snapshot is of another seq or experiment");
	} else {
		*t = (struct snapshot){.seq = s->seq};
		rc = experiment_digest(e, t->digest);
		c->nsnapshots++;
	}
	experiment_free(e);
	return rc ? rc : c->nsnapshots == SNAPSHOTS_MAX;
}

static void bad_snapshot(void *arg, uint32_t experiment, uint64_t seq)
{
	(void)experiment;
	problem(arg, seq, "the snapshot's bytes are damaged");
}

static int meet_snapshots(struct check *c)
{
	unsigned char digest[HASH_DIGEST_BYTES];

	for (size_t i = 0; i < c->nsnapshots; i++) {
		struct snapshot *s = &c->snapshot[i];

		if (s->seq != experiment_seq(c->replay.e)) {
			continue;
		}
		if (experiment_digest(c->replay.e, digest)) {
			return RC_MEMORY;
		}
		s->met = true;
		if (memcmp(digest, s->digest, sizeof(digest)) != 0) {
			problem(c, s->seq, "the snapshot is not the state that the log gives");
		} else {
			c->good++;
		}
	}
	return 0;
}

static int fold(void *arg, const struct event *ev)
{
	struct check *c = arg;
	int rc = replay_event(&c->replay, ev, &c->err);

	if (rc == 0 && ev->seq == 1 && strcmp(experiment_name(c->replay.e), c->name) != 0) {
		problem(c, 1, "the log is that of another experiment");
	}
	if (rc == 0 && c->past) {
		past_add(c->past, ev);
	}
	progress_add(&c->progress, 1);
	return rc ? rc : meet_snapshots(c);
}

/* A log that was pruned begins with the state that was kept. */
static int begin(struct check *c, const struct state *s)
{
	int rc = state_begin(s->reader, c->number, &c->replay, &c->base, &c->err);

	if (rc || !c->replay.e) {
		return rc;
	}
	if (strcmp(experiment_name(c->replay.e), c->name) != 0) {
		problem(c, c->base, "the log begins with the state of another experiment");
	}
	return meet_snapshots(c);
}

static int fold_log(struct check *c, const struct state *s)
{
	const struct replay_options o = {.find = policy_find,
	    .derive = !c->a->no_draws,
	    .past = past_find,
	    .at = past_event,
	    .past_arg = c->past};
	uint64_t last = 0, start = clock_mono_us();
	struct arena mem;
	int rc;

	arena_init(&mem, MEM_MAX);
	replay_init(&c->replay, &o);
	rc = store_read_snapshots(s->reader, c->number, take_snapshot, bad_snapshot, c);
	rc = rc ? rc : store_last_seq(s->reader, c->number, &last); /* never before its snapshots */
	rc = rc ? rc : begin(c, s);
	progress_start(&c->progress, "events", last - c->base);
	rc = rc ? rc
		: store_read_events(
		      s->reader, c->number, c->base, last, SIZE_MAX, &mem, fold, c, &c->err);
	arena_release(&mem);
	c->elapsed_us = clock_mono_us() - start;
	if (rc == 0 && !c->replay.e) {
		problem(c, 0, "the log is missing");
	}
	for (size_t i = 0; rc == 0 && i < c->nsnapshots; i++) {
		if (!c->snapshot[i].met) {
			problem(c, c->snapshot[i].seq, "there is a snapshot, but the log ends");
		}
	}
	return rc;
}

static int check_one(struct check *c, const struct state *s)
{
	int rc = c->a->no_draws ? 0 : past_new(s->where, c->number, &c->past, &c->err);

	rc = rc ? rc : fold_log(c, s);
	if (rc && c->replay.report.seq) {
		problem(c, c->replay.report.seq, c->replay.report.text);
	} else if (rc) {
		problem(c, 0, c->err.text[0] ? c->err.text : err_name(rc));
	}
	c->err = (struct errinfo){.rc = 0};
	rc = store_check_keys(s->reader, c->number, &c->err);
	if (rc) {
		problem(c, 0, c->err.text[0] ? c->err.text : err_name(rc));
	}
	progress_clear(&c->progress);
	past_free(c->past);
	return json_array_size(c->problems) ? RC_CORRUPT : 0;
}

static void digest_text(const struct check *c, char ret[2 * HASH_DIGEST_BYTES + 1])
{
	unsigned char digest[HASH_DIGEST_BYTES];

	*ret = '\0';
	if (!c->replay.e || experiment_digest(c->replay.e, digest)) {
		return;
	}
	for (size_t i = 0; i < HASH_DIGEST_BYTES; i++) {
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	}
}

/* Prints or collects what was found. */
static void report(const struct check *c, json_t *list)
{
	const struct replay_report *r = &c->replay.report;
	char digest[2 * HASH_DIGEST_BYTES + 1];

	digest_text(c, digest);
	json_array_append_new(
	    list, json_pack("{ss sI sI sI sI sI sI ss sO}", "experiment", c->name, "first",
		      (json_int_t)(c->base + 1), "events", (json_int_t)r->events, "decisions",
		      (json_int_t)r->decisions, "rewards", (json_int_t)r->rewards, "derived",
		      (json_int_t)r->derived, "snapshots", (json_int_t)c->good, "digest", digest,
		      "problems", c->problems));
	if (!c->a->json && !c->a->quiet && json_array_size(c->problems) == 0) {
		printf("%s: sound: %" PRIu64 " events, %" PRIu64 " decisions, %" PRIu64
		       " rewards, %zu snapshots, digest %s\n",
		    c->name, r->events, r->decisions, r->rewards, c->good, digest);
		if (c->base) {
			printf("%s: verified from seq %" PRIu64 " on: what was before is pruned\n",
			    c->name, c->base + 1);
		}
	}
}

static int check_all(const struct args *a, const struct state *s, json_t *list)
{
	uint64_t events = 0, elapsed_us = 0;
	int wrong = 0;

	for (uint32_t i = 1; i < s->list.numbers; i++) {
		struct check *c;

		if (!s->list.names[i] || (a->only && strcmp(a->only, s->list.names[i]) != 0)) {
			continue;
		}
		c = calloc(1, sizeof(*c));
		if (!c) {
			return RC_MEMORY;
		}
		c->a = a;
		c->name = s->list.names[i];
		c->number = i;
		c->problems = json_array();
		wrong |= check_one(c, s) != 0;
		report(c, list);
		events += c->replay.report.events;
		elapsed_us += c->elapsed_us;
		json_decref(c->problems);
		replay_release(&c->replay);
		free(c);
	}
	if (!a->quiet) {
		fprintf(stderr, "%" PRIu64 " events, %.0f/s\n", events,
		    elapsed_us ? (double)events * 1e6 / (double)elapsed_us : 0);
	}
	return wrong ? RC_CORRUPT : 0;
}

static int verify(const struct args *a)
{
	struct errinfo err = {.rc = 0}, tails = {.rc = 0};
	json_t *list = json_array();
	struct state s = {.where = NULL};
	int rc = state_open(a->where, &s, &err);
	bool sound;

	if (rc == 0 && a->only && !state_find(&s, a->only)) {
		rc = err_set(&err, RC_NOT_FOUND, "not_found", a->only, "no such experiment");
	}
	if (rc) {
		state_close(&s);
		json_decref(list);
		return cli_fail("verify", &err);
	}
	store_check_tails(s.reader, &tails);
	rc = check_all(a, &s, list);
	sound = rc == 0 && tails.rc == 0;
	if (a->json) {
		json_t *doc = json_pack("{sb ss* so}", "sound", sound, "tails",
		    tails.rc ? tails.text : NULL, "experiments", list);

		if (cli_print_json("verify", doc)) {
			sound = false;
		}
	} else {
		if (tails.rc) {
			printf("%s\n", tails.text[0] ? tails.text : err_name(tails.rc));
		}
		json_decref(list);
	}
	state_close(&s);
	return cli_flush("verify") || !sound ? CLI_WRONG : CLI_DONE;
}

int verify_fold(const char *where, const char *only)
{
	const struct args a = {.where = where, .only = only, .no_draws = true, .quiet = true};

	return verify(&a) == CLI_DONE ? 0 : RC_CORRUPT;
}

int cmd_verify(int argc, char **argv)
{
	enum { OPT_JSON = 256, OPT_NO_DRAWS };
	static const struct option options[] = {{"experiment", required_argument, NULL, 'e'},
	    {"json", no_argument, NULL, OPT_JSON}, {"no-draws", no_argument, NULL, OPT_NO_DRAWS},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct args a = {.where = NULL};
	int c;

	while ((c = getopt_long(argc, argv, "e:h", options, NULL)) != -1) {
		switch (c) {
		case 'e':
			a.only = optarg;
			break;
		case OPT_JSON:
			a.json = true;
			break;
		case OPT_NO_DRAWS:
			a.no_draws = true;
			break;
		case 'h':
			fputs(verify_usage, stdout);
			return cli_flush("verify");
		default:
			return CLI_USAGE;
		}
	}
	if (argc - optind != 1) {
		return cli_usage("verify", "needs one STATE");
	}
	a.where = argv[optind];
	return verify(&a);
}
