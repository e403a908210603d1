/* SPDX-License-Identifier: Apache-2.0 */
/* What an experiment is made of: what it is told, its arms, its history. */
#include "core/spec.h"

#include <stdio.h>

#include "core/arm.h"
#include "core/history.h"
#include "tests/unit/test.h"

#define AT_US UINT64_C(1700000000000000)
#define MANY_ARMS 100000

static const struct spec_arm three[] = {{"a", ""}, {"b", "the second"}, {"c", ""}};

static struct experiment_spec good_spec(void)
{
	return (struct experiment_spec){.name = "e",
	    .policy = "uniform",
	    .arms = three,
	    .narms = 3,
	    .slots = 1,
	    .seed = 3,
	    .hi = 1,
	    .settings = {.window_us = UINT64_C(60000000), .label = ""}};
}

START_TEST(a_hundred_thousand_arms_are_found_again)
{
	struct arms a, b;
	struct buf out;
	struct rd in;
	char id[16];
	uint32_t active = MANY_ARMS;

	arms_init(&a, 9);
	arms_init(&b, 9);
	buf_init(&out, (size_t)1 << 26);
	for (uint32_t i = 0; i < MANY_ARMS; i++) {
		snprintf(id, sizeof(id), "arm-%u", i);
		if (arms_find(&a, id) != ARM_NONE || arms_reserve(&a, 1, 32) ||
		    arms_add(&a, id, i % 5 ? "" : "five") != i) {
			ck_abort_msg("arm %u", i);
		}
	}
	for (uint32_t i = 0; i < MANY_ARMS; i += 7) {
		arms_set(&a, i, i % 2 ? ARM_PAUSED : ARM_RETIRED);
		active--;
	}
	ck_assert_uint_eq(a.nactive, active);
	arms_save(&a, &out);
	ck_assert_int_eq(out.rc, 0);
	rd_init(&in, out.data, out.len);
	ck_assert_int_eq(arms_load(&b, &in), 0);
	ck_assert_uint_eq(rd_left(&in), 0);
	ck_assert_uint_eq(b.nactive, active);
	for (uint32_t i = 0, k = 0; i < MANY_ARMS; i++) {
		snprintf(id, sizeof(id), "arm-%u", i);
		if (arms_find(&a, id) != i || arms_find(&b, id) != i ||
		    strcmp(arms_id(&b, i), id) != 0 ||
		    strcmp(arms_label(&b, i), i % 5 ? "" : "five") != 0 ||
		    (i % 7 && (a.active[k] != i || b.active[k] != i))) {
			ck_abort_msg("arm %u", i);
		}
		k += i % 7 != 0;
	}
	ck_assert_uint_eq(arms_find(&b, "arm-100000"), ARM_NONE);
	ck_assert_uint_eq(arms_find(&b, ""), ARM_NONE);
	arms_release(&a);
	arms_release(&b);
	buf_release(&out);
}
END_TEST

START_TEST(history_merges_without_losing_counts)
{
	struct history h, again;
	uint64_t at_us = AT_US, decisions = 0, rewards = 0;
	double sum = 0;
	struct buf out;
	struct rd in;

	history_init(&h, AT_US);
	history_init(&again, 0);
	buf_init(&out, 1 << 16);
	for (uint64_t step_us = 1000; step_us < UINT64_MAX / 400; step_us *= 2) {
		for (int i = 0; i < 100; i++) {
			at_us += step_us;
			ck_assert_int_eq(history_reserve(&h, at_us), 0);
			history_decision(&h, at_us);
			history_reward(&h, i % 3 ? at_us : AT_US, 0.5);
			if (at_us > UINT64_MAX / 2) {
				break;
			}
		}
	}
	ck_assert_int_eq(history_reserve(&h, UINT64_MAX), 0);
	history_decision(&h, UINT64_MAX);
	ck_assert_uint_le(h.n, HISTORY_MAX);
	history_save(&h, &out);
	rd_init(&in, out.data, out.len);
	ck_assert_int_eq(history_load(&again, &in), 0);
	ck_assert_uint_eq(again.n, h.n);
	ck_assert_uint_eq(again.width_us, h.width_us);
	for (uint32_t i = 0; i < again.n; i++) {
		decisions += again.bucket[i].decisions;
		rewards += again.bucket[i].rewards;
		sum += again.bucket[i].sum;
	}
	ck_assert_uint_eq(decisions, rewards + 1);
	ck_assert_double_eq(sum, 0.5 * (double)rewards);
	history_release(&h);
	history_release(&again);
	buf_release(&out);
}
END_TEST

START_TEST(a_saved_history_never_writes_beyond_its_buckets)
{
	static const uint64_t starts[] = {0, UINT64_MAX - 5, UINT64_C(1) << 63};
	struct history h;
	struct buf out;
	struct rd in;

	for (int i = 0; i < 3; i++) {
		for (uint64_t width = HISTORY_FIRST_WIDTH_US; width < UINT64_MAX / 2; width *= 2) {
			buf_init(&out, 1 << 16);
			buf_put_u64(&out, starts[i]);
			buf_put_u64(&out, width);
			buf_put_var(&out, HISTORY_MAX);
			for (int k = 0; k < HISTORY_MAX; k++) {
				buf_put_var(&out, 1);
				buf_put_var(&out, 1);
				buf_put_f64(&out, 1);
			}
			rd_init(&in, out.data, out.len);
			history_init(&h, 0);
			if (history_load(&h, &in) == 0) {
				ck_assert_uint_ge(h.cap, h.n);
			}
			history_release(&h);
			buf_release(&out);
		}
	}
}
END_TEST

static void expect_spec(
    const struct experiment_spec *spec, int rc, const char *pointer, const char *word)
{
	struct errinfo err = {.rc = 0};

	ck_assert_int_eq(spec_check(spec, &err), rc);
	ck_assert_str_eq(err.pointer, pointer);
	ck_assert_msg(strstr(err.text, word) != NULL, "%s", err.text);
}

START_TEST(a_spec_is_refused_with_its_place_and_reason)
{
	static const char *const features[] = {"age", "not one"};
	const struct experiment_spec good = good_spec();
	struct experiment_spec s = good;
	char label[LABEL_MAX + 2];

	expect_spec(&s, 0, "", "");
	s.name = "a b";
	expect_spec(&s, RC_INVALID, "", "name");
	s.name = "";
	expect_spec(&s, RC_INVALID, "", "name");
	s = good;
	s.slots = SLATE_MAX + 1;
	expect_spec(&s, RC_INVALID, "/slots", "1..1024");
	s = good;
	s.lo = 1;
	expect_spec(&s, RC_INVALID, "/reward/lo", "less");
	s.lo = -INFINITY;
	expect_spec(&s, RC_INVALID, "/reward/lo", "finite");
	s.lo = NAN;
	expect_spec(&s, RC_INVALID, "/reward/lo", "finite");
	s.lo = -1e308;
	s.hi = 1e308;
	expect_spec(&s, RC_INVALID, "/reward/lo", "finite");
	s = good;
	s.features = features;
	s.nfeatures = 2;
	expect_spec(&s, RC_INVALID, "/context/1", "feature");
	s.nfeatures = DIM_MAX + 1;
	expect_spec(&s, RC_LIMIT, "/context", "1024");
	s = good;
	s.settings.floor = 1;
	expect_spec(&s, RC_INVALID, "/floor", "[0, 1)");
	s.settings.floor = NAN;
	expect_spec(&s, RC_INVALID, "/floor", "[0, 1)");
	s = good;
	s.settings.has_fallback = true;
	s.settings.fallback = 1.5;
	expect_spec(&s, RC_INVALID, "/reward/default", "within");
	s.settings.fallback = 1;
	s.settings.window_us = 0;
	expect_spec(&s, RC_INVALID, "/reward/default", "window");
	s.settings.has_fallback = false;
	s.settings.aggregate = AGGREGATE_MAX;
	expect_spec(&s, RC_INVALID, "/reward/aggregate", "window closes");
	s = good;
	memset(label, 'x', sizeof(label));
	label[sizeof(label) - 1] = '\0';
	s.settings.label = label;
	expect_spec(&s, RC_INVALID, "/label", "256");
	label[LABEL_MAX] = '\0';
	expect_spec(&s, 0, "", "");
}
END_TEST

RUN("spec", a_hundred_thousand_arms_are_found_again, history_merges_without_losing_counts,
    a_saved_history_never_writes_beyond_its_buckets, a_spec_is_refused_with_its_place_and_reason)
