/* SPDX-License-Identifier: Apache-2.0 */
/* How far a log can be pruned. Shared by cmd_prune.c and prune_cut.c. */
#ifndef CLI_PRUNE_H
#define CLI_PRUNE_H

#include "base/hash.h"
#include "cli/cli.h"

/* One experiment. */
struct cut {
	const struct state *state;
	struct store_reader *lookup; /* while state->reader walks along the log */
	uint32_t number;
	uint64_t now_us, before_us; /* events older than this may go */
	uint64_t base, last;        /* pruned up to now; the newest event */
	uint64_t upto;              /* what may go: base when nothing may */
	char why[200];              /* what keeps events that are old enough; empty: nothing does */
	unsigned char digest[HASH_DIGEST_BYTES]; /* of the state after last */
	struct experiment *at;                   /* the state after upto; NULL: nothing may go */
};

/* From state, lookup, number, now_us and before_us finds the rest; cut_release() in any case. */
int cut_find(struct cut *c, struct errinfo *err);
void cut_release(struct cut *c);
/* The state after upto, saved; it loads, and the log from there on folds to the same digest. */
int cut_save(const struct cut *c, struct buf *ret, struct errinfo *err);

#endif
