/* SPDX-License-Identifier: Apache-2.0 */
/* An experiment with its log in memory and a generator that lives through it, for tests. What goes
 * wrong ends the test. */
#ifndef TESTS_UNIT_WORLD_H
#define TESTS_UNIT_WORLD_H

#include "base/rng.h"
#include "core/experiment.h"

#define WORLD_EVENTS_MAX 40000
#define WORLD_ARMS_MAX 128
#define WORLD_DIM 3

/* A policy with settings: the cases that every claim is held to. */
struct variant {
	const struct policy_ops *ops;
	struct spec_param param[3];
	size_t nparams;
	char text[96]; /* "name:key=value,..." for messages */
};

/* The next variant of one policy: its defaults, then every choice and the ends of every range,
 * those again under every choice. Counts *i up; false after the last. Not all need be valid
 * together. */
bool variant_next(const struct policy_ops *ops, size_t *i, struct variant *ret);

/* ck_assert() tells its parent of every claim that holds, which takes longer than what is tested
 * here a million times; this one tells of those that do not. */
void must(const struct variant *v, bool holds, const char *claim);

struct world {
	const struct variant *v;
	struct experiment_spec spec;
	struct spec_arm arms[WORLD_ARMS_MAX];
	char ids[WORLD_ARMS_MAX][8];
	struct experiment *e;
	struct arena mem, old; /* of the present event, and of a decision looked up */
	struct buf log;
	size_t at[WORLD_EVENTS_MAX + 2]; /* event seq's bytes start at at[seq] */
	struct pending pending[WORLD_EVENTS_MAX + 2];
	double x[WORLD_DIM];
	struct rng rng;
	uint64_t now_us, subjects; /* decisions that named one */
};

/* Subjects of a world and of a rig: few, so that each comes often. */
#define WORLD_SUBJECTS 7
const char *subject_name(uint64_t i); /* i < WORLD_SUBJECTS */

/* NULL when these settings are refused together. */
struct world *world_new(const struct variant *v, size_t arms, const struct settings *settings);
void world_free(struct world *w);
/* Queue and apply, as a server does. */
void world_commit(struct world *w, const struct event *ev);
/* Fills in x for a contextual policy and the subject; commits. The event lives until the next one.
 */
struct event world_select(struct world *w, struct select_in *in);
/* Returns what experiment_reward() says; commits the event if there is one. */
enum feedback_status world_reward(struct world *w, uint64_t decision, double reward);
int world_expire(struct world *w, uint64_t decision);
int world_void(struct world *w, uint64_t decision);
int world_activate(struct world *w, uint64_t decision);
void world_add_arm(struct world *w);
int world_set_arm(struct world *w, uint32_t slot, enum arm_state to);
/* The event as it was logged; lives until the next look. */
struct event world_event(struct world *w, uint64_t seq);
/* A second experiment made from the log alone. */
struct experiment *world_replay(struct world *w);
bool same_state(const struct experiment *a, const struct experiment *b);

#endif
