/* SPDX-License-Identifier: Apache-2.0 */
/* A line of the log while it is read: what event_read.c and event_read_feedback.c share. */
#ifndef JSON_EVENT_LINE_H
#define JSON_EVENT_LINE_H

#include <jansson.h>

#include "core/experiment.h"
#include "json/bind.h"

/* Every member of any kind; each kind's table names those it has. */
struct line {
	uint64_t version, seq, ref, slots, seed, slot, position, offer, before, below, below_offer;
	const char *memo, *bytes;
	const char *experiment, *at, *decision, *subject, *arm, *label, *key, *fingerprint, *group;
	int kind, op, status, state, goal, late_rule, aggregate;
	double propensity, prediction, reward, label_value, learnt, held, floor, lo, hi;
	const json_t *fallback, *window, *expires_at;
	const json_t *arms, *pmf, *rewards, *awake, *context, *x, *changes, *policy, *params;
	struct bind_ids eligible, active, groups, features;
	bool auto_groups, remember, deferred, slate, closes, lost, revived, late, clipped, tested,
	    rated;
};

struct line_source {
	const json_t *o;
	const struct experiment *e;
	struct arena *mem;
	struct errinfo *err;
	struct line l;
};

int line_no_memory(struct line_source *s);
int line_invalid(struct line_source *s, const char *pointer, const char *text); /* out_of_range */
int line_slot(struct line_source *s, const char *id, const char *pointer, uint32_t *ret);
int line_doubles(struct line_source *s, const json_t *list, const char *field, const double **ret,
    size_t *ret_n);
/* Hexadecimal, at most max bytes. */
int line_bytes(struct line_source *s, const char *text, const char *pointer, size_t max,
    const void **ret, size_t *ret_n);
int line_fingerprint(struct line_source *s, bool due, uint64_t *ret);
/* Does the line name the slot beside the arm? Those of a policy with a stream do. */
bool line_has_slot(const struct line_source *s, uint32_t *ret_slot);
/* event_read_arms.c */
int line_arms(struct line_source *s, struct event_arm *ret);
int line_stream(struct line_source *s, struct event_stream *ret);
int line_feedback(struct line_source *s, struct event *ev);
int line_create(struct line_source *s, struct experiment_spec *ret);
int line_change(struct line_source *s, struct settings *ret);

#endif
