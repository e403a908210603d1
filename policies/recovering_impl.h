/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of `recovering`: what is known of arms and subjects (recovering_subject.c), decisions
 * (recovering_ask.c), phases (recovering_phase.c), saving (recovering_save.c). */
#ifndef POLICIES_RECOVERING_IMPL_H
#define POLICIES_RECOVERING_IMPL_H

#include "policies/policies.h"
#include "policies/recovering_plan.h"

#define REC_NEVER UINT64_MAX
#define REC_SUBJECTS_MAX 65536
#define REC_PULLS_MAX (1u << 20) /* remembered, of all subjects */
#define REC_TAINTS_MAX 256
#define REC_CELLS_MAX (1u << 22) /* arms times d_max */

enum rec_clock { REC_SELECT, REC_TICK };
enum rec_scope { REC_GLOBAL, REC_SUBJECT };
enum rec_fill { REC_NONE, REC_UNPLANNED };

struct recovering_params {
	int64_t d_max, j_max, phase_min; /* phase_min 0: twice d_max */
	double alpha, tick_seconds;
	bool improve;
	int clock, scope, fill;
	struct param_list tables;
};

/* Of one arm at one idle time. */
struct rec_cell {
	uint64_t n, snap; /* rewards; those at the last planning */
	double sum;       /* of rewards scaled to [0, 1] */
};

struct rec_arm {
	enum arm_state state;
	uint32_t period, offset; /* period 0: not scheduled */
	uint64_t last;           /* period of its last pull; scope global */
};

/* Periods of one sequence of decisions. */
struct rec_time {
	uint64_t t;    /* the next one is not before this */
	uint64_t base; /* number of the tick that was period 0 */
	uint64_t seq;  /* decision of period t - 1; 0: none, or it was not shown */
};

struct rec_recent {
	uint32_t slot;
	uint64_t last;
};

struct rec_subject {
	uint64_t key; /* of its name */
	struct rec_time time;
	uint64_t plan;             /* it was last served under */
	struct rec_recent *recent; /* pulls of the last d_max periods, slot ascending */
	size_t n, cap;
};

/* A pull that turned out not to have been shown after its arm had been pulled again: the later pull
 * was booked under an idle time that is wrong. */
struct rec_taint {
	uint64_t subject, base, prev;
	uint32_t slot;
};

struct recovering {
	const struct recovering_params *params;
	double lo, width;
	uint32_t d_max, k;
	uint32_t slots, cap, nactive;
	struct rec_arm *arm;
	struct rec_cell *cell; /* cell[slot * d_max + idle - 1] */
	struct rec_time time;  /* scope global */
	uint64_t served;       /* decisions */
	bool planned, dirty, grown;
	bool shrunk, wide; /* fewer slots since a plan was begun; than the present plan is for */
	uint64_t plan, phases;           /* id of the plan; how often one was begun */
	uint64_t plan_at, plan_subjects; /* served() when it was begun; subjects served since */
	double value, upper;
	struct rec_subject **subject; /* key ascending */
	struct rec_subject *spare;
	size_t nsubjects, subjects_cap, npulls;
	struct rec_taint taint[REC_TAINTS_MAX]; /* oldest first */
	size_t ntaints;
};

/* What a decision remembers. */
struct rec_memo {
	uint64_t period, tick, subject, plan;
	struct rd picks; /* rec_memo_next() */
};
struct rec_memo_pick {
	uint32_t slot, idle;
	uint64_t prev; /* period of the pull before, or REC_NEVER */
};
void rec_memo_read(const void *memo, size_t n, struct rec_memo *ret);
bool rec_memo_next(struct rec_memo *m, struct rec_memo_pick *ret);

int recovering_choose(const void *state, const struct ask *ask, struct rng *rng, struct choice *ret,
    struct errinfo *err);
void recovering_pulled(void *state, const struct pull *p);
void recovering_lost(void *state, const struct pull *p);
void recovering_update(void *state, const struct outcome *o);

bool recovering_plan_due(const void *state, const struct ask *ask);
double recovering_plan_steps(const void *state);
void recovering_plan_input(const void *state, struct buf *out);
int recovering_plan_answer(struct rd *in, struct buf *out);
void recovering_plan_begin(void *state, bool applied);
int recovering_plan_apply(void *state, struct rd *in);
/* Optimistic table of one arm; U[d - 1] for d = 1..d_max. alpha 0: what the means say. */
void recovering_index(const struct recovering *r, uint32_t slot, double alpha, double *ret);
const double *recovering_known(const struct recovering *r, uint32_t slot); /* NULL: learnt */

/* Time of the ln: periods served. */
static inline uint64_t recovering_served(const struct recovering *r)
{
	return r->params->scope == REC_SUBJECT ? r->served : r->time.t;
}

uint64_t rec_subject_key(const char *name);
struct rec_subject *rec_subject_find(const struct recovering *r, uint64_t key);
/* Is there, or will be after the recovered ones are dropped, room for this subject's decision? */
bool rec_subject_fits(const struct recovering *r, uint64_t key, uint64_t tick);
int rec_subject_reserve(struct recovering *r, uint64_t key);             /* RC_MEMORY */
struct rec_subject *rec_subject_add(struct recovering *r, uint64_t key); /* room was reserved */
/* Others than this one, when there is no room. */
void rec_subject_drop_recovered(struct recovering *r, uint64_t key, uint64_t tick);
uint64_t rec_last(const struct recovering *r, const struct rec_subject *s, uint32_t slot);
void rec_set_last(struct recovering *r, struct rec_subject *s, uint32_t slot, uint64_t last);
void rec_forget_old(struct recovering *r, struct rec_subject *s);
void rec_subject_free(struct rec_subject *s);

size_t recovering_bound(const void *params, size_t slots, size_t dim);
int recovering_create(const struct policy_env *env, void **ret_state);
void recovering_destroy(void *state);
int recovering_reserve(void *state, size_t slots);
void recovering_serialise(const void *state, struct buf *out);
int recovering_deserialise(const struct policy_env *env, struct rd *in, void **ret_state);

#endif
