/* SPDX-License-Identifier: Apache-2.0 */
/* The log as it is on disk. */
#include "serve/engine_impl.h"
#include "store/care.h"

int engine_log_begin(struct engine *g, const struct engine_item *it, uint64_t *ret_after)
{
	return store_base_seq(g->reader, it->number, ret_after);
}

int engine_read(struct engine *g, struct engine_item *it, uint64_t after, size_t limit,
    struct arena *mem, store_decoded_fn *fn, void *arg, struct errinfo *err)
{
	return store_read_events(
	    g->reader, it->number, after, UINT64_MAX >> 1, limit, mem, fn, arg, err);
}

struct ref_walk {
	uint64_t seqs[ENGINE_REFS_MAX];
	size_t n;
};

static int collect_ref(void *arg, int64_t key, uint64_t seq)
{
	struct ref_walk *walk = arg;

	(void)key;
	walk->seqs[walk->n++] = seq;
	return walk->n == ENGINE_REFS_MAX;
}

int engine_read_refs(struct engine *g, struct engine_item *it, uint64_t decision_seq,
    struct arena *mem, store_decoded_fn *fn, void *arg, struct errinfo *err)
{
	struct ref_walk walk = {.n = 0};
	struct event ev;
	int rc =
	    store_read_refs(g->reader, it->number, decision_seq, decision_seq, collect_ref, &walk);

	for (size_t i = 0; rc >= 0 && i < walk.n; i++) {
		arena_reset(mem);
		rc = store_read_event(g->reader, it->number, walk.seqs[i], mem, &ev, err);
		rc = rc ? rc : fn(arg, &ev);
	}
	return rc < 0 ? rc : 0;
}
