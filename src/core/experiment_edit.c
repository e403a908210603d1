/* SPDX-License-Identifier: Apache-2.0 */
/* Changes that an administrator asks for: arms and settings, again as events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/experiment_impl.h"

static int out_of_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

static int check_open(const struct experiment *e, struct errinfo *err)
{
	if (e->settings.state == RUN_ARCHIVED) {
		return err_set(
		    err, RC_STATE, "experiment_archived", "", "experiment %s is archived", e->name);
	}
	return 0;
}

static void start(
    const struct experiment *e, enum event_kind kind, uint64_t at_us, struct event *ret_ev)
{
	memset(ret_ev, 0, sizeof(*ret_ev));
	ret_ev->kind = kind;
	ret_ev->seq = e->seq + 1;
	ret_ev->at_us = at_us > e->at_us ? at_us : e->at_us;
}

static void arm_pointer(size_t i, char ret[32])
{
	snprintf(ret, 32, "/%zu", i);
}

static int check_new_arm(
    const struct experiment *e, const struct spec_arm *arms, size_t i, struct errinfo *err)
{
	char pointer[32];

	arm_pointer(i, pointer);
	if (!id_is_valid(arms[i].id) || strlen(arms[i].label) > LABEL_MAX) {
		return err_set(err, RC_INVALID, "invalid_id", pointer,
		    "an arm's id is 1-128 of A-Z a-z 0-9 . _ : -, its label at most 256 bytes");
	}
	if (arms_find(&e->arms, arms[i].id) != ARM_NONE) {
		return err_set(
		    err, RC_CONFLICT, "arm_exists", pointer, "arm %s is there already", arms[i].id);
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct spec_arm *const *x = a, *const *y = b;
	int order = strcmp((*x)->id, (*y)->id);

	return order ? order : (*x > *y) - (*x < *y);
}

/* Each id once in the list itself. */
static int check_distinct(
    const struct spec_arm *arms, size_t n, struct arena *mem, struct errinfo *err)
{
	const struct spec_arm **sorted = arena_array(mem, n, sizeof(*sorted));
	char pointer[32];

	if (!sorted) {
		return out_of_memory(err);
	}
	for (size_t i = 0; i < n; i++) {
		sorted[i] = &arms[i];
	}
	qsort(sorted, n, sizeof(*sorted), by_id);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(sorted[i - 1]->id, sorted[i]->id) == 0) {
			arm_pointer((size_t)(sorted[i] - arms), pointer);
			return err_set(err, RC_CONFLICT, "arm_exists", pointer,
			    "arm %s is listed twice", sorted[i]->id);
		}
	}
	return 0;
}

bool experiment_refines(const struct experiment *e, uint32_t left, uint32_t right)
{
	return e->ops->arm_between && left != right && left < e->arms.n && right < e->arms.n &&
	       e->arms.arm[left].state != ARM_RETIRED && e->arms.arm[right].state != ARM_RETIRED;
}

static int find_neighbour(const struct experiment *e, const char *id, const char *pointer,
    uint32_t *ret, struct errinfo *err)
{
	*ret = arms_find(&e->arms, id);
	if (*ret == ARM_NONE) {
		return err_set(err, RC_INVALID, "unknown_arm", pointer, "no arm %s", id);
	}
	if (e->arms.arm[*ret].state == ARM_RETIRED) {
		return err_set(err, RC_STATE, "arm_retired", pointer,
		    "arm %s is retired: what it cost is old", id);
	}
	return 0;
}

/* What lies between two arms of a grid begins with the mean of what they have. */
static int place_between(const struct experiment *e, const struct between *b, size_t i,
    struct arm_change *c, struct errinfo *err)
{
	char pointer[32];
	int rc;

	if (!b->left) {
		return 0;
	}
	snprintf(pointer, sizeof(pointer), "/%zu/between", i);
	if (!e->ops->arm_between) {
		return err_set(err, RC_INVALID, "not_supported", pointer,
		    "policy %s does not take an arm as the mean of others", e->ops->name);
	}
	rc = find_neighbour(e, b->left, pointer, &c->left, err);
	rc = rc ? rc : find_neighbour(e, b->right, pointer, &c->right, err);
	if (rc == 0 && c->left == c->right) {
		return err_set(err, RC_INVALID, "out_of_range", pointer,
		    "an arm lies between two that differ");
	}
	c->between = true;
	return rc;
}

int experiment_add_arms(const struct experiment *e, const struct spec_arm *arms,
    const struct between *between, size_t n, uint64_t at_us, struct arena *mem,
    struct event *ret_ev, struct errinfo *err)
{
	size_t most = e->ops->draw ? ARMS_MAX : SCAN_MAX;
	struct arm_change *c;
	int rc = check_open(e, err);

	if (rc) {
		return rc;
	}
	if (n > most - e->arms.n) {
		return err_set(err, RC_LIMIT, "too_many", "", "policy %s takes at most %zu arms",
		    e->ops->name, most);
	}
	if (n == 0) {
		return RC_EXISTS;
	}
	rc = check_distinct(arms, n, mem, err);
	if (rc) {
		return rc;
	}
	c = arena_array(mem, n, sizeof(*c));
	if (!c) {
		return out_of_memory(err);
	}
	for (size_t i = 0; i < n; i++) {
		c[i] = (struct arm_change){.op = ARM_OP_ADD,
		    .slot = e->arms.n + (uint32_t)i,
		    .id = arms[i].id,
		    .label = arms[i].label};
		rc = check_new_arm(e, arms, i, err);
		rc = rc || !between ? rc : place_between(e, &between[i], i, &c[i], err);
		if (rc) {
			return rc;
		}
	}
	start(e, EVENT_ARM, at_us, ret_ev);
	ret_ev->arm = (struct event_arm){.changes = c, .n = n};
	return 0;
}

int experiment_set_arm(const struct experiment *e, uint32_t slot, enum arm_state to, uint64_t at_us,
    struct arena *mem, struct event *ret_ev, struct errinfo *err)
{
	struct arm_change *c;
	int rc = check_open(e, err);

	if (rc) {
		return rc;
	}
	if (e->arms.arm[slot].state == to) {
		return RC_EXISTS;
	}
	if (e->arms.arm[slot].state == ARM_RETIRED) {
		return err_set(err, RC_STATE, "arm_retired", "/state",
		    "a retired arm stays retired; add it under another id");
	}
	c = arena_alloc(mem, sizeof(*c));
	if (!c) {
		return out_of_memory(err);
	}
	*c = (struct arm_change){.op = ARM_OP_SET, .slot = slot, .state = to};
	start(e, EVENT_ARM, at_us, ret_ev);
	ret_ev->arm = (struct event_arm){.changes = c, .n = 1};
	return 0;
}

int experiment_remove_group(const struct experiment *e, const char *id, uint64_t at_us,
    struct event *ret_ev, struct errinfo *err)
{
	int rc = experiment_group(e, id) == ARM_NONE
		     ? err_set(err, RC_NOT_FOUND, "group_not_found", "", "no group %s", id)
		     : check_open(e, err);

	if (rc) {
		return rc;
	}
	start(e, EVENT_GROUP, at_us, ret_ev);
	ret_ev->group = id;
	return 0;
}

static bool settings_equal(const struct settings *a, const struct settings *b)
{
	return a->floor == b->floor && a->window_us == b->window_us &&
	       a->has_fallback == b->has_fallback && a->fallback == b->fallback &&
	       a->late == b->late && a->aggregate == b->aggregate && a->state == b->state &&
	       strcmp(a->label, b->label) == 0;
}

int experiment_change(const struct experiment *e, const struct settings *s, uint64_t at_us,
    struct event *ret_ev, struct errinfo *err)
{
	int rc = check_open(e, err);
	bool same;

	if (rc) {
		return !s->slots && !s->nparams && settings_equal(s, &e->settings) ? RC_EXISTS : rc;
	}
	rc = settings_check(s, e->lo, e->hi, err);
	rc = rc ? rc : experiment_check_settings(e, s, err);
	rc = rc ? rc : experiment_check_policy(e, s, err);
	if (rc) {
		return rc;
	}
	same = experiment_keeps_policy(e, s);
	if (same && settings_equal(s, &e->settings)) {
		return RC_EXISTS;
	}
	start(e, EVENT_CHANGE, at_us, ret_ev);
	ret_ev->change = *s;
	if (same) {
		ret_ev->change.slots = 0;
		ret_ev->change.nparams = 0;
	}
	return 0;
}
