/* SPDX-License-Identifier: Apache-2.0 */
/* A decision for the watchdog, on the road of all others: locks, policy, draw, cache, room in the
 * queue, the commit thread and its transaction. Its experiment is in no table, so that nobody sees
 * it and nothing saves it, and its events are written nowhere, so that a log holds what was asked
 * for and nothing else: it begins anew with every start. */
#include "serve/engine_probe.h"

#include "policies/policies.h"
#include "serve/engine_impl.h"

int engine_probe_open(struct engine *g)
{
	static const struct spec_arm arms[] = {{"a", ""}, {"b", ""}};
	const struct experiment_spec spec = {.name = "probe",
	    .policy = uniform_ops.name,
	    .arms = arms,
	    .narms = sizeof(arms) / sizeof(*arms),
	    .slots = 1,
	    .hi = 1,
	    .settings = {.label = ""}};
	struct experiment *e;
	int rc = experiment_new(&spec, &uniform_ops, 0, &e, NULL);

	if (rc == 0) {
		rc = engine_item_new(STORE_PROBE, e, &g->probe);
		if (rc) {
			experiment_free(e);
		}
	}
	return rc;
}

/* Each lock that a request may need. Whoever holds one for as long as a watchdog waits has hung. */
static void take_locks(struct engine *g)
{
	struct engine_item *it;
	uint32_t after = 0;

	while ((it = engine_next_ref(g, after)) != NULL) {
		after = it->number;
		engine_lock(it);
		engine_unlock(it);
		engine_item_unref(it);
	}
}

int engine_probe(struct engine *g, uint64_t at_us, uint64_t *ret_probes)
{
	struct engine_work *w = &g->probe_work;
	const struct select_in in = {.fingerprint = 0};
	struct event ev;
	bool replayed;
	int rc;

	take_locks(g);
	engine_begin(w, g->probe);
	rc = engine_decide(w, &in, NULL, at_us, &ev, &replayed, NULL);
	if (rc == 0) {
		*ret_probes = store_probe(g->store, &w->group, w->reserved);
		store_group_reset(&w->group); /* engine_commit() has nothing to append */
	} else if (rc == RC_BUSY || rc == RC_FULL) {
		/* Decided and turned away, as others are: what counts is that commits go on. */
		*ret_probes = store_probe(g->store, NULL, 0);
		rc = 0;
	}
	while (w->ntouched) {
		cache_drop(g->cache, w->touched[--w->ntouched]);
	}
	engine_commit(w);
	return rc;
}
