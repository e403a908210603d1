/* SPDX-License-Identifier: Apache-2.0 */
/* libbandit: the policies of banditd in your own process, without daemon, log or threads.
 *
 *	struct bandit *b;
 *	struct bandit_decision *d;
 *	struct bandit_error err;
 *
 *	if (bandit_new("home", "{\"policy\":\"thompson\",\"arms\":[\"a\",\"b\"]}", &b, &err) == 0 &&
 *	    bandit_select(b, NULL, &d, &err) == 0) {
 *		show(bandit_decision_arm(d, 0));
 *		bandit_reward(b, d, 1, NULL, &err);
 *		bandit_decision_free(d);
 *	}
 *	bandit_free(b);
 *
 * The same seed, questions, times and rewards give the same answers and the same saved bytes on
 * every machine, and the same as the daemon gives.
 *
 * Ownership: what a function returns through `ret` is the caller's, who frees it with the function
 * named there. Arguments are borrowed for the call. Texts that are returned belong to the object.
 * Threads: an object is used by one thread at a time; different objects by different threads.
 * Errors: 0, or a negative code with err filled in (err may be NULL); on failure nothing changed
 * and *ret is untouched. Nothing is printed, no signal is caught, no file is opened.
 * Linking: pkg-config --cflags --libs libbandit. */
#ifndef BANDIT_H
#define BANDIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BANDIT_E_MEMORY (-1)
#define BANDIT_E_INVALID (-2)   /* a value is out of range or of the wrong kind */
#define BANDIT_E_NOT_FOUND (-3) /* no such arm; a decision of another experiment */
#define BANDIT_E_CONFLICT (-4)  /* the id is taken */
#define BANDIT_E_STATE (-6)     /* sound, but not now: paused, closed, no active arm */
#define BANDIT_E_LIMIT (-7)
#define BANDIT_E_FAILED (-9)   /* no random numbers from the system */
#define BANDIT_E_CORRUPT (-11) /* saved bytes do not check */
#define BANDIT_E_VERSION (-12) /* saved by a newer version */

struct bandit_error {
	int code;        /* BANDIT_E_... */
	char word[32];   /* for machines: "unknown_policy" */
	char where[160]; /* a JSON Pointer into what was given, or "" */
	char text[320];  /* a sentence for people */
};

struct bandit;          /* an experiment: arms, what was learnt */
struct bandit_decision; /* a question that was answered, until its reward */

enum bandit_arm_state { BANDIT_ARM_ACTIVE, BANDIT_ARM_PAUSED, BANDIT_ARM_RETIRED };
enum bandit_status {
	BANDIT_LEARNT,
	BANDIT_RECORDED,  /* counted, not learnt: late, or of a retired arm */
	BANDIT_PENDING,   /* held until the decision is activated or its window closes */
	BANDIT_LATE,      /* dropped by rule */
	BANDIT_DUPLICATE, /* had its reward before */
};

/* "0.1.0" of the library that is running. */
const char *bandit_version(void);

/* spec: the body of PUT /v1/experiments/{name}, as JSON: policy, arms, seed, reward, context, slots
 * (doc/policies.md has the policies and their parameters). Without a seed it is drawn. */
int bandit_new(const char *name, const char *spec, struct bandit **ret, struct bandit_error *err);
void bandit_free(struct bandit *b); /* NULL is fine */
/* Time in microseconds since 1970 from here on, for windows and what is logged; 0, the default: the
 * clock of the machine. */
void bandit_set_time(struct bandit *b, uint64_t at_us);

/* id: 1 to 128 of A-Z a-z 0-9 . _ : -. label may be NULL. */
int bandit_add_arm(struct bandit *b, const char *id, const char *label, struct bandit_error *err);
int bandit_set_arm(
    struct bandit *b, const char *id, enum bandit_arm_state state, struct bandit_error *err);

/* request: the body of POST .../decisions (context, eligible, exclude, groups, subject, defer), or
 * NULL for none of these. Free with bandit_decision_free(). */
int bandit_select(
    struct bandit *b, const char *request, struct bandit_decision **ret, struct bandit_error *err);
void bandit_decision_free(struct bandit_decision *d); /* NULL is fine */
/* One arm; as many as were drawn of a policy with slates; none of a forecast. */
size_t bandit_decision_arms(const struct bandit_decision *d);
const char *bandit_decision_arm(const struct bandit_decision *d, size_t i);   /* NULL beyond */
double bandit_decision_propensity(const struct bandit_decision *d, size_t i); /* 0 beyond */
double bandit_decision_prediction(const struct bandit_decision *d); /* of a forecast, else 0 */

/* What came of it: the reward of the arm, or the label of a forecast. ret may be NULL. */
int bandit_reward(struct bandit *b, struct bandit_decision *d, double reward,
    enum bandit_status *ret, struct bandit_error *err);
/* By arm: of a slate, or of all arms there could have been. */
int bandit_reward_arms(struct bandit *b, struct bandit_decision *d, const char *const *arms,
    const double *rewards, size_t n, enum bandit_status *ret, struct bandit_error *err);
/* Says that it was not shown: the policy does not wait for its reward any longer. */
int bandit_drop(struct bandit *b, struct bandit_decision *d, struct bandit_error *err);

/* Everything, with a checksum; free *ret with free(). A decision is saved apart, and can be
 * rewarded by whatever was saved or loaded after it was made. */
int bandit_save(const struct bandit *b, void **ret, size_t *ret_len, struct bandit_error *err);
int bandit_load(const void *bytes, size_t len, struct bandit **ret, struct bandit_error *err);
int bandit_decision_save(
    const struct bandit_decision *d, void **ret, size_t *ret_len, struct bandit_error *err);
int bandit_decision_load(const struct bandit *b, const void *bytes, size_t len,
    struct bandit_decision **ret, struct bandit_error *err);

#ifdef __cplusplus
}
#endif

#endif
