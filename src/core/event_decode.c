/* SPDX-License-Identifier: Apache-2.0 */
/* Every field is checked as if an enemy had written it: what passes is what event.c can write. */
#include <math.h>
#include <string.h>

#include "core/event_impl.h"

void *source_take(struct source *s, size_t count, size_t each)
{
	void *p = arena_array(s->mem, count, each);

	if (!p) {
		s->starved = true;
		rd_fail(s->in);
	}
	return p;
}

const char *source_text(struct source *s, size_t max)
{
	size_t n;
	const char *p = rd_str(s->in, &n);
	char *copy;

	if (s->in->rc || n > max || memchr(p, '\0', n)) {
		rd_fail(s->in);
		return "";
	}
	copy = source_take(s, n + 1, 1);
	if (!copy) {
		return "";
	}
	memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

const char *source_id(struct source *s)
{
	const char *id = source_text(s, ID_MAX);

	if (!s->in->rc && !id_is_valid(id)) {
		rd_fail(s->in);
	}
	return id;
}

double source_finite(struct source *s)
{
	double v = rd_f64(s->in);

	if (!isfinite(v)) {
		rd_fail(s->in);
	}
	return v;
}

/* An enum or bool of so many values. */
unsigned source_choice(struct source *s, unsigned values)
{
	unsigned v = rd_u8(s->in);

	if (v >= values) {
		rd_fail(s->in);
		return 0;
	}
	return v;
}

uint32_t source_slot(struct source *s)
{
	uint64_t v = rd_var(s->in);

	if (v >= ARMS_MAX) {
		rd_fail(s->in);
		return 0;
	}
	return (uint32_t)v;
}

static double get_propensity(struct source *s)
{
	double p = rd_f64(s->in);

	if (!(p > 0 && p <= 1)) {
		rd_fail(s->in);
	}
	return p;
}

static const double *get_doubles(struct source *s, size_t n)
{
	double *v;

	if (s->in->rc || n > rd_left(s->in) / 8) {
		rd_fail(s->in);
		return NULL;
	}
	v = source_take(s, n, sizeof(*v));
	for (size_t i = 0; v && i < n; i++) {
		v[i] = source_finite(s);
	}
	return v;
}

static const double *get_x(struct source *s, size_t *ret_dim)
{
	size_t n = rd_count(s->in, 8);

	if (n == 0 || n > DIM_MAX) {
		rd_fail(s->in);
		return NULL;
	}
	*ret_dim = n;
	return get_doubles(s, n);
}

static const void *get_bytes(struct source *s, size_t max, size_t *ret_n)
{
	size_t n;
	const char *p = rd_str(s->in, &n);
	char *copy = p && n <= max ? source_take(s, n, 1) : NULL;

	if (!p || n > max) {
		rd_fail(s->in);
	}
	if (copy) {
		memcpy(copy, p, n);
		*ret_n = n;
	}
	return copy;
}

static const void *get_memo(struct source *s, size_t *ret_n)
{
	const void *p = get_bytes(s, MEMO_MAX, ret_n);

	if (*ret_n == 0) {
		rd_fail(s->in); /* none is written as none */
	}
	return p;
}

const char *const *source_ids(struct source *s, size_t n)
{
	const char **v = source_take(s, n, sizeof(*v));

	for (size_t i = 0; v && i < n; i++) {
		v[i] = source_id(s);
	}
	return v;
}

static void get_slots(struct source *s, struct event_decision *ret)
{
	size_t n = rd_count(s->in, 1);
	uint32_t *slots = source_take(s, n, sizeof(*slots));
	uint64_t slot = 0;

	for (size_t i = 0; slots && i < n; i++) {
		uint64_t step = rd_var(s->in);

		if ((i && step == 0) || step >= ARMS_MAX || slot + step >= ARMS_MAX) {
			rd_fail(s->in);
			step = 0;
		}
		slot += step;
		slots[i] = (uint32_t)slot;
	}
	ret->slots = slots;
	ret->nslots = n;
}

static void get_picks(struct source *s, struct event_decision *ret)
{
	size_t n = rd_count(s->in, 9);
	struct pick *picks;

	if (ret->flags & (DECISION_SLATE | DECISION_FORECAST)
		? n > (ret->flags & DECISION_SLATE ? SLATE_MAX : 0)
		: n != 1) {
		rd_fail(s->in);
		return;
	}
	ret->picks = picks = source_take(s, n, sizeof(*picks));
	ret->npicks = n;
	for (size_t i = 0; picks && i < n; i++) {
		picks[i].slot = source_slot(s);
		picks[i].propensity = get_propensity(s);
	}
}

static void get_groups(struct source *s, struct event_decision *ret)
{
	ret->ngroups = rd_count(s->in, 2);
	if (ret->ngroups == 0 || ret->ngroups > GROUPS_MAX) {
		rd_fail(s->in);
		return;
	}
	ret->groups = source_ids(s, ret->ngroups);
}

static void get_decision(struct source *s, struct event_decision *ret, uint64_t at_us)
{
	uint64_t bits = rd_var(s->in), open_us;

	ret->flags = (unsigned)bits & DECISION_FLAGS;
	if (bits >= 2 * HAS_ARM ||
	    ((ret->flags & DECISION_SLATE) && (ret->flags & DECISION_FORECAST))) {
		rd_fail(s->in);
	}
	if (bits & HAS_ID) {
		ret->id = source_id(s);
		ret->fingerprint = rd_u64(s->in);
	}
	open_us = rd_var(s->in);
	if (open_us > UINT64_MAX - at_us) {
		rd_fail(s->in);
	}
	ret->expires_us = open_us ? at_us + open_us : 0;
	get_picks(s, ret);
	if (ret->flags & DECISION_FORECAST) {
		ret->prediction = source_finite(s);
	}
	if (ret->flags & (DECISION_RESTRICTED | DECISION_PMF)) {
		get_slots(s, ret);
	}
	if (ret->flags & DECISION_PMF) {
		ret->pmf = get_doubles(s, ret->nslots);
	}
	if (bits & HAS_X) {
		ret->x = get_x(s, &ret->dim);
	}
	ret->subject = bits & HAS_SUBJECT ? source_id(s) : NULL;
	ret->context = bits & HAS_CONTEXT ? source_text(s, CONTEXT_TEXT_MAX) : NULL;
	if (bits & HAS_GROUPS) {
		get_groups(s, ret);
	}
	if (bits & HAS_MEMO) {
		ret->memo = get_memo(s, &ret->nmemo);
	}
	ret->arm = bits & HAS_ARM ? source_id(s) : NULL;
}

static void get_feedback_arms(struct source *s, struct event_feedback *ret, enum event_kind kind)
{
	size_t n = rd_count(s->in, 11);
	struct feedback_arm *a = source_take(s, n <= SLATE_MAX ? n : 0, sizeof(*a));

	if (n > SLATE_MAX) {
		rd_fail(s->in);
		return;
	}
	for (size_t i = 0; a && i < n; i++) {
		a[i] = (struct feedback_arm){.index = source_slot(s)};
		if (a[i].index >= SLATE_MAX || (i && a[i].index <= a[i - 1].index)) {
			rd_fail(s->in);
		}
		a[i].pick.slot = source_slot(s);
		a[i].pick.propensity = get_propensity(s);
		a[i].flags = rd_u8(s->in);
		if (a[i].flags & ~(unsigned)FEEDBACK_ARM_FLAGS) {
			rd_fail(s->in);
		}
		if (kind == EVENT_REWARD) {
			a[i].status =
			    (enum feedback_status)source_choice(s, FEEDBACK_DUPLICATE + 1);
			a[i].reward = source_finite(s);
		}
		a[i].learn = a[i].flags & FEEDBACK_LEARN ? source_finite(s) : 0;
	}
	ret->arms = a;
	ret->narms = n;
}

/* Ascending. */
static void get_results(struct source *s, struct event_feedback *ret)
{
	size_t n = rd_count(s->in, 9);
	struct result *r = source_take(s, n, sizeof(*r));

	for (size_t i = 0; r && i < n; i++) {
		r[i].slot = source_slot(s);
		r[i].reward = source_finite(s);
		if (i && r[i].slot <= r[i - 1].slot) {
			rd_fail(s->in);
		}
	}
	if (n == 0) {
		rd_fail(s->in);
	}
	ret->results = r;
	ret->nresults = n;
}

static void get_group_indices(struct source *s, struct event_feedback *ret)
{
	size_t n = rd_count(s->in, 1);
	uint32_t *g = source_take(s, n <= GROUPS_MAX ? n : 0, sizeof(*g));

	if (n == 0 || n > GROUPS_MAX) {
		rd_fail(s->in);
		return;
	}
	for (size_t i = 0; g && i < n; i++) {
		g[i] = source_slot(s);
	}
	ret->groups = g;
	ret->ngroups = n;
}

static void get_feedback(struct source *s, struct event_feedback *ret, enum event_kind kind)
{
	const uint64_t known =
	    HAS_ID | HAS_KEY | HAS_X | HAS_GROUPS | HAS_MEMO | HAS_RESULTS | HAS_ARM | WAS_TESTED;
	bool slate;
	uint64_t bits;

	ret->flags = rd_u8(s->in);
	slate = ret->flags & FEEDBACK_SLATE;
	bits = rd_var(s->in);
	if ((bits & ~known) || ((bits & HAS_KEY) && kind != EVENT_REWARD) ||
	    (slate && (ret->flags & (FEEDBACK_FORECAST | FEEDBACK_LEARN | FEEDBACK_LOST)))) {
		rd_fail(s->in);
	}
	ret->tested = bits & WAS_TESTED;
	if (ret->tested && (kind != EVENT_REWARD || !(ret->flags & FEEDBACK_IS_LATE))) {
		rd_fail(s->in);
	}
	ret->ref = rd_var(s->in);
	ret->id = bits & HAS_ID ? source_id(s) : NULL;
	if (slate) {
		get_feedback_arms(s, ret, kind);
	} else if (ret->flags & FEEDBACK_FORECAST) {
		ret->prediction = source_finite(s);
	} else {
		ret->pick.slot = source_slot(s);
		ret->pick.propensity = get_propensity(s);
	}
	if (bits & HAS_X) {
		ret->x = get_x(s, &ret->dim);
	}
	if (kind == EVENT_REWARD) {
		ret->status = (enum feedback_status)source_choice(s, FEEDBACK_PENDING + 1);
		ret->reward = slate ? 0 : source_finite(s);
	}
	if (feedback_has_learn(ret, kind)) {
		ret->learn = source_finite(s);
	}
	if (bits & HAS_RESULTS) {
		get_results(s, ret);
	}
	if (bits & HAS_GROUPS) {
		get_group_indices(s, ret);
	}
	if (bits & HAS_MEMO) {
		ret->memo = get_memo(s, &ret->nmemo);
	}
	ret->arm = bits & HAS_ARM ? source_id(s) : NULL;
	if (bits & HAS_KEY) {
		ret->key = source_id(s);
		ret->fingerprint = rd_u64(s->in);
	}
}

static void get_arm(struct source *s, struct event_arm *ret)
{
	size_t n = rd_count(s->in, 3);
	struct arm_change *c = source_take(s, n, sizeof(*c));

	for (size_t i = 0; c && i < n; i++) {
		unsigned op = source_choice(s, WRITTEN_OPS);

		c[i] = (struct arm_change){.op = op == WRITTEN_SET ? ARM_OP_SET : ARM_OP_ADD,
		    .between = op == WRITTEN_BETWEEN};
		c[i].slot = source_slot(s);
		if (c[i].op == ARM_OP_SET) {
			c[i].state = (enum arm_state)source_choice(s, ARM_RETIRED + 1);
			continue;
		}
		c[i].id = source_id(s);
		c[i].label = source_text(s, LABEL_MAX);
		if (c[i].between) {
			c[i].left = source_slot(s);
			c[i].right = source_slot(s);
		}
	}
	ret->changes = c;
	ret->n = n;
}

static void get_plan(struct source *s, struct event_plan *ret)
{
	ret->op = (enum plan_op)source_choice(s, PLAN_OPS);
	if (ret->op != PLAN_BEGIN) {
		ret->bytes = get_bytes(s, EVENT_BYTES_MAX, &ret->n);
	}
}

static const char *get_group(struct source *s)
{
	source_choice(s, GROUP_REMOVED + 1);
	return source_id(s);
}

static void get_body(struct source *s, struct event *ev)
{
	switch (ev->kind) {
	case EVENT_CREATE:
		event_get_create(s, &ev->create);
		break;
	case EVENT_DECISION:
		get_decision(s, &ev->decision, ev->at_us);
		break;
	case EVENT_REWARD:
	case EVENT_EXPIRY:
	case EVENT_ACTIVATE:
	case EVENT_VOID:
		get_feedback(s, &ev->feedback, ev->kind);
		break;
	case EVENT_ARM:
		get_arm(s, &ev->arm);
		break;
	case EVENT_CHANGE:
		event_get_change(s, &ev->change);
		break;
	case EVENT_PLAN:
		get_plan(s, &ev->plan);
		break;
	case EVENT_STREAM:
		event_get_stream(s, &ev->stream);
		break;
	case EVENT_GROUP:
		ev->group = get_group(s);
		break;
	case EVENT_KINDS:
	default:
		rd_fail(s->in);
	}
}

int event_decode(const void *p, size_t n, uint64_t seq, struct arena *mem, struct event *ret)
{
	struct rd in;
	struct source s = {.in = &in, .mem = mem};
	struct event ev;
	unsigned version;

	memset(&ev, 0, sizeof(ev)); /* whichever member of the union the kind selects */
	ev.seq = seq;
	rd_init(&in, p, n);
	version = rd_u8(&in);
	if (in.rc == 0 && version > EVENT_VERSION) {
		return RC_VERSION;
	}
	ev.kind = (enum event_kind)rd_u8(&in);
	ev.at_us = rd_var(&in);
	get_body(&s, &ev);
	if (s.starved) {
		return RC_MEMORY;
	}
	if (in.rc || version == 0 || rd_left(&in)) {
		return RC_CORRUPT;
	}
	*ret = ev;
	return 0;
}
