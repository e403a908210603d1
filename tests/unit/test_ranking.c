/* SPDX-License-Identifier: Apache-2.0 */
/* What a ranking of estimates says of itself. */
#include "test.h"

#include "eval/ranking.h"

static const char *const names[] = {"a", "b", "c"}, *const places[] = {"p", "q", "r"};

#define CELL(VALUE, HALF)                                                                          \
	{                                                                                          \
		.value = (VALUE), .lo = (VALUE) - (HALF), .hi = (VALUE) + (HALF), .why = "because" \
	}

static void make(const struct ranking_cell *cell, size_t n_places, size_t n, struct ranking *ret)
{
	ck_assert_int_eq(ranking_make(cell, n_places, n, places, names, ret), 0);
}

START_TEST(one_place_keeps_its_own_interval)
{
	const struct ranking_cell cell[] = {{.value = 1, .lo = 0.25, .hi = 3, .why = ""},
	    {.value = 5, .lo = 4, .hi = 9, .why = ""}};
	struct ranking r;

	make(cell, 1, 2, &r);
	ck_assert_double_eq(r.lo[0], 0.25);
	ck_assert_double_eq(r.hi[0], 3);
	ck_assert_uint_eq(r.by_mean[0], 1);
	ck_assert(r.separates[0]);
	ck_assert_int_eq(r.verdict, OPE_RELIABLE);
}
END_TEST

START_TEST(chance_evens_out_over_places_and_slack_does_not)
{
	struct ranking_cell cell[] = {CELL(1, 3), CELL(9, 4), CELL(3, 4), CELL(9, 3)};
	struct ranking r;

	make(cell, 2, 2, &r);
	ck_assert_double_eq(r.mean[0], 2);
	ck_assert_double_eq(r.hi[0], 2 + 2.5);
	ck_assert_double_eq(r.lo[1], 9 - 2.5);
	cell[0].guarded = cell[2].guarded = true;
	make(cell, 2, 2, &r);
	ck_assert_double_eq(r.hi[0], 2 + 3.5);
	ck_assert_double_eq(r.lo[1], 9 - 2.5);
}
END_TEST

START_TEST(separation_looks_at_all_that_follow)
{
	/* b is second and far behind; c is third, and wide. */
	const struct ranking_cell cell[] = {CELL(5, 1), CELL(2, 0.5), CELL(1, 4)};
	struct ranking r;

	make(cell, 1, 3, &r);
	ck_assert(!r.separates[0]);
	ck_assert(!r.separates[1]);
	ck_assert_int_eq(r.verdict, OPE_WEAK);
	ck_assert_ptr_nonnull(strstr(r.why, "a and c do not separate"));
	ck_assert_ptr_nonnull(strstr(r.why, "first place is open"));
}
END_TEST

START_TEST(the_worst_that_is_found_decides)
{
	struct ranking_cell cell[] = {CELL(1, 0.1), CELL(2, 0.1), CELL(3, 0.1)};
	struct ranking r;

	make(cell, 1, 3, &r);
	ck_assert_int_eq(r.verdict, OPE_RELIABLE);
	cell[1].verdict = OPE_WEAK;
	make(cell, 1, 3, &r);
	ck_assert_int_eq(r.verdict, OPE_WEAK);
	ck_assert_str_eq(r.why, "b on p: because");
	cell[0].spent = true;
	make(cell, 1, 3, &r);
	ck_assert_int_eq(r.verdict, OPE_WEAK);
	ck_assert_ptr_nonnull(strstr(r.why, "budget is spent"));
	cell[2].verdict = OPE_UNUSABLE;
	make(cell, 1, 3, &r);
	ck_assert_int_eq(r.verdict, OPE_UNUSABLE);
	ck_assert_str_eq(r.why, "c on p: because");
}
END_TEST

START_TEST(conflicts_name_the_pair_and_who_says_so)
{
	/* a is ahead on two of three, b by more. */
	const struct ranking_cell cell[] = {
	    CELL(2, 0), CELL(1, 0), CELL(2, 0), CELL(1, 0), CELL(0, 0), CELL(9, 0)};
	struct ranking_conflict f;
	struct ranking r;

	make(cell, 3, 2, &r);
	ck_assert_uint_eq(r.by_mean[0], 1);
	ck_assert_uint_eq(r.by_borda[0], 0);
	ck_assert_uint_eq(r.by_kemeny[0], 0);
	ck_assert_double_eq(r.distance, 1);
	ck_assert(ranking_conflict(&r, cell, 0, 1, &f));
	ck_assert(f.borda && f.kemeny);
	ck_assert_double_eq(f.ahead, 2);
}
END_TEST

START_TEST(ties_keep_the_order_of_the_means_and_are_no_conflict)
{
	/* One place each: points are alike, and either order disagrees with one pair. */
	const struct ranking_cell cell[] = {CELL(1, 0), CELL(0, 0), CELL(0, 0), CELL(3, 0)};
	const struct ranking_cell even[] = {CELL(1, 0), CELL(1, 0)};
	struct ranking_conflict f;
	struct ranking r;

	make(cell, 2, 2, &r);
	ck_assert_uint_eq(r.by_mean[0], 1);
	ck_assert_uint_eq(r.by_borda[0], 1);
	ck_assert_uint_eq(r.by_kemeny[0], 1);
	ck_assert(!ranking_conflict(&r, cell, 0, 1, &f));
	make(even, 1, 2, &r);
	ck_assert(!ranking_conflict(&r, even, 0, 1, &f));
	ck_assert(!r.separates[0]);
}
END_TEST

START_TEST(an_infinite_bound_separates_nothing)
{
	const struct ranking_cell cell[] = {
	    {.value = 1, .lo = -HUGE_VAL, .hi = HUGE_VAL, .why = ""}, CELL(5, 1)};
	struct ranking r;

	make(cell, 1, 2, &r);
	ck_assert(!r.separates[0]);
	ck_assert_int_eq(r.verdict, OPE_WEAK);
}
END_TEST

RUN("ranking", one_place_keeps_its_own_interval, chance_evens_out_over_places_and_slack_does_not,
    separation_looks_at_all_that_follow, the_worst_that_is_found_decides,
    conflicts_name_the_pair_and_who_says_so, ties_keep_the_order_of_the_means_and_are_no_conflict,
    an_infinite_bound_separates_nothing)
