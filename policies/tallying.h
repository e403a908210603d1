/* SPDX-License-Identifier: Apache-2.0 */
/* Inside tallying: a sequence of plays that eliminates arms block by block, and its owner. */
#ifndef POLICIES_TALLYING_H
#define POLICIES_TALLYING_H

#include "core/policy.h"
#include "core/subjects.h"

#define TALLY_NONE UINT32_MAX
#define TALLY_STAGE_MAX 40
#define TALLY_BYTES_MAX ((size_t)1 << 30)   /* of what isolated subjects know of arms */
#define TALLY_COUNT_MAX (UINT64_C(1) << 53) /* counts that a double holds exactly */

enum tally_mode { TALLY_GLOBAL, TALLY_ISOLATED, TALLY_POOLED };
enum tally_unit { TALLY_PLAY, TALLY_SUBJECT };

struct tallying_params {
	double memory_bound, delta, reward_lo, reward_hi; /* NaN: not given */
	int64_t n0, horizon, t0, subject_ttl, subjects_max;
	int mode, unit;
};

struct tally_arm {
	uint64_t iss;         /* plays whose reward counts */
	uint64_t cnt;         /* samples that came */
	uint64_t left;        /* used plays that this epoch still owes */
	double sum;           /* of the samples, so in [0, cnt] */
	bool present, active; /* can be played; has not been eliminated */
};

/* Unbroken plays of one arm. */
struct tally_run {
	uint64_t n, from; /* length, and the decision it began with */
	uint32_t arm;
};

/* Of the plays of one audience. In pooled mode it has no runs and no blocks, but a target. */
struct tally_seq {
	struct tally_arm *arm;
	uint32_t cap, known; /* slots; those it has heard of, which are the arms ever known */
	uint32_t nactive;
	uint32_t head; /* the arm whose block it is, or the only one active; else TALLY_NONE */
	uint32_t stage;
	int64_t epoch; /* -1 before the first */
	uint64_t t, target;
	uint64_t changes; /* of the arms, that it has heard of */
	struct tally_run run;
};

/* Of one subject's used rewards of one arm; unit = subject. */
struct tally_pair {
	uint64_t n;
	double sum;
	uint32_t slot;
};

struct tally_member {         /* a subject in pooled mode */
	struct tally_run run; /* run.arm: where it is placed */
	struct tally_pair *pair;
	uint32_t npairs, cap;
};

struct tallying {
	const struct tallying_params *params;
	double lo, width;
	uint64_t memory, n0, ttl_us;
	uint8_t *state; /* enum arm_state of every slot */
	uint32_t *load; /* pooled: subjects placed on each */
	uint32_t slots, cap;
	uint64_t changes;                  /* of the arms, ever */
	uint64_t raised;                   /* how often memory_bound was */
	struct tally_seq shared, *scratch; /* scratch: where choose() tries what pulled() will do */
	struct subjects *subjects;         /* NULL when global; of tally_seq or tally_member */
	/* For the next new subject. */
	struct tally_arm *spare;
	uint32_t spare_cap;
	struct tally_pair *spare_pair;
};

/* An arm's mean of n samples is within width(n) of what it estimates. */
double tally_level(double ever, double epoch, double delta);
double tally_width(double n, double level);

/* A sequence, tallying_seq.c. It is settled, that is, what is due between two plays is done, before
 * it is asked or played. */
double tally_seq_level(const struct tallying *t, const struct tally_seq *q);
void tally_seq_init(const struct tallying *t, struct tally_seq *q);
bool tally_seq_due(const struct tallying *t, const struct tally_seq *q);
void tally_seq_settle(const struct tallying *t, struct tally_seq *q);
void tally_seq_refresh(struct tally_seq *q); /* nactive and head after arms or blocks changed */
/* Would a play of the block's arm have a reward that counts? */
bool tally_seq_counts(const struct tallying *t, const struct tally_seq *q);
/* The settled sequence plays this arm; true when the reward will count. */
bool tally_seq_play(const struct tallying *t, struct tally_seq *q, uint32_t slot, uint64_t seq);
void tally_seq_distrust(const struct tallying *t, struct tally_seq *q); /* all rewards so far */
void tally_seq_learn(struct tally_seq *q, uint32_t slot, double x);
/* The arm of the sequence to play in place of one that was not asked for. */
uint32_t tally_substitute(const struct tally_seq *q, const struct ask *ask);

/* Subjects, tallying_subject.c. */
bool tally_gone(const struct tallying *t, const void *record, uint64_t at_us);
/* Where a subject plays, given the settled sequence; member NULL: a new one. */
uint32_t tally_place(
    const struct tallying *t, const struct tally_seq *q, const struct tally_member *member);
/* How many it remembers: subjects_max, and what their memory allows. */
size_t tally_subjects_most(const struct tallying *t);
int tally_reserve_subject(void *state, const char *subject);
void tally_forget(struct tallying *t, void *record);
/* The subject's record, seen now and made if need be: it starts anew when it was gone. */
void *tally_meet(struct tallying *t, const struct subject_key *key, uint64_t at_us);
bool tally_member_play(
    struct tallying *t, struct tally_member *m, uint32_t placed, uint32_t slot, uint64_t seq);
void tally_member_learn(struct tallying *t, struct tally_member *m, uint32_t slot, double x);

/* Parameters, tallying_params.c. */
extern const struct param_desc tally_params[];
bool tally_has_subjects(const struct tallying_params *p);
uint64_t tally_first_target(const struct tallying_params *p);
unsigned tally_traits(const void *params);
int tally_check(const void *params, struct errinfo *err);
const char *tally_warn(const void *params, size_t arms);

/* Hooks that tallying.c and tallying_save.c share. */
int tally_create(const struct policy_env *env, void **ret_state);
void tally_destroy(void *state);
int tally_reserve(void *state, size_t slots);
void tally_serialise(const void *state, struct buf *out);
int tally_deserialise(const struct policy_env *env, struct rd *in, void **ret_state);

#endif
