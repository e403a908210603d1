/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of an experiment, for the files experiment*.c. */
#ifndef CORE_EXPERIMENT_IMPL_H
#define CORE_EXPERIMENT_IMPL_H

#include "core/experiment.h"

/* What is known of a slot that is used again. */
struct stream_slot {
	uint64_t
	    added; /* seq of the event that put its arm there; older decisions are of another */
	bool kept; /* there are decisions that do not say their arm, or its state was set */
};

/* The arms that wait, counted; see experiment_stream.h. */
struct backlog {
	uint64_t added; /* arms that came by other events */
	uint64_t offered, head, top, head_seq, tail_seq, skipped, explored, late;
	uint64_t *gone; /* positions that wait and were withdrawn, ascending */
	uint32_t ngone, gone_cap;
	struct stream_slot *slot;
	uint32_t cap;
};

struct experiment {
	const struct policy_ops *ops;
	void *params, *state;
	void *other;        /* params after a change, then those before it; NULL: nothing changes */
	char *name, *label; /* label: NULL until there is one */
	char **features;
	uint64_t seed, fingerprint;
	double lo, hi;
	enum goal goal;
	uint32_t slots;
	uint32_t leader; /* the slot drawn most often; for watching, not part of the state */
	unsigned traits; /* enum policy_flag, as the parameters have it */
	size_t dim;      /* entries of x that the policy reads */
	struct settings settings; /* its label is ours */
	uint64_t seq, at_us, created_us, changed_seq, expired_ref;
	struct totals totals;
	struct arms arms;
	struct arms groups;     /* ids and totals; their state means nothing */
	struct result *results; /* scratch, one per arm; POLICY_FULL only */
	bool has_windows;       /* settings ever had a window */
	bool closed_groups;
	bool planning; /* a plan was begun and has not come yet */
	uint32_t nfeatures;
	struct history history;
	struct backlog *backlog; /* of a policy with a stream, else NULL */
};

/* An experiment without arms whose policy state is fresh (or absent: load brings its own). */
int experiment_start(const struct experiment_spec *spec, const struct policy_ops *ops,
    bool with_state, struct experiment **ret, struct errinfo *err);
struct policy_env experiment_env(const struct experiment *e);
int experiment_no_memory(struct errinfo *err);
/* The next event, empty. */
struct event experiment_next(const struct experiment *e, enum event_kind kind, uint64_t at_us);
int experiment_reserve_label(struct experiment *e, const char *label);
int experiment_reserve_arms(struct experiment *e, size_t n, size_t text_bytes, struct errinfo *err);
void experiment_add_arm(struct experiment *e, const char *id, const char *label);
/* The number of a group that is there; ARM_NONE when it never was or was removed. */
uint32_t experiment_group(const struct experiment *e, const char *id);
/* May an arm be added as the mean of these? */
bool experiment_refines(const struct experiment *e, uint32_t left, uint32_t right);
int experiment_set_params(
    struct experiment *e, const struct experiment_spec *spec, struct errinfo *err);
void experiment_free_lists(struct experiment *e);
/* Would this change of the policy do? e->other are then its parameters, and the others can be
 * asked. RC_INVALID. */
int experiment_check_policy(
    const struct experiment *e, const struct settings *s, struct errinfo *err);
bool experiment_keeps_policy(const struct experiment *e, const struct settings *s);
int experiment_reserve_policy(struct experiment *e, const struct settings *s);
void experiment_change_policy(struct experiment *e, const struct settings *s);
void experiment_set(struct experiment *e, const struct settings *s);
double experiment_clip(const struct experiment *e, double reward);
/* What the policy can do with these settings. RC_INVALID. */
int experiment_check_settings(
    const struct experiment *e, const struct settings *s, struct errinfo *err);

/* What becomes of a late reward: LATE (dropped), RECORDED, or LEARNT. closed: something else was,
 * or is about to be, learnt in its place. */
enum feedback_status experiment_judge_late(const struct experiment *e, bool closed);

#define WITHDRAWN_MAX 65536 /* arms that still wait */

/* experiment_backlog.c; these five need a stream. */
bool backlog_is_stacked(const struct experiment *e);
uint64_t backlog_waiting(const struct backlog *b);
/* How many of those withdrawn stand before a position. */
uint32_t backlog_gone_before(const struct backlog *b, uint64_t position);
/* A slot that may be given away; one whose decisions do not say their arm is not. */
bool backlog_is_free(const struct experiment *e, uint32_t slot);
/* How it is saved: a later form has what the one before has no place for. */
enum backlog_form { BACKLOG_PLAIN, BACKLOG_GONE, BACKLOG_LATE };
enum backlog_form backlog_form(const struct experiment *e);
/* Without a stream the rest does nothing. */
int backlog_init(struct experiment *e); /* RC_MEMORY */
void backlog_release(struct experiment *e);
int backlog_reserve(struct experiment *e); /* as many slots as there is room for arms */
int backlog_reserve_event(struct experiment *e, const struct event_stream *s);
int backlog_apply(struct experiment *e, const struct event *ev); /* RC_CORRUPT, nothing changed */
int backlog_decide(struct experiment *e, const struct event_decision *d);
bool backlog_explores(const struct experiment *e, const void *memo, size_t n); /* a test pull? */
void backlog_add_arm(struct experiment *e, uint32_t slot);
void backlog_keep(struct experiment *e, uint32_t slot); /* never to be used again */
/* Was the decision about the arm that stands there now? */
bool backlog_is_of(const struct experiment *e, uint32_t slot, uint64_t decision_seq);
void backlog_save(const struct experiment *e, struct buf *out);
int backlog_load(
    struct experiment *e, struct rd *in, enum backlog_form form); /* RC_CORRUPT, RC_MEMORY */
void backlog_loaded(struct experiment *e); /* the policy's state is there, too */

bool experiment_is_slate(const struct experiment *e);
/* The rest of experiment_reward, and of void and expiry, for slates. Flags and kind of ev are set.
 * RC_INVALID, RC_MEMORY. */
int experiment_slate_reward(const struct experiment *e, const struct event *d,
    const struct pending *p, const struct reward_in *in, bool late, struct arena *mem,
    struct event *ev, struct errinfo *err);
int experiment_slate_close(const struct experiment *e, const struct event *d,
    const struct pending *p, struct arena *mem, struct event *ev);

#endif
