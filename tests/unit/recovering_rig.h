/* SPDX-License-Identifier: Apache-2.0 */
/* `recovering` by its hooks alone, driven as an experiment drives it: a plan when one is due, then
 * the decision, then rewards. */
#ifndef TESTS_UNIT_RECOVERING_RIG_H
#define TESTS_UNIT_RECOVERING_RIG_H

#include "policies/policies.h"
#include "policies/recovering_impl.h"
#include "test.h"

#define ARMS_MAX_HERE 32
#define K_MAX 32
#define MEMO_BYTES 512
#define SECOND UINT64_C(1000000)

struct decision {
	uint64_t seq, repeat;
	struct pick picks[K_MAX];
	size_t npicks;
	unsigned char memo[MEMO_BYTES];
	size_t nmemo;
};

struct rig {
	struct recovering_params params;
	struct policy_env env;
	void *state;
	uint32_t arms, k, active[ARMS_MAX_HERE], nactive;
	uint64_t seq, at_us;
	const char *subject;
};

void rig_list_arms(struct rig *g);
void rig_add_arm(struct rig *g);
void rig_init(struct rig *g, uint32_t d_max, uint32_t k);
void rig_start(struct rig *g, uint32_t arms);
void rig_stop(struct rig *g);
struct ask rig_ask_of(struct rig *g);
int rig_choose(struct rig *g, const struct ask *ask, struct decision *ret);
struct decision rig_decide_among(struct rig *g, const struct ask *from);
struct decision rig_decide(struct rig *g);
struct rec_memo_pick rig_remembered(const struct decision *d, size_t i);
void rig_reward(struct rig *g, const struct decision *d, uint32_t slot, double y);
void rig_lose(struct rig *g, const struct decision *d, bool voided);
void rig_run(struct rig *g, const double *means, int periods, char *out, size_t room);
/* Saves, loads, and goes on with what was loaded; what is cut short is refused. */
void rig_check_load(struct rig *g);

#endif
