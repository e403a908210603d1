/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the first events from a log. First the base is on disk, from then on nobody reads what is
 * before it, and only then it goes, in slices: a stop at any moment leaves a sound state. */
#include <stdlib.h>

#include "store/care.h"
#include "store/store_impl.h"

#define DROP_EVENTS 2048 /* a transaction */
#define SCRATCH_MAX ((size_t)4 * EVENT_BYTES_MAX)

struct store_pruner {
	const struct store_ops *ops;
	void *db;
	struct record_log log;
	struct arena mem;
};

int store_pruner_open(
    const struct store_ops *ops, const char *where, struct store_pruner **ret, struct errinfo *err)
{
	struct store_pruner *p = calloc(1, sizeof(*p));
	int rc;

	if (!p) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	p->ops = ops;
	arena_init(&p->mem, SCRATCH_MAX);
	rc = ops->open(where, false, &p->db, err);
	if (rc == 0) {
		rc = record_log_get(ops, p->db, &p->log);
		if (rc) {
			err_set(err, rc, "storage", where, "the row \"log\" is damaged or missing");
		}
	}
	if (rc) {
		store_pruner_close(p);
		return rc;
	}
	*ret = p;
	return 0;
}

void store_pruner_close(struct store_pruner *p)
{
	if (p) {
		p->ops->close(p->db);
		arena_release(&p->mem);
		free(p);
	}
}

static int finish(struct store_pruner *p, int rc, struct errinfo *err)
{
	if (!rc) {
		rc = p->ops->commit(p->db);
	}
	if (rc) {
		if (!err->rc) {
			p->ops->explain(p->db, rc, err);
		}
		p->ops->rollback(p->db);
	}
	return rc ? rc : p->ops->maintain(p->db);
}

int store_prune_base(
    struct store_pruner *p, const struct store_snapshot *base, bool planted, struct errinfo *err)
{
	struct store_snapshot s = *base;
	struct record_log log = p->log;
	struct buf body;
	int rc;

	buf_init(&body, base->len + RECORD_CRC_BYTES);
	buf_put(&body, base->body, base->len);
	buf_put(&body, &(uint32_t){0}, RECORD_CRC_BYTES);
	rc = body.rc;
	if (rc == 0) {
		s.body = body.data;
		s.len = body.len;
		record_put_crc(body.data + base->len, record_crc_snapshot(&s, base->len));
		rc = p->ops->begin(p->db);
	}
	rc = rc ? rc : p->ops->put_base(p->db, &s);
	if (rc == 0 && planted) {
		log.events += base->seq;
		rc = record_log_put(p->ops, p->db, &log);
	}
	rc = finish(p, rc, err);
	if (rc == 0) {
		p->log = log;
	}
	buf_release(&body);
	return rc;
}

struct slice {
	struct store_pruner *p;
	struct {
		uint64_t seq;
		int64_t *keys;
		size_t nkeys;
	} event[DROP_EVENTS];
	size_t n;
};

static int take(void *arg, uint64_t seq, const void *body, size_t len)
{
	struct slice *s = arg;
	struct arena *mem = &s->p->mem;
	struct event ev;
	size_t n;
	int rc;

	if (len < RECORD_CRC_BYTES) {
		return RC_CORRUPT;
	}
	rc = event_decode(body, len - RECORD_CRC_BYTES, seq, mem, &ev);
	if (rc) {
		return rc;
	}
	n = record_nkeys(&ev);
	s->event[s->n].seq = seq;
	s->event[s->n].nkeys = n;
	s->event[s->n].keys = arena_array(mem, n, sizeof(int64_t));
	if (!s->event[s->n].keys) {
		return s->n ? 1 : RC_MEMORY; /* as many as there is room for */
	}
	record_keys(s->p->log.key, &ev, s->event[s->n++].keys);
	return 0;
}

int store_prune_some(struct store_pruner *p, uint32_t experiment, uint64_t upto,
    uint64_t *ret_removed, struct errinfo *err)
{
	struct slice *s = calloc(1, sizeof(*s));
	int rc = s ? p->ops->begin(p->db) : RC_MEMORY;

	if (rc) {
		free(s);
		return err_set(err, rc, "storage", "", "%s", err_name(rc));
	}
	s->p = p;
	arena_reset(&p->mem);
	rc = p->ops->events(p->db, experiment, 0, upto, DROP_EVENTS, take, s);
	if (rc == RC_MEMORY && s->n) {
		rc = 0; /* as many as there is room for */
	}
	for (size_t i = 0; rc == 0 && i < s->n; i++) {
		rc = p->ops->drop_event(p->db, &(struct store_record){.experiment = experiment,
						   .seq = s->event[i].seq,
						   .keys = s->event[i].keys,
						   .nkeys = s->event[i].nkeys});
	}
	rc = finish(p, rc, err);
	if (rc == 0) {
		*ret_removed = s->n;
	}
	free(s);
	return rc;
}

static int take_seq(void *arg, const struct store_snapshot *s)
{
	*(uint64_t *)arg = s->seq;
	return 1;
}

int store_base_seq(struct store_reader *r, uint32_t experiment, uint64_t *ret_seq)
{
	*ret_seq = 0;
	return r->ops->bases && experiment ? r->ops->bases(r->db, experiment, take_seq, ret_seq)
					   : 0;
}
