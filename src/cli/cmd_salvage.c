/* SPDX-License-Identifier: Apache-2.0 */
/* bandit salvage: what can still be read of a damaged state becomes a sound one. An experiment is
 * the fold of its events, so it is kept up to its first event that is damaged, missing or does not
 * follow from those before; what comes later cannot be applied to anything. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/state_write.h"
#include "core/replay.h"
#include "policies/policies.h"
#include "store/care.h"

#define MEM_MAX ((size_t)64 << 20)

const char salvage_usage[] =
    "usage: bandit salvage STATE --to NEW\n"
    "\n"
    "Makes a sound state of what can be read of a damaged one: of each experiment the events up "
    "to\n"
    "the first that is damaged. STATE is only read, and must not be in use; NEW is a directory "
    "that\n"
    "is made, or holds no state yet. The exit status is 1 when events were lost.\n"
    "\n"
    "  -t, --to NEW   where the new state goes\n";

struct salvage {
	struct store_reader *reader;
	struct state_writer *writer;
	struct registry list; /* as far as it can be read */
	uint64_t *last;       /* by number: the last seq of its log, as far as that can be read */
	uint32_t numbers;
	uint64_t kept, lost;
};

/* One experiment. */
struct one {
	struct salvage *s;
	uint32_t number;
	struct replay replay;
	struct errinfo why;  /* the first event is not kept */
	struct errinfo *err; /* what ends it all */
	int failed;
};

static int fold_registry(void *arg, uint64_t seq, const void *body, size_t len)
{
	return registry_fold(arg, seq, body, len);
}

static int grow(struct salvage *s, uint32_t number)
{
	uint64_t *last;

	if (number < s->numbers) {
		return 0;
	}
	last = realloc(s->last, (number + 1) * sizeof(*last));
	if (!last) {
		return RC_MEMORY;
	}
	memset(last + s->numbers, 0, (number + 1 - s->numbers) * sizeof(*last));
	s->last = last;
	s->numbers = number + 1;
	return 0;
}

static int take_tail(void *arg, uint32_t number, uint64_t last_seq)
{
	struct salvage *s = arg;
	int rc = grow(s, number);

	if (rc == 0) {
		s->last[number] = last_seq;
	}
	return rc;
}

/* Which experiments there were. Either source may be damaged; a create event has the name, too. */
static int list_experiments(struct salvage *s, const char *where, struct errinfo *err)
{
	struct errinfo why = {.rc = 0};
	int rc = registry_init(&s->list);

	if (rc == 0) {
		rc = store_read_raw(s->reader, STORE_REGISTRY, 0, fold_registry, &s->list, &why);
	}
	if (rc && rc != RC_MEMORY) {
		fprintf(stderr, "the list of experiments is damaged after entry %" PRIu64 "\n",
		    s->list.seq);
	}
	if (rc != RC_MEMORY) {
		why.rc = 0;
		rc = store_read_tails(s->reader, take_tail, s, &why);
		if (rc && rc != RC_MEMORY) {
			fprintf(stderr, "%s: %s\n", where, why.text);
		}
	}
	if (rc != RC_MEMORY && s->list.numbers) {
		rc = grow(s, s->list.numbers - 1);
	}
	return rc == RC_MEMORY ? err_set(err, rc, "out_of_memory", "", "out of memory") : 0;
}

static bool was_purged(const struct salvage *s, uint32_t number)
{
	return number < s->list.numbers && !s->list.names[number];
}

static int keep(void *arg, const struct event *ev)
{
	struct one *o = arg;
	int rc = replay_event(&o->replay, ev, &o->why);

	if (rc) {
		return rc;
	}
	if (ev->seq == 1) {
		rc = state_writer_begin(o->s->writer, experiment_name(o->replay.e), &o->why);
		if (rc) {
			return rc; /* two of one name, the list being damaged: the first is kept */
		}
	}
	o->failed = state_writer_event(o->s->writer, ev, o->err);
	return o->failed;
}

static void tell(const struct one *o, uint64_t kept, uint64_t last)
{
	const struct salvage *s = o->s;
	const char *name = o->replay.e                   ? experiment_name(o->replay.e)
			   : o->number < s->list.numbers ? s->list.names[o->number]
							 : "?";
	const char *why = o->replay.report.text[0] ? o->replay.report.text
			  : o->why.text[0]         ? o->why.text
						   : "the log ends";

	if (kept < last) {
		printf("%s: kept %" PRIu64 " of %" PRIu64 " events: %s\n", name, kept, last, why);
	} else {
		printf("%s: kept all %" PRIu64 " events\n", name, kept);
	}
}

static int try_snapshot(void *arg, const struct store_snapshot *s)
{
	struct experiment *e;
	struct rd in;
	int rc;

	rd_init(&in, s->body, s->len);
	rc = experiment_load(&in, policy_find, &e);
	if (rc == 0) {
		replay_from(&((struct one *)arg)->replay, e);
	}
	return rc == RC_MEMORY ? rc : rc == 0;
}

/* A pruned log begins with the state that was kept or, when that is damaged, with a snapshot. */
static int begin(struct one *o, uint64_t *ret_after)
{
	struct salvage *s = o->s;
	int rc = state_begin(s->reader, o->number, &o->replay, ret_after, &o->why);

	if (rc == RC_CORRUPT || rc == RC_VERSION) {
		fprintf(stderr, "%s\n", o->why.text);
		o->why.rc = 0;
		o->why.text[0] = '\0';
		rc = store_read_snapshots(s->reader, o->number, try_snapshot, NULL, o);
	}
	if (rc || !o->replay.e) {
		*ret_after = 0;
		return rc == RC_MEMORY ? rc : 0; /* as damaged as what is not there */
	}
	*ret_after = experiment_seq(o->replay.e);
	rc = state_writer_begin(s->writer, experiment_name(o->replay.e), &o->why);
	if (rc == 0) {
		o->failed = state_writer_base(s->writer, *ret_after, o->replay.e, o->err);
	}
	return rc ? rc : o->failed;
}

static int salvage_one(struct salvage *s, uint32_t number, struct errinfo *err)
{
	struct one o = {.s = s, .number = number, .err = err};
	uint64_t last = s->last[number], kept, after = 0;
	struct arena mem;
	int rc;

	arena_init(&mem, MEM_MAX);
	replay_init(&o.replay, &(struct replay_options){.find = policy_find});
	rc = begin(&o, &after);
	rc = rc ? rc
		: store_read_events(
		      s->reader, number, after, STORE_SEQ_MAX, SIZE_MAX, &mem, keep, &o, &o.why);
	kept = after + o.replay.report.events;
	if (rc == RC_EXISTS) {
		kept = 0;
	}
	last = kept > last ? kept : last;
	if (!o.failed && (last || number < s->list.numbers)) {
		tell(&o, kept, last);
	}
	s->kept += kept;
	s->lost += last - kept;
	replay_release(&o.replay);
	arena_release(&mem);
	return o.failed;
}

static int salvage(const char *where, const char *to, bool *ret_lost, struct errinfo *err)
{
	struct salvage s = {.reader = NULL};
	int rc = store_reader_open_damaged(&store_sqlite, where, &s.reader, err), closing;

	rc = rc ? rc : list_experiments(&s, where, err);
	rc = rc ? rc : state_writer_open(to, &s.writer, err);
	for (uint32_t i = 1; rc == 0 && i < s.numbers; i++) {
		if (!was_purged(&s, i)) {
			rc = salvage_one(&s, i, err);
		}
	}
	closing = state_writer_close(s.writer, rc ? NULL : err);
	rc = rc ? rc : closing;
	if (rc == 0) {
		printf("kept %" PRIu64 " events, lost %" PRIu64 "\n", s.kept, s.lost);
	}
	*ret_lost = s.lost > 0;
	store_reader_close(s.reader);
	registry_release(&s.list);
	free(s.last);
	return rc;
}

int cmd_salvage(int argc, char **argv)
{
	static const struct option options[] = {{"to", required_argument, NULL, 't'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct errinfo err = {.rc = 0};
	const char *to = NULL;
	bool lost = false;
	int c;

	while ((c = getopt_long(argc, argv, "t:h", options, NULL)) != -1) {
		if (c == 't') {
			to = optarg;
		} else if (c == 'h') {
			fputs(salvage_usage, stdout);
			return cli_flush("salvage");
		} else {
			return CLI_USAGE;
		}
	}
	if (argc - optind != 1 || !to) {
		return cli_usage("salvage", "needs one STATE and --to NEW");
	}
	if (salvage(argv[optind], to, &lost, &err)) {
		return cli_fail("salvage", &err);
	}
	return cli_flush("salvage") || lost ? CLI_WRONG : CLI_DONE;
}
