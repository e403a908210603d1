/* SPDX-License-Identifier: Apache-2.0 */
/* What an experiment is told when it is created, and what may change later. Plain data, borrowed
 * pointers; shared by the creation event, the JSON form and the experiment itself. */
#ifndef CORE_SPEC_H
#define CORE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/param.h"

#define ID_MAX 128                /* ids of experiments, arms, subjects, groups, decisions, keys */
#define LABEL_MAX 256             /* bytes of UTF-8 */
#define ARMS_MAX 1048576          /* slots of one experiment, retired ones included */
#define DIM_MAX 1024              /* entries of a context vector */
#define GROUPS_MAX 64             /* groups of one decision */
#define GROUPS_ALL_MAX 4096       /* groups of one experiment */
#define GROUP_GONE GROUPS_ALL_MAX /* in place of one that was removed since the decision */
#define SLATE_MAX 1024            /* arms of one decision */
#define CONTEXT_TEXT_MAX 8192     /* bytes of a logged context */

enum goal { GOAL_MAXIMISE, GOAL_MINIMISE };
enum late_rule { LATE_RECORD, LATE_LEARN, LATE_DROP };
enum aggregate { AGGREGATE_FIRST, AGGREGATE_LAST, AGGREGATE_SUM, AGGREGATE_MAX };
enum run_state { RUN_RUNNING, RUN_PAUSED, RUN_ARCHIVED };

/* Their names in JSON, in the order of the enums, ending with NULL. */
extern const char *const goal_names[], *const late_rule_names[], *const aggregate_names[],
								     *const run_state_names[],
									 *const arm_state_names[];

struct spec_param {
	const char *name;
	const char *text; /* a choice; NULL: the number, or the list when it has any */
	double number;    /* bool: 0 or 1 */
	struct param_list list;
};

/* What PATCH may change. */
struct settings {
	double floor;       /* [0, 1) */
	uint64_t window_us; /* 0: a decision stays open for ever */
	bool has_fallback;  /* reward.default is a number */
	double fallback;    /* learnt when the window closes without a reward */
	enum late_rule late;
	enum aggregate aggregate;
	enum run_state state;
	const char *label; /* "" when none */
	/* Of a change alone, else none: arms per decision (0: as before), and parameters of the
	 * policy, those that it lets change. */
	uint32_t slots;
	const struct spec_param *params;
	size_t nparams;
};

struct spec_arm {
	const char *id, *label; /* label "" when none */
};

/* Of an arm that is added: ids of the two that it lies between; NULL: none. */
struct between {
	const char *left, *right;
};

struct experiment_spec {
	const char *name;
	const char *policy;
	const struct spec_param *params; /* those given; the others have their defaults */
	size_t nparams;
	const struct spec_arm *arms;
	size_t narms;
	uint32_t slots; /* arms answered per decision; 1 unless the policy gives slates */
	uint64_t seed;
	uint64_t fingerprint; /* of the request, to tell a retry from another body */
	double lo, hi;        /* of a reward, or of a cost */
	enum goal goal;
	const char *const *features; /* declared context, in order of x; may be NULL */
	size_t nfeatures;
	const char *const *groups; /* declared: they have the first numbers; may be NULL */
	size_t ngroups;
	bool closed_groups; /* others are refused */
	struct settings settings;
};

/* 1-128 of A-Z a-z 0-9 . _ : - */
bool id_is_valid(const char *id);
/* Bounds and combinations of everything but the policy. RC_INVALID or RC_LIMIT, pointer set. */
int spec_check(const struct experiment_spec *spec, struct errinfo *err);
int settings_check(const struct settings *s, double lo, double hi, struct errinfo *err);
/* A list as it stands in the log and in saved states. Reading: RC_MEMORY; other failures are in's.
 */
void spec_list_write(const struct param_list *list, struct buf *out);
int spec_list_read(struct rd *in, struct arena *mem, struct param_list *ret);

#endif
