/* SPDX-License-Identifier: Apache-2.0 */
/* The decision that the watchdog asks for: it is one, it hangs when the engine does, and nothing is
 * left of it. */
#include "serve/engine_probe.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "serve/engine_impl.h"
#include "store/care.h"
#include "tests/unit/engine_rig.h"
#include "tests/unit/fault.h"

#define PROBES 1000
#define STUCK_NS 200000000

/* One probe, and how many have been committed when what it asked for is on disk. */
static uint64_t probe(struct engine_rig *r)
{
	uint64_t before, now;

	r->now_us++;
	ck_assert_int_eq(engine_probe(r->g, r->now_us, &before), 0);
	do {
		usleep(50);
		ck_assert_int_eq(store_drain(engine_store(r->g)), 0);
		ck_assert_int_eq(engine_probe(r->g, r->now_us, &now), 0);
	} while (now == before);
	return now;
}

static uint64_t probe_decisions(struct engine_rig *r)
{
	return experiment_totals(r->g->probe->e)->decisions;
}

static int count_tail(void *arg, uint32_t experiment, uint64_t last_seq)
{
	(void)last_seq;
	ck_assert_uint_ne(experiment, STORE_PROBE);
	++*(int *)arg;
	return 0;
}

/* What a log holds: events of so many experiments, the registry with them. */
static int count_logs(struct engine_rig *r)
{
	struct store_reader *reader;
	int n = 0;

	ck_assert_int_eq(store_reader_open(&r->ops, r->place.where, &reader, &r->err), 0);
	ck_assert_int_eq(store_check_tails(reader, &r->err), 0);
	ck_assert_int_eq(store_read_tails(reader, count_tail, &n, &r->err), 0);
	store_reader_close(reader);
	return n;
}

START_TEST(a_thousand_probes_are_decisions_and_leave_nothing)
{
	struct engine_rig r;

	for (size_t b = 0; b < 2; b++) {
		struct digest before;
		size_t cached, bytes;
		uint64_t decided;

		rig_init(&r, place_backends[b]);
		rig_open(&r);
		rig_make(&r, "one", NULL);
		ck_assert_int_eq(rig_decide(&r, "one", "mine", false).rc, 0);
		probe(&r);
		rig_drain(&r);
		before = rig_digest(&r, "one");
		cached = engine_cache_bytes(r.g);
		bytes = experiment_bytes(r.g->probe->e);
		decided = probe_decisions(&r);
		for (int i = 0; i < PROBES; i++) {
			uint64_t probes;

			ck_assert_int_eq(engine_probe(r.g, r.now_us + (uint64_t)i, &probes), 0);
		}
		ck_assert_uint_eq(probe_decisions(&r), decided + PROBES);
		rig_drain(&r);
		ck_assert_uint_eq(store_queued_events(engine_store(r.g)), 0);
		ck_assert(digest_equal(rig_digest(&r, "one"), before));
		ck_assert_uint_eq(engine_cache_bytes(r.g), cached);
		ck_assert_uint_eq(experiment_bytes(r.g->probe->e), bytes);
		ck_assert_uint_eq(engine_experiments(r.g, RUN_RUNNING), 1);
		ck_assert_int_eq(
		    engine_find(r.g, "probe", &(struct engine_item *){NULL}, NULL), RC_NOT_FOUND);
		ck_assert_int_eq(count_logs(&r), 2);
		rig_make(&r, "probe", NULL); /* the name is anybody's */
		rig_drain(&r);
		rig_close(&r);
		ck_assert_int_eq(count_logs(&r), 3);
		rig_open(&r);
		ck_assert_uint_eq(r.recovery.experiments, 2);
		ck_assert(digest_equal(rig_digest(&r, "one"), before));
		ck_assert(rig_decide(&r, "one", "mine", false).replayed);
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_probe_is_a_commit_that_is_really_made)
{
	struct engine_rig r;
	uint64_t commits, puts, probes = 0;

	rig_init(&r, &store_memory);
	rig_open(&r);
	commits = store_disk_calls(r.place.disk, STORE_CALL_COMMIT);
	puts = store_disk_calls(r.place.disk, STORE_CALL_PUT);
	probe(&r);
	ck_assert_uint_gt(store_disk_calls(r.place.disk, STORE_CALL_COMMIT), commits);
	ck_assert_uint_eq(store_disk_calls(r.place.disk, STORE_CALL_PUT), puts); /* of events */

	rig_drain(&r);
	store_disk_hold(r.place.disk, true);
	ck_assert_int_eq(engine_probe(r.g, r.now_us, &probes), 0);
	for (int i = 0; i < 10; i++) {
		uint64_t now;

		usleep(1000);
		ck_assert_int_eq(engine_probe(r.g, r.now_us, &now), 0);
		ck_assert_uint_eq(now, probes);
	}
	store_disk_hold(r.place.disk, false);
	ck_assert_uint_gt(probe(&r), probes);

	store_disk_fail(r.place.disk, STORE_CALL_COMMIT, 1);
	while (engine_probe(r.g, r.now_us, &probes) == 0) {
		usleep(1000);
	}
	ck_assert(store_failed(engine_store(r.g)));
	ck_assert_int_eq(engine_probe(r.g, r.now_us, &probes), RC_FAILED);
	rig_release(&r);
}
END_TEST

static void *probe_once(void *arg)
{
	struct engine_rig *r = arg;
	uint64_t probes;

	return engine_probe(r->g, r->now_us, &probes) == 0 ? r : NULL;
}

/* It does not come back while this is held. */
static void is_stuck(struct engine_rig *r, pthread_t *ret)
{
	struct timespec t;

	ck_assert_int_eq(pthread_create(ret, NULL, probe_once, r), 0);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += STUCK_NS;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	ck_assert_int_eq(pthread_timedjoin_np(*ret, NULL, &t), ETIMEDOUT);
}

static void goes_on(pthread_t thread)
{
	void *answer;

	ck_assert_int_eq(pthread_join(thread, &answer), 0);
	ck_assert_ptr_nonnull(answer);
}

START_TEST(a_probe_waits_for_each_lock_that_a_decision_may_need)
{
	struct engine_rig r;
	pthread_t thread;

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", NULL);
	rig_make(&r, "two", NULL);

	engine_lock(rig_item(&r, "two"));
	is_stuck(&r, &thread);
	engine_unlock(rig_item(&r, "two"));
	goes_on(thread);

	pthread_rwlock_wrlock(&r.g->registry);
	is_stuck(&r, &thread);
	pthread_rwlock_unlock(&r.g->registry);
	goes_on(thread);

	engine_lock(r.g->probe);
	is_stuck(&r, &thread);
	engine_unlock(r.g->probe);
	goes_on(thread);
	rig_release(&r);
}
END_TEST

START_TEST(a_full_queue_or_disk_is_no_hang)
{
	struct engine_rig r;
	uint64_t before, probes;

	rig_init(&r, &store_memory);
	rig_open(&r);
	rig_make(&r, "one", NULL);
	before = probe(&r);
	rig_drain(&r);
	store_disk_hold(r.place.disk, true);
	while (rig_decide(&r, "one", NULL, false).rc == 0) {
	}
	ck_assert_int_eq(engine_probe(r.g, r.now_us, &probes), 0);
	ck_assert_int_eq(engine_probe(r.g, r.now_us, &probes), 0);
	ck_assert_uint_le(probes, before + 1);
	store_disk_hold(r.place.disk, false);
	ck_assert_uint_gt(probe(&r), probes);
	rig_close(&r);

	r.o.disk_floor = 1000;
	store_disk_set_free(r.place.disk, 999);
	rig_open(&r);
	ck_assert(store_full(engine_store(r.g)));
	before = probe_decisions(&r);
	probe(&r);
	ck_assert_uint_eq(probe_decisions(&r), before); /* none was taken, so none counts */
	rig_release(&r);
}
END_TEST

START_TEST(a_probe_without_memory_fails_and_the_next_does_not)
{
	struct engine_rig r;
	int rc = RC_MEMORY;

	rig_init(&r, &store_memory);
	rig_open(&r);
	for (uint64_t n = 1; rc; n++) {
		uint64_t before = probe_decisions(&r), probes;
		size_t cached = engine_cache_bytes(r.g);

		fault_malloc(n);
		rc = engine_probe(r.g, r.now_us, &probes);
		fault_malloc(0);
		ck_assert(rc == 0 || rc == RC_MEMORY);
		ck_assert_uint_eq(probe_decisions(&r), before + (rc == 0));
		ck_assert_uint_eq(engine_cache_bytes(r.g), cached);
		ck_assert(rc || n > 1);
	}
	probe(&r);
	rig_release(&r);
}
END_TEST

RUN("engine_probe", a_thousand_probes_are_decisions_and_leave_nothing,
    a_probe_is_a_commit_that_is_really_made, a_probe_waits_for_each_lock_that_a_decision_may_need,
    a_full_queue_or_disk_is_no_hang, a_probe_without_memory_fails_and_the_next_does_not)
