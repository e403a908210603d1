/* SPDX-License-Identifier: Apache-2.0 */
/* A state of tallying driven by its hooks, as an experiment would. */
#ifndef TESTS_UNIT_TALLY_RIG_H
#define TESTS_UNIT_TALLY_RIG_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "policies/policies.h"
#include "policies/tallying.h"
#include "test.h"

#define TALLY_ARMS 8

struct tally_play {
	uint64_t seq;
	struct pick pick;
	unsigned char memo[32];
	size_t nmemo;
};

struct tally_rig {
	struct tallying_params params;
	struct policy_env env;
	void *state;
	uint32_t slots[TALLY_ARMS];
	bool active[TALLY_ARMS];
	size_t n;
	uint64_t seq, at_us;
	struct buf memo;
};

void tally_set(struct tally_rig *r, const char *name, double v);
void tally_init(struct tally_rig *r, double memory);
/* After the settings. */
void tally_open(struct tally_rig *r, size_t arms);
void tally_close(struct tally_rig *r);
void tally_add(struct tally_rig *r);
void tally_set_arm(struct tally_rig *r, uint32_t slot, enum arm_state to);

/* A decision among these slots, NULL: all. */
int tally_ask(struct tally_rig *r, const char *subject, const uint32_t *slots, size_t n,
    struct tally_play *ret, struct errinfo *err);
struct tally_play tally_select(struct tally_rig *r, const char *subject); /* must succeed */
void tally_reward(struct tally_rig *r, const struct tally_play *p, double reward);
void tally_lose(struct tally_rig *r, const struct tally_play *p, bool voided);

/* What describe() says; -1 when it says nothing of that name. */
double tally_view(const struct tally_rig *r, uint32_t slot, const char *name);
bool tally_alone(const struct tally_rig *r, uint32_t slot); /* does this arm alone survive? */

#endif
