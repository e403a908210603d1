/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy has beside policy_ops when arms come to it without end. */
#ifndef CORE_STREAM_H
#define CORE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a policy wants its stream of arms kept. */
struct stream_rules {
	bool remember;        /* an id that was offered once is refused for ever */
	bool stacked;         /* the newest is read first; never changes */
	uint64_t backlog_max; /* arms that may wait; 0: any number */
	uint64_t ttl_us;      /* one that waited longer is not read; 0: for ever */
	uint64_t pull_us;     /* the window of a test's pull where there is none; 0: none */
};

/* What it shows of it. */
struct stream_view {
	uint32_t king, test; /* slots, or SLOT_NONE */
	double bench;        /* of the king; 0 without one */
	double ratio;        /* decisions per arm that comes, as it is now */
	double king_ratio;   /* as it was when the king was crowned; 0: not known */
	uint64_t crowned, dropped, expired;
	bool rechecking; /* asked for, or under way */
	bool rechecks;   /* it can be asked for at all */
};

/* A policy that holds few arms of very many: those that wait are in the log, not in its state, and
 * a slot that it no longer holds is given to the next one. */
struct stream_ops {
	struct stream_rules (*rules)(const void *params);
	bool (*wants)(const void *state); /* the next arm now? */
	bool (*holds)(const void *state, uint32_t slot);
	/* changes; so many arms ever came and so many wait outside. Not saved: told after load. */
	void (*queue)(void *state, uint64_t offered, uint64_t waiting);
	/* changes; an arm that is new stands in this slot, the next one or one not held. Rated: is
	 * the ratio at its crowning kept? */
	void (*read)(void *state, uint32_t slot, bool rated);
	/* changes; no more arms come, or one did */
	void (*close)(void *state, bool closed);
	/* changes; the best so far is to be measured anew. False, nothing changed: nothing is. */
	bool (*recheck)(void *state);
	const char *(*role)(const void *memo, size_t n); /* of a decision; static */
	bool (*explores)(const void *memo, size_t n);
	void (*show)(const void *state, struct stream_view *ret);
};

#endif
