/* SPDX-License-Identifier: Apache-2.0 */
/* Start and stop of the whole engine; one is the other in reverse. */
#include <stdlib.h>
#include <string.h>

#include "serve/engine_impl.h"

#define READ_MEMORY ((size_t)64 << 20)

static int open_store(struct engine *g, struct errinfo *err)
{
	const struct engine_options *o = &g->o;
	int rc = store_open(&(struct store_options){.ops = o->ops,
				.where = o->where,
				.queue_bytes = o->queue_bytes,
				.disk_floor = o->disk_floor,
				.interval_ms = o->interval_ms,
				.notify = o->notify,
				.committed = o->committed,
				.arg = o->arg},
	    &g->store, err);

	if (rc == 0) {
		rc = store_reader_open(o->ops, o->where, &g->reader, err);
	}
	if (rc == 0) {
		rc = store_reader_open(o->ops, o->where, &g->tick_reader, err);
	}
	return rc;
}

static void init_locks(struct engine *g)
{
	pthread_condattr_t attr;

	pthread_rwlock_init(&g->registry, NULL);
	pthread_mutex_init(&g->wake_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->wake, &attr);
	pthread_cond_init(&g->plan_wake, NULL);
	pthread_condattr_destroy(&attr);
}

int engine_open(const struct engine_options *o, struct engine **ret, struct engine_recovery *ret_r,
    struct errinfo *err)
{
	struct engine *g = calloc(1, sizeof(*g));
	int rc;

	if (!g) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	*ret_r = (struct engine_recovery){.experiments = 0};
	g->o = *o;
	hash_random(g->key, sizeof(g->key));
	init_locks(g);
	arena_init(&g->tick_mem, READ_MEMORY);
	arena_init(&g->seek_mem, READ_MEMORY);
	arena_init(&g->oldest_mem, READ_MEMORY);
	engine_work_init(&g->tick_work, g);
	engine_work_init(&g->plan_work, g);
	engine_work_init(&g->probe_work, g);
	rc = cache_new(o->cache_bytes, &g->cache);
	rc = rc ? rc : engine_probe_open(g);
	if (rc == 0) {
		rc = open_store(g, err);
	}
	if (rc == 0) {
		rc = engine_recover(g, ret_r, err);
	}
	if (rc) {
		g->numbers = 0; /* nothing to snapshot of a state that did not come up */
		engine_close(g);
		return err_set(
		    err, rc, "open_failed", "", "cannot open %s: %s", o->where, err_name(rc));
	}
	*ret = g;
	return 0;
}

static void snapshot_all(struct engine *g)
{
	struct engine_item *it;
	uint32_t after = 0;

	while ((it = engine_next_ref(g, after)) != NULL) {
		after = it->number;
		if (it->dirty_since_us && engine_snapshot(g, it) == RC_BUSY &&
		    store_drain(g->store) == 0) {
			engine_snapshot(g, it);
		}
		engine_item_unref(it);
	}
}

void engine_close(struct engine *g)
{
	if (!g) {
		return;
	}
	engine_stop(g);
	if (g->store && !store_failed(g->store)) {
		snapshot_all(g);
	}
	store_reader_close(g->tick_reader);
	store_reader_close(g->reader);
	store_close(g->store);
	HASH_CLEAR(by_name, g->by_name);
	for (uint32_t i = 0; i < g->numbers_cap; i++) {
		engine_item_unref(g->by_number[i]);
	}
	engine_item_unref(g->probe);
	free(g->by_number);
	cache_free(g->cache);
	engine_work_release(&g->tick_work);
	engine_work_release(&g->plan_work);
	engine_work_release(&g->probe_work);
	arena_release(&g->seek_mem);
	arena_release(&g->oldest_mem);
	arena_release(&g->tick_mem);
	pthread_cond_destroy(&g->wake);
	pthread_cond_destroy(&g->plan_wake);
	pthread_mutex_destroy(&g->wake_lock);
	pthread_rwlock_destroy(&g->registry);
	free(g);
}
