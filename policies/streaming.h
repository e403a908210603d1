/* SPDX-License-Identifier: Apache-2.0 */
/* Inside policies/streaming*.c: one pass over arms that keep coming, three of them at a time. */
#ifndef POLICIES_STREAMING_H
#define POLICIES_STREAMING_H

#include "core/policy.h"

#define STREAM_NONE UINT32_MAX
#define STREAM_PLAN_MAX 64   /* checkpoints of a race: its length halved until none is left */
#define STREAM_LEVELS_MAX 32 /* of the preset log at most ln 1e12 = 27 and one */

enum stream_mode {
	STREAM_RACE,
	STREAM_TUNED,
	STREAM_LEVELS,
	STREAM_BUDGET,
	STREAM_UNIFORM,
	STREAM_NAIVE
};
enum stream_preset { STREAM_DEFAULT, STREAM_SHORT, STREAM_LOGLOG, STREAM_LOG };
enum stream_order { STREAM_FIFO, STREAM_LIFO };
enum stream_memory { STREAM_IDS, STREAM_FORGET };
/* The king and its deputy tested again, when somebody asks for it. */
enum stream_again { STREAM_SETTLED, STREAM_ASKED, STREAM_KING_AGAIN, STREAM_DEPUTY_AGAIN };
enum stream_role { STREAM_TEST, STREAM_KING, STREAM_FILL };

struct stream_params {
	int mode, levels;
	double ratio, horizon, arms_expected;
	double c, c_delta, delta, level_scale, n0_scale, growth, crown, margin, share;
	int64_t m_min, test_pulls;
	double max_lost, backlog_max, arm_ttl_s, pull_timeout_s;
	int remember, order;
	struct param_list level_r, level_cap;
};

/* The arm that is tried out. What its length depends on is fixed when it is read. */
struct stream_test {
	uint32_t arm;   /* STREAM_NONE: none runs */
	uint32_t level; /* mode levels: the level it wants to enter */
	uint32_t stage; /* checkpoint; mode budget: doublings of the evidence asked for */
	uint32_t nplan; /* checkpoints */
	bool crowning;  /* mode budget: the pulls that become the benchmark */
	bool rated;     /* the ratio at its crowning is kept */
	double eps;     /* rho^(-1/3) */
	uint64_t n0;    /* mode budget: its unit */
	uint64_t cnt, issued, lost; /* rewards of this stage, pulls under way, pulls given up */
	double sum;
	uint64_t plan[STREAM_PLAN_MAX];
};

struct stream_level {
	uint32_t arm; /* STREAM_NONE: free */
	uint64_t n, count;
	double bench;
};

struct streaming {
	const struct stream_params *params;
	double lo, width;
	uint8_t *arm; /* per slot: enum arm_state, and ARM_READ once it was read */
	uint32_t slots, cap;
	uint32_t cursor;           /* no slot before it waits to be read */
	uint64_t offered, waiting; /* as the backlog has them; not saved */
	uint64_t decisions, read, serial, crowned, dropped, expired;
	uint32_t king, deputy; /* or STREAM_NONE; mode levels: in level[] */
	double bench, deputy_bench, phi;
	double king_ratio, deputy_ratio; /* when they were crowned; 0: not kept */
	enum stream_again again;
	double king_mean; /* STREAM_DEPUTY_AGAIN: what the king showed now */
	uint32_t nlevels;
	bool closing; /* mode levels: no more arms come, the kings of the levels meet */
	struct stream_level level[STREAM_LEVELS_MAX];
	struct stream_test test;
};

#define ARM_READ 4

/* streaming_queue.c: arms that wait outside. */
extern const struct stream_ops streaming_queue;

/* streaming_plan.c: how long a test is. */
void stream_plan(const struct streaming *s, struct stream_test *ret);
double stream_ratio(const struct streaming *s); /* decisions per arm that comes */
bool stream_is_estimated(const struct stream_params *p);
/* What must not be undercut at the checkpoint that the test has reached. */
double stream_radius(const struct streaming *s, const struct stream_test *t);
uint32_t stream_nlevels(const struct stream_params *p);
int stream_check_levels(const struct stream_params *p, struct errinfo *err);
uint64_t stream_level_cap(const struct streaming *s, uint32_t level);

/* streaming_test.c: what follows from rewards. */
void stream_next(struct streaming *s);                /* reads an arm if none is tested */
void stream_read(struct streaming *s, uint32_t slot); /* begins its test */
void stream_checkpoint(struct streaming *s);
void stream_abort(struct streaming *s); /* drops the arm under test, reads the next */
void stream_remove(struct streaming *s, uint32_t slot);
void stream_close(struct streaming *s); /* changes; no more arms come, until one does */
/* Changes; false: there is no king, or the levels test theirs anyway. */
bool stream_recheck(struct streaming *s);
uint32_t stream_champion(const struct streaming *s);

/* streaming_save.c */
void stream_serialise(const void *state, struct buf *out);
int stream_deserialise(const struct policy_env *env, struct rd *in, void **ret_state);

/* streaming.c */
int stream_create(const struct policy_env *env, void **ret_state);
void stream_destroy(void *state);
int stream_reserve(void *state, size_t slots);

#endif
