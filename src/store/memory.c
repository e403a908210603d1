/* SPDX-License-Identifier: Apache-2.0 */
/* The backend in memory. What a transaction puts is staged and becomes visible by its commit; room
 * for it is made when it is put, so that a commit fails only when it is told to. Keys are kept in
 * sorted arrays: a search is fast, an insertion moves what is behind it. */
#include "store/memory_impl.h"

/* One thing a transaction will do. */
enum what { EVENT, SNAPSHOT, ERASE, INFO };
struct staged {
	enum what what;
	uint32_t experiment;
	struct disk_item *item; /* owned */
	int64_t *keys;          /* owned */
	size_t nkeys;
};

struct handle {
	struct store_disk *m;
	bool readonly;
	struct staged *staged;
	size_t nstaged, cap;
};

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int disk_open(const char *where, bool readonly, void **ret_db, struct errinfo *err)
{
	struct handle *h = calloc(1, sizeof(*h));
	int rc = 0;

	if (!h) {
		return err_set(err, RC_MEMORY, "storage", where, "out of memory");
	}
	if (strncmp(where, DISK_WHERE_PREFIX, strlen(DISK_WHERE_PREFIX)) == 0) {
		h->m = (struct store_disk *)(uintptr_t)strtoull(
		    where + strlen(DISK_WHERE_PREFIX), NULL, 16);
	}
	if (!h->m || h->m->magic != DISK_MAGIC) {
		free(h);
		return err_set(err, RC_INVALID, "storage", where, "not a disk in memory");
	}
	h->readonly = readonly;
	pthread_mutex_lock(&h->m->lock);
	if (!readonly && h->m->written) {
		rc = err_set(err, RC_BUSY, "storage", where, "already open");
	} else if (!readonly) {
		h->m->written = true;
	}
	pthread_mutex_unlock(&h->m->lock);
	if (rc) {
		free(h);
		return rc;
	}
	*ret_db = h;
	return 0;
}

static void unstage(struct handle *h)
{
	pthread_mutex_lock(&h->m->lock);
	for (size_t i = 0; i < h->nstaged; i++) {
		struct disk_log *l = disk_log_find(h->m, h->staged[i].experiment);

		if (h->staged[i].what == EVENT) {
			l->nstaged--;
			l->nstaged_keys -= h->staged[i].nkeys;
			free(h->staged[i].keys);
		}
		free(h->staged[i].item);
	}
	h->nstaged = 0;
	pthread_mutex_unlock(&h->m->lock);
}

static void disk_close(void *db)
{
	struct handle *h = db;

	if (!h) {
		return;
	}
	unstage(h);
	pthread_mutex_lock(&h->m->lock);
	h->m->written = h->m->written && h->readonly;
	pthread_mutex_unlock(&h->m->lock);
	free(h->staged);
	free(h);
}

static void explain(void *db, int rc, struct errinfo *err)
{
	struct handle *h = db;

	err_set(err, rc, "storage", h->m->where, "%s", err_name(rc));
}

static int do_begin(void *db)
{
	unstage(db);
	return 0;
}

static void do_rollback(void *db)
{
	unstage(db);
}

static int stage(struct handle *h, const struct staged *what, const void *body, size_t len,
    uint64_t seq, uint64_t cursor)
{
	struct staged *t;

	if (disk_grow(&h->staged, &h->cap, h->nstaged + 1, sizeof(*h->staged))) {
		return RC_MEMORY;
	}
	t = &h->staged[h->nstaged];
	*t = *what;
	t->item = malloc(sizeof(*t->item) + len);
	if (!t->item) {
		return RC_MEMORY;
	}
	*t->item = (struct disk_item){.seq = seq, .cursor = cursor, .len = len};
	if (len) {
		memcpy(t->item->body, body, len);
	}
	h->nstaged++;
	return 0;
}

static int stage_event(struct handle *h, const struct store_record *r)
{
	struct staged what = {.what = EVENT, .experiment = r->experiment, .nkeys = r->nkeys};
	struct disk_log *l;
	int rc = disk_log_make(h->m, r->experiment, &l);

	if (!rc && r->seq <= disk_log_last(l)) {
		rc = RC_CONFLICT;
	}
	if (!rc) {
		rc = disk_grow(
		    &l->events, &l->events_cap, l->nevents + l->nstaged + 1, sizeof(*l->events));
	}
	if (!rc) {
		rc = disk_grow(&l->keys, &l->keys_cap, l->nkeys + l->nstaged_keys + r->nkeys,
		    sizeof(*l->keys));
	}
	if (rc) {
		return rc;
	}
	if (r->nkeys) {
		what.keys = malloc(r->nkeys * sizeof(*r->keys));
		if (!what.keys) {
			return RC_MEMORY;
		}
		memcpy(what.keys, r->keys, r->nkeys * sizeof(*r->keys));
	}
	rc = stage(h, &what, r->body, r->len, r->seq, 0);
	if (rc) {
		free(what.keys);
		return rc;
	}
	l->nstaged++;
	l->nstaged_keys += r->nkeys;
	return 0;
}

static int put_event(void *db, const struct store_record *r)
{
	struct handle *h = db;
	int rc;

	pthread_mutex_lock(&h->m->lock);
	rc = disk_count(h->m, STORE_CALL_PUT);
	if (!rc) {
		rc = stage_event(h, r);
	}
	pthread_mutex_unlock(&h->m->lock);
	return rc;
}

static int put_snapshot(void *db, const struct store_snapshot *s)
{
	struct handle *h = db;
	struct disk_log *l;
	int rc;

	pthread_mutex_lock(&h->m->lock);
	rc = disk_count(h->m, STORE_CALL_PUT);
	if (!rc) {
		rc = disk_log_make(h->m, s->experiment, &l);
	}
	pthread_mutex_unlock(&h->m->lock);
	return rc ? rc
		  : stage(h, &(struct staged){.what = SNAPSHOT, .experiment = s->experiment},
			s->body, s->len, s->seq, s->cursor);
}

/* One name is all there is. */
static int put_info(void *db, const char *name, const void *p, size_t n)
{
	struct handle *h = db;

	if (n > DISK_INFO_MAX || strlen(name) >= DISK_INFO_MAX) {
		return RC_LIMIT;
	}
	snprintf(h->m->info_name, sizeof(h->m->info_name), "%s", name);
	return stage(h, &(struct staged){.what = INFO}, p, n, 0, 0);
}

static int erase(void *db, uint32_t experiment, size_t limit)
{
	(void)limit;
	return stage(db, &(struct staged){.what = ERASE, .experiment = experiment}, NULL, 0, 0, 0);
}

static void add_event(struct store_disk *m, struct disk_log *l, struct staged *t)
{
	for (size_t i = 0; i < t->nkeys; i++) {
		size_t at = disk_key_at(l, t->keys[i], t->item->seq);

		memmove(l->keys + at + 1, l->keys + at, (l->nkeys - at) * sizeof(*l->keys));
		l->keys[at] = (struct disk_key){t->keys[i], t->item->seq};
		l->nkeys++;
	}
	m->bytes += t->item->len;
	l->events[l->nevents++] = t->item;
	t->item = NULL;
}

static void apply(struct store_disk *m, struct staged *t)
{
	struct disk_log *l = disk_log_find(m, t->experiment);

	switch (t->what) {
	case EVENT:
		add_event(m, l, t);
		break;
	case SNAPSHOT:
		if (l->snapshots[0] && l->snapshots[0]->seq == t->item->seq) {
			free(l->snapshots[0]);
		} else {
			free(l->snapshots[1]);
			l->snapshots[1] = l->snapshots[0];
		}
		l->snapshots[0] = t->item;
		t->item = NULL;
		break;
	case ERASE:
		if (l) {
			disk_log_clear(l);
		}
		break;
	case INFO:
		memcpy(m->info, t->item->body, t->item->len);
		m->info_len = t->item->len;
		break;
	}
}

/* Two events of one transaction with one seq: found here, since a put compares with what is there.
 */
static bool ascends(const struct handle *h)
{
	for (size_t i = 0, at = 0; i < h->nstaged; i = at) {
		uint64_t last = 0;

		for (at = i; at < h->nstaged && h->staged[at].what == EVENT &&
			     h->staged[at].experiment == h->staged[i].experiment;
		     at++) {
			if (h->staged[at].item->seq <= last) {
				return false;
			}
			last = h->staged[at].item->seq;
		}
		at += at == i;
	}
	return true;
}

static int do_commit(void *db)
{
	struct handle *h = db;
	struct store_disk *m = h->m;
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	while (m->held && !h->readonly) {
		pthread_cond_wait(&m->released, &m->lock);
	}
	if (!h->readonly) {
		rc = ascends(h) ? disk_count(m, STORE_CALL_COMMIT) : RC_CONFLICT;
	}
	for (size_t i = 0; !rc && i < h->nstaged; i++) {
		apply(m, &h->staged[i]);
	}
	pthread_mutex_unlock(&m->lock);
	unstage(h);
	return rc;
}

static int maintain(void *db)
{
	(void)db;
	return 0;
}

static int events(void *db, uint32_t experiment, uint64_t after, uint64_t upto, size_t limit,
    store_event_fn *fn, void *arg)
{
	struct store_disk *m = ((struct handle *)db)->m;
	const struct disk_log *l;
	size_t lo = 0, hi;
	int rc;

	pthread_mutex_lock(&m->lock);
	rc = disk_count(m, STORE_CALL_READ);
	l = disk_log_find(m, experiment);
	for (hi = l ? l->nevents : 0; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->events[mid]->seq <= after) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	for (; l && rc == 0 && lo < l->nevents && limit-- && l->events[lo]->seq <= upto; lo++) {
		rc = fn(arg, l->events[lo]->seq, l->events[lo]->body, l->events[lo]->len);
	}
	pthread_mutex_unlock(&m->lock);
	return rc == 1 ? 0 : rc;
}

static int keys(void *db, uint32_t experiment, int64_t lo, int64_t hi, store_key_fn *fn, void *arg)
{
	struct store_disk *m = ((struct handle *)db)->m;
	const struct disk_log *l;
	int rc;

	pthread_mutex_lock(&m->lock);
	rc = disk_count(m, STORE_CALL_READ);
	l = disk_log_find(m, experiment);
	for (size_t at = l ? disk_key_at(l, lo, 0) : 0;
	     l && rc == 0 && at < l->nkeys && l->keys[at].key <= hi; at++) {
		rc = fn(arg, l->keys[at].key, l->keys[at].seq);
	}
	pthread_mutex_unlock(&m->lock);
	return rc == 1 ? 0 : rc;
}

static int snapshots(void *db, uint32_t experiment, store_snapshot_fn *fn, void *arg)
{
	struct store_disk *m = ((struct handle *)db)->m;
	int rc;

	pthread_mutex_lock(&m->lock);
	rc = disk_count(m, STORE_CALL_READ);
	for (size_t i = 0; i < m->nlogs * 2 && rc == 0; i++) {
		const struct disk_log *l = m->logs[i / 2];
		const struct disk_item *s = l->snapshots[i % 2];

		if (s && (!experiment || l->experiment == experiment)) {
			rc = fn(arg, &(struct store_snapshot){.experiment = l->experiment,
					 .seq = s->seq,
					 .cursor = s->cursor,
					 .body = s->body,
					 .len = s->len});
		}
	}
	pthread_mutex_unlock(&m->lock);
	return rc == 1 ? 0 : rc;
}

static int last_seq(void *db, uint32_t experiment, uint64_t *ret_seq)
{
	struct store_disk *m = ((struct handle *)db)->m;
	int rc;

	pthread_mutex_lock(&m->lock);
	rc = disk_count(m, STORE_CALL_READ);
	if (!rc) {
		*ret_seq = disk_log_last(disk_log_find(m, experiment));
	}
	pthread_mutex_unlock(&m->lock);
	return rc;
}

static int tails(void *db, store_tail_fn *fn, void *arg)
{
	struct store_disk *m = ((struct handle *)db)->m;
	int rc;

	pthread_mutex_lock(&m->lock);
	rc = disk_count(m, STORE_CALL_READ);
	for (size_t i = m->nlogs; i > 0 && rc == 0; i--) {
		const struct disk_log *l = m->logs[i - 1];

		rc = l->nevents ? fn(arg, l->experiment, disk_log_last(l)) : 0;
	}
	pthread_mutex_unlock(&m->lock);
	return rc == 1 ? 0 : rc;
}

static int get_info(void *db, const char *name, void *ret, size_t n)
{
	struct store_disk *m = ((struct handle *)db)->m;
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	if (!m->info_len || strcmp(m->info_name, name) != 0) {
		rc = RC_NOT_FOUND;
	} else if (m->info_len != n) {
		rc = RC_CORRUPT;
	} else {
		memcpy(ret, m->info, n);
	}
	pthread_mutex_unlock(&m->lock);
	return rc;
}

static int info(void *db, bool sizes, struct store_info *ret)
{
	struct store_disk *m = ((struct handle *)db)->m;

	(void)sizes;
	pthread_mutex_lock(&m->lock);
	*ret = (struct store_info){.db_bytes = m->bytes, .free_bytes = m->free_bytes};
	pthread_mutex_unlock(&m->lock);
	return 0;
}

const struct store_ops store_memory = {
    .name = "memory",
    .open = disk_open,
    .close = disk_close,
    .explain = explain,
    .begin = do_begin,
    .commit = do_commit,
    .rollback = do_rollback,
    .put_event = put_event,
    .put_snapshot = put_snapshot,
    .put_info = put_info,
    .erase = erase,
    .maintain = maintain,
    .events = events,
    .keys = keys,
    .snapshots = snapshots,
    .last_seq = last_seq,
    .tails = tails,
    .get_info = get_info,
    .info = info,
};
