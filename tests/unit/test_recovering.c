/* SPDX-License-Identifier: Apache-2.0 */
/* `recovering` by its hooks alone, driven as an experiment drives it: a plan when one is due, then
 * the decision, then rewards. */
#include "base/hash.h"
#include "base/rng.h"
#include "policies/policies.h"
#include "policies/recovering_impl.h"
#include "test.h"

#define ARMS_MAX_HERE 16
#define K_MAX 8
#define MEMO_BYTES 512
#define SECOND UINT64_C(1000000)

struct decision {
	uint64_t seq, repeat;
	struct pick picks[K_MAX];
	size_t npicks;
	unsigned char memo[MEMO_BYTES];
	size_t nmemo;
};

struct rig {
	struct recovering_params params;
	struct policy_env env;
	void *state;
	uint32_t arms, k, active[ARMS_MAX_HERE], nactive;
	uint64_t seq, at_us;
	const char *subject;
};

static void list_arms(struct rig *g)
{
	const struct recovering *r = g->state;

	g->nactive = 0;
	for (uint32_t i = 0; i < g->arms; i++) {
		if (r->arm[i].state == ARM_ACTIVE) {
			g->active[g->nactive++] = i;
		}
	}
}

static void add_arm(struct rig *g)
{
	ck_assert_int_eq(recovering_ops.reserve(g->state, g->arms + 1), 0);
	recovering_ops.arm_add(g->state, g->arms++);
	list_arms(g);
}

static void init(struct rig *g, uint32_t d_max, uint32_t k)
{
	ck_assert_int_eq(hash_init(), 0);
	*g = (struct rig){.k = k};
	param_defaults(recovering_ops.params, &g->params);
	g->params.d_max = d_max;
}

static void start(struct rig *g, uint32_t arms)
{
	ck_assert_int_eq(recovering_ops.check(&g->params, NULL), 0);
	g->env = (struct policy_env){.params = &g->params, .lo = 0, .hi = 1, .k = g->k};
	ck_assert_int_eq(recovering_ops.create(&g->env, &g->state), 0);
	while (g->arms < arms) {
		add_arm(g);
	}
}

static void stop(struct rig *g)
{
	recovering_ops.destroy(g->state);
}

static struct ask ask_of(struct rig *g)
{
	return (struct ask){.slots = g->active,
	    .n = g->nactive,
	    .all = true,
	    .seq = g->seq + 1,
	    .at_us = g->at_us,
	    .k = g->k,
	    .subject = g->subject};
}

static void plan(struct rig *g)
{
	struct ask ask = ask_of(g);
	struct buf in, out;
	struct rd rd;

	if (!recovering_ops.plan_due(g->state, &ask)) {
		return;
	}
	buf_init(&in, 1 << 24);
	buf_init(&out, 1 << 20);
	recovering_ops.plan_input(g->state, &in);
	rd_init(&rd, in.data, in.len);
	ck_assert_int_eq(recovering_ops.plan_make(&rd, &out), 0);
	recovering_ops.plan_begin(g->state, ++g->seq);
	rd_init(&rd, out.data, out.len);
	ck_assert_int_eq(recovering_ops.plan_apply(g->state, &rd), 0);
	buf_release(&in);
	buf_release(&out);
}

static int choose(struct rig *g, const struct ask *ask, struct decision *ret)
{
	struct rng rng = rng_at(1, 1, RNG_TEST);
	struct buf memo;
	struct choice c = {.picks = ret->picks, .memo = &memo};
	int rc;

	buf_init(&memo, MEMO_BYTES);
	rc = recovering_ops.choose(g->state, ask, &rng, &c, NULL);
	ck_assert_uint_le(c.npicks, g->k);
	ret->npicks = c.npicks;
	ret->repeat = c.repeat;
	ret->nmemo = memo.len;
	if (memo.len) {
		memcpy(ret->memo, memo.data, memo.len);
	}
	buf_release(&memo);
	return rc;
}

static struct pull pull_of(const struct decision *d)
{
	return (struct pull){.seq = d->seq,
	    .picks = d->picks,
	    .npicks = d->npicks,
	    .memo = d->memo,
	    .nmemo = d->nmemo};
}

static struct decision decide_among(struct rig *g, const struct ask *from)
{
	struct ask ask = *from;
	struct decision d = {.seq = 0};
	struct pull p;

	plan(g);
	ask.seq = g->seq + 1;
	ck_assert_int_eq(choose(g, &ask, &d), 0);
	if (d.repeat) {
		return d;
	}
	if (ask.subject) {
		ck_assert_int_eq(recovering_ops.reserve_subject(g->state, ask.subject), 0);
	}
	d.seq = ++g->seq;
	p = pull_of(&d);
	p.subject = ask.subject;
	recovering_ops.pulled(g->state, &p);
	return d;
}

static struct decision decide(struct rig *g)
{
	struct ask ask = ask_of(g);

	return decide_among(g, &ask);
}

static struct rec_memo_pick remembered(const struct decision *d, size_t i)
{
	struct rec_memo_pick x = {.idle = 0};
	struct rec_memo m;

	rec_memo_read(d->memo, d->nmemo, &m);
	for (size_t j = 0; j <= i; j++) {
		ck_assert(rec_memo_next(&m, &x));
	}
	return x;
}

static void reward(struct rig *g, const struct decision *d, uint32_t slot, double y)
{
	recovering_ops.update(g->state, &(struct outcome){.ref = d->seq,
					    .slot = slot,
					    .reward = y,
					    .propensity = 1,
					    .memo = d->memo,
					    .nmemo = d->nmemo});
}

static void lose(struct rig *g, const struct decision *d, bool voided)
{
	struct pull p = pull_of(d);

	p.voided = voided;
	recovering_ops.lost(g->state, &p);
}

/* "0@3+1@3 ": arms with their idle times. */
static size_t tell(const struct decision *d, char *out, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < d->npicks; i++) {
		struct rec_memo_pick x = remembered(d, i);

		ck_assert_uint_eq(x.slot, d->picks[i].slot);
		ck_assert(d->picks[i].propensity == 1);
		n += (size_t)snprintf(out + n, room - n, "%s%u@%u", i ? "+" : "", x.slot, x.idle);
	}
	n += (size_t)snprintf(out + n, room - n, "%s ", d->npicks ? "" : "-");
	return n;
}

static void run(struct rig *g, const double *means, int periods, char *out, size_t room)
{
	uint32_t d_max = ((struct recovering *)g->state)->d_max;
	size_t n = 0;

	for (int t = 0; t < periods; t++) {
		struct decision d = decide(g);

		n += tell(&d, out + n, room - n);
		ck_assert_uint_lt(n, room);
		for (size_t i = 0; i < d.npicks; i++) {
			struct rec_memo_pick x = remembered(&d, i);

			reward(g, &d, x.slot, means[x.slot * d_max + x.idle - 1]);
		}
	}
}

static const double rt[] = {.2, .5, .9, .5, .6, .65, .3, .7, .8};

static void rt_rig(struct rig *g)
{
	init(g, 3, 2);
	g->params.phase_min = 6;
	start(g, 3);
}

START_TEST(sixty_periods_go_as_in_the_reference)
{
	static const char *const want =
	    "0@3+1@3 0@1+1@1 0@1+1@1 0@1+1@1 0@1+1@1 0@1+1@1 0@1+2@3 1@2+2@1 0@2+2@1 1@2+2@1 "
	    "0@2+2@1 1@2+2@1 "
	    "0@2+1@1 1@1+2@2 0@2+1@1 1@1+2@2 0@2+1@1 1@1+2@2 0@2+1@1 1@1+2@2 0@2+1@1 1@1+2@2 "
	    "0@2+1@1 1@1+2@2 "
	    "1@1+2@1 0@3+2@1 1@2+2@1 0@2+2@1 1@2+2@1 0@2+2@1 1@2+2@1 "
	    "0@2+1@1 1@1+2@2 0@2+1@1 1@1+2@2 0@2+1@1 1@1+2@2 0@2+1@1 1@1+2@2 0@2+1@1 1@1+2@2 "
	    "0@2+1@1 1@1+2@2 "
	    "0@2+2@1 ";
	static const uint64_t n[] = {12, 22, 2, 39, 10, 1, 14, 19, 1};
	char seen[1024];
	struct recovering *r;
	struct rig g;
	double u[3];

	rt_rig(&g);
	run(&g, rt, 60, seen, sizeof(seen));
	seen[strlen(want)] = '\0';
	ck_assert_str_eq(seen, want);
	r = g.state;
	ck_assert_uint_eq(r->phases, 8);
	for (size_t i = 0; i < 9; i++) {
		ck_assert_uint_eq(r->cell[i].n, n[i]);
	}
	recovering_index(r, 0, 1, u);
	ck_assert_double_eq_tol(u[0], 0.613867624981, 1e-12);
	ck_assert_double_eq_tol(u[1], 0.805661498162, 1e-12);
	ck_assert_double_eq(u[2], 1);
	recovering_index(r, 1, 1, u);
	ck_assert_double_eq_tol(u[0], 0.729572452788, 1e-12);
	recovering_index(r, 2, 1, u);
	ck_assert_double_eq_tol(u[0], 0.683166965852, 1e-12);
	stop(&g);
}
END_TEST

/* One arm that is due in every period. */
static void one_arm(struct rig *g)
{
	init(g, 4, 1);
	start(g, 1);
}

static uint32_t idle_of(const struct decision *d)
{
	ck_assert_uint_eq(d->npicks, 1);
	return remembered(d, 0).idle;
}

START_TEST(what_was_not_shown_leaves_the_arm_as_it_was)
{
	struct decision d;
	struct rig g;

	one_arm(&g);
	d = decide(&g);
	ck_assert_uint_eq(idle_of(&d), 4);
	d = decide(&g);
	ck_assert_uint_eq(idle_of(&d), 1);
	lose(&g, &d, true);
	d = decide(&g);
	ck_assert_uint_eq(idle_of(&d), 2);
	lose(&g, &d, false); /* shown, without a reward */
	d = decide(&g);
	ck_assert_uint_eq(idle_of(&d), 1);
	stop(&g);
}
END_TEST

START_TEST(a_pull_after_one_that_was_not_shown_teaches_nothing)
{
	struct decision first, second, third;
	const struct recovering *r;
	struct rig g;

	one_arm(&g);
	first = decide(&g);
	second = decide(&g);
	third = decide(&g);
	r = g.state;
	lose(&g, &first, true);
	reward(&g, &second, 0, 1); /* its idle time counted from the first */
	ck_assert_uint_eq(r->cell[0].n, 0);
	reward(&g, &third, 0, 1);
	ck_assert_uint_eq(r->cell[0].n, 1);
	ck_assert_uint_eq(r->ntaints, 0);
	stop(&g);
}
END_TEST

START_TEST(of_several_not_shown_none_is_left)
{
	struct decision d[3], after;
	struct rig g;

	one_arm(&g);
	for (int i = 0; i < 3; i++) {
		d[i] = decide(&g);
	}
	for (int i = 0; i < 3; i++) {
		lose(&g, &d[i], true);
	}
	after = decide(&g);
	ck_assert_uint_eq(idle_of(&after), 4); /* as if never pulled */
	ck_assert_uint_eq(((struct recovering *)g.state)->ntaints, 0);
	stop(&g);
}
END_TEST

START_TEST(late_and_disordered_rewards_are_booked_where_they_belong)
{
	struct decision d[40];
	struct rig a, b;
	const struct recovering *ra, *rb;

	rt_rig(&a);
	rt_rig(&b);
	a.params.phase_min = b.params.phase_min = 1000;
	ra = a.state;
	rb = b.state;
	for (int i = 0; i < 40; i++) {
		struct decision now = decide(&a);

		d[i] = decide(&b);
		ck_assert_uint_eq(now.npicks, d[i].npicks);
		for (size_t j = 0; j < now.npicks; j++) {
			reward(&a, &now, now.picks[j].slot, .5);
		}
	}
	for (int i = 40; i-- > 0;) {
		for (size_t j = d[i].npicks; j-- > 0;) {
			reward(&b, &d[i], d[i].picks[j].slot, .5);
		}
	}
	for (size_t i = 0; i < 9; i++) {
		ck_assert_uint_eq(ra->cell[i].n, rb->cell[i].n);
		ck_assert_double_eq(ra->cell[i].sum, rb->cell[i].sum);
	}
	stop(&a);
	stop(&b);
}
END_TEST

START_TEST(a_tick_has_one_decision)
{
	struct decision d, again;
	struct rig g;

	init(&g, 4, 1);
	g.params.clock = REC_TICK;
	ck_assert_int_eq(recovering_ops.check(&g.params, NULL), RC_INVALID);
	g.params.tick_seconds = 10;
	start(&g, 1);
	g.at_us = 1000 * SECOND;
	d = decide(&g);
	g.at_us += 9 * SECOND;
	again = decide(&g);
	ck_assert_uint_eq(again.repeat, d.seq);
	lose(&g, &d, true);
	d = decide(&g);
	ck_assert(d.repeat == 0 && idle_of(&d) == 4); /* the first was not shown */
	g.at_us += 31 * SECOND;
	d = decide(&g); /* ticks without a decision are rest */
	ck_assert_uint_eq(idle_of(&d), 4);
	g.at_us += 10 * SECOND;
	d = decide(&g);
	ck_assert_uint_eq(idle_of(&d), 1);
	g.at_us -= 500 * SECOND; /* a clock that goes back stands still */
	again = decide(&g);
	ck_assert_uint_eq(again.repeat, d.seq);
	stop(&g);
}
END_TEST

START_TEST(each_subject_has_its_own_time)
{
	struct decision d;
	struct ask ask;
	struct rig g;

	init(&g, 4, 1);
	g.params.scope = REC_SUBJECT;
	start(&g, 1);
	ask = ask_of(&g);
	ck_assert_int_eq(choose(&g, &ask, &d), RC_INVALID);
	ck_assert(recovering_ops.traits(&g.params) & POLICY_SUBJECT);
	for (int i = 0; i < 3; i++) {
		g.subject = "ann";
		d = decide(&g);
		ck_assert_uint_eq(idle_of(&d), i ? 1 : 4);
	}
	g.subject = "bob";
	d = decide(&g);
	ck_assert_uint_eq(idle_of(&d), 4);
	lose(&g, &d, true);
	d = decide(&g);
	ck_assert_uint_eq(idle_of(&d), 4);
	g.subject = "ann";
	d = decide(&g);
	ck_assert_uint_eq(idle_of(&d), 1);
	ck_assert_uint_eq(((struct recovering *)g.state)->nsubjects, 2);
	stop(&g);
}
END_TEST

static struct param_list rt_list(void)
{
	return (struct param_list){.v = rt, .n = 9, .width = 3};
}

START_TEST(known_tables_are_planned_once)
{
	char seen[2048];
	const struct recovering *r;
	struct rig g;

	init(&g, 16, 2);
	g.params.tables = rt_list();
	start(&g, 3);
	run(&g, rt, 4, seen, sizeof(seen));
	ck_assert_str_eq(seen, "1@3+2@3 0@3+1@1 1@1+2@2 0@2+1@1 ");
	run(&g, rt, 96, seen, sizeof(seen));
	r = g.state;
	ck_assert_uint_eq(r->phases, 1);
	ck_assert_double_eq_tol(r->value, 1.1, 1e-12);
	ck_assert_double_eq_tol(r->upper, 1.15, 1e-12);
	stop(&g);
}
END_TEST

START_TEST(an_excluded_arm_leaves_its_slot_free)
{
	static const uint32_t but_one[] = {0, 2};
	struct decision d;
	struct ask ask;
	struct rig g;

	init(&g, 16, 2);
	g.params.tables = rt_list();
	start(&g, 3);
	ask = ask_of(&g);
	ask.slots = but_one;
	ask.n = 2;
	ask.all = false;
	d = decide_among(&g, &ask);
	ck_assert(d.npicks == 1 && d.picks[0].slot == 2);
	d = decide(&g);
	ck_assert(d.npicks == 2 && remembered(&d, 1).idle == 3); /* still fresh */
	stop(&g);
}
END_TEST

START_TEST(free_slots_take_unplanned_arms_when_asked_to)
{
	static const double tables[] = {.9, .9, 0, .1, 0, .2};
	struct decision d;
	struct rig g;

	init(&g, 2, 1);
	g.params.tables = (struct param_list){.v = tables, .n = 6, .width = 2};
	g.params.fill = REC_UNPLANNED;
	start(&g, 3);
	d = decide(&g);
	ck_assert(d.npicks == 1 && d.picks[0].slot == 0);
	stop(&g);
	g.arms = 0;
	g.k = 2;
	g.params.tables.n = 2; /* the others are not known, so never planned */
	start(&g, 3);
	d = decide(&g);
	ck_assert(d.npicks == 2 && d.picks[0].slot == 0 && d.picks[1].slot == 1);
	stop(&g);
}
END_TEST

START_TEST(arms_come_and_go)
{
	struct recovering *r;
	struct decision d;
	struct rig g;

	rt_rig(&g);
	decide(&g);
	r = g.state;
	ck_assert_uint_eq(r->phases, 1);
	recovering_ops.arm_set(g.state, 0, ARM_RETIRED);
	list_arms(&g);
	ck_assert_uint_eq(r->arm[0].period, 0);
	d = decide(&g);
	ck_assert_uint_eq(r->phases, 2);
	ck_assert(d.npicks == 2 && d.picks[0].slot == 1 && d.picks[1].slot == 2);
	add_arm(&g);
	decide(&g);
	ck_assert_uint_eq(r->phases, 3);
	recovering_ops.arm_set(g.state, 1, ARM_PAUSED);
	recovering_ops.arm_set(g.state, 2, ARM_PAUSED);
	recovering_ops.arm_set(g.state, 3, ARM_PAUSED);
	list_arms(&g);
	d = decide(&g);
	ck_assert_uint_eq(d.npicks, 0);
	recovering_ops.arm_set(g.state, 2, ARM_ACTIVE);
	list_arms(&g);
	d = decide(&g);
	ck_assert(d.npicks == 1 && d.picks[0].slot == 2);
	stop(&g);
}
END_TEST

static struct buf saved(const struct rig *g)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	recovering_ops.serialise(g->state, &out);
	ck_assert_int_eq(out.rc, 0);
	return out;
}

/* Loads and saves again; what is cut short is refused. */
static void check_load(struct rig *g)
{
	struct buf first = saved(g), second;
	void *state = NULL;
	struct rd in;

	for (size_t n = 0; n < first.len; n++) {
		rd_init(&in, first.data, n);
		ck_assert_int_eq(recovering_ops.deserialise(&g->env, &in, &state), RC_CORRUPT);
	}
	rd_init(&in, first.data, first.len);
	ck_assert_int_eq(recovering_ops.deserialise(&g->env, &in, &state), 0);
	ck_assert_uint_eq(rd_left(&in), 0);
	stop(g);
	g->state = state; /* goes on with it */
	second = saved(g);
	ck_assert_uint_eq(first.len, second.len);
	ck_assert_mem_eq(first.data, second.data, first.len);
	buf_release(&first);
	buf_release(&second);
}

START_TEST(a_state_that_was_loaded_goes_on_alike)
{
	char one[1024], two[1024];
	struct rig g, h;

	rt_rig(&g);
	rt_rig(&h);
	run(&g, rt, 17, one, sizeof(one));
	run(&h, rt, 17, one, sizeof(one));
	check_load(&h);
	run(&g, rt, 30, one, sizeof(one));
	run(&h, rt, 30, two, sizeof(two));
	ck_assert_str_eq(one, two);
	stop(&g);
	stop(&h);
}
END_TEST

START_TEST(subjects_and_doubts_are_saved)
{
	static const char *const names[] = {"ann", "bob", "eve"};
	struct decision d, later;
	struct rig g;

	init(&g, 4, 2);
	g.params.scope = REC_SUBJECT;
	start(&g, 3);
	for (int i = 0; i < 20; i++) {
		g.subject = names[i * i % 3];
		d = decide(&g);
		later = decide(&g);
		lose(&g, i % 2 ? &d : &later, true);
	}
	ck_assert_uint_gt(((struct recovering *)g.state)->ntaints, 0);
	check_load(&g);
	stop(&g);
}
END_TEST

START_TEST(recovered_subjects_make_room)
{
	char name[16];
	struct decision d;
	struct recovering *r;
	struct ask ask;
	struct rig g;

	init(&g, 4, 1);
	g.params.scope = REC_SUBJECT;
	g.params.clock = REC_TICK;
	g.params.tick_seconds = 1;
	start(&g, 1);
	r = g.state;
	g.subject = name;
	for (int i = 0; i < REC_SUBJECTS_MAX; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		decide(&g);
	}
	ck_assert_uint_eq(r->nsubjects, REC_SUBJECTS_MAX);
	snprintf(name, sizeof(name), "one more");
	ask = ask_of(&g);
	ck_assert_int_eq(choose(&g, &ask, &d), RC_LIMIT);
	g.at_us = 5 * SECOND;
	decide(&g);
	ck_assert_uint_eq(r->nsubjects, 1);
	stop(&g);
}
END_TEST

RUN("recovering", sixty_periods_go_as_in_the_reference, what_was_not_shown_leaves_the_arm_as_it_was,
    a_pull_after_one_that_was_not_shown_teaches_nothing, of_several_not_shown_none_is_left,
    late_and_disordered_rewards_are_booked_where_they_belong, a_tick_has_one_decision,
    each_subject_has_its_own_time, known_tables_are_planned_once,
    an_excluded_arm_leaves_its_slot_free, free_slots_take_unplanned_arms_when_asked_to,
    arms_come_and_go, a_state_that_was_loaded_goes_on_alike, subjects_and_doubts_are_saved,
    recovered_subjects_make_room)
