/* SPDX-License-Identifier: Apache-2.0 */
/* bandit prune: the first events of a log go, once the state that they fold to is on disk, was read
 * back, and the rest was folded onto it to the same digest. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/prune.h"
#include "store/care.h"

const char prune_usage[] =
    "usage: bandit prune STATE --older-than AGE [--experiment E] [--dry-run]\n"
    "\n"
    "Removes events older than AGE from the logs of a state, which is verified first. What can\n"
    "still be rewarded, arms that wait, and what younger rewards are about is kept with all that\n"
    "came after it. The daemon must not run, except with --dry-run. A log that was pruned cannot "
    "be\n"
    "evaluated any more: export it first.\n"
    "\n"
    "  -o, --older-than AGE   a duration like P30D or PT12H\n"
    "  -e, --experiment E     this experiment alone\n"
    "  -n, --dry-run          say what would go, and remove nothing\n";

struct args {
	const char *where, *only;
	uint64_t age_us;
	bool aged, dry_run;
};

struct prune {
	const struct args *a;
	struct state state;
	struct store_reader *lookup;
	struct store_pruner *pruner; /* NULL: a dry run */
	uint64_t now_us;
};

/* What the disk gives back is what was written. */
struct readback {
	const struct buf *want;
	bool good;
};

static int compare(void *arg, const struct store_snapshot *s)
{
	struct readback *b = arg;

	b->good = s->len == b->want->len && memcmp(s->body, b->want->data, s->len) == 0;
	return 1;
}

static int put_base(struct prune *p, const struct cut *c, struct errinfo *err)
{
	struct readback back = {.good = false};
	struct buf saved;
	int rc = cut_save(c, &saved, err);

	if (rc) {
		return rc;
	}
	rc = store_prune_base(p->pruner,
	    &(struct store_snapshot){.experiment = c->number,
		.seq = c->upto,
		.cursor = c->upto,
		.body = saved.data,
		.len = saved.len},
	    false, err);
	back.want = &saved;
	rc = rc ? rc : store_read_bases(p->state.reader, c->number, compare, NULL, &back);
	if (rc == 0 && !back.good) {
		rc = err_set(err, RC_CORRUPT, "state_damaged", p->state.where,
		    "the state at seq %" PRIu64 " is not on disk as it was written; no event was "
		    "removed",
		    c->upto);
	}
	buf_release(&saved);
	return rc;
}

static int remove_events(struct prune *p, uint32_t number, uint64_t upto, struct errinfo *err)
{
	struct progress bar;
	uint64_t n = 0;
	int rc;

	progress_start(&bar, "events", 0);
	do {
		rc = store_prune_some(p->pruner, number, upto, &n, err);
		progress_add(&bar, rc ? 0 : n);
	} while (rc == 0 && n);
	progress_clear(&bar);
	return rc;
}

static int prune_one(struct prune *p, uint32_t number, struct errinfo *err)
{
	const char *name = p->state.list.names[number];
	struct cut c = {.state = &p->state,
	    .lookup = p->lookup,
	    .number = number,
	    .now_us = p->now_us,
	    .before_us = p->now_us > p->a->age_us ? p->now_us - p->a->age_us : 0};
	int rc = cut_find(&c, err);

	if (rc == 0 && c.at && p->pruner) {
		rc = put_base(p, &c, err);
	}
	/* Also what a prune left that was interrupted. */
	if (rc == 0 && p->pruner && c.upto) {
		rc = remove_events(p, number, c.upto, err);
	}
	cut_release(&c);
	if (rc) {
		return err_set(err, rc, "failed", name, "%s", err_name(rc));
	}
	printf("%s: %s %" PRIu64 " of %" PRIu64 " events; the log %s at seq %" PRIu64 "%s%s\n",
	    name, p->pruner ? "pruned" : "would prune", c.upto - c.base, c.last - c.base,
	    p->pruner ? "begins" : "would begin", c.upto + 1, c.why[0] ? "; " : "", c.why);
	return 0;
}

static int prune_all(struct prune *p, struct errinfo *err)
{
	const struct args *a = p->a;
	int rc = 0;

	if (a->only && !state_find(&p->state, a->only)) {
		return err_set(err, RC_NOT_FOUND, "not_found", a->only, "no such experiment");
	}
	if (verify_fold(p->state.where, a->only)) {
		return err_set(err, RC_CORRUPT, "damaged", p->state.where,
		    "the state does not verify, so nothing was removed; see bandit verify, bandit "
		    "salvage");
	}
	for (uint32_t i = 1; rc == 0 && i < p->state.list.numbers; i++) {
		const char *name = p->state.list.names[i];

		if (name && (!a->only || strcmp(a->only, name) == 0)) {
			rc = prune_one(p, i, err);
		}
	}
	return rc;
}

static int prune(const struct args *a)
{
	struct prune p = {.a = a, .now_us = clock_wall_us()};
	struct errinfo err = {.rc = 0};
	int rc = state_open(a->where, &p.state, &err);

	if (rc == 0 && !a->dry_run) {
		rc = store_pruner_open(&store_sqlite, p.state.where, &p.pruner, &err);
	}
	rc = rc ? rc : store_reader_open(&store_sqlite, p.state.where, &p.lookup, &err);
	rc = rc ? rc : prune_all(&p, &err);
	store_reader_close(p.lookup);
	state_close(&p.state);
	store_pruner_close(p.pruner);
	return cli_flush("prune") || rc ? cli_fail("prune", &err) : CLI_DONE;
}

int cmd_prune(int argc, char **argv)
{
	static const struct option options[] = {{"older-than", required_argument, NULL, 'o'},
	    {"experiment", required_argument, NULL, 'e'}, {"dry-run", no_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct args a = {.where = NULL};
	int c;

	while ((c = getopt_long(argc, argv, "o:e:nh", options, NULL)) != -1) {
		switch (c) {
		case 'o':
			if (clock_parse_duration(optarg, &a.age_us)) {
				return cli_usage("prune",
				    "--older-than: %s is no duration like P30D or PT12H", optarg);
			}
			a.aged = true;
			break;
		case 'e':
			a.only = optarg;
			break;
		case 'n':
			a.dry_run = true;
			break;
		case 'h':
			fputs(prune_usage, stdout);
			return cli_flush("prune");
		default:
			return CLI_USAGE;
		}
	}
	if (argc - optind != 1 || !a.aged) {
		return cli_usage("prune", "needs one STATE and --older-than AGE");
	}
	a.where = argv[optind];
	return prune(&a);
}
