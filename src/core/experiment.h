/* SPDX-License-Identifier: Apache-2.0 */
/* One experiment: arms, a policy's state, totals. Pure: no I/O, threads, clock or logging; one
 * thread at a time. const is the witness: nothing but apply and reserve changes an experiment.
 *
 * To decide or to learn: a const function fills in an event, experiment_reserve() makes room for
 * it, and once it is queued experiment_apply() cannot fail. Recovery and replay only apply. */
#ifndef CORE_EXPERIMENT_H
#define CORE_EXPERIMENT_H

#include "core/arm.h"
#include "core/event.h"
#include "core/history.h"
#include "core/pending.h"

#define PMF_MAX 1000              /* arms up to which ?include=pmf answers */
#define SCAN_MAX 65536            /* arms that one decision may walk through */
#define SLATE_WORK_MAX (1u << 22) /* arms of a slate times those it may be drawn from */
#define DRAW_FROM 65 /* arms from which a policy's draw() is used instead of its pmf() */

struct experiment;

struct totals {
	uint64_t decisions, open, voided, expired;
	uint64_t learnt, recorded, late, held; /* rewards by what became of them */
	uint64_t clipped;                      /* rewards outside [lo, hi] */
};

/* Borrowed strings; NULL or 0 when absent. */
struct select_in {
	const char *id;
	uint64_t fingerprint;
	const char *subject, *context;
	const char *const *groups;
	size_t ngroups;
	const double *x;
	size_t dim;
	const char *const *eligible, *const *exclude;
	size_t neligible, nexclude;
	bool has_eligible; /* an empty list is not the same as none */
	bool defer, want_pmf;
	/* Taken in place of a draw, with the probability that it had: for those who play a log. */
	const char *forced;
};

enum feedback_form {
	FORM_REWARD,  /* of the arm that was answered */
	FORM_REWARDS, /* by arm: of a slate, or of all arms that could be */
	FORM_LABEL,   /* what a forecast was about */
};

struct arm_reward {
	const char *arm;
	double reward;
};

struct reward_in {
	enum feedback_form form;
	double reward; /* or the label */
	const struct arm_reward *rewards;
	size_t nrewards;
	const char *key;
	uint64_t fingerprint;
};

/* RC_INVALID or RC_LIMIT with pointers as in PUT /v1/experiments/{e}; `ops` must be the policy that
 * spec names. The state is that after the creation event (seq 1). Copies what it keeps. */
int experiment_new(const struct experiment_spec *spec, const struct policy_ops *ops, uint64_t at_us,
    struct experiment **ret, struct errinfo *err);
void experiment_free(struct experiment *e);

/* Memory for applying this event, so that apply cannot fail. RC_MEMORY or RC_LIMIT (arms). */
int experiment_reserve(struct experiment *e, const struct event *ev);
/* The only mutation. ev->seq must be experiment_seq() + 1; EVENT_CREATE is experiment_new's.
 * RC_CORRUPT: a stored event does not fit, nothing changed; RC_MEMORY: only when not reserved. */
int experiment_apply(struct experiment *e, const struct event *ev);

/* Fill in the next event; the memory it points to comes from mem or the arguments. Errors name the
 * field in err and leave ret_ev untouched. at is the wall clock. */
/* A decision that repeats an older one has ret_ev->kind 0 and the seq of that one. */
int experiment_select(const struct experiment *e, const struct select_in *in, uint64_t at_us,
    struct arena *mem, struct event *ret_ev, struct errinfo *err);
/* d is the decision's event, p what became of it. *ret_status is set whenever 0 is returned;
 * FEEDBACK_LATE and FEEDBACK_DUPLICATE come without an event: ret_ev->kind is 0. */
int experiment_reward(const struct experiment *e, const struct event *d, const struct pending *p,
    const struct reward_in *in, uint64_t at_us, struct arena *mem, struct event *ret_ev,
    enum feedback_status *ret_status, struct errinfo *err);
/* RC_EXISTS: already so, no event needed. RC_STATE: void, expired or not deferred. */
int experiment_activate(const struct experiment *e, const struct event *d, const struct pending *p,
    uint64_t at_us, struct arena *mem, struct event *ret_ev, struct errinfo *err);
int experiment_void(const struct experiment *e, const struct event *d, const struct pending *p,
    uint64_t at_us, struct arena *mem, struct event *ret_ev, struct errinfo *err);
/* RC_EXISTS: not open, nothing to expire; RC_STATE: its window has not closed yet. */
int experiment_expire(const struct experiment *e, const struct event *d, const struct pending *p,
    uint64_t at_us, struct arena *mem, struct event *ret_ev);
/* Arms to add; an id that is there, or twice in the list, is RC_CONFLICT. RC_LIMIT. RC_EXISTS:
 * none, no event needed. Some of them, by `between` (NULL: none), as means of arms that are there;
 * RC_INVALID: no such arm, the same one twice, or the policy has no means. RC_STATE: retired. */
int experiment_add_arms(const struct experiment *e, const struct spec_arm *arms,
    const struct between *between, size_t n, uint64_t at_us, struct arena *mem,
    struct event *ret_ev, struct errinfo *err);
/* Forgets a group; it may come again, as new. The event borrows its id. RC_NOT_FOUND. */
int experiment_remove_group(const struct experiment *e, const char *id, uint64_t at_us,
    struct event *ret_ev, struct errinfo *err);
int experiment_set_arm(const struct experiment *e, uint32_t slot, enum arm_state to, uint64_t at_us,
    struct arena *mem, struct event *ret_ev, struct errinfo *err);
int experiment_change(const struct experiment *e, const struct settings *s, uint64_t at_us,
    struct event *ret_ev, struct errinfo *err);

/* Snapshot: everything but the name of the file it stands in. load refuses what save cannot have
 * written (RC_CORRUPT) and newer versions (RC_VERSION); find gives the policy by name. */
void experiment_save(const struct experiment *e, struct buf *out);
int experiment_load(
    struct rd *in, const struct policy_ops *(*find)(const char *name), struct experiment **ret);
/* BLAKE2b of the saved bytes: equal digests, equal states. RC_MEMORY. */
int experiment_digest(const struct experiment *e, unsigned char ret[16]);

/* Views. Borrowed until the next apply. */
const char *experiment_name(const struct experiment *e);
uint64_t experiment_seed(const struct experiment *e);
uint64_t experiment_seq(const struct experiment *e);   /* of the last applied event */
uint64_t experiment_at_us(const struct experiment *e); /* its time */
uint64_t experiment_created_us(const struct experiment *e);
uint64_t experiment_changed_seq(const struct experiment *e); /* last change of settings: the ETag */
bool experiment_has_windows(const struct experiment *e); /* some decision has, or may have, one */
const struct settings *experiment_settings(const struct experiment *e);
double experiment_lo(const struct experiment *e); /* as given: of a reward or of a cost */
double experiment_hi(const struct experiment *e);
enum goal experiment_goal(const struct experiment *e);
uint64_t experiment_fingerprint(const struct experiment *e);
const struct totals *experiment_totals(const struct experiment *e);
const struct arms *experiment_arms(const struct experiment *e);
const struct arms *experiment_groups(const struct experiment *e); /* removed: ARM_RETIRED */
unsigned experiment_traits(const struct experiment *e);           /* enum policy_flag */
size_t experiment_dim(const struct experiment *e); /* entries of x that the policy reads */
const struct history *experiment_history(const struct experiment *e);
const struct policy_ops *experiment_policy(const struct experiment *e);
const void *experiment_params(const struct experiment *e);
void experiment_describe(const struct experiment *e, uint32_t slot, struct arm_view *ret);
/* Fills in everything but arms and params, which the views above give. */
void experiment_spec_of(const struct experiment *e, struct experiment_spec *ret);
size_t experiment_bytes(const struct experiment *e); /* memory it takes, about */
/* "d:<seq>-<check>": the id of a decision whose caller chose none. */
#define DECISION_ID_MAX 40
const char *experiment_decision_id(
    const struct experiment *e, const struct event *d, char scratch[DECISION_ID_MAX]);
/* The seq in such an id; 0 when it is not one of this experiment. */
uint64_t experiment_decision_seq(const struct experiment *e, const char *id);
bool decision_id_is_made(const char *id); /* has that form: refused from callers */

#endif
