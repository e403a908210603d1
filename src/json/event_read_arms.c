/* SPDX-License-Identifier: Apache-2.0 */
/* Lines about arms: added and set, or offered to a policy with a stream. */
#include <stdio.h>

#include "json/event_line.h"
#include "json/spec_json.h"

struct change_object {
	int op, state;
	const char *arm, *label;
	struct bind_ids between;
};

static int read_between(
    struct line_source *s, const struct bind_ids *ids, const char *where, struct arm_change *ret)
{
	int rc;

	if (!ids->given) {
		return 0;
	}
	if (ids->n != 2) {
		return line_invalid(s, where, "an arm lies between two others");
	}
	rc = line_slot(s, ids->id[0], where, &ret->left);
	rc = rc ? rc : line_slot(s, ids->id[1], where, &ret->right);
	ret->between = rc == 0;
	return rc;
}

static int read_change(struct line_source *s, const json_t *v, const char *where, uint32_t next,
    struct arm_change *ret)
{
	static const char *const ops[] = {"add", "set", NULL};
	static const struct bind_field fields[] = {
	    {"op", BIND_CHOICE, offsetof(struct change_object, op), BIND_REQUIRED, 0, 0, ops},
	    {"arm", BIND_ID, offsetof(struct change_object, arm), BIND_REQUIRED, 0, 0, NULL},
	    {"label", BIND_TEXT, offsetof(struct change_object, label), 0, 0, LABEL_MAX, NULL},
	    {"between", BIND_IDS, offsetof(struct change_object, between), 0, 0, 2, NULL},
	    {"state", BIND_CHOICE, offsetof(struct change_object, state), 0, 0, 0, arm_state_names},
	    {.name = NULL},
	};
	struct change_object c = {.label = NULL};
	int rc = bind_object(v, fields, where, s->mem, &c, s->err);

	if (rc) {
		return rc;
	}
	*ret = (struct arm_change){.op = (enum arm_op)c.op, .state = (enum arm_state)c.state};
	if (ret->op == ARM_OP_SET) {
		return line_slot(s, c.arm, where, &ret->slot);
	}
	ret->slot = arms_find(experiment_arms(s->e), c.arm);
	ret->slot = ret->slot == ARM_NONE ? next : ret->slot; /* there already in a later state */
	ret->id = c.arm;
	ret->label = c.label ? c.label : "";
	return read_between(s, &c.between, where, ret);
}

int line_arms(struct line_source *s, struct event_arm *ret)
{
	size_t n = json_array_size(s->l.changes);
	struct arm_change *c = arena_array(s->mem, n, sizeof(*c));
	uint32_t next = experiment_arms(s->e)->n;
	char where[BIND_POINTER_MAX];
	int rc = 0;

	if (!c) {
		return line_no_memory(s);
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		snprintf(where, sizeof(where), "/changes/%zu", i);
		rc = read_change(s, json_array_get(s->l.changes, i), where, next, &c[i]);
		next += rc == 0 && c[i].slot == next;
	}
	ret->changes = c;
	ret->n = n;
	return rc;
}

bool line_has_slot(const struct line_source *s, uint32_t *ret_slot)
{
	*ret_slot = (uint32_t)s->l.slot;
	return json_object_get(s->o, "slot") != NULL;
}

int line_stream(struct line_source *s, struct event_stream *ret)
{
	const struct line *l = &s->l;
	struct spec_arm *arms;
	int rc = 0;

	*ret = (struct event_stream){.op = (enum stream_op)l->op,
	    .position = l->position,
	    .offer = l->offer,
	    .before = l->before,
	    .remember = l->remember,
	    .stacked = json_object_get(s->o, "below_offer") != NULL,
	    .below = l->below,
	    .below_offer = l->below_offer,
	    .slot = (uint32_t)l->slot,
	    .rated = l->rated,
	    .id = l->arm,
	    .label = l->label ? l->label : ""};
	if ((ret->op == STREAM_READ || ret->op == STREAM_WITHDRAW) && !l->arm) {
		return line_invalid(s, "/arm", "the arm is missing");
	}
	if (ret->op == STREAM_OFFER) {
		rc = arms_from_json(l->arms, "/arms", ARMS_MAX, s->mem, &arms, &ret->n, s->err);
		ret->arms = rc ? NULL : arms;
	}
	return rc;
}
