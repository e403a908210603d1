/* SPDX-License-Identifier: Apache-2.0 */
/* The structures for many arms against the scan, and snapshots. */
#include "ucb_rig.h"

#define ARMS 300
#define ROUNDS 9000
#define OPEN_MAX 64

/* Decisions without a reward so far, and those given up. */
struct open {
	uint32_t slot[OPEN_MAX], n;
};

struct life {
	struct rig g;
	struct rng r;
	struct open waiting, gone;
	int levels;  /* rewards are multiples of 1 / levels; 0: any number */
	bool events; /* delays, losses, arms that come and go */
};

static double arm_mean(uint32_t slot)
{
	struct rng r = rng_at(99, slot, RNG_TEST);

	return 0.2 + 0.6 * rng_uniform(&r);
}

static double reward_of(struct life *l, uint32_t slot)
{
	double u = rng_uniform(&l->r), mean = arm_mean(slot);

	if (l->levels == 0) {
		return (u + mean) / 2;
	}
	return l->levels == 1 ? u < mean : floor((u + mean) / 2 * l->levels + 0.5) / l->levels;
}

/* Draw and scan agree, on every arm's probability too. */
static uint32_t agreed(struct life *l)
{
	struct ask ask = rig_ask(&l->g);
	uint32_t want = rig_choice(&l->g, &ask), got;
	struct rng r = l->r;
	double p;

	rig_claim(l->g.ops->draw(l->g.state, &ask, &r, &got, &p) == 0, "draw failed");
	if (want == RIG_ARMS) {
		rig_claim(p == 1 / (double)ask.n, "draw is not uniform when all wait");
		rig_claim(l->g.ops->prob(l->g.state, &ask, ask.slots[0]) == p, "nor is prob");
		return ask.slots[rng_below(&l->r, ask.n)];
	}
	rig_claim(got == want && p == 1, "draw and scan differ");
	rig_claim(l->g.ops->prob(l->g.state, &ask, got) == 1, "prob and draw differ");
	rig_claim(l->g.ops->prob(l->g.state, &ask, ask.slots[ask.slots[0] == got]) == 0,
	    "two arms have probability 1");
	return got;
}

static uint32_t take(struct open *o, uint32_t i)
{
	uint32_t slot = o->slot[i];

	o->slot[i] = o->slot[--o->n];
	return slot;
}

static void forget_retired(const struct rig *g, struct open *o)
{
	for (uint32_t i = o->n; i-- > 0;) {
		if (g->is[o->slot[i]] == ARM_RETIRED) {
			take(o, i);
		}
	}
}

static void change_arms(struct life *l)
{
	struct rig *g = &l->g;
	uint32_t slot = (uint32_t)rng_below(&l->r, g->arms);

	if (g->arms < ARMS + 50 && rng_below(&l->r, 4) == 0) {
		rig_add(g);
	} else if (g->is[slot] == ARM_PAUSED) {
		rig_arm(g, slot, ARM_ACTIVE);
	} else if (g->is[slot] == ARM_ACTIVE && g->nactive > ARMS / 2) {
		rig_arm(g, slot, rng_below(&l->r, 3) ? ARM_PAUSED : ARM_RETIRED);
	}
	forget_retired(g, &l->waiting);
	forget_retired(g, &l->gone);
}

/* What is left open is rewarded, lost, or found again. */
static void settle_some(struct life *l)
{
	while (l->waiting.n > 0 && (l->waiting.n == OPEN_MAX || rng_below(&l->r, 3))) {
		uint32_t slot = take(&l->waiting, (uint32_t)rng_below(&l->r, l->waiting.n));

		if (rng_below(&l->r, 5)) {
			rig_learn(&l->g, slot, reward_of(l, slot), false);
		} else {
			rig_lose(&l->g, slot);
			if (l->gone.n < OPEN_MAX) {
				l->gone.slot[l->gone.n++] = slot;
			}
		}
	}
	if (l->gone.n > 0 && rng_below(&l->r, 8) == 0) {
		uint32_t slot = take(&l->gone, (uint32_t)rng_below(&l->r, l->gone.n));

		rig_learn(&l->g, slot, reward_of(l, slot), true);
	}
}

static void live(struct life *l)
{
	uint32_t slot = agreed(l);

	rig_pull(&l->g, slot);
	if (!l->events) {
		rig_learn(&l->g, slot, reward_of(l, slot), false);
		return;
	}
	l->waiting.slot[l->waiting.n++] = slot;
	settle_some(l);
	if (rng_below(&l->r, 20) == 0) {
		change_arms(l);
	}
}

/* Saved and loaded, it is the same, and goes on the same way. */
static void reload(struct life *l)
{
	struct buf out = rig_save(&l->g), again;
	struct rd in;

	rig_close(&l->g);
	rd_init(&in, out.data, out.len);
	ck_assert_int_eq(l->g.ops->deserialise(&l->g.env, &in, &l->g.state), 0);
	ck_assert_uint_eq(rd_left(&in), 0);
	again = rig_save(&l->g);
	ck_assert_uint_eq(out.len, again.len);
	ck_assert_int_eq(memcmp(out.data, again.data, out.len), 0);
	buf_release(&out);
	buf_release(&again);
}

static void compare(struct rig *g, int levels, bool events)
{
	struct life l = {.g = *g, .r = rng_at(7, 1, RNG_TEST), .levels = levels, .events = events};

	rig_open(&l.g, ARMS);
	for (int i = 0; i < ROUNDS; i++) {
		live(&l);
		if (i % 2000 == 1999) {
			reload(&l);
		}
	}
	rig_close(&l.g);
}

static void compare_all(int levels, bool events)
{
	struct rig g;

	for (const char *const *p = rig_all; *p; p++) {
		rig_init(&g, *p);
		compare(&g, levels, events);
	}
}

START_TEST(structures_choose_what_a_scan_chooses)
{
	compare_all(1, false);
}
END_TEST

START_TEST(so_they_do_while_arms_come_and_go_and_rewards_come_late_or_never)
{
	compare_all(1, true);
}
END_TEST

START_TEST(so_they_do_with_ratings)
{
	compare_all(10, true);
}
END_TEST

START_TEST(so_they_do_with_any_number)
{
	compare_all(0, true);
}
END_TEST

START_TEST(so_they_do_with_other_parameters)
{
	static const struct {
		const char *policy, *name;
		double value;
	} some[] = {{"ucb1", "count_pending", 0}, {"ucb_tuned", "count_pending", 0},
	    {"ucb_v", "zeta", 3}, {"ucb_v", "c", 0.01}, {"kl_ucb", "kl_c", 3},
	    {"ucb1_flad", "batch", 16}, {"ucb1_flad", "beta", 1}, {"ucb1_flad", "init_mean", 0.5}};
	struct rig g;

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		rig_init(&g, some[i].policy);
		rig_set(&g, some[i].name, some[i].value);
		compare(&g, i % 2 ? 1 : 4, true);
	}
}
END_TEST

START_TEST(a_restricted_ask_is_answered_among_its_arms)
{
	struct rng r = rng_at(8, 1, RNG_TEST);
	uint32_t slots[] = {5, 70, 71, 199}, got;
	struct life l;
	double p;

	for (const char *const *name = rig_all; *name; name++) {
		l = (struct life){.r = r, .levels = 1};
		rig_start(&l.g, *name, 200);
		for (int i = 0; i < 1000; i++) {
			struct ask ask = {.slots = slots, .n = 4};

			live(&l);
			l.g.ops->draw(l.g.state, &ask, &r, &got, &p);
			rig_claim(got == rig_choice(&l.g, &ask), "they differ");
		}
		rig_close(&l.g);
	}
}
END_TEST

/* A state with a bit of everything. */
static void some_life(struct life *l, const char *policy, uint32_t arms)
{
	*l = (struct life){.r = rng_at(9, arms, RNG_TEST), .levels = 5, .events = true};
	rig_init(&l->g, policy);
	if (strcmp(policy, "ucb1_flad") == 0) {
		rig_set(&l->g, "batch", 16);
	}
	rig_open(&l->g, arms);
	for (uint32_t i = 0; i < 5 * arms; i++) {
		live(l);
	}
}

START_TEST(a_snapshot_cut_anywhere_is_refused)
{
	struct life l;

	for (const char *const *p = rig_all; *p; p++) {
		some_life(&l, *p, 100);
		struct buf out = rig_save(&l.g);

		for (size_t n = 0; n < out.len; n++) {
			unsigned char *copy = malloc(n + 1); /* its own: a read beyond shows */
			void *state = NULL;
			struct rd in;

			memcpy(copy, out.data, n);
			rd_init(&in, copy, n);
			rig_claim(l.g.ops->deserialise(&l.g.env, &in, &state) == RC_CORRUPT,
			    "what was cut off is not missed");
			rig_claim(state == NULL, "refused, yet it gives a state");
			free(copy);
		}
		buf_release(&out);
		rig_close(&l.g);
	}
}
END_TEST

/* Either refused, or a state that saves to these bytes and answers. */
static void check_damaged(const struct rig *g, const unsigned char *bytes, size_t n)
{
	struct rig other = *g;
	uint64_t arms;
	struct buf again;
	struct ask ask;
	struct rd in;

	rd_init(&in, bytes, n);
	rd_var(&in);
	arms = rd_var(&in);
	rd_init(&in, bytes, n);
	if (g->ops->deserialise(&g->env, &in, &other.state)) {
		return;
	}
	again = rig_save(&other);
	rig_claim(again.len == n - rd_left(&in) && memcmp(again.data, bytes, again.len) == 0,
	    "it loads, but is another one when saved");
	if (arms == g->arms) {
		ask = rig_ask(&other);
		rig_choice(&other, &ask);
	}
	buf_release(&again);
	rig_close(&other);
}

START_TEST(a_damaged_snapshot_is_refused_or_is_another_sound_one)
{
	struct life l;

	for (const char *const *p = rig_all; *p; p++) {
		some_life(&l, *p, 12);
		struct buf out = rig_save(&l.g);

		for (size_t i = 0; i < 8 * out.len; i++) {
			out.data[i / 8] ^= (unsigned char)(1u << i % 8);
			check_damaged(&l.g, out.data, out.len);
			out.data[i / 8] ^= (unsigned char)(1u << i % 8);
		}
		buf_release(&out);
		rig_close(&l.g);
	}
}
END_TEST

static void refuse(const char *policy, const struct buf *b)
{
	void *state = NULL;
	struct rig g;
	struct rd in;

	rig_init(&g, policy);
	rd_init(&in, b->data, b->len);
	ck_assert_int_eq(g.ops->deserialise(&g.env, &in, &state), RC_CORRUPT);
}

static struct buf one_arm(uint64_t t, uint64_t n, uint64_t o, double s, double q)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_put_var(&b, t);
	buf_put_var(&b, 1);
	buf_put_u8(&b, ARM_ACTIVE);
	buf_put_var(&b, n);
	buf_put_var(&b, o);
	buf_put_f64(&b, s);
	buf_put_f64(&b, q);
	return b;
}

START_TEST(numbers_that_no_state_has_are_refused)
{
	struct buf bad[] = {
	    one_arm(3, 4, 2, 1, 1),    /* more plays than decisions */
	    one_arm(3, 2, 3, 1, 1),    /* more rewards than plays */
	    one_arm(3, 3, 2, 2.5, 1),  /* a mean above 1 */
	    one_arm(3, 3, 2, -0.5, 1), /* below 0 */
	    one_arm(3, 3, 2, (double)NAN, 1), one_arm(3, 3, 2, 1, 1.5), /* squares above the sum */
	    one_arm(3, 3, 2, 1, (double)NAN),
	    one_arm(UINT64_MAX, 3, 2, 1, 1), /* more decisions than a log holds */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refuse("ucb_tuned", &bad[i]);
		buf_release(&bad[i]);
	}
}
END_TEST

RUN("ucb_fast", structures_choose_what_a_scan_chooses,
    so_they_do_while_arms_come_and_go_and_rewards_come_late_or_never, so_they_do_with_ratings,
    so_they_do_with_any_number, so_they_do_with_other_parameters,
    a_restricted_ask_is_answered_among_its_arms, a_snapshot_cut_anywhere_is_refused,
    a_damaged_snapshot_is_refused_or_is_another_sound_one, numbers_that_no_state_has_are_refused)
