/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: every body is checked before anyone sees it. */
#include <stdlib.h>
#include <string.h>

#include "store/care.h"
#include "store/store_impl.h"

#define SCRATCH_MAX ((size_t)4 * EVENT_BYTES_MAX)

int store_reader_fail(struct store_reader *r, int rc, struct errinfo *err)
{
	if (rc < 0 && err && !err->rc) {
		r->ops->explain(r->db, rc, err);
	}
	return rc;
}

static int reader_open(const struct store_ops *ops, const char *where, bool damaged,
    struct store_reader **ret, struct errinfo *err)
{
	struct store_reader *r = calloc(1, sizeof(*r));
	struct record_log log = {.events = 0};
	int rc;

	if (!r) {
		return err_set(err, RC_MEMORY, "storage", where, "out of memory");
	}
	r->ops = ops;
	arena_init(&r->scratch, SCRATCH_MAX);
	rc = ops->open(where, true, &r->db, err);
	if (!rc) {
		rc = record_log_get(ops, r->db, &log);
		if (damaged && rc < 0 && rc != RC_MEMORY) {
			rc = 0;
		}
		if (rc == RC_NOT_FOUND || rc == RC_CORRUPT) {
			rc = err_set(err, RC_CORRUPT, "storage", where,
			    "the row \"log\" is damaged or missing");
		}
		store_reader_fail(r, rc, err);
	}
	if (rc) {
		store_reader_close(r);
		return rc;
	}
	memcpy(r->key, log.key, sizeof(r->key));
	*ret = r;
	return 0;
}

int store_reader_open(
    const struct store_ops *ops, const char *where, struct store_reader **ret, struct errinfo *err)
{
	return reader_open(ops, where, false, ret, err);
}

int store_reader_open_damaged(
    const struct store_ops *ops, const char *where, struct store_reader **ret, struct errinfo *err)
{
	return reader_open(ops, where, true, ret, err);
}

void store_reader_close(struct store_reader *r)
{
	if (r) {
		r->ops->close(r->db);
		arena_release(&r->scratch);
		free(r);
	}
}

int store_reader_begin(struct store_reader *r)
{
	int rc = r->held ? 0 : r->ops->begin(r->db);

	if (!rc) {
		r->held++;
	}
	return rc;
}

void store_reader_end(struct store_reader *r)
{
	if (--r->held == 0) {
		r->ops->rollback(r->db);
	}
}

int store_copy(
    struct store_reader *r, const char *where, store_copied_fn *fn, void *arg, struct errinfo *err)
{
	uint64_t any;
	int rc = store_reader_begin(r);

	if (!rc) {
		rc = r->ops->last_seq(r->db, STORE_REGISTRY, &any); /* now the moment is fixed */
		rc = rc ? rc : r->ops->copy(r->db, where, fn, arg, err);
		store_reader_end(r);
	}
	return store_reader_fail(r, rc, err);
}

int64_t store_key_of_id(const struct store_reader *r, const char *decision_id)
{
	return record_key(r->key, RECORD_ID, decision_id);
}

int64_t store_key_of_reward(const struct store_reader *r, const char *reward_key)
{
	return record_key(r->key, RECORD_REWARD, reward_key);
}

/* One call of ops->events: what has to hold of each body, and where it goes. */
struct walk {
	struct store_reader *r;
	struct errinfo *err;
	uint32_t experiment;
	uint64_t next; /* the seq that must come */
	size_t found;
	struct arena *mem;
	bool keep; /* mem is not reset */
	struct event *ev;
	store_decoded_fn *decoded;
	store_event_fn *raw;
	void *arg;
	int theirs; /* what decoded or raw returned: not for us to explain */
};

static int bad_event(const struct walk *w, uint64_t seq, int rc, const char *what)
{
	return err_set(w->err, rc, "corrupt", "", "experiment %u, event %llu: %s", w->experiment,
	    (unsigned long long)seq, what);
}

static int check(struct walk *w, uint64_t seq, const void *body, size_t len, size_t *ret_len)
{
	if (seq != w->next) {
		return bad_event(w, w->next, RC_CORRUPT, "missing");
	}
	if (len < RECORD_CRC_BYTES ||
	    !record_crc_is((const unsigned char *)body + len - RECORD_CRC_BYTES,
		record_crc_event(w->experiment, seq, body, len - RECORD_CRC_BYTES))) {
		return bad_event(w, seq, RC_CORRUPT, "the checksum is wrong");
	}
	w->next++;
	w->found++;
	*ret_len = len - RECORD_CRC_BYTES;
	return 0;
}

static int walk_decoded(void *arg, uint64_t seq, const void *body, size_t len)
{
	struct walk *w = arg;
	size_t n;
	int rc = check(w, seq, body, len, &n);

	if (rc) {
		return rc;
	}
	if (!w->keep) {
		arena_reset(w->mem);
	}
	rc = event_decode(body, n, seq, w->mem, w->ev);
	if (rc) {
		return bad_event(w, seq, rc, err_name(rc));
	}
	return w->theirs = w->decoded ? w->decoded(w->arg, w->ev) : 0;
}

static int walk_raw(void *arg, uint64_t seq, const void *body, size_t len)
{
	struct walk *w = arg;
	size_t n;
	int rc = check(w, seq, body, len, &n);

	return rc ? rc : (w->theirs = w->raw(w->arg, seq, body, n));
}

static int walk(struct walk *w, uint64_t after, uint64_t upto, size_t limit)
{
	struct store_reader *r = w->r;
	int rc = r->ops->events(
	    r->db, w->experiment, after, upto, limit, w->raw ? walk_raw : walk_decoded, w);

	return w->theirs ? rc : store_reader_fail(r, rc, w->err);
}

int store_read_events(struct store_reader *r, uint32_t experiment, uint64_t after, uint64_t upto,
    size_t limit, struct arena *mem, store_decoded_fn *fn, void *arg, struct errinfo *err)
{
	struct event ev;
	struct walk w = {.r = r,
	    .err = err,
	    .experiment = experiment,
	    .next = after + 1,
	    .mem = mem,
	    .ev = &ev,
	    .decoded = fn,
	    .arg = arg};

	return walk(&w, after, upto, limit);
}

int store_read_raw(struct store_reader *r, uint32_t experiment, uint64_t after, store_event_fn *fn,
    void *arg, struct errinfo *err)
{
	struct walk w = {
	    .r = r, .err = err, .experiment = experiment, .next = after + 1, .raw = fn, .arg = arg};

	return walk(&w, after, STORE_SEQ_MAX, SIZE_MAX);
}

int store_read_event(struct store_reader *r, uint32_t experiment, uint64_t seq, struct arena *mem,
    struct event *ret, struct errinfo *err)
{
	struct walk w = {.r = r,
	    .err = err,
	    .experiment = experiment,
	    .next = seq,
	    .mem = mem,
	    .keep = true,
	    .ev = ret};
	int rc;

	if (seq == 0 || seq > STORE_SEQ_MAX) {
		return RC_NOT_FOUND;
	}
	rc = walk(&w, seq - 1, seq, 1);
	return rc ? rc : w.found ? 0 : RC_NOT_FOUND;
}

struct follow {
	struct store_reader *r;
	struct errinfo *err;
	uint32_t experiment;
	struct pending *pending;
};

/* An event that a key names is there, and is about what the key says. */
static int bad_key(struct errinfo *err, uint32_t experiment, uint64_t seq, int rc)
{
	if (rc == RC_NOT_FOUND || rc == RC_CORRUPT) {
		rc = err_set(err, RC_CORRUPT, "corrupt", "",
		    "experiment %u, event %llu: a key names it, but it does not fit", experiment,
		    (unsigned long long)seq);
	}
	return rc;
}

static int fold_ref(void *arg, int64_t key, uint64_t seq)
{
	struct follow *f = arg;
	struct event ev;
	int rc;

	arena_reset(&f->r->scratch);
	rc = store_read_event(f->r, f->experiment, seq, &f->r->scratch, &ev, f->err);
	if (!rc && (!event_is_feedback(&ev) || ev.feedback.ref != (uint64_t)key)) {
		rc = RC_CORRUPT;
	}
	if (rc) {
		return bad_key(f->err, f->experiment, seq, rc);
	}
	pending_apply(f->pending, &ev);
	return 0;
}

int store_read_pending(struct store_reader *r, uint32_t experiment, uint64_t seq, struct arena *mem,
    struct event *ret, struct pending *ret_pending, struct errinfo *err)
{
	struct pending p;
	struct follow f = {.r = r, .err = err, .experiment = experiment, .pending = &p};
	struct event ev;
	int rc = store_reader_begin(r);

	if (rc) {
		return store_reader_fail(r, rc, err);
	}
	rc = store_read_event(r, experiment, seq, mem, &ev, err);
	if (!rc && ev.kind != EVENT_DECISION) {
		rc = RC_NOT_FOUND;
	}
	if (!rc) {
		pending_start(&p, &ev.decision);
		rc = r->ops->keys(r->db, experiment, (int64_t)seq, (int64_t)seq, fold_ref, &f);
		store_reader_fail(r, rc, err);
	}
	store_reader_end(r);
	if (!rc) {
		*ret = ev;
		*ret_pending = p;
	}
	return rc;
}

struct search {
	struct store_reader *r;
	struct errinfo *err;
	uint32_t experiment;
	bool decision;
	const char *name;
	struct arena *mem;
	uint64_t seq; /* 0: not found */
};

/* Two names may share a hash, so the bytes decide. */
static int compare_name(void *arg, int64_t key, uint64_t seq)
{
	struct search *f = arg;
	const char *name = NULL;
	struct event ev;
	int rc = store_read_event(f->r, f->experiment, seq, f->mem, &ev, f->err);

	(void)key;
	if (rc) {
		return bad_key(f->err, f->experiment, seq, rc);
	}
	if (f->decision && ev.kind == EVENT_DECISION) {
		name = ev.decision.id;
	} else if (!f->decision && event_is_feedback(&ev)) {
		name = ev.feedback.key;
	}
	if (!name || strcmp(name, f->name) != 0) {
		return 0;
	}
	f->seq = seq;
	return 1;
}

static int find(struct search *f, int64_t key, uint64_t *ret_seq)
{
	struct store_reader *r = f->r;
	int rc = r->ops->keys(r->db, f->experiment, key, key, compare_name, f);

	if (rc) {
		return store_reader_fail(r, rc, f->err);
	}
	if (!f->seq) {
		return RC_NOT_FOUND;
	}
	*ret_seq = f->seq;
	return 0;
}

int store_find_decision(struct store_reader *r, uint32_t experiment, const char *id,
    struct arena *mem, uint64_t *ret_seq, struct errinfo *err)
{
	struct search f = {
	    .r = r, .err = err, .experiment = experiment, .decision = true, .name = id, .mem = mem};

	return find(&f, store_key_of_id(r, id), ret_seq);
}

int store_find_reward(struct store_reader *r, uint32_t experiment, const char *key,
    struct arena *mem, uint64_t *ret_seq, struct errinfo *err)
{
	struct search f = {.r = r, .err = err, .experiment = experiment, .name = key, .mem = mem};

	return find(&f, store_key_of_reward(r, key), ret_seq);
}

struct snapshot_walk {
	store_snapshot_fn *fn;
	void (*bad)(void *arg, uint32_t experiment, uint64_t seq);
	void *arg;
};

static int walk_snapshot(void *arg, const struct store_snapshot *s)
{
	struct snapshot_walk *w = arg;
	struct store_snapshot good = *s;

	if (s->len < RECORD_CRC_BYTES ||
	    !record_crc_is((const unsigned char *)s->body + s->len - RECORD_CRC_BYTES,
		record_crc_snapshot(s, s->len - RECORD_CRC_BYTES))) {
		if (w->bad) {
			w->bad(w->arg, s->experiment, s->seq);
		}
		return 0;
	}
	good.len -= RECORD_CRC_BYTES;
	return w->fn(w->arg, &good);
}

int store_read_snapshots(struct store_reader *r, uint32_t experiment, store_snapshot_fn *fn,
    void (*bad)(void *arg, uint32_t experiment, uint64_t seq), void *arg)
{
	struct snapshot_walk w = {.fn = fn, .bad = bad, .arg = arg};

	return r->ops->snapshots(r->db, experiment, walk_snapshot, &w);
}

int store_read_bases(struct store_reader *r, uint32_t experiment, store_snapshot_fn *fn,
    void (*bad)(void *arg, uint32_t experiment, uint64_t seq), void *arg)
{
	struct snapshot_walk w = {.fn = fn, .bad = bad, .arg = arg};

	return r->ops->bases ? r->ops->bases(r->db, experiment, walk_snapshot, &w) : 0;
}

int store_last_seq(struct store_reader *r, uint32_t experiment, uint64_t *ret_seq)
{
	return r->ops->last_seq(r->db, experiment, ret_seq);
}

int store_read_refs(struct store_reader *r, uint32_t experiment, uint64_t lo, uint64_t hi,
    store_key_fn *fn, void *arg)
{
	int64_t from = lo > STORE_SEQ_MAX ? STORE_SEQ_MAX : lo ? (int64_t)lo : 1;
	int64_t upto = hi > STORE_SEQ_MAX ? STORE_SEQ_MAX : (int64_t)hi;

	return r->ops->keys(r->db, experiment, from, upto, fn, arg);
}
