/* SPDX-License-Identifier: Apache-2.0 */
/* What a select and an update of a policy cost in an experiment, without log and server, one JSON
 * object a line. In CPU time of the thread.
 *
 *     policy_bench sizes                    every policy of the table at its natural sizes
 *     policy_bench long SPEC ARMS ROUNDS    one with many arms: mean, worst round, a scan beside it
 *     policy_bench plan                     recovering: a long plan, and selects meanwhile */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "core/experiment_plan.h"
#include "core/pmf.h"
#include "policies/policies.h"
#include "rig.h"

#define BLOCK 64 /* decisions before their rewards come */
#define SUBJECTS 100000
#define GROUPS 8
#define GROUPS_NAMED 4 /* of each decision; with the one that all belong to, five are awake */
#define DIM_ALL 96
#define SCANS 20

/* Where a policy is at home; one that is not listed here has 10 arms. */
struct size {
	const char *spec;
	size_t arms, slots, dim;
	bool groups, subjects;
	size_t rounds;
	const char *what; /* names the row; NULL: the number of arms */
};

/* clang-format off */
static const struct size sizes[] = {
	{"epsilon_greedy", 10, 1, 0, false, false, 200000, NULL},
	{"epsilon_greedy", 1000000, 1, 0, false, false, 200000, NULL},
	{"thompson", 10, 1, 0, false, false, 50000, NULL},
	{"thompson", 100, 1, 0, false, false, 10000, NULL},
	{"thompson:likelihood=gaussian", 10, 1, 0, false, false, 50000, "10 arms, gaussian"},
	{"groupwise", 10, 1, 0, true, false, 100000, "10 arms, 5 groups awake"},
	{"groupwise:kind=experts", 10, 1, 0, true, false, 100000, "experts, 10 arms, 5 groups awake"},
	{"groupwise:kind=regress", 0, 1, DIM_ALL, true, false, 20000, "regress, d = 96, 5 groups awake"},
	{"recovering", 100, 5, 0, false, false, 50000, "100 arms, slates of 5"},
	{"tallying:memory_bound=20", 8, 1, 0, false, false, 200000, NULL},
	{"tallying:memory_bound=20,mode=pooled", 8, 1, 0, false, true, 400000,
	 "8 arms, 100,000 subjects"},
	{"tsallis_inf", 20, 1, 0, false, false, 100000, NULL},
	{"tsallis_bins", 20, 1, 1, false, false, 100000, NULL},
	{"cheb_cb", 20, 1, 1, false, false, 50000, NULL},
	{"streaming", 10000, 1, 0, false, false, 200000, NULL},
	{NULL, 10, 1, 0, false, false, 200000, NULL},
};
/* clang-format on */

/* One policy at one size, under way. */
struct bench {
	const struct size *size;
	struct experiment *e;
	struct arena keep, mem;
	struct rng rng;
	double x[BLOCK][DIM_ALL];
	const char *subject[BLOCK];
	char subjects[BLOCK][16];
	const char *groups[BLOCK][GROUPS_NAMED];
	struct event decision[BLOCK];
	struct reward_in reward[BLOCK];
	uint64_t select_ns, update_ns, plan_ns, decisions, rewards, plans;
};

static const char *const group_names[GROUPS] = {"g0", "g1", "g2", "g3", "g4", "g5", "g6", "g7"};

static void open_bench(struct bench *b, const struct size *size, const char *text)
{
	static const char *features[DIM_ALL];
	struct experiment_spec spec;
	char name[8];

	arena_init(&b->keep, (size_t)1 << 30);
	arena_init(&b->mem, (size_t)1 << 28);
	for (size_t i = 0; i < DIM_ALL; i++) {
		snprintf(name, sizeof(name), "x%zu", i);
		features[i] = arena_text(&b->keep, name, strlen(name));
	}
	spec = make_spec(&b->keep, "bench", text, size->arms);
	spec.slots = (uint32_t)size->slots;
	spec.features = size->dim ? features : NULL;
	spec.nfeatures = size->dim;
	b->size = size;
	b->rng = rng_at(1, 0, RNG_TEST);
	b->e = make_experiment(&spec);
}

static void close_bench(struct bench *b)
{
	experiment_free(b->e);
	arena_release(&b->mem);
	arena_release(&b->keep);
}

/* What the i-th request of a block asks. */
static struct select_in question(struct bench *b, size_t i)
{
	const struct size *size = b->size;
	struct select_in in = {.id = NULL};

	for (size_t k = 0; k < size->dim; k++) {
		b->x[i][k] = k ? 2 * rng_uniform(&b->rng) - 1 : 1;
	}
	if (size->dim == 1) {
		b->x[i][0] = rng_uniform(&b->rng);
	}
	if (size->groups) {
		size_t first = (size_t)rng_below(&b->rng, GROUPS);

		for (size_t k = 0; k < GROUPS_NAMED; k++) {
			b->groups[i][k] = group_names[(first + k) % GROUPS];
		}
		in.groups = b->groups[i];
		in.ngroups = GROUPS_NAMED;
	}
	if (size->subjects) {
		snprintf(b->subjects[i], sizeof(b->subjects[i]), "u%" PRIu64,
		    rng_below(&b->rng, SUBJECTS));
		in.subject = b->subjects[i];
	}
	in.x = size->dim ? b->x[i] : NULL;
	in.dim = size->dim;
	return in;
}

/* Arm i pays 1 with probability i mod 11 / 11. */
static double paid(struct bench *b, uint32_t slot)
{
	return rng_uniform(&b->rng) < slot % 11 / 11.0;
}

static struct reward_in answer_to(struct bench *b, const struct event *d)
{
	const struct event_decision *dec = &d->decision;
	bool full = experiment_traits(b->e) & POLICY_FULL;
	size_t n = full ? b->size->arms : dec->npicks;
	struct reward_in in = {.form = FORM_REWARD, .nrewards = 0};
	struct arm_reward *rewards;

	if (dec->flags & DECISION_FORECAST) {
		in.form = FORM_LABEL;
		in.reward = (dec->x[1] > 0) * 0.5 + (dec->x[2] + 1) / 4;
		return in;
	}
	if (!full && !(dec->flags & DECISION_SLATE)) {
		in.reward = paid(b, dec->picks[0].slot);
		return in;
	}
	rewards = arena_array(&b->mem, n, sizeof(*rewards));
	for (size_t i = 0; i < n; i++) {
		uint32_t slot = full ? (uint32_t)i : dec->picks[i].slot;

		rewards[i].arm = arms_id(experiment_arms(b->e), slot);
		rewards[i].reward = paid(b, slot);
	}
	in.form = FORM_REWARDS;
	in.rewards = rewards;
	in.nrewards = n;
	return in;
}

static void plan_if_due(struct bench *b)
{
	struct errinfo err = {.rc = 0};
	struct event ev;
	uint64_t start;
	int rc;

	if (!experiment_plan_due(b->e, experiment_seq(b->e))) {
		return;
	}
	start = cpu_ns();
	rc = experiment_plan_now(b->e, experiment_seq(b->e), &b->mem, &ev, &err);
	if (rc) {
		die("plan", rc, &err);
	}
	apply(b->e, &ev);
	b->plan_ns += cpu_ns() - start;
	b->plans++;
}

/* A block of decisions, each applied, then their rewards. A plan that a decision wants is counted
 * apart. */
static void play_block(struct bench *b)
{
	struct select_in in[BLOCK];
	uint64_t start, plan_ns = b->plan_ns;

	arena_reset(&b->mem);
	for (size_t i = 0; i < BLOCK; i++) {
		in[i] = question(b, i);
	}
	start = cpu_ns();
	for (size_t i = 0; i < BLOCK; i++) {
		struct errinfo err = {.rc = 0};
		int rc;

		plan_if_due(b);
		rc = experiment_select(
		    b->e, &in[i], experiment_seq(b->e), &b->mem, &b->decision[i], &err);
		if (rc) {
			die(b->size->spec, rc, &err);
		}
		apply(b->e, &b->decision[i]);
	}
	b->select_ns += cpu_ns() - start - (b->plan_ns - plan_ns);
	b->decisions += BLOCK;
	for (size_t i = 0; i < BLOCK; i++) {
		b->reward[i] = answer_to(b, &b->decision[i]);
	}
	start = cpu_ns();
	for (size_t i = 0; i < BLOCK; i++) {
		if (b->reward[i].form != FORM_REWARDS || b->reward[i].nrewards) {
			struct event ev = reward_of(b->e, &b->mem, &b->decision[i], &b->reward[i]);

			apply(b->e, &ev);
		}
	}
	b->update_ns += cpu_ns() - start;
}

static void bench_size(const struct policy_ops *ops, const struct size *size)
{
	struct bench *b = calloc(1, sizeof(*b));
	const char *spec = size->spec ? size->spec : ops->name;
	char what[64];

	if (!b) {
		exit(1);
	}
	snprintf(what, sizeof(what), "%zu arms", size->arms);
	open_bench(b, size, spec);
	for (size_t done = 0; done < size->rounds / 4; done += BLOCK) {
		play_block(b);
	}
	b->select_ns = b->update_ns = b->decisions = 0;
	for (size_t done = 0; done < size->rounds; done += BLOCK) {
		play_block(b);
	}
	printf("{\"case\":\"size\",\"policy\":\"%s\",\"spec\":\"%s\",\"what\":\"%s\","
	       "\"select_ns\":%.0f,\"update_ns\":%.0f,\"plans\":%" PRIu64 ",\"plan_ms\":%.3f}\n",
	    ops->name, spec, size->what ? size->what : what,
	    (double)b->select_ns / (double)b->decisions,
	    (double)b->update_ns / (double)b->decisions, b->plans,
	    b->plans ? (double)b->plan_ns / (double)b->plans / 1e6 : 0);
	fflush(stdout);
	close_bench(b);
	free(b);
}

static bool is_of(const struct size *size, const char *policy)
{
	size_t n = strlen(policy);

	return strncmp(size->spec, policy, n) == 0 && (!size->spec[n] || size->spec[n] == ':');
}

static int bench_sizes(void)
{
	for (const struct policy_ops *const *p = policy_table; *p; p++) {
		const struct size *size = sizes;
		bool listed = false;

		for (; size->spec; size++) {
			if (is_of(size, (*p)->name)) {
				bench_size(*p, size);
				listed = true;
			}
		}
		if (!listed) {
			bench_size(*p, size);
		}
	}
	return 0;
}

/* ---- one policy with many arms ---- */

static void play_round(struct experiment *e, struct arena *mem)
{
	struct reward_in in = {.form = FORM_REWARD};
	struct event d, r;

	decide(e, mem, &d);
	apply(e, &d);
	in.reward = (double)(d.decision.picks[0].slot % 11) / 11;
	r = reward_of(e, mem, &d, &in);
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
		drawn += pmf_draw(arms, p, 0.1 * i / SCANS);
	}
	start_ns = cpu_ns() - start_ns;
	free(score);
	free(p);
	return drawn ? (double)start_ns / SCANS : 0;
}

/* The mean is of the last sixteenth of the rounds, the worst single round (select and update) of
 * all before. */
static int bench_long(const char *text, size_t arms, size_t rounds)
{
	struct experiment_spec spec;
	struct arena mem, keep;
	struct experiment *e;
	size_t timed = rounds / 16 + 1;
	uint64_t start_ns, now_ns, worst_ns = 0;
	double mean_ns;

	arena_init(&keep, (size_t)1 << 30);
	arena_init(&mem, (size_t)1 << 28);
	spec = make_spec(&keep, "bench", text, arms);
	e = make_experiment(&spec);
	start_ns = cpu_ns();
	for (size_t i = 0; i < rounds; i++) {
		play_round(e, &mem);
		now_ns = cpu_ns(); /* a system call, so once a round */
		worst_ns = now_ns - start_ns > worst_ns ? now_ns - start_ns : worst_ns;
		start_ns = now_ns;
	}
	start_ns = cpu_ns();
	for (size_t i = 0; i < timed; i++) {
		play_round(e, &mem);
	}
	mean_ns = (double)(cpu_ns() - start_ns) / (double)timed;
	printf("{\"case\":\"long\",\"spec\":\"%s\",\"arms\":%zu,\"rounds\":%zu,\"ns\":%.0f,"
	       "\"worst_us\":%.1f,\"scan_ns\":%.0f}\n",
	    text, arms, rounds + timed, mean_ns, (double)worst_ns / 1000, scan_ns(arms));
	experiment_free(e);
	arena_release(&mem);
	arena_release(&keep);
	return 0;
}

/* ---- a long plan beside the decisions ---- */

#define PLAN_ARMS 10000
#define PLAN_SLOTS 50
#define PLAN_SPEC "recovering:d_max=32"
#define PLAN_ROUNDS 2000 /* so that tables differ from arm to arm */
#define PLAN_TURNS 16
#define PLAN_SELECTS 100 /* in a turn */

struct planner {
	const struct policy_ops *ops;
	struct buf in, out;
	uint64_t plan_us, plan_cpu_ns; /* of the last one */
	int rc;
	atomic_bool over;
};

static void *run_planner(void *arg)
{
	struct planner *p = arg;

	do {
		uint64_t start_us = clock_mono_us(), start_ns = cpu_ns();
		struct rd in;

		rd_init(&in, p->in.data, p->in.len);
		buf_reset(&p->out);
		p->rc = p->ops->plan_make(&in, &p->out);
		p->plan_us = clock_mono_us() - start_us;
		p->plan_cpu_ns = cpu_ns() - start_ns;
	} while (p->rc == 0 && !atomic_load(&p->over));
	return NULL;
}

/* The same question over and over, which selecting allows: it changes nothing. */
static double selects_ns(struct bench *b)
{
	uint64_t start = cpu_ns();
	struct event ev;

	for (int i = 0; i < PLAN_SELECTS; i++) {
		arena_reset(&b->mem);
		decide(b->e, &b->mem, &ev);
	}
	return (double)(cpu_ns() - start) / PLAN_SELECTS;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_size);
	return v[n / 2];
}

static int bench_plan(void)
{
	static const struct size size = {
	    PLAN_SPEC, PLAN_ARMS, PLAN_SLOTS, 0, false, false, PLAN_ROUNDS, NULL};
	static struct bench b;
	struct planner p = {.ops = &recovering_ops};
	double alone[PLAN_TURNS], beside[PLAN_TURNS];
	struct event ev;
	uint64_t input_ns, apply_ns;

	open_bench(&b, &size, PLAN_SPEC);
	for (size_t done = 0; done < PLAN_ROUNDS; done += BLOCK) {
		play_block(&b);
	}
	buf_init(&p.in, (size_t)1 << 28);
	buf_init(&p.out, (size_t)1 << 28);
	input_ns = cpu_ns();
	experiment_plan_input(b.e, &p.in);
	input_ns = cpu_ns() - input_ns;
	for (int i = 0; i < PLAN_TURNS; i++) {
		pthread_t thread;

		alone[i] = selects_ns(&b);
		atomic_store(&p.over, false);
		if (pthread_create(&thread, NULL, run_planner, &p)) {
			die("pthread_create", RC_FAILED, NULL);
		}
		beside[i] = selects_ns(&b);
		atomic_store(&p.over, true);
		pthread_join(thread, NULL);
	}
	if (p.rc) {
		die("plan", p.rc, NULL);
	}
	experiment_plan_begin(b.e, experiment_seq(b.e), &ev);
	apply(b.e, &ev);
	experiment_plan_done(b.e, experiment_seq(b.e), p.out.data, p.out.len, &ev);
	apply_ns = cpu_ns();
	apply(b.e, &ev);
	apply_ns = cpu_ns() - apply_ns;
	printf("{\"case\":\"plan\",\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"alone_ns\":%.0f,"
	       "\"beside_ns\":%.0f,\"input_ms\":%.3f,\"apply_ms\":%.3f,\"steps\":%.3g}\n",
	    (double)p.plan_us / 1e6, (double)p.plan_cpu_ns / 1e9, median(alone, PLAN_TURNS),
	    median(beside, PLAN_TURNS), (double)input_ns / 1e6, (double)apply_ns / 1e6,
	    experiment_plan_cost(b.e));
	buf_release(&p.in);
	buf_release(&p.out);
	close_bench(&b);
	return 0;
}

int main(int argc, char **argv)
{
	if (hash_init() == 0 && argc == 2 && strcmp(argv[1], "sizes") == 0) {
		return bench_sizes();
	}
	if (argc == 2 && strcmp(argv[1], "plan") == 0) {
		return bench_plan();
	}
	if (argc == 5 && strcmp(argv[1], "long") == 0) {
		return bench_long(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	}
	fprintf(stderr, "usage: policy_bench sizes | long SPEC ARMS ROUNDS | plan\n");
	return 2;
}
