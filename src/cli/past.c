/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/past.h"

#include <stdlib.h>

#define SLOTS 32768    /* decisions kept: most rewards come sooner than so many events later */
#define BYTES_MAX 1024 /* of one that is kept */
#define SCRATCH_MAX ((size_t)32 << 20)

struct kept {
	uint64_t seq; /* 0: none */
	struct pending pending;
	struct buf bytes; /* its event */
};

struct past {
	struct store_reader *reader;
	uint32_t experiment;
	struct arena scratch, last_mem;
	struct event last;       /* seq 0: none */
	struct kept kept[SLOTS]; /* by seq modulo SLOTS */
};

int past_new(const char *where, uint32_t experiment, struct past **ret, struct errinfo *err)
{
	struct past *p = calloc(1, sizeof(*p));
	int rc;

	if (!p) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	p->experiment = experiment;
	arena_init(&p->scratch, SCRATCH_MAX);
	arena_init(&p->last_mem, SCRATCH_MAX);
	for (size_t i = 0; i < SLOTS; i++) {
		buf_init(&p->kept[i].bytes, BYTES_MAX);
	}
	rc = store_reader_open(&store_sqlite, where, &p->reader, err);
	if (rc) {
		past_free(p);
		return rc;
	}
	*ret = p;
	return 0;
}

void past_free(struct past *p)
{
	if (p) {
		for (size_t i = 0; i < SLOTS; i++) {
			buf_release(&p->kept[i].bytes);
		}
		store_reader_close(p->reader);
		arena_release(&p->scratch);
		arena_release(&p->last_mem);
		free(p);
	}
}

static struct kept *slot_of(struct past *p, uint64_t seq)
{
	return &p->kept[seq % SLOTS];
}

void past_add(struct past *p, const struct event *ev)
{
	struct kept *k;

	if (ev->kind == EVENT_DECISION) {
		k = slot_of(p, ev->seq);
		buf_reset(&k->bytes);
		event_encode(ev, &k->bytes);
		k->seq = k->bytes.rc ? 0 : ev->seq; /* a long one is read again */
		pending_start(&k->pending, &ev->decision);
	} else if (event_is_feedback(ev)) {
		k = slot_of(p, ev->feedback.ref);
		if (k->seq == ev->feedback.ref) {
			pending_apply(&k->pending, ev);
		}
	}
}

struct follow {
	struct past *p;
	uint64_t before;
	struct pending *pending;
	struct errinfo *err;
};

static int fold_ref(void *arg, int64_t key, uint64_t seq)
{
	struct follow *f = arg;
	struct event ev;
	int rc;

	if (seq >= f->before) {
		return 1;
	}
	arena_reset(&f->p->scratch);
	rc = store_read_event(f->p->reader, f->p->experiment, seq, &f->p->scratch, &ev, f->err);
	if (rc) {
		return rc;
	}
	if (event_is_feedback(&ev) && ev.feedback.ref == (uint64_t)key) {
		pending_apply(f->pending, &ev);
	}
	return 0;
}

int past_find(void *arg, uint64_t ref, uint64_t before, struct arena *mem, struct event *ret,
    struct pending *ret_pending, struct errinfo *err)
{
	struct past *p = arg;
	const struct kept *k = slot_of(p, ref);
	struct follow f = {.p = p, .before = before, .pending = ret_pending, .err = err};
	int rc;

	if (k->seq == ref) {
		*ret_pending = k->pending;
		return event_decode(k->bytes.data, k->bytes.len, ref, mem, ret);
	}
	rc = store_read_event(p->reader, p->experiment, ref, mem, ret, err);
	if (rc || ret->kind != EVENT_DECISION) {
		return rc ? rc : RC_NOT_FOUND;
	}
	pending_start(ret_pending, &ret->decision);
	return store_read_refs(p->reader, p->experiment, ref, ref, fold_ref, &f);
}

int past_event(void *arg, uint64_t seq, struct event *ret, struct errinfo *err)
{
	struct past *p = arg;
	int rc = 0;

	if (p->last.seq != seq) {
		arena_reset(&p->last_mem);
		p->last.seq = 0;
		rc = store_read_event(p->reader, p->experiment, seq, &p->last_mem, &p->last, err);
		p->last.seq = rc ? 0 : seq;
	}
	*ret = p->last;
	return rc;
}
