/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/engine_rig.h"

#include "policies/policies.h"

/* ---- what is put between the store and its backend ---- */

static const struct store_ops *backend;
static enum rig_snapshots snapshots;
static struct {
	_Atomic uint32_t experiment; /* the commit thread looks at them */
	_Atomic uint64_t seq;
} damage;

/* A copy with one bit flipped in the middle; the caller's to free. */
static unsigned char *flipped(const void *body, size_t len)
{
	unsigned char *copy = malloc(len);

	memcpy(copy, body, len);
	copy[len / 2] ^= 1;
	return copy;
}

static int put_snapshot(void *db, const struct store_snapshot *s)
{
	struct store_snapshot bad = *s;
	unsigned char *body;
	int rc;

	if (snapshots != RIG_BAD_SNAPSHOTS) {
		return snapshots == RIG_SNAPSHOTS ? backend->put_snapshot(db, s) : 0;
	}
	bad.body = body = flipped(s->body, s->len);
	rc = backend->put_snapshot(db, &bad);
	free(body);
	return rc;
}

static int put_event(void *db, const struct store_record *r)
{
	struct store_record bad = *r;
	unsigned char *body;
	int rc;

	if (r->experiment != damage.experiment || r->seq != damage.seq) {
		return backend->put_event(db, r);
	}
	bad.body = body = flipped(r->body, r->len);
	rc = backend->put_event(db, &bad);
	free(body);
	return rc;
}

void rig_snapshots(struct engine_rig *r, enum rig_snapshots how)
{
	(void)r;
	snapshots = how;
}

void rig_damage(struct engine_rig *r, uint32_t experiment, uint64_t seq)
{
	(void)r;
	damage.experiment = experiment;
	damage.seq = seq;
}

/* ---- up and down ---- */

static void note_report(void *arg, int rc, const char *what, const char *experiment, uint64_t seq)
{
	struct engine_rig *r = arg;

	(void)what;
	r->reports++;
	r->report_rc = rc;
	r->report_seq = seq;
	snprintf(r->report_experiment, sizeof(r->report_experiment), "%s", experiment);
}

void rig_init(struct engine_rig *r, const struct store_ops *ops)
{
	*r = (struct engine_rig){.now_us = RIG_START_US};
	place_init(&r->place, ops);
	backend = ops;
	snapshots = RIG_SNAPSHOTS;
	damage.seq = 0;
	r->ops = *ops;
	r->ops.put_snapshot = put_snapshot;
	r->ops.put_event = put_event;
	r->o = (struct engine_options){.ops = &r->ops,
	    .where = r->place.where,
	    .cache_bytes = (size_t)1 << 20,
	    .queue_bytes = PLACE_QUEUE,
	    .experiments_max = 100,
	    .snapshot_events = 100000,
	    .find = policy_find,
	    .report = note_report,
	    .arg = r};
}

int rig_try_open(struct engine_rig *r)
{
	int rc;

	r->err = (struct errinfo){.rc = 0};
	r->g = NULL;
	rc = engine_open(&r->o, &r->g, &r->recovery, &r->err);
	if (rc == 0) {
		engine_work_init(&r->w, r->g);
	}
	return rc;
}

void rig_open(struct engine_rig *r)
{
	int rc = rig_try_open(r);

	ck_assert_msg(rc == 0, "%s %s", r->err.pointer, r->err.text);
}

void rig_close(struct engine_rig *r)
{
	if (r->g) {
		engine_work_release(&r->w);
		engine_close(r->g);
		r->g = NULL;
	}
}

void rig_reopen(struct engine_rig *r)
{
	rig_close(r);
	rig_open(r);
}

void rig_release(struct engine_rig *r)
{
	rig_close(r);
	place_release(&r->place);
}

void rig_drain(struct engine_rig *r)
{
	ck_assert_int_eq(store_drain(engine_store(r->g)), 0);
}

/* ---- experiments ---- */

struct experiment_spec rig_spec(const char *name)
{
	static const struct spec_arm arms[] = {{"a", ""}, {"b", "second"}, {"c", ""}};

	return (struct experiment_spec){.name = name,
	    .policy = "thompson",
	    .arms = arms,
	    .narms = 3,
	    .slots = 1,
	    .seed = 7,
	    .fingerprint = 11,
	    .lo = 0,
	    .hi = 1,
	    .settings = {.label = ""}};
}

int rig_create(struct engine_rig *r, const struct experiment_spec *spec)
{
	struct engine_item *it;
	uint64_t ticket;

	r->err = (struct errinfo){.rc = 0};
	return engine_create(r->g, spec, r->now_us, &it, &ticket, &r->err);
}

void rig_make(struct engine_rig *r, const char *name, const struct settings *s)
{
	struct experiment_spec spec = rig_spec(name);
	int rc;

	if (s) {
		spec.settings = *s;
	}
	rc = rig_create(r, &spec);
	ck_assert_msg(rc == 0, "%s", r->err.text);
}

struct engine_item *rig_item(struct engine_rig *r, const char *name)
{
	struct engine_item *it;

	r->err = (struct errinfo){.rc = 0};
	if (engine_find(r->g, name, &it, &r->err)) { /* an assertion that holds allocates as well */
		ck_abort_msg("%s", r->err.text);
	}
	return it;
}

struct settings rig_settings(struct engine_rig *r, const char *name)
{
	struct engine_item *it = rig_item(r, name);
	struct settings s = *experiment_settings(engine_lock(it));

	engine_unlock(it);
	return s;
}

int rig_change(struct engine_rig *r, const char *name, const struct settings *s)
{
	struct engine_item *it = rig_item(r, name);
	int rc;

	engine_begin(&r->w, it);
	rc = engine_change(&r->w, s, r->now_us, &r->err);
	engine_commit(&r->w);
	return rc;
}

/* ---- requests, as the API makes them ---- */

static void copy_event(struct engine_rig *r, const struct event *ev, struct answer *a)
{
	struct buf bytes;

	buf_init(&bytes, RIG_ANSWER_MAX);
	a->seq = ev->seq;
	if (ev->kind) {
		event_encode(ev, &bytes);
		if (bytes.rc == 0) { /* no memory: a fault that a test made */
			memcpy(a->bytes, bytes.data, bytes.len);
			a->len = bytes.len;
		}
	}
	if (ev->kind == EVENT_DECISION) {
		a->slot = ev->decision.picks[0].slot;
		a->propensity = ev->decision.picks[0].propensity;
		if (!ev->decision.id) {
			experiment_decision_id(r->w.e, ev, a->id);
		}
	}
	buf_release(&bytes);
}

struct answer rig_decide(struct engine_rig *r, const char *name, const char *id, bool defer)
{
	struct engine_item *it = rig_item(r, name);
	struct select_in in = {.id = id, .fingerprint = 5 + defer, .defer = defer};
	struct cache_entry *known = NULL;
	struct answer a = {.rc = 0};
	struct event ev;

	if (id) {
		a.rc = engine_seek_decision(r->g, it, id, &known, &r->err);
	}
	engine_begin(&r->w, it);
	if (a.rc == 0) {
		a.rc = engine_decide(&r->w, &in, known, r->now_us, &ev, &a.replayed, &r->err);
	}
	if (a.rc == 0) {
		copy_event(r, &ev, &a);
	}
	a.ticket = engine_commit(&r->w);
	engine_release(r->g, known);
	return a;
}

struct answer rig_reward(
    struct engine_rig *r, const char *name, const char *id, double reward, const char *key)
{
	struct engine_item *it = rig_item(r, name);
	struct reward_in in = {.reward = reward, .key = key, .fingerprint = test_bits(reward)};
	struct cache_entry *known = NULL, *d = NULL;
	struct answer a = {.rc = 0};
	struct event ev;

	if (key) {
		a.rc = engine_seek_reward(r->g, it, key, &known, &r->err);
	}
	if (a.rc == 0) {
		a.rc = engine_seek_decision(r->g, it, id, &d, &r->err);
	}
	engine_begin(&r->w, it);
	if (a.rc == 0) {
		a.rc = engine_reward(
		    &r->w, &in, d, known, r->now_us, &ev, &a.status, &a.replayed, &r->err);
	}
	if (a.rc == 0) {
		copy_event(r, &ev, &a);
	}
	a.ticket = engine_commit(&r->w);
	engine_release(r->g, d);
	engine_release(r->g, known);
	return a;
}

static int change_decision(
    struct engine_rig *r, const char *name, const char *id, typeof(engine_void) *change)
{
	struct engine_item *it = rig_item(r, name);
	struct cache_entry *d;
	struct event ev;
	int rc = engine_seek_decision(r->g, it, id, &d, &r->err);

	if (rc || !d) {
		return rc ? rc : RC_NOT_FOUND;
	}
	engine_begin(&r->w, it);
	rc = change(&r->w, d, r->now_us, &ev, &r->err);
	engine_commit(&r->w);
	engine_release(r->g, d);
	return rc;
}

int rig_activate(struct engine_rig *r, const char *name, const char *id)
{
	return change_decision(r, name, id, engine_activate);
}

int rig_void(struct engine_rig *r, const char *name, const char *id)
{
	return change_decision(r, name, id, engine_void);
}

int rig_add_arm(struct engine_rig *r, const char *name, const char *id)
{
	struct spec_arm arm = {id, "new"};
	int rc;

	engine_begin(&r->w, rig_item(r, name));
	rc = engine_add_arms(&r->w, &arm, NULL, 1, r->now_us, &r->err);
	engine_commit(&r->w);
	return rc;
}

int rig_set_arm(struct engine_rig *r, const char *name, uint32_t slot, enum arm_state to)
{
	int rc;

	engine_begin(&r->w, rig_item(r, name));
	rc = engine_set_arm(&r->w, slot, to, r->now_us, &r->err);
	engine_commit(&r->w);
	return rc;
}

/* ---- looking ---- */

struct digest rig_digest(struct engine_rig *r, const char *name)
{
	struct engine_item *it = rig_item(r, name);
	struct digest d;

	ck_assert_int_eq(experiment_digest(engine_lock(it), d.bytes), 0);
	engine_unlock(it);
	return d;
}

bool digest_equal(struct digest a, struct digest b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

struct totals rig_totals(struct engine_rig *r, const char *name)
{
	struct engine_item *it = rig_item(r, name);
	struct totals t = *experiment_totals(engine_lock(it));

	engine_unlock(it);
	return t;
}

uint64_t rig_seq(struct engine_rig *r, const char *name)
{
	struct engine_item *it = rig_item(r, name);
	uint64_t seq = experiment_seq(engine_lock(it));

	engine_unlock(it);
	return seq;
}

static int fold(void *arg, const struct event *ev)
{
	struct experiment **e = arg;

	return *e ? experiment_apply(*e, ev)
		  : experiment_new(&ev->create, policy_find(ev->create.policy), ev->at_us, e, NULL);
}

struct digest rig_replay(struct engine_rig *r, const char *name)
{
	struct experiment *e = NULL;
	struct digest d;
	struct arena mem;

	rig_drain(r);
	arena_init(&mem, (size_t)1 << 24);
	ck_assert_int_eq(
	    engine_read(r->g, rig_item(r, name), 0, SIZE_MAX, &mem, fold, &e, &r->err), 0);
	ck_assert_int_eq(experiment_digest(e, d.bytes), 0);
	experiment_free(e);
	arena_release(&mem);
	return d;
}
