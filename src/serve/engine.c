/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: which experiments there are. What is done to one of them is in engine_work.c,
 * how they come back in engine_recover.c, what happens by itself in engine_tick.c. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/engine_impl.h"
#include "store/registry.h"

unsigned engine_name_hash(const struct engine *g, const char *name)
{
	return (unsigned)hash_keyed(g->key, name, strlen(name));
}

int engine_item_new(uint32_t number, struct experiment *e, struct engine_item **ret)
{
	struct engine_item *it = calloc(1, sizeof(*it));

	if (!it) {
		return RC_MEMORY;
	}
	it->number = number;
	it->e = e;
	atomic_init(&it->refs, 1);
	pthread_mutex_init(&it->lock, NULL);
	*ret = it;
	return 0;
}

void engine_item_unref(struct engine_item *it)
{
	if (it && atomic_fetch_sub(&it->refs, 1) == 1) {
		experiment_free(it->e);
		engine_stream_free(it->ahead);
		pthread_mutex_destroy(&it->lock);
		free(it);
	}
}

/* Room in by_number for this number. */
static int numbers_reserve(struct engine *g, uint32_t number)
{
	uint32_t cap = g->numbers_cap ? g->numbers_cap : 64;
	struct engine_item **p;

	if (number < g->numbers_cap) {
		return 0;
	}
	while (cap <= number) {
		cap *= 2;
	}
	p = realloc(g->by_number, cap * sizeof(*p));
	if (!p) {
		return RC_MEMORY;
	}
	memset(p + g->numbers_cap, 0, (cap - g->numbers_cap) * sizeof(*p));
	g->by_number = p;
	g->numbers_cap = cap;
	return 0;
}

int engine_register(struct engine *g, struct engine_item *it)
{
	const char *name = experiment_name(it->e);
	unsigned hash = engine_name_hash(g, name);
	int rc;

	pthread_rwlock_wrlock(&g->registry);
	rc = numbers_reserve(g, it->number);
	if (rc == 0) {
		HASH_ADD_KEYPTR_BYHASHVALUE(by_name, g->by_name, name, strlen(name), hash, it);
		rc = it->by_name.tbl ? 0 : RC_MEMORY;
	}
	if (rc == 0) {
		g->by_number[it->number] = it;
		g->numbers = it->number + 1 > g->numbers ? it->number + 1 : g->numbers;
	}
	pthread_rwlock_unlock(&g->registry);
	return rc;
}

static void unregister(struct engine *g, struct engine_item *it)
{
	pthread_rwlock_wrlock(&g->registry);
	HASH_DELETE(by_name, g->by_name, it);
	g->by_number[it->number] = NULL;
	pthread_rwlock_unlock(&g->registry);
}

static struct engine_item *find(struct engine *g, const char *name)
{
	unsigned hash = engine_name_hash(g, name);
	struct engine_item *it;

	pthread_rwlock_rdlock(&g->registry);
	HASH_FIND_BYHASHVALUE(by_name, g->by_name, name, strlen(name), hash, it);
	pthread_rwlock_unlock(&g->registry);
	return it;
}

int engine_find(struct engine *g, const char *name, struct engine_item **ret, struct errinfo *err)
{
	struct engine_item *it = find(g, name);

	if (!it) {
		return err_set(
		    err, RC_NOT_FOUND, "unknown_experiment", "", "no experiment %.128s", name);
	}
	*ret = it;
	return 0;
}

struct engine_item *engine_next(struct engine *g, uint32_t after)
{
	struct engine_item *it = engine_next_ref(g, after);

	if (it) {
		atomic_fetch_sub(&it->refs, 1); /* only the calling thread ever purges */
	}
	return it;
}

struct engine_item *engine_next_ref(struct engine *g, uint32_t after)
{
	struct engine_item *it = NULL;

	pthread_rwlock_rdlock(&g->registry);
	/* Numbers of experiments that are all purged may have no entry. */
	for (uint32_t i = after + 1; i < g->numbers && i < g->numbers_cap && !it; i++) {
		it = g->by_number[i];
	}
	if (it) {
		atomic_fetch_add(&it->refs, 1);
	}
	pthread_rwlock_unlock(&g->registry);
	return it;
}

uint32_t engine_number(const struct engine_item *it)
{
	return it->number;
}

const struct experiment *engine_lock(struct engine_item *it)
{
	pthread_mutex_lock(&it->lock);
	return it->e;
}

void engine_unlock(struct engine_item *it)
{
	pthread_mutex_unlock(&it->lock);
}

struct store *engine_store(struct engine *g)
{
	return g->store;
}

size_t engine_cache_bytes(const struct engine *g)
{
	return cache_bytes(g->cache);
}

size_t engine_experiments(const struct engine *g, enum run_state state)
{
	struct engine *mutable = (struct engine *)g;
	size_t n = 0;

	for (struct engine_item *it = engine_next(mutable, 0); it;
	     it = engine_next(mutable, it->number)) {
		n += experiment_settings(engine_lock(it))->state == state;
		engine_unlock(it);
	}
	return n;
}

uint64_t engine_open_decisions(const struct engine *g)
{
	struct engine *mutable = (struct engine *)g;
	uint64_t n = 0;

	for (struct engine_item *it = engine_next(mutable, 0); it;
	     it = engine_next(mutable, it->number)) {
		n += experiment_totals(engine_lock(it))->open;
		engine_unlock(it);
	}
	return n;
}

uint64_t engine_oldest_snapshot_us(const struct engine *g)
{
	struct engine *mutable = (struct engine *)g;
	uint64_t oldest = 0;

	for (struct engine_item *it = engine_next(mutable, 0); it;
	     it = engine_next(mutable, it->number)) {
		engine_lock(it);
		if (it->dirty_since_us && (oldest == 0 || it->dirty_since_us < oldest)) {
			oldest = it->dirty_since_us;
		}
		engine_unlock(it);
	}
	return oldest;
}

/* An older experiment of this name: is it the same one asked for again? */
static int compare_existing(struct engine_item *it, const struct experiment_spec *spec,
    struct engine_item **ret_it, uint64_t *ret_ticket, struct errinfo *err)
{
	bool same = experiment_fingerprint(engine_lock(it)) == spec->fingerprint;

	*ret_it = it;
	*ret_ticket = it->created_ticket;
	engine_unlock(it);
	if (!same) {
		return err_set(err, RC_CONFLICT, "experiment_exists", "",
		    "experiment %s was created with another body", spec->name);
	}
	return RC_EXISTS;
}

/* The two events of a creation: in the registry, and the first of the experiment's own log. */
static int group_creation(
    struct engine *g, struct store_group *group, const struct experiment_spec *spec, uint64_t at_us)
{
	struct event ev = {.kind = EVENT_CREATE, .seq = 1, .at_us = at_us, .create = *spec};
	struct buf entry;
	int rc;

	buf_init(&entry, REGISTRY_BYTES_MAX);
	registry_encode(
	    &(struct registry_entry){
		.op = REGISTRY_CREATE, .number = g->numbers, .name = spec->name},
	    &entry);
	rc = entry.rc;
	if (rc == 0) {
		rc = store_group_add_raw(
		    group, STORE_REGISTRY, g->registry_seq + 1, entry.data, entry.len);
	}
	if (rc == 0) {
		rc = store_group_add(g->store, group, g->numbers, &ev);
	}
	buf_release(&entry);
	return rc;
}

int engine_refusal(int rc, struct errinfo *err)
{
	switch (rc) {
	case RC_BUSY:
		return err_set(err, rc, "overloaded", "", "the commit queue is full");
	case RC_FULL:
		return err_set(err, rc, "storage_full", "", "the disk is nearly full");
	case RC_FAILED:
		return err_set(
		    err, rc, "storage_failed", "", "the store failed; a restart recovers");
	case RC_LIMIT:
		return err_set(
		    err, rc, "too_many", "", "the event is too large, or its policy takes no more");
	default:
		return err_set(err, rc, "out_of_memory", "", "out of memory");
	}
}

int engine_create(struct engine *g, const struct experiment_spec *spec, uint64_t at_us,
    struct engine_item **ret_it, uint64_t *ret_ticket, struct errinfo *err)
{
	struct engine_item *it = find(g, spec->name);
	const struct policy_ops *ops = g->o.find(spec->policy);
	struct experiment *e = NULL;
	struct store_group group;
	int rc;

	if (it) {
		return compare_existing(it, spec, ret_it, ret_ticket, err);
	}
	if (!ops) {
		return err_set(err, RC_INVALID, "unknown_policy", "/policy/name",
		    "no policy %.128s", spec->policy);
	}
	if (HASH_CNT(by_name, g->by_name) >= g->o.experiments_max) {
		return err_set(
		    err, RC_LIMIT, "too_many", "", "at most %zu experiments", g->o.experiments_max);
	}
	rc = experiment_new(spec, ops, at_us, &e, err);
	if (rc) {
		return err_set(err, rc, "out_of_memory", "", "out of memory");
	}
	store_group_init(&group);
	rc = group_creation(g, &group, spec, at_us);
	if (rc == 0) {
		rc = engine_item_new(g->numbers, e, &it);
	}
	if (rc == 0) {
		e = NULL; /* the item's now */
		rc = store_reserve(g->store, group.bytes.len);
	}
	if (rc == 0) {
		rc = engine_register(g, it);
		if (rc) {
			store_unreserve(g->store, group.bytes.len);
		}
	}
	if (rc == 0) {
		g->registry_seq++;
		it->dirty_since_us = clock_mono_us();
		it->created_ticket = store_append(g->store, &group, group.bytes.len);
		*ret_it = it;
		*ret_ticket = it->created_ticket;
	} else {
		engine_item_unref(it);
		experiment_free(e);
		engine_refusal(rc, err);
	}
	store_group_release(&group);
	return rc;
}

int engine_purge(
    struct engine *g, struct engine_item *it, uint64_t *ret_ticket, struct errinfo *err)
{
	struct store_group group;
	struct buf entry;
	int rc;

	store_group_init(&group);
	buf_init(&entry, REGISTRY_BYTES_MAX);
	registry_encode(
	    &(struct registry_entry){
		.op = REGISTRY_PURGE, .number = it->number, .name = experiment_name(it->e)},
	    &entry);
	rc = entry.rc ? entry.rc
		      : store_group_add_raw(
			    &group, STORE_REGISTRY, g->registry_seq + 1, entry.data, entry.len);
	if (rc == 0) {
		rc = store_reserve(g->store, group.bytes.len);
	}
	if (rc == 0) {
		uint64_t ticket;

		g->registry_seq++;
		*ret_ticket = store_append(g->store, &group, group.bytes.len);
		/* It is gone from here on: should the erasure find no room, the next start erases.
		 */
		if (store_erase(g->store, it->number, &ticket) == 0) {
			*ret_ticket = ticket;
		}
	}
	if (rc == 0) {
		engine_lock(it);
		it->purged = true;
		engine_unlock(it);
		unregister(g, it);
		cache_forget(g->cache, it->number);
		engine_item_unref(it);
	} else {
		engine_refusal(rc, err);
	}
	buf_release(&entry);
	store_group_release(&group);
	return rc;
}
