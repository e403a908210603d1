/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted life of an engine, with one thing that fails, for everything that can: an error means
 * that nothing has changed, success that it is in the log. */
#include "base/clock.h"
#include "tests/unit/engine_rig.h"
#include "tests/unit/fault.h"

#define MINUTE_US (60 * CLOCK_SECOND_US)
#define STEPS_MAX 200
#define FAULTS_MAX 100000
#define CACHE_BYTES 1500 /* a few decisions: most are read back */
#define ARMS 40
#define DECISIONS 12

struct life {
	struct engine_rig r;
	bool fail_malloc;
	struct digest digest[STEPS_MAX]; /* of "one" after each step that changed it */
	size_t ndigests, acknowledged;   /* how many are surely in the log */
	bool lost; /* what was asked of the store was not done: it has failed */
	bool lost_some;
	bool ticking; /* some of what a tick does may be in the log when it fails */
};

static struct digest digest_of(struct life *l)
{
	struct digest d = {{0}};
	struct engine_item *it;

	if (engine_find(l->r.g, "one", &it, NULL) == 0) {
		d = rig_digest(&l->r, "one");
	}
	return d;
}

static bool is_fault(const struct life *l, int rc)
{
	return rc == (l->fail_malloc ? RC_MEMORY : RC_IO) || rc == RC_FAILED;
}

typedef int step_fn(struct life *l, int i);

/* Before, once or twice, after. */
static void step(struct life *l, step_fn *fn, int i, bool atomic)
{
	struct digest before = digest_of(l), after;
	int rc;

	if (l->lost) {
		return;
	}
	for (int tries = 0;; tries++) {
		l->r.err.rc = 0;
		fault_malloc_pause(false); /* the test itself never fails */
		rc = fn(l, i);
		fault_malloc_pause(true);
		after = digest_of(l);
		if (rc >= 0 || rc == RC_EXISTS) {
			break;
		}
		if (l->lost_some && (rc == RC_NOT_FOUND || rc == RC_STATE)) {
			return; /* of what was lost */
		}
		ck_assert_msg(is_fault(l, rc), "%d: %s %s", rc, l->r.err.code, l->r.err.text);
		ck_assert(!atomic || digest_equal(before, after));
		if (store_failed(engine_store(l->r.g))) {
			l->lost = l->lost_some = true;
			l->ticking = !atomic;
			return;
		}
		ck_assert_int_lt(tries, 2);
	}
	ck_assert_uint_lt(l->ndigests, STEPS_MAX);
	l->digest[l->ndigests++] = after;
	if (store_drain(engine_store(l->r.g)) == 0) {
		l->acknowledged = l->ndigests;
	} else {
		l->lost = l->lost_some = true;
		l->ticking = !atomic;
	}
}

static int make(struct life *l, int i)
{
	struct experiment_spec spec = rig_spec(i ? "two" : "one");

	spec.settings = (struct settings){
	    .window_us = MINUTE_US, .has_fallback = true, .fallback = 0.5, .label = "first"};
	return rig_create(&l->r, &spec);
}

static int decide(struct life *l, int i)
{
	char id[16];

	snprintf(id, sizeof(id), "i%d", i);
	return rig_decide(&l->r, "one", id, i % 4 == 3).rc;
}

static int reward(struct life *l, int i)
{
	char id[16], key[16];

	snprintf(id, sizeof(id), "i%d", i);
	snprintf(key, sizeof(key), "k%d", i);
	return rig_reward(&l->r, "one", id, i / 16.0, key).rc;
}

static int activate(struct life *l, int i)
{
	char id[16];

	snprintf(id, sizeof(id), "i%d", i);
	return rig_activate(&l->r, "one", id);
}

static int make_void(struct life *l, int i)
{
	char id[16];

	snprintf(id, sizeof(id), "i%d", i);
	return rig_void(&l->r, "one", id);
}

static int add_arms(struct life *l, int i)
{
	static const char *const names[] = {"p", "q"};
	struct spec_arm arms[ARMS];
	char id[ARMS][16];
	int rc;

	for (int k = 0; k < ARMS; k++) {
		snprintf(id[k], sizeof(id[k]), "%s%d", names[i], k);
		arms[k] = (struct spec_arm){id[k], "a label"};
	}
	engine_begin(&l->r.w, rig_item(&l->r, "one"));
	rc = engine_add_arms(&l->r.w, arms, NULL, ARMS, l->r.now_us, &l->r.err);
	engine_commit(&l->r.w);
	return rc;
}

static int retire(struct life *l, int i)
{
	return rig_set_arm(&l->r, "one", (uint32_t)i, ARM_RETIRED);
}

static int change(struct life *l, int i)
{
	struct settings s = rig_settings(&l->r, "one");

	s.floor = 0.125 * i;
	s.label = i ? "a label that is longer than the first" : "short";
	return rig_change(&l->r, "one", &s);
}

/* The windows of what was decided before the last second close. */
static int tick(struct life *l, int i)
{
	l->r.now_us += i ? MINUTE_US : 0;
	return engine_tick(l->r.g, l->r.now_us);
}

static int purge(struct life *l, int i)
{
	struct engine_item *it;
	uint64_t ticket;

	(void)i;
	if (engine_find(l->r.g, "two", &it, NULL)) {
		return 0;
	}
	return engine_purge(l->r.g, it, &ticket, &l->r.err);
}

/* Closes and opens; what comes back is what was, or when the store failed a state that was. */
static void reopen(struct life *l)
{
	struct digest was = digest_of(l), is;
	size_t i;
	int rc;

	for (int tries = 0;; tries++) {
		fault_malloc_pause(false);
		rig_close(&l->r);
		rc = rig_try_open(&l->r);
		fault_malloc_pause(true);
		if (rc == 0) {
			break;
		}
		ck_assert_msg(is_fault(l, rc), "%d: %s", rc, l->r.err.text);
		ck_assert_int_lt(tries, 2);
	}
	is = digest_of(l);
	if (!l->lost) {
		ck_assert(digest_equal(was, is));
		return;
	}
	for (i = l->acknowledged ? l->acknowledged - 1 : 0; i < l->ndigests; i++) {
		if (digest_equal(is, l->digest[i])) {
			break;
		}
	}
	ck_assert(i < l->ndigests || l->ticking || (i == 0 && l->acknowledged == 0));
	l->lost = false; /* a new life */
	l->ndigests = 1;
	l->acknowledged = 1;
	l->digest[0] = is;
}

static void script(struct life *l)
{
	step(l, make, 0, true);
	if (l->lost) {
		return; /* nothing to do without it */
	}
	step(l, make, 1, true);
	for (int i = 0; i < DECISIONS; i++) {
		step(l, decide, i, true);
	}
	step(l, decide, 1, true); /* a replay */
	step(l, reward, 1, true);
	step(l, reward, 1, true);
	step(l, reward, 3, true);
	step(l, activate, 3, true);
	step(l, make_void, 2, true);
	step(l, add_arms, 0, true);
	step(l, change, 1, true);
	reopen(l);
	step(l, add_arms, 1, true);
	step(l, retire, 1, true);
	step(l, change, 2, true);
	step(l, change, 0, true);
	step(l, decide, DECISIONS, true);
	step(l, reward, 0, true);
	step(l, purge, 0, true);
	step(l, tick, 1, false);
	step(l, tick, 0, false);
	step(l, decide, DECISIONS + 1, true);
	reopen(l);
}

static void begin(struct life *l, bool fail_malloc)
{
	*l = (struct life){.fail_malloc = fail_malloc};
	rig_init(&l->r, &store_memory);
	l->r.o.cache_bytes = CACHE_BYTES;
	l->r.o.snapshot_events = 5;
}

/* Nothing fails any more: the log is sound, and goes on. */
static void end(struct life *l)
{
	struct engine_item *it;

	rig_close(&l->r);
	rig_open(&l->r);
	ck_assert_uint_eq(l->r.recovery.bad_snapshots, 0);
	if (engine_find(l->r.g, "one", &it, NULL) == 0) {
		ck_assert(digest_equal(rig_digest(&l->r, "one"), rig_replay(&l->r, "one")));
		ck_assert_int_eq(rig_decide(&l->r, "one", "after", false).rc, 0);
		rig_drain(&l->r);
	} else {
		ck_assert(l->lost_some);
	}
	if (!l->lost_some) {
		ck_assert_int_eq(engine_find(l->r.g, "two", &it, NULL), RC_NOT_FOUND);
		ck_assert_uint_eq(rig_totals(&l->r, "one").open, 2);
	}
	rig_release(&l->r);
}

static struct life life;

START_TEST(any_allocation_may_fail)
{
	bool happened = true;
	uint64_t n;

	for (n = 1; happened; n++) {
		ck_assert_uint_lt(n, FAULTS_MAX);
		begin(&life, true);
		rig_open(&life.r);
		fault_malloc_pause(true);
		fault_malloc(n);
		script(&life);
		happened = fault_malloc_happened();
		fault_malloc(0);
		end(&life);
	}
	ck_assert_uint_gt(n, 200); /* the script did something */
}
END_TEST

START_TEST(any_allocation_of_a_start_may_fail)
{
	bool happened = true;
	int rc;

	begin(&life, true);
	rig_open(&life.r);
	script(&life);
	for (int i = 0; i < 80; i++) { /* more numbers than the first table holds */
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		rig_make(&life.r, name, NULL);
	}
	for (uint64_t n = 1; happened; n++) {
		rig_snapshots(&life.r, n % 2 ? RIG_SNAPSHOTS : RIG_NO_SNAPSHOTS);
		rig_close(&life.r);
		fault_malloc_pause(false);
		fault_malloc(n);
		rc = rig_try_open(&life.r);
		happened = fault_malloc_happened();
		fault_malloc(0);
		ck_assert_msg(
		    rc == 0 || (happened && is_fault(&life, rc)), "%d %s", rc, life.r.err.text);
		if (rc) {
			rig_open(&life.r);
		}
		ck_assert_uint_eq(life.r.recovery.experiments, 81);
	}
	life.lost_some = true; /* there is more in it than end() knows */
	end(&life);
}
END_TEST

static void fail_every(enum store_call call)
{
	uint64_t calls, total = 1;

	for (uint64_t n = 1; n <= total; n++) {
		begin(&life, false);
		rig_open(&life.r);
		calls = store_disk_calls(life.r.place.disk, call);
		store_disk_fail(life.r.place.disk, call, n);
		script(&life);
		total = store_disk_calls(life.r.place.disk, call) - calls;
		store_disk_fail(life.r.place.disk, call, 0);
		end(&life);
	}
}

START_TEST(any_write_may_fail)
{
	fail_every(STORE_CALL_PUT);
}
END_TEST

START_TEST(any_commit_may_fail)
{
	fail_every(STORE_CALL_COMMIT);
}
END_TEST

START_TEST(any_read_may_fail)
{
	fail_every(STORE_CALL_READ);
}
END_TEST

RUN("engine_faults", any_allocation_may_fail, any_allocation_of_a_start_may_fail,
    any_write_may_fail, any_commit_may_fail, any_read_may_fail)
