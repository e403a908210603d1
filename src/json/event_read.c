/* SPDX-License-Identifier: Apache-2.0 */
/* The inverse of event_json.c: one table of members a kind. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "json/bind.h"
#include "json/event_json.h"
#include "json/event_line.h"
#include "json/spec_json.h"

#define AT(m) offsetof(struct line, m)
#define MUST BIND_REQUIRED

/* clang-format off */
#define LINE_FIELDS \
	{"v", BIND_U64, AT(version), MUST, 1, EVENT_LINE_VERSION, NULL}, \
	{"experiment", BIND_ID, AT(experiment), MUST, 0, 0, NULL}, \
	{"seq", BIND_U64, AT(seq), MUST, 1, JSON_EXACT_MAX, NULL}, \
	{"at", BIND_TEXT, AT(at), MUST, 0, CLOCK_TEXT_MAX, NULL}, \
	{"kind", BIND_CHOICE, AT(kind), MUST, 0, 0, event_kind_names + 1}

#define SETTINGS_FIELDS \
	{"floor", BIND_NUMBER, AT(floor), MUST, 0, 1, NULL}, \
	{"state", BIND_CHOICE, AT(state), MUST, 0, 0, run_state_names}, \
	{"label", BIND_TEXT, AT(label), MUST, 0, LABEL_MAX, NULL}, \
	{"window", BIND_JSON, AT(window), MUST, 0, 0, NULL}, \
	{"default", BIND_JSON, AT(fallback), MUST, 0, 0, NULL}, \
	{"late", BIND_CHOICE, AT(late_rule), MUST, 0, 0, late_rule_names}, \
	{"aggregate", BIND_CHOICE, AT(aggregate), MUST, 0, 0, aggregate_names}

#define SLOT_FIELD {"slot", BIND_U64, AT(slot), 0, 0, ARMS_MAX - 1, NULL}

static const struct bind_field create_fields[] = {
	LINE_FIELDS,
	SETTINGS_FIELDS,
	{"policy", BIND_JSON, AT(policy), MUST, 0, 0, NULL},
	{"arms", BIND_JSON, AT(arms), MUST, 0, 0, NULL},
	{"context", BIND_IDS, AT(features), MUST, 0, DIM_MAX, NULL},
	{"slots", BIND_U64, AT(slots), MUST, 1, SLATE_MAX, NULL},
	{"seed", BIND_U64, AT(seed), MUST, 0, JSON_EXACT_MAX, NULL},
	{"fingerprint", BIND_TEXT, AT(fingerprint), MUST, 0, 16, NULL},
	{"lo", BIND_NUMBER, AT(lo), MUST, -DBL_MAX, DBL_MAX, NULL},
	{"hi", BIND_NUMBER, AT(hi), MUST, -DBL_MAX, DBL_MAX, NULL},
	{"goal", BIND_CHOICE, AT(goal), MUST, 0, 0, goal_names},
	{"groups", BIND_IDS, AT(groups), 0, 0, GROUPS_ALL_MAX, NULL},
	{"auto_groups", BIND_BOOL, AT(auto_groups), 0, 0, 0, NULL},
	{.name = NULL},
};

static const struct bind_field decision_fields[] = {
	LINE_FIELDS,
	{"decision", BIND_ID, AT(decision), MUST, 0, 0, NULL},
	{"arms", BIND_JSON, AT(arms), MUST, 0, 0, NULL},
	{"eligible", BIND_IDS, AT(eligible), 0, 0, ARMS_MAX, NULL},
	{"active", BIND_IDS, AT(active), 0, 0, ARMS_MAX, NULL},
	{"pmf", BIND_JSON, AT(pmf), 0, 0, 0, NULL},
	{"fingerprint", BIND_TEXT, AT(fingerprint), 0, 0, 16, NULL},
	{"expires_at", BIND_JSON, AT(expires_at), MUST, 0, 0, NULL},
	{"deferred", BIND_BOOL, AT(deferred), 0, 0, 0, NULL},
	{"subject", BIND_ID, AT(subject), 0, 0, 0, NULL},
	{"context", BIND_JSON, AT(context), 0, 0, 0, NULL},
	{"x", BIND_JSON, AT(x), 0, 0, 0, NULL},
	{"groups", BIND_IDS, AT(groups), 0, 0, GROUPS_MAX, NULL},
	{"slate", BIND_BOOL, AT(slate), 0, 0, 0, NULL},
	{"prediction", BIND_NUMBER, AT(prediction), 0, -DBL_MAX, DBL_MAX, NULL},
	{"memo", BIND_TEXT, AT(memo), 0, 0, 2 * MEMO_MAX, NULL},
	SLOT_FIELD,
	{.name = NULL},
};

#define FEEDBACK_FIELDS \
	LINE_FIELDS, \
	{"decision", BIND_ID, AT(decision), MUST, 0, 0, NULL}, \
	{"ref", BIND_U64, AT(ref), MUST, 1, JSON_EXACT_MAX, NULL}, \
	{"arm", BIND_ID, AT(arm), 0, 0, 0, NULL}, \
	{"propensity", BIND_NUMBER, AT(propensity), 0, 0, 1, NULL}, \
	{"arms", BIND_JSON, AT(arms), 0, 0, 0, NULL}, \
	{"prediction", BIND_NUMBER, AT(prediction), 0, -DBL_MAX, DBL_MAX, NULL}, \
	{"rewards", BIND_JSON, AT(rewards), 0, 0, 0, NULL}, \
	{"groups", BIND_JSON, AT(awake), 0, 0, 0, NULL}, \
	{"memo", BIND_TEXT, AT(memo), 0, 0, 2 * MEMO_MAX, NULL}, \
	{"learnt", BIND_NUMBER, AT(learnt), 0, -DBL_MAX, DBL_MAX, NULL}, \
	{"closes", BIND_BOOL, AT(closes), 0, 0, 0, NULL}, \
	{"lost", BIND_BOOL, AT(lost), 0, 0, 0, NULL}, \
	{"revived", BIND_BOOL, AT(revived), 0, 0, 0, NULL}, \
	SLOT_FIELD, \
	{"x", BIND_JSON, AT(x), 0, 0, 0, NULL}

static const struct bind_field feedback_fields[] = {FEEDBACK_FIELDS, {.name = NULL}};

static const struct bind_field reward_fields[] = {
	FEEDBACK_FIELDS,
	{"reward", BIND_NUMBER, AT(reward), 0, -DBL_MAX, DBL_MAX, NULL},
	{"label", BIND_NUMBER, AT(label_value), 0, -DBL_MAX, DBL_MAX, NULL},
	{"status", BIND_CHOICE, AT(status), MUST, 0, 0, feedback_status_names},
	{"held", BIND_NUMBER, AT(held), 0, -DBL_MAX, DBL_MAX, NULL},
	{"late", BIND_BOOL, AT(late), 0, 0, 0, NULL},
	{"clipped", BIND_BOOL, AT(clipped), 0, 0, 0, NULL},
	{"tested", BIND_BOOL, AT(tested), 0, 0, 0, NULL},
	{"key", BIND_ID, AT(key), 0, 0, 0, NULL},
	{"fingerprint", BIND_TEXT, AT(fingerprint), 0, 0, 16, NULL},
	{.name = NULL},
};

static const struct bind_field arm_fields[] = {
	LINE_FIELDS,
	{"changes", BIND_JSON, AT(changes), MUST, 0, 0, NULL},
	{.name = NULL},
};

static const struct bind_field plan_fields[] = {
	LINE_FIELDS,
	{"op", BIND_CHOICE, AT(op), MUST, 0, 0, plan_op_names},
	{"bytes", BIND_TEXT, AT(bytes), 0, 0, 2 * EVENT_BYTES_MAX, NULL},
	{.name = NULL},
};

static const struct bind_field stream_fields[] = {
	LINE_FIELDS,
	SLOT_FIELD,
	{"op", BIND_CHOICE, AT(op), MUST, 0, 0, stream_op_names},
	{"position", BIND_U64, AT(position), 0, 0, JSON_EXACT_MAX, NULL},
	{"offer", BIND_U64, AT(offer), 0, 0, JSON_EXACT_MAX, NULL},
	{"before", BIND_U64, AT(before), 0, 0, JSON_EXACT_MAX, NULL},
	{"remember", BIND_BOOL, AT(remember), 0, 0, 0, NULL},
	{"rated", BIND_BOOL, AT(rated), 0, 0, 0, NULL},
	{"below", BIND_U64, AT(below), 0, 0, JSON_EXACT_MAX, NULL},
	{"below_offer", BIND_U64, AT(below_offer), 0, 0, JSON_EXACT_MAX, NULL},
	{"arm", BIND_ID, AT(arm), 0, 0, 0, NULL},
	{"label", BIND_TEXT, AT(label), 0, 0, LABEL_MAX, NULL},
	{"arms", BIND_JSON, AT(arms), 0, 0, 0, NULL},
	{.name = NULL},
};

static const char *const group_ops[] = {"remove", NULL};
static const struct bind_field group_fields[] = {
	LINE_FIELDS,
	{"op", BIND_CHOICE, AT(op), MUST, 0, 0, group_ops},
	{"group", BIND_ID, AT(group), MUST, 0, 0, NULL},
	{.name = NULL},
};

static const struct bind_field change_fields[] = {
	LINE_FIELDS,
	SETTINGS_FIELDS,
	{"slots", BIND_U64, AT(slots), 0, 1, SLATE_MAX, NULL},
	{"params", BIND_JSON, AT(params), 0, 0, 0, NULL},
	{.name = NULL},
};
/* clang-format on */

/* By event_kind. */
static const struct bind_field *const tables[EVENT_KINDS] = {NULL, create_fields, decision_fields,
    reward_fields, feedback_fields, feedback_fields, feedback_fields, arm_fields, change_fields,
    plan_fields, stream_fields, group_fields};

int line_no_memory(struct line_source *s)
{
	return err_set(s->err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

int line_invalid(struct line_source *s, const char *pointer, const char *text)
{
	return err_set(s->err, RC_INVALID, "out_of_range", pointer, "%s", text);
}

static int read_time(struct line_source *s, const char *text, const char *pointer, uint64_t *ret)
{
	bool good = text && clock_parse(text, ret) == 0;

	return good ? 0 : line_invalid(s, pointer, "not a time like 2026-01-31T08:00:00.000001Z");
}

/* Only where it is due: a decision with an id, a reward with a key, a creation. */
int line_fingerprint(struct line_source *s, bool due, uint64_t *ret)
{
	const char *text = s->l.fingerprint;

	if (!due && !text) {
		return 0;
	}
	if (!due || !text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) {
		return line_invalid(
		    s, "/fingerprint", "16 digits of hexadecimal, beside an id or key alone");
	}
	*ret = strtoull(text, NULL, 16);
	return 0;
}

int line_doubles(
    struct line_source *s, const json_t *list, const char *field, const double **ret, size_t *ret_n)
{
	size_t n = json_array_size(list);
	double *v = arena_array(s->mem, n, sizeof(*v));
	char where[BIND_POINTER_MAX];
	int rc = 0;

	if (!v) {
		return line_no_memory(s);
	}
	if (n == 0) {
		return line_invalid(s, field, "not a list of numbers");
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		snprintf(where, sizeof(where), "%s/%zu", field, i);
		rc = bind_number(json_array_get(list, i), where, &v[i], s->err);
	}
	*ret = v;
	*ret_n = n;
	return rc;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int line_bytes(struct line_source *s, const char *text, const char *pointer, size_t max,
    const void **ret, size_t *ret_n)
{
	size_t n = strlen(text) / 2;
	unsigned char *b = arena_alloc(s->mem, n ? n : 1);

	if (!b) {
		return line_no_memory(s);
	}
	if (strlen(text) != 2 * n || n > max) {
		return line_invalid(s, pointer, "not bytes in hexadecimal, or too many");
	}
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0) {
			return line_invalid(s, pointer, "not bytes in hexadecimal");
		}
		b[i] = (unsigned char)(16 * hi + lo);
	}
	*ret = b;
	*ret_n = n;
	return 0;
}

int line_slot(struct line_source *s, const char *id, const char *pointer, uint32_t *ret)
{
	*ret = arms_find(experiment_arms(s->e), id);
	return *ret != ARM_NONE
		   ? 0
		   : err_set(s->err, RC_INVALID, "unknown_arm", pointer, "no arm %s", id);
}

/* ---- decision ---- */

struct pick_object {
	const char *arm;
	double propensity;
};

static int read_picks(struct line_source *s, struct event_decision *ret)
{
	static const struct bind_field fields[] = {
	    {"arm", BIND_ID, offsetof(struct pick_object, arm), MUST, 0, 0, NULL},
	    {"propensity", BIND_NUMBER, offsetof(struct pick_object, propensity), MUST, 0, 1, NULL},
	    {.name = NULL},
	};
	size_t n = json_array_size(s->l.arms);
	struct pick *picks = arena_array(s->mem, n, sizeof(*picks));
	char where[BIND_POINTER_MAX];
	int rc = 0;

	if (!picks) {
		return line_no_memory(s);
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct pick_object p = {.arm = NULL};

		snprintf(where, sizeof(where), "/arms/%zu", i);
		rc = bind_object(json_array_get(s->l.arms, i), fields, where, s->mem, &p, s->err);
		if (rc == 0 && line_has_slot(s, &picks[i].slot)) {
			ret->arm = p.arm;
		} else if (rc == 0) {
			rc = line_slot(s, p.arm, where, &picks[i].slot);
		}
		picks[i].propensity = p.propensity;
	}
	ret->picks = picks;
	ret->npicks = n;
	return rc;
}

/* "eligible" or "active": the arms that could be drawn; with "pmf" and its probabilities. */
static int read_choice(struct line_source *s, struct event_decision *ret)
{
	const struct line *l = &s->l;
	const struct bind_ids *ids = l->eligible.given ? &l->eligible : &l->active;
	uint32_t *slots = arena_array(s->mem, ids->n, sizeof(*slots));
	size_t n;
	int rc = 0;

	ret->flags |= l->eligible.given ? DECISION_RESTRICTED : 0;
	ret->flags |= l->pmf ? DECISION_PMF : 0;
	if (!slots) {
		return line_no_memory(s);
	}
	if (l->active.given != (l->pmf && !l->eligible.given)) {
		return line_invalid(
		    s, "/active", "active stands beside pmf, when eligible does not");
	}
	for (size_t i = 0; rc == 0 && i < ids->n; i++) {
		rc = line_slot(
		    s, ids->id[i], l->eligible.given ? "/eligible" : "/active", &slots[i]);
	}
	ret->slots = slots;
	ret->nslots = ids->n;
	if (rc || !l->pmf) {
		return rc;
	}
	rc = line_doubles(s, l->pmf, "/pmf", &ret->pmf, &n);
	return rc == 0 && n != ids->n ? line_invalid(s, "/pmf", "one number an arm") : rc;
}

static int read_decision(struct line_source *s, struct event *ev)
{
	const struct line *l = &s->l;
	struct event_decision *d = &ev->decision;
	int rc = read_picks(s, d);

	rc = rc ? rc : read_choice(s, d);
	if (rc == 0 && !decision_id_is_made(l->decision)) {
		d->id = l->decision;
	} else if (rc == 0 && experiment_decision_seq(s->e, l->decision) != ev->seq) {
		rc = line_invalid(s, "/decision", "not the id that the engine makes for this seq");
	}
	rc = rc ? rc : line_fingerprint(s, d->id != NULL, &d->fingerprint);
	if (rc == 0 && !json_is_null(l->expires_at)) {
		rc = read_time(s, json_string_value(l->expires_at), "/expires_at", &d->expires_us);
	}
	if (rc == 0 && l->x) {
		rc = line_doubles(s, l->x, "/x", &d->x, &d->dim);
	}
	if (rc == 0 && l->context) {
		rc = bind_compact(l->context, CONTEXT_TEXT_MAX, s->mem, &d->context);
		rc = rc == RC_LIMIT ? line_invalid(s, "/context", "longer than a context may be")
		     : rc           ? line_no_memory(s)
				    : 0;
	}
	if (rc == 0 && l->memo) {
		rc = line_bytes(s, l->memo, "/memo", MEMO_MAX, &d->memo, &d->nmemo);
	}
	d->flags |= l->deferred ? DECISION_DEFER : 0;
	d->flags |= l->slate ? DECISION_SLATE : 0;
	d->flags |= json_object_get(s->o, "prediction") ? DECISION_FORECAST : 0;
	d->prediction = l->prediction;
	d->subject = l->subject;
	d->groups = l->groups.id;
	d->ngroups = l->groups.n;
	return rc;
}

/* ---- any line ---- */

static int read_kind(struct line_source *s, struct event *ev)
{
	switch (ev->kind) {
	case EVENT_CREATE:
		return line_create(s, &ev->create);
	case EVENT_DECISION:
		return read_decision(s, ev);
	case EVENT_ARM:
		return line_arms(s, &ev->arm);
	case EVENT_PLAN:
		ev->plan.op = (enum plan_op)s->l.op;
		return s->l.bytes ? line_bytes(s, s->l.bytes, "/bytes", EVENT_BYTES_MAX,
					&ev->plan.bytes, &ev->plan.n)
				  : 0;
	case EVENT_STREAM:
		return line_stream(s, &ev->stream);
	case EVENT_CHANGE:
		return line_change(s, &ev->change);
	case EVENT_GROUP:
		ev->group = s->l.group;
		return 0;
	default:
		return line_feedback(s, ev);
	}
}

/* Through the bytes of the log, so that whatever the decoder would not take is not accepted. */
static int pass_through_log(struct line_source *s, const struct event *ev, struct event *ret)
{
	struct buf bytes;
	int rc;

	buf_init(&bytes, EVENT_BYTES_MAX);
	event_encode(ev, &bytes);
	rc = bytes.rc ? bytes.rc : event_decode(bytes.data, bytes.len, ev->seq, s->mem, ret);
	buf_release(&bytes);
	return rc == RC_CORRUPT || rc == RC_LIMIT ? line_invalid(s, "", "no event of ours")
	       : rc                               ? line_no_memory(s)
						  : 0;
}

/* The kind by name: it chooses the table that binds the line. */
static enum event_kind kind_of(const json_t *o)
{
	const char *name = json_string_value(json_object_get(o, "kind"));

	for (int k = 1; name && k < EVENT_KINDS; k++) {
		if (strcmp(event_kind_names[k], name) == 0) {
			return (enum event_kind)k;
		}
	}
	return (enum event_kind)0;
}

int event_from_json(const json_t *o, const struct experiment *e, struct arena *mem,
    struct event *ret, struct errinfo *err)
{
	struct line_source s = {.o = o, .e = e, .mem = mem, .err = err};
	struct event ev;
	int rc;

	memset(&ev, 0, sizeof(ev));
	memset(&s.l, 0, sizeof(s.l));
	ev.kind = kind_of(o);
	if (!tables[ev.kind]) {
		return line_invalid(&s, "/kind", "kind is not one of an event");
	}
	rc = bind_object(o, tables[ev.kind], "", mem, &s.l, err);
	if (rc) {
		return rc;
	}
	if ((ev.kind == EVENT_CREATE) == (e != NULL)) {
		return line_invalid(
		    &s, "/kind", "an experiment's first event, and no other, creates it");
	}
	if (e && strcmp(s.l.experiment, experiment_name(e)) != 0) {
		return line_invalid(&s, "/experiment", "of another experiment");
	}
	ev.seq = s.l.seq;
	rc = read_time(&s, s.l.at, "/at", &ev.at_us);
	rc = rc ? rc : read_kind(&s, &ev);
	return rc ? rc : pass_through_log(&s, &ev, ret);
}
