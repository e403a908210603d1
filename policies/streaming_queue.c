/* SPDX-License-Identifier: Apache-2.0 */
/* Arms that wait outside the state: when the next one comes in, and whose slot it takes. */
#include "policies/streaming.h"

#define US 1e6

static struct stream_rules rules(const void *params)
{
	const struct stream_params *p = params;

	return (struct stream_rules){.remember = p->remember == STREAM_IDS,
	    .stacked = p->order == STREAM_LIFO,
	    .backlog_max = (uint64_t)p->backlog_max,
	    .ttl_us = (uint64_t)(p->arm_ttl_s * US),
	    .pull_us = (uint64_t)(p->pull_timeout_s * US)};
}

static bool wants(const void *state)
{
	return ((const struct streaming *)state)->test.arm == STREAM_NONE;
}

static bool holds(const void *state, uint32_t slot)
{
	const struct streaming *s = state;

	for (uint32_t l = 0; l < s->nlevels; l++) {
		if (s->level[l].arm == slot) {
			return true;
		}
	}
	return slot == s->king || slot == s->deputy || slot == s->test.arm ||
	       (!(s->arm[slot] & ARM_READ) && s->arm[slot] != ARM_RETIRED);
}

static void queue(void *state, uint64_t offered, uint64_t waiting)
{
	struct streaming *s = state;

	s->offered = offered;
	s->waiting = waiting;
	if (waiting == 0) {
		stream_next(s); /* the last one was not read: the levels may meet now */
	}
}

static void read_arm(void *state, uint32_t slot, bool rated)
{
	struct streaming *s = state;

	s->arm[slot] = ARM_ACTIVE;
	if (slot == s->slots) {
		s->slots = slot + 1;
	}
	stream_read(s, slot);
	s->test.rated = rated && stream_is_estimated(s->params) && s->params->mode != STREAM_LEVELS;
}

static void close_stream(void *state, bool closed)
{
	struct streaming *s = state;

	if (closed) {
		stream_close(s);
	} else {
		s->closing = false;
	}
}

static bool recheck(void *state)
{
	return stream_recheck(state);
}

static const char *role(const void *memo, size_t n)
{
	static const char *const names[] = {"test", "king", "fill"};
	const uint8_t *p = memo;

	return n && *p <= STREAM_FILL ? names[*p] : NULL;
}

static bool explores(const void *memo, size_t n)
{
	return n && *(const uint8_t *)memo == STREAM_TEST;
}

static void show_stream(const void *state, struct stream_view *ret)
{
	const struct streaming *s = state;
	uint32_t king = stream_champion(s);

	*ret = (struct stream_view){.king = king,
	    .test = s->test.arm,
	    .bench = king != STREAM_NONE && king == s->king ? s->bench : 0,
	    .ratio = stream_ratio(s),
	    .king_ratio = s->king == STREAM_NONE           ? 0
			  : stream_is_estimated(s->params) ? s->king_ratio
							   : stream_ratio(s),
	    .crowned = s->crowned,
	    .dropped = s->dropped,
	    .expired = s->expired,
	    .rechecking = s->again != STREAM_SETTLED,
	    .rechecks = s->params->mode != STREAM_LEVELS};
	for (uint32_t l = 0; l < s->nlevels; l++) {
		if (king != STREAM_NONE && s->level[l].arm == king) {
			ret->bench = s->level[l].bench;
		}
	}
}

const struct stream_ops streaming_queue = {
    .rules = rules,
    .wants = wants,
    .holds = holds,
    .queue = queue,
    .read = read_arm,
    .close = close_stream,
    .recheck = recheck,
    .role = role,
    .explores = explores,
    .show = show_stream,
};
