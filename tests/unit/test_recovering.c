/* SPDX-License-Identifier: Apache-2.0 */
/* `recovering` by its hooks: the worked trace, what voids and late rewards do, arms, loading. */
#include "recovering_rig.h"

static const double rt[] = {.2, .5, .9, .5, .6, .65, .3, .7, .8};

static void rt_rig(struct rig *g)
{
	rig_init(g, 3, 2);
	g->params.phase_min = 6;
	rig_start(g, 3);
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
	rig_run(&g, rt, 60, seen, sizeof(seen));
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
	rig_stop(&g);
}
END_TEST

/* One arm that is due in every period. */
static void one_arm(struct rig *g)
{
	rig_init(g, 4, 1);
	rig_start(g, 1);
}

static uint32_t idle_of(const struct decision *d)
{
	ck_assert_uint_eq(d->npicks, 1);
	return rig_remembered(d, 0).idle;
}

START_TEST(what_was_not_shown_leaves_the_arm_as_it_was)
{
	struct decision d;
	struct rig g;

	one_arm(&g);
	d = rig_decide(&g);
	ck_assert_uint_eq(idle_of(&d), 4);
	d = rig_decide(&g);
	ck_assert_uint_eq(idle_of(&d), 1);
	rig_lose(&g, &d, true);
	d = rig_decide(&g);
	ck_assert_uint_eq(idle_of(&d), 2);
	rig_lose(&g, &d, false); /* shown, without a reward */
	d = rig_decide(&g);
	ck_assert_uint_eq(idle_of(&d), 1);
	rig_stop(&g);
}
END_TEST

START_TEST(a_pull_after_one_that_was_not_shown_teaches_nothing)
{
	struct decision first, second, third;
	const struct recovering *r;
	struct rig g;

	one_arm(&g);
	first = rig_decide(&g);
	second = rig_decide(&g);
	third = rig_decide(&g);
	r = g.state;
	rig_lose(&g, &first, true);
	rig_reward(&g, &second, 0, 1); /* its idle time counted from the first */
	ck_assert_uint_eq(r->cell[0].n, 0);
	rig_reward(&g, &third, 0, 1);
	ck_assert_uint_eq(r->cell[0].n, 1);
	ck_assert_uint_eq(r->ntaints, 0);
	rig_stop(&g);
}
END_TEST

START_TEST(of_several_not_shown_none_is_left)
{
	struct decision d[3], after;
	struct rig g;

	one_arm(&g);
	for (int i = 0; i < 3; i++) {
		d[i] = rig_decide(&g);
	}
	for (int i = 0; i < 3; i++) {
		rig_lose(&g, &d[i], true);
	}
	after = rig_decide(&g);
	ck_assert_uint_eq(idle_of(&after), 4); /* as if never pulled */
	ck_assert_uint_eq(((struct recovering *)g.state)->ntaints, 0);
	rig_stop(&g);
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
		struct decision now = rig_decide(&a);

		d[i] = rig_decide(&b);
		ck_assert_uint_eq(now.npicks, d[i].npicks);
		for (size_t j = 0; j < now.npicks; j++) {
			rig_reward(&a, &now, now.picks[j].slot, .5);
		}
	}
	for (int i = 40; i-- > 0;) {
		for (size_t j = d[i].npicks; j-- > 0;) {
			rig_reward(&b, &d[i], d[i].picks[j].slot, .5);
		}
	}
	for (size_t i = 0; i < 9; i++) {
		ck_assert_uint_eq(ra->cell[i].n, rb->cell[i].n);
		ck_assert_double_eq(ra->cell[i].sum, rb->cell[i].sum);
	}
	rig_stop(&a);
	rig_stop(&b);
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

	rig_init(&g, 16, 2);
	g.params.tables = rt_list();
	rig_start(&g, 3);
	rig_run(&g, rt, 4, seen, sizeof(seen));
	ck_assert_str_eq(seen, "1@3+2@3 0@3+1@1 1@1+2@2 0@2+1@1 ");
	rig_run(&g, rt, 96, seen, sizeof(seen));
	r = g.state;
	ck_assert_uint_eq(r->phases, 1);
	ck_assert_double_eq_tol(r->value, 1.1, 1e-12);
	ck_assert_double_eq_tol(r->upper, 1.15, 1e-12);
	rig_stop(&g);
}
END_TEST

START_TEST(an_excluded_arm_leaves_its_slot_free)
{
	static const uint32_t but_one[] = {0, 2};
	struct decision d;
	struct ask ask;
	struct rig g;

	rig_init(&g, 16, 2);
	g.params.tables = rt_list();
	rig_start(&g, 3);
	ask = rig_ask_of(&g);
	ask.slots = but_one;
	ask.n = 2;
	ask.all = false;
	d = rig_decide_among(&g, &ask);
	ck_assert(d.npicks == 1 && d.picks[0].slot == 2);
	d = rig_decide(&g);
	ck_assert(d.npicks == 2 && rig_remembered(&d, 1).idle == 3); /* still fresh */
	rig_stop(&g);
}
END_TEST

START_TEST(free_slots_take_unplanned_arms_when_asked_to)
{
	static const double tables[] = {.9, .9, 0, .1, 0, .2};
	struct decision d;
	struct rig g;

	rig_init(&g, 2, 1);
	g.params.tables = (struct param_list){.v = tables, .n = 6, .width = 2};
	g.params.fill = REC_UNPLANNED;
	rig_start(&g, 3);
	d = rig_decide(&g);
	ck_assert(d.npicks == 1 && d.picks[0].slot == 0);
	rig_stop(&g);
	g.arms = 0;
	g.k = 2;
	g.params.tables.n = 2; /* the others are not known, so never planned */
	rig_start(&g, 3);
	d = rig_decide(&g);
	ck_assert(d.npicks == 2 && d.picks[0].slot == 0 && d.picks[1].slot == 1);
	rig_stop(&g);
}
END_TEST

START_TEST(arms_come_and_go)
{
	struct recovering *r;
	struct decision d;
	struct rig g;

	rt_rig(&g);
	rig_decide(&g);
	r = g.state;
	ck_assert_uint_eq(r->phases, 1);
	recovering_ops.arm_set(g.state, 0, ARM_RETIRED);
	rig_list_arms(&g);
	ck_assert_uint_eq(r->arm[0].period, 0);
	d = rig_decide(&g);
	ck_assert_uint_eq(r->phases, 2);
	ck_assert(d.npicks == 2 && d.picks[0].slot == 1 && d.picks[1].slot == 2);
	rig_add_arm(&g);
	rig_decide(&g);
	ck_assert_uint_eq(r->phases, 3);
	recovering_ops.arm_set(g.state, 1, ARM_PAUSED);
	recovering_ops.arm_set(g.state, 2, ARM_PAUSED);
	recovering_ops.arm_set(g.state, 3, ARM_PAUSED);
	rig_list_arms(&g);
	d = rig_decide(&g);
	ck_assert_uint_eq(d.npicks, 0);
	recovering_ops.arm_set(g.state, 2, ARM_ACTIVE);
	rig_list_arms(&g);
	d = rig_decide(&g);
	ck_assert(d.npicks == 1 && d.picks[0].slot == 2);
	rig_stop(&g);
}
END_TEST

START_TEST(a_state_that_was_loaded_goes_on_alike)
{
	char one[1024], two[1024];
	struct rig g, h;

	rt_rig(&g);
	rt_rig(&h);
	rig_run(&g, rt, 17, one, sizeof(one));
	rig_run(&h, rt, 17, one, sizeof(one));
	rig_check_load(&h);
	rig_run(&g, rt, 30, one, sizeof(one));
	rig_run(&h, rt, 30, two, sizeof(two));
	ck_assert_str_eq(one, two);
	rig_stop(&g);
	rig_stop(&h);
}
END_TEST

/* With rewards that are learnt, and with known ones. */
START_TEST(the_input_of_a_plan_is_whole_or_refused)
{
	static double rows[] = {.1, .2, .3, .4, .5, .6};
	char seen[1024];

	for (int known = 0; known < 2; known++) {
		struct buf in, out;
		struct rig g;
		struct rd rd;

		rig_init(&g, 3, 2);
		if (known) {
			g.params.tables = (struct param_list){.v = rows, .n = 6, .width = 3};
		}
		rig_start(&g, 3); /* of known rewards the third arm has none */
		rig_run(&g, rt, 20, seen, sizeof(seen));
		buf_init(&in, 1 << 20);
		buf_init(&out, 1 << 20);
		recovering_ops.plan_input(g.state, &in);
		ck_assert_int_eq(in.rc, 0);
		for (size_t n = 0; n < in.len; n++) {
			rd_init(&rd, in.data, n);
			ck_assert_int_eq(recovering_ops.plan_make(&rd, &out), RC_CORRUPT);
			ck_assert_uint_eq(out.len, 0);
		}
		rd_init(&rd, in.data, in.len);
		ck_assert_int_eq(recovering_ops.plan_make(&rd, &out), 0);
		ck_assert_uint_eq(rd_left(&rd), 0);
		buf_release(&in);
		buf_release(&out);
		rig_stop(&g);
	}
}
END_TEST

RUN("recovering", sixty_periods_go_as_in_the_reference, what_was_not_shown_leaves_the_arm_as_it_was,
    a_pull_after_one_that_was_not_shown_teaches_nothing, of_several_not_shown_none_is_left,
    late_and_disordered_rewards_are_booked_where_they_belong, known_tables_are_planned_once,
    an_excluded_arm_leaves_its_slot_free, free_slots_take_unplanned_arms_when_asked_to,
    arms_come_and_go, a_state_that_was_loaded_goes_on_alike,
    the_input_of_a_plan_is_whole_or_refused)
