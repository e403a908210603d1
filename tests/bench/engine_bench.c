/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine costs without HTTP, one JSON object a line: engine_bench CASE DIR. DIR is a new
 * folder on a real disk. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "policies/policies.h"
#include "rig.h"
#include "serve/engine.h"

#define FOLD_EVENTS 600000
#define IDLE_EXPERIMENTS 100000
#define OPEN_DECISIONS 5000000
#define WARM_DECISIONS 2000000 /* cache and queue have had their fill */
#define BATCH 500
#define QUEUED_MAX 20000

#define SECONDS_SINCE(start_us) ((double)(clock_mono_us() - (start_us)) / 1e6)

static double resident_bytes(void)
{
	long pages = 0, ignored = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%ld %ld", &ignored, &pages) != 2) {
		exit(1);
	}
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void quiet(void *arg, int rc, const char *what, const char *name, uint64_t seq)
{
	(void)arg, (void)rc, (void)what, (void)name, (void)seq;
}

static struct engine *open_engine(const char *dir, struct engine_recovery *ret)
{
	const struct engine_options o = {.ops = &store_sqlite,
	    .where = dir,
	    .cache_bytes = (size_t)64 << 20,
	    .queue_bytes = (size_t)16 << 20,
	    .experiments_max = 1000000,
	    .snapshot_events = UINT64_MAX,
	    .find = policy_find,
	    .report = quiet};
	struct errinfo err = {.rc = 0};
	struct engine *g;
	int rc = engine_open(&o, &g, ret, &err);

	if (rc) {
		die("open", rc, &err);
	}
	return g;
}

/* ---- fold ---- */

static void make_log(struct buf *log, size_t *at)
{
	struct experiment_spec spec;
	struct arena mem, keep;
	struct experiment *e;
	size_t n = 0;

	arena_init(&keep, (size_t)1 << 20);
	arena_init(&mem, (size_t)1 << 20);
	spec = make_spec(&keep, "bench", "ucb1", 10);
	e = make_experiment(&spec);
	while (n < FOLD_EVENTS) {
		struct reward_in in = {.form = FORM_REWARD};
		struct event d, r;

		decide(e, &mem, &d);
		apply(e, &d);
		in.reward = (double)(d.seq % 7) / 7;
		r = reward_of(e, &mem, &d, &in);
		at[n++] = log->len;
		event_encode(&d, log);
		at[n++] = log->len;
		event_encode(&r, log);
		apply(e, &r);
		arena_reset(&mem);
	}
	at[n] = log->len;
	experiment_free(e);
	arena_release(&mem);
	arena_release(&keep);
}

static int fold_one(void *arg, const struct event *ev)
{
	return experiment_apply(arg, ev);
}

static void fold_memory(const struct buf *log, const size_t *at)
{
	struct experiment_spec spec;
	struct arena mem, keep;
	struct experiment *e;
	struct event ev;
	uint64_t start_us;

	arena_init(&keep, (size_t)1 << 20);
	arena_init(&mem, (size_t)1 << 20);
	spec = make_spec(&keep, "bench", "ucb1", 10);
	e = make_experiment(&spec);
	start_us = clock_mono_us();
	for (size_t i = 0; i < FOLD_EVENTS; i++) {
		int rc = event_decode(log->data + at[i], at[i + 1] - at[i], i + 2, &mem, &ev);

		rc = rc ? rc : experiment_apply(e, &ev);
		if (rc) {
			die("fold", rc, NULL);
		}
		arena_reset(&mem);
	}
	printf("{\"case\":\"fold memory\",\"events_per_second\":%.0f}\n",
	    FOLD_EVENTS / SECONDS_SINCE(start_us));
	experiment_free(e);
	arena_release(&mem);
	arena_release(&keep);
}

/* The log into a store, as experiment 1; seq 1 stands for the creation. */
static void fill_store(const char *dir, const struct buf *log, const size_t *at)
{
	struct store_options o = {
	    .ops = &store_sqlite, .where = dir, .queue_bytes = (size_t)64 << 20};
	struct store_group g;
	struct store *s;
	struct arena mem;
	struct errinfo err = {.rc = 0};
	struct event ev;
	int rc = store_open(&o, &s, &err);

	if (rc) {
		die("store", rc, &err);
	}
	arena_init(&mem, (size_t)1 << 20);
	store_group_init(&g);
	store_group_add_raw(&g, 1, 1, "creation", 8);
	for (size_t i = 0; i < FOLD_EVENTS; i++) {
		event_decode(log->data + at[i], at[i + 1] - at[i], i + 2, &mem, &ev);
		store_group_add(s, &g, 1, &ev);
		arena_reset(&mem);
		if (g.events == BATCH || i + 1 == FOLD_EVENTS) {
			while (store_reserve(s, g.bytes.len)) {
				usleep(1000);
			}
			store_append(s, &g, g.bytes.len);
			store_group_reset(&g);
		}
	}
	store_drain(s);
	store_close(s);
	store_group_release(&g);
	arena_release(&mem);
}

static void fold_sqlite(const char *dir)
{
	struct store_reader *r;
	struct experiment_spec spec;
	struct arena mem, keep;
	struct experiment *e;
	struct errinfo err = {.rc = 0};
	uint64_t start_us;
	int rc = store_reader_open(&store_sqlite, dir, &r, &err);

	if (rc) {
		die("reader", rc, &err);
	}
	arena_init(&keep, (size_t)1 << 20);
	arena_init(&mem, (size_t)1 << 20);
	spec = make_spec(&keep, "bench", "ucb1", 10);
	e = make_experiment(&spec);
	start_us = clock_mono_us();
	rc = store_read_events(r, 1, 1, FOLD_EVENTS + 1, SIZE_MAX, &mem, fold_one, e, &err);
	if (rc) {
		die("read", rc, &err);
	}
	printf("{\"case\":\"fold sqlite\",\"events_per_second\":%.0f}\n",
	    FOLD_EVENTS / SECONDS_SINCE(start_us));
	store_reader_close(r);
	experiment_free(e);
	arena_release(&mem);
	arena_release(&keep);
}

static void bench_fold(const char *dir)
{
	size_t *at = malloc((FOLD_EVENTS + 1) * sizeof(*at));
	struct buf log;

	buf_init(&log, (size_t)1 << 30);
	make_log(&log, at);
	fold_memory(&log, at);
	fill_store(dir, &log, at);
	fold_sqlite(dir);
	buf_release(&log);
	free(at);
}

/* ---- many experiments ---- */

static void create_many(struct engine *g)
{
	struct arena mem;

	arena_init(&mem, (size_t)1 << 20);
	for (int i = 0; i < IDLE_EXPERIMENTS; i++) {
		char name[24];
		struct experiment_spec spec;
		struct engine_item *it;
		struct errinfo err = {.rc = 0};
		uint64_t ticket;
		int rc;

		snprintf(name, sizeof(name), "e%d", i);
		spec = make_spec(&mem, name, "ucb1", 10);
		while ((rc = engine_create(g, &spec, 1, &it, &ticket, &err)) == RC_BUSY) {
			usleep(1000);
			err.rc = 0;
		}
		if (rc) {
			die("create", rc, &err);
		}
		arena_reset(&mem);
	}
	arena_release(&mem);
}

static void bench_idle(const char *dir)
{
	struct engine_recovery rec;
	struct engine *g = open_engine(dir, &rec);
	double before = resident_bytes();

	create_many(g);
	store_drain(engine_store(g));
	printf("{\"case\":\"idle experiment, created\",\"bytes\":%.0f}\n",
	    (resident_bytes() - before) / IDLE_EXPERIMENTS);
	engine_close(g);
}

/* In a process of its own, so that nothing is left over from the creation. */
static void bench_reopen(const char *dir)
{
	struct engine_recovery rec;
	double before = resident_bytes();
	uint64_t start_us = clock_mono_us();
	struct engine *g = open_engine(dir, &rec);

	printf("{\"case\":\"reopen experiments\",\"experiments\":%" PRIu64
	       ",\"seconds\":%.3f,\"bytes\":%.0f}\n",
	    rec.experiments, SECONDS_SINCE(start_us),
	    (resident_bytes() - before) / (double)rec.experiments);
	engine_close(g);
}

/* ---- open decisions beyond the cache ---- */

static void decide_batch(struct engine_item *it, struct engine_work *w)
{
	struct select_in in = {.id = NULL};
	struct event ev;
	bool replayed;
	int rc = 0;

	engine_begin(w, it);
	for (int i = 0; i < BATCH && rc == 0; i++) {
		rc = engine_decide(w, &in, NULL, 1, &ev, &replayed, NULL);
	}
	engine_commit(w);
	if (rc) {
		die("decide", rc, NULL);
	}
	while (store_queued_events(engine_store(w->g)) >
	       QUEUED_MAX) { /* its memory is not meant here */
		usleep(1000);
	}
}

static void bench_open(const char *dir)
{
	struct engine_recovery rec;
	struct engine *g = open_engine(dir, &rec);
	struct engine_work w;
	struct engine_item *it;
	struct arena mem;
	struct experiment_spec spec;
	struct errinfo err = {.rc = 0};
	uint64_t ticket, start_us = clock_mono_us();
	double when_warm = 0;

	arena_init(&mem, (size_t)1 << 20);
	spec = make_spec(&mem, "open", "ucb1", 10);
	if (engine_create(g, &spec, 1, &it, &ticket, &err)) {
		die("create", err.rc, &err);
	}
	engine_work_init(&w, g);
	for (uint64_t open = 0; open < OPEN_DECISIONS;) {
		decide_batch(it, &w);
		open = experiment_totals(engine_lock(it))->open;
		engine_unlock(it);
		if (!when_warm && open >= WARM_DECISIONS) {
			when_warm = resident_bytes();
		}
	}
	printf("{\"case\":\"open decisions\",\"decisions\":%d,\"per_second\":%.0f,"
	       "\"growth_bytes_when_warm\":%.0f}\n",
	    OPEN_DECISIONS, OPEN_DECISIONS / SECONDS_SINCE(start_us), resident_bytes() - when_warm);
	engine_work_release(&w);
	arena_release(&mem);
	engine_close(g);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(const char *dir);
	} cases[] = {{"fold", bench_fold}, {"idle", bench_idle}, {"reopen", bench_reopen},
	    {"open", bench_open}};

	for (size_t i = 0; argc == 3 && i < 4 && hash_init() == 0; i++) {
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run(argv[2]);
			return 0;
		}
	}
	return 2;
}
