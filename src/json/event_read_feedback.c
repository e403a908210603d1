/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what happened to a decision. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/event_json.h"
#include "json/event_line.h"

struct arm_object {
	uint64_t index;
	const char *arm;
	double propensity, reward, learnt;
	int status;
	bool lost, revived, clipped;
};

static int read_slate_arm(
    struct line_source *s, const json_t *v, const char *where, struct feedback_arm *ret)
{
#define AT(m) offsetof(struct arm_object, m)
	static const struct bind_field fields[] = {
	    {"index", BIND_U64, AT(index), BIND_REQUIRED, 0, SLATE_MAX - 1, NULL},
	    {"arm", BIND_ID, AT(arm), BIND_REQUIRED, 0, 0, NULL},
	    {"propensity", BIND_NUMBER, AT(propensity), BIND_REQUIRED, 0, 1, NULL},
	    {"reward", BIND_NUMBER, AT(reward), 0, -DBL_MAX, DBL_MAX, NULL},
	    {"status", BIND_CHOICE, AT(status), 0, 0, 0, feedback_status_names},
	    {"learnt", BIND_NUMBER, AT(learnt), 0, -DBL_MAX, DBL_MAX, NULL},
	    {"lost", BIND_BOOL, AT(lost), 0, 0, 0, NULL},
	    {"revived", BIND_BOOL, AT(revived), 0, 0, 0, NULL},
	    {"clipped", BIND_BOOL, AT(clipped), 0, 0, 0, NULL},
	    {.name = NULL},
	};
#undef AT
	struct arm_object a = {.arm = NULL};
	int rc = bind_object(v, fields, where, s->mem, &a, s->err);

	if (rc) {
		return rc;
	}
	*ret = (struct feedback_arm){.index = (uint32_t)a.index,
	    .pick.propensity = a.propensity,
	    .flags = (json_object_get(v, "learnt") ? FEEDBACK_LEARN : 0) |
		     (a.lost ? FEEDBACK_LOST : 0) | (a.revived ? FEEDBACK_REVIVED : 0) |
		     (a.clipped ? FEEDBACK_CLIPPED : 0),
	    .status = (enum feedback_status)a.status,
	    .reward = a.reward,
	    .learn = a.learnt};
	return line_slot(s, a.arm, where, &ret->pick.slot);
}

static int read_slate(struct line_source *s, struct event_feedback *f)
{
	size_t n = json_array_size(s->l.arms);
	struct feedback_arm *arms = arena_array(s->mem, n, sizeof(*arms));
	char where[BIND_POINTER_MAX];
	int rc = 0;

	if (!arms) {
		return line_no_memory(s);
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		snprintf(where, sizeof(where), "/arms/%zu", i);
		rc = read_slate_arm(s, json_array_get(s->l.arms, i), where, &arms[i]);
	}
	f->flags |= FEEDBACK_SLATE;
	f->arms = arms;
	f->narms = n;
	return rc;
}

/* One arm, the arms of a slate, or a forecast. */
static int read_about(struct line_source *s, struct event_feedback *f)
{
	const struct line *l = &s->l;

	if (l->arms) {
		return read_slate(s, f);
	}
	if (json_object_get(s->o, "prediction")) {
		f->flags |= FEEDBACK_FORECAST;
		f->prediction = l->prediction;
		return 0;
	}
	f->pick.propensity = l->propensity;
	if (l->arm && line_has_slot(s, &f->pick.slot)) {
		f->arm = l->arm;
		return 0;
	}
	return l->arm ? line_slot(s, l->arm, "/arm", &f->pick.slot)
		      : line_invalid(s, "/arm", "arm, arms or prediction is missing");
}

static int by_slot(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	return (x->slot > y->slot) - (x->slot < y->slot);
}

static int read_results(struct line_source *s, struct event_feedback *f)
{
	json_t *o = (json_t *)s->l.rewards;
	struct result *at = arena_array(s->mem, json_object_size(o), sizeof(*at));
	char where[BIND_POINTER_MAX];
	size_t n = 0;
	int rc = 0;

	if (!at) {
		return line_no_memory(s);
	}
	for (void *i = json_object_iter(o); rc == 0 && i; i = json_object_iter_next(o, i)) {
		bind_pointer("/rewards", json_object_iter_key(i), where);
		rc = line_slot(s, json_object_iter_key(i), where, &at[n].slot);
		rc = rc ? rc : bind_number(json_object_iter_value(i), where, &at[n].reward, s->err);
		n++;
	}
	qsort(at, n, sizeof(*at), by_slot);
	f->results = at;
	f->nresults = n;
	return rc;
}

/* null: one that was removed since the decision. */
static int read_groups(struct line_source *s, struct event_feedback *f)
{
	const json_t *list = s->l.awake;
	size_t n = json_array_size(list);
	uint32_t *groups = arena_array(s->mem, n, sizeof(*groups));

	if (!groups) {
		return line_no_memory(s);
	}
	if (!json_is_array(list) || n > GROUPS_MAX) {
		return line_invalid(s, "/groups", "groups is an array of at most 64 ids");
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);

		groups[i] = json_is_string(v)
				? arms_find(experiment_groups(s->e), json_string_value(v))
				: ARM_NONE;
		if (json_is_null(v)) {
			groups[i] = GROUP_GONE;
		} else if (groups[i] == ARM_NONE) {
			return line_invalid(s, "/groups", "a group that no decision has named");
		}
	}
	f->groups = groups;
	f->ngroups = n;
	return 0;
}

static int read_matter(struct line_source *s, struct event_feedback *f)
{
	const struct line *l = &s->l;
	int rc = l->awake ? read_groups(s, f) : 0;

	if (rc == 0 && l->rewards) {
		rc = read_results(s, f);
	}
	return rc == 0 && l->memo ? line_bytes(s, l->memo, "/memo", MEMO_MAX, &f->memo, &f->nmemo)
				  : rc;
}

int line_feedback(struct line_source *s, struct event *ev)
{
	const struct line *l = &s->l;
	struct event_feedback *f = &ev->feedback;
	bool learnt = json_object_get(s->o, "learnt"), held = json_object_get(s->o, "held");
	int rc = read_about(s, f);

	f->ref = l->ref;
	f->tested = l->tested;
	f->flags |= (learnt ? FEEDBACK_LEARN : 0) | (l->closes ? FEEDBACK_CLOSE : 0) |
		    (l->lost ? FEEDBACK_LOST : 0) | (l->revived ? FEEDBACK_REVIVED : 0) |
		    (l->late ? FEEDBACK_IS_LATE : 0) | (l->clipped ? FEEDBACK_CLIPPED : 0);
	f->status = (enum feedback_status)l->status;
	f->reward = f->flags & FEEDBACK_FORECAST ? l->label_value : l->reward;
	f->learn = learnt ? l->learnt : l->held;
	f->key = l->key;
	if (rc == 0 && !decision_id_is_made(l->decision)) {
		f->id = l->decision;
	} else if (rc == 0 && experiment_decision_seq(s->e, l->decision) != l->ref) {
		rc = line_invalid(s, "/decision", "not the id that the engine makes for this ref");
	}
	if (rc == 0 &&
	    held != (!learnt && f->status == FEEDBACK_PENDING && !(f->flags & FEEDBACK_SLATE))) {
		rc = line_invalid(s, "/held", "held stands beside the status pending");
	}
	if (rc == 0 && l->x) {
		rc = line_doubles(s, l->x, "/x", &f->x, &f->dim);
	}
	rc = rc ? rc : read_matter(s, f);
	return rc ? rc : line_fingerprint(s, f->key != NULL, &f->fingerprint);
}
