/* SPDX-License-Identifier: Apache-2.0 */
/* An engine on a log of its own, driven by one thread and by hand: a test says what time it is.
 * Whatever the functions below take for granted ends the test. */
#ifndef TESTS_UNIT_ENGINE_RIG_H
#define TESTS_UNIT_ENGINE_RIG_H

#include "serve/engine.h"
#include "tests/unit/place.h"

#define RIG_START_US UINT64_C(1700000000000000)
#define RIG_ANSWER_MAX 512
#define RIG_SMALL_CACHE 1 /* bytes: nothing stays that may go */

struct engine_rig {
	struct place place;
	struct store_ops ops; /* the backend's, with hooks below put in between */
	struct engine_options o;
	struct engine *g;
	struct engine_work w;
	struct engine_recovery recovery;
	struct errinfo err; /* of the last call */
	uint64_t now_us;
	int reports; /* lines for the log, and the last of them */
	int report_rc;
	uint64_t report_seq;
	char report_experiment[ID_MAX + 1];
};

/* What a call gave, copied. */
struct answer {
	int rc;
	bool replayed;
	enum feedback_status status;
	uint64_t seq, ticket;
	uint32_t slot;
	double propensity;
	unsigned char bytes[RIG_ANSWER_MAX]; /* the event, encoded; none when its kind is 0 */
	size_t len;
	char id[DECISION_ID_MAX]; /* of a decision whose caller chose none */
};

void rig_init(struct engine_rig *r, const struct store_ops *ops);
/* Snapshots are written, not written, or written with a flipped byte. */
enum rig_snapshots { RIG_SNAPSHOTS, RIG_NO_SNAPSHOTS, RIG_BAD_SNAPSHOTS };
void rig_snapshots(struct engine_rig *r, enum rig_snapshots how);
/* This event is written with a flipped byte; seq 0: none. */
void rig_damage(struct engine_rig *r, uint32_t experiment, uint64_t seq);
int rig_try_open(struct engine_rig *r);
void rig_open(struct engine_rig *r);
void rig_close(struct engine_rig *r);
void rig_reopen(struct engine_rig *r);
void rig_release(struct engine_rig *r);
void rig_drain(struct engine_rig *r);

/* Three arms a, b, c; rewards in [0, 1]; thompson. */
struct experiment_spec rig_spec(const char *name);
int rig_create(struct engine_rig *r, const struct experiment_spec *spec);
void rig_make(struct engine_rig *r, const char *name, const struct settings *s);
struct engine_item *rig_item(struct engine_rig *r, const char *name);
/* Strings and numbers of the settings as they are. */
struct settings rig_settings(struct engine_rig *r, const char *name);
int rig_change(struct engine_rig *r, const char *name, const struct settings *s);

/* id may be NULL. */
struct answer rig_decide(struct engine_rig *r, const char *name, const char *id, bool defer);
struct answer rig_reward(
    struct engine_rig *r, const char *name, const char *id, double reward, const char *key);
int rig_activate(struct engine_rig *r, const char *name, const char *id);
int rig_void(struct engine_rig *r, const char *name, const char *id);
int rig_add_arm(struct engine_rig *r, const char *name, const char *id);
int rig_set_arm(struct engine_rig *r, const char *name, uint32_t slot, enum arm_state to);

struct digest {
	unsigned char bytes[16];
};
struct digest rig_digest(struct engine_rig *r, const char *name);
bool digest_equal(struct digest a, struct digest b);
struct totals rig_totals(struct engine_rig *r, const char *name);
uint64_t rig_seq(struct engine_rig *r, const char *name);
/* The log alone, folded: what a start without snapshots would give. */
struct digest rig_replay(struct engine_rig *r, const char *name);

#endif
