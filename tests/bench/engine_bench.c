/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine costs without HTTP, one JSON object a line: engine_bench CASE DIR. DIR is a new
 * folder on a real disk. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "core/pmf.h"
#include "json/spec_json.h"
#include "policies/policies.h"
#include "serve/engine.h"

#define FOLD_EVENTS 600000
#define IDLE_EXPERIMENTS 100000
#define OPEN_DECISIONS 5000000
#define WARM_DECISIONS 2000000 /* cache and queue have had their fill */
#define BATCH 500
#define QUEUED_MAX 20000
#define SCANS 20

static void die(const char *what, int rc, const struct errinfo *err)
{
	fprintf(stderr, "engine_bench: %s: %s %s\n", what, err_name(rc), err ? err->text : "");
	exit(1);
}
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

/* A spec with so many arms a0, a1 ...; from mem. */
static struct experiment_spec make_spec(
    struct arena *mem, const char *name, const char *policy, size_t arms)
{
	struct experiment_spec spec = {.name = name, .slots = 1, .seed = 1, .hi = 1};
	struct spec_arm *a = arena_array(mem, arms, sizeof(*a));
	struct errinfo err = {.rc = 0};
	char text[24];
	int rc = policy_from_text(policy, mem, &spec, &err);

	if (rc) {
		die(policy, rc, &err);
	}
	for (size_t i = 0; i < arms; i++) {
		snprintf(text, sizeof(text), "a%zu", i);
		a[i] = (struct spec_arm){.id = arena_text(mem, text, strlen(text)), .label = ""};
	}
	spec.arms = a;
	spec.narms = arms;
	spec.settings.label = "";
	return spec;
}

static struct experiment *make(struct arena *mem, const char *policy, size_t arms)
{
	struct experiment_spec spec = make_spec(mem, "bench", policy, arms);
	const struct policy_ops *ops = policy_find(spec.policy);
	struct errinfo err = {.rc = 0};
	struct experiment *e;
	int rc = ops ? experiment_new(&spec, ops, 1, &e, &err) : RC_NOT_FOUND;

	if (rc) {
		die(policy, rc, &err);
	}
	return e;
}

static void apply(struct experiment *e, const struct event *ev)
{
	int rc = experiment_apply(e, ev);

	if (rc) {
		die("apply", rc, NULL);
	}
}

/* One decision; *ret lives in mem. */
static void decide(struct experiment *e, struct arena *mem, struct event *ret)
{
	struct select_in in = {.id = NULL};
	struct errinfo err = {.rc = 0};
	int rc = experiment_select(e, &in, experiment_seq(e), mem, ret, &err);

	if (rc) {
		die("select", rc, &err);
	}
}

static struct event reward_of(
    struct experiment *e, struct arena *mem, const struct event *d, double paid)
{
	struct reward_in in = {.reward = paid};
	enum feedback_status status;
	struct pending p;
	struct event ev;
	int rc;

	pending_start(&p, &d->decision);
	rc = experiment_reward(e, d, &p, &in, experiment_seq(e), mem, &ev, &status, NULL);
	if (rc) {
		die("reward", rc, NULL);
	}
	return ev;
}
/* ---- fold ---- */

static void make_log(struct buf *log, size_t *at)
{
	struct arena mem, keep;
	struct experiment *e;
	size_t n = 0;

	arena_init(&keep, (size_t)1 << 20);
	arena_init(&mem, (size_t)1 << 20);
	e = make(&keep, "ucb1", 10);
	while (n < FOLD_EVENTS) {
		struct event d, r;

		decide(e, &mem, &d);
		apply(e, &d);
		r = reward_of(e, &mem, &d, (double)(d.seq % 7) / 7);
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
	struct arena mem, keep;
	struct experiment *e;
	struct event ev;
	uint64_t start_us;

	arena_init(&keep, (size_t)1 << 20);
	arena_init(&mem, (size_t)1 << 20);
	e = make(&keep, "ucb1", 10);
	start_us = clock_mono_us();
	for (size_t i = 0; i < FOLD_EVENTS; i++) {
		int rc = event_decode(log->data + at[i], at[i + 1] - at[i], i + 2, &mem, &ev);

		if (rc) {
			die("decode", rc, NULL);
		}
		apply(e, &ev);
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
	e = make(&keep, "ucb1", 10);
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

/* ---- one policy, select and update ---- */

/* Of this thread alone: what others run on the machine does not count. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void play_round(struct experiment *e, struct arena *mem)
{
	struct event d, r;

	decide(e, mem, &d);
	apply(e, &d);
	r = reward_of(e, mem, &d, (double)(d.decision.picks[0].slot % 11) / 11);
	apply(e, &r);
	arena_reset(mem);
}

/* What a scan would cost: weights of all arms, their sum, one draw. */
static double scan_ns(size_t arms)
{
	double *score = malloc(arms * sizeof(*score)), *p = malloc(arms * sizeof(*p));
	uint64_t start_ns;
	size_t drawn = 0;

	if (!score || !p) {
		exit(1);
	}
	for (size_t i = 0; i < arms; i++) {
		score[i] = (double)(i % 1009);
	}
	start_ns = cpu_ns();
	for (int i = 0; i < SCANS; i++) {
		pmf_softmax(arms, score, 1e-3, p);
		drawn += pmf_draw(arms, p, 0.1 * i);
	}
	start_ns = cpu_ns() - start_ns;
	free(score);
	free(p);
	return drawn ? (double)start_ns / SCANS : 0;
}

/* policy:SPEC:ARMS:ROUNDS. The mean is of the last sixteenth of the rounds, the worst single round
 * (select and update) of all before; in CPU time both. */
static int bench_policy(char *what)
{
	char *rounds_text = strrchr(what, ':'), *arms_text;
	size_t arms, rounds, timed;
	struct arena mem, keep;
	struct experiment *e;
	uint64_t start_ns, worst_ns = 0;
	double mean_ns;

	*rounds_text++ = '\0';
	arms_text = strrchr(what, ':');
	*arms_text++ = '\0';
	arms = strtoul(arms_text, NULL, 10);
	rounds = strtoul(rounds_text, NULL, 10);
	timed = rounds / 16 + 1;
	arena_init(&keep, (size_t)1 << 30);
	arena_init(&mem, (size_t)1 << 28);
	e = make(&keep, what, arms);
	for (size_t i = 0; i < rounds; i++) {
		uint64_t one_ns = cpu_ns();

		play_round(e, &mem);
		one_ns = cpu_ns() - one_ns;
		worst_ns = one_ns > worst_ns ? one_ns : worst_ns;
	}
	start_ns = cpu_ns();
	for (size_t i = 0; i < timed; i++) {
		play_round(e, &mem);
	}
	mean_ns = (double)(cpu_ns() - start_ns) / (double)timed;
	printf("{\"case\":\"policy %s\",\"arms\":%zu,\"rounds\":%zu,\"ns\":%.0f,\"worst_us\":%.1f,"
	       "\"scan_ns\":%.0f}\n",
	    what, arms, rounds + timed, mean_ns, (double)worst_ns / 1000, scan_ns(arms));
	experiment_free(e);
	arena_release(&mem);
	arena_release(&keep);
	return 0;
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
	return argc == 3 && strncmp(argv[1], "policy:", 7) == 0 ? bench_policy(argv[1] + 7) : 2;
}
