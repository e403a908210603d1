/* SPDX-License-Identifier: Apache-2.0 */
/* bandit top: what it reads from /metrics, and the frame it makes of it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/top.h"
#include "tests/unit/test.h"

static const char exposition[] =
    "# HELP banditd_build_info Version and compiler; always 1.\n"
    "banditd_build_info{version=\"1.2.3\",compiler=\"12.2.0\"} 1\n"
    "banditd_http_connections 7\n"
    "banditd_http_requests_total{route=\"/a\",code=\"200\"} 90\n"
    "banditd_http_requests_total{route=\"/b\",code=\"503\"} 10\n"
    "banditd_http_request_duration_seconds_bucket{route=\"/a\",le=\"0.001\"} 40\n"
    "banditd_http_request_duration_seconds_bucket{route=\"/a\",le=\"0.002\"} 80\n"
    "banditd_http_request_duration_seconds_bucket{route=\"/a\",le=\"+Inf\"} 80\n"
    "banditd_http_request_duration_seconds_bucket{route=\"/b\",le=\"0.001\"} 10\n"
    "banditd_http_request_duration_seconds_bucket{route=\"/b\",le=\"0.002\"} 20\n"
    "banditd_http_request_duration_seconds_bucket{route=\"/b\",le=\"+Inf\"} 20\n"
    "banditd_decisions_total{policy=\"ucb1\"} 30\n"
    "banditd_decisions_total{policy=\"exp3\"} 12\n"
    "banditd_db_bytes 4096\n"
    "something_else{a=\"b\"} 5\n";

START_TEST(samples_of_several_series_are_added_up)
{
	struct top_scrape s;

	top_scrape_read(exposition, &s);
	ck_assert_str_eq(s.version, "1.2.3");
	ck_assert_double_eq(s.connections, 7);
	ck_assert_double_eq(s.requests, 100);
	ck_assert_double_eq(s.failed, 10);
	ck_assert_double_eq(s.decisions, 42);
	ck_assert_double_eq(s.db, 4096);
	ck_assert_uint_eq(s.answer.n, 3);
	ck_assert_double_eq(s.answer.below[0], 50);
	ck_assert_double_eq(s.answer.below[2], 100);
	ck_assert_uint_eq(s.commit.n, 0);
}
END_TEST

START_TEST(a_quantile_lies_within_its_bucket)
{
	struct top_scrape none, s;

	top_scrape_read("", &none);
	top_scrape_read(exposition, &s);
	ck_assert_double_eq_tol(top_quantile(&none.answer, &s.answer, 0.25), 0.0005, 1e-12);
	ck_assert_double_eq_tol(top_quantile(&none.answer, &s.answer, 0.75), 0.0015, 1e-12);
	ck_assert(isnan(top_quantile(&s.answer, &s.answer, 0.5)));
	ck_assert(isnan(top_quantile(&none.commit, &s.commit, 0.5)));
	s.answer.below[2] += 900; /* beyond the last bound: that is all one knows */
	ck_assert_double_eq_tol(top_quantile(&none.answer, &s.answer, 0.99), 0.002, 1e-12);
}
END_TEST

static void make_frame(struct top *t, size_t width, size_t height, struct buf *out)
{
	top_scrape_read(exposition, &t->now);
	t->now.mono_us = 2000000;
	t->before.mono_us = 1000000;
	for (t->n = 0; t->n < 30; t->n++) {
		char name[80];

		snprintf(name, sizeof(name), "%.*s", 10 + (int)t->n,
		    "an-experiment-of-which-the-name-is-long-0123456789");
		t->stats[t->n] = json_pack(
		    "{s:s, s:i, s:i, s:i, s:f, s:[{s:s, s:s, s:i, s:f, s:i, s:f, s:f, s:f}]}",
		    "experiment", name, "decisions", 1234567, "rewards", 5, "open", 0, "mean", 0.25,
		    "arms", "arm", "news", "state", "active", "decisions", 10, "share", 1.0,
		    "rewards", 5, "mean", 0.25, "lo", 0.0, "hi", 0.5);
		ck_assert_ptr_nonnull(t->stats[t->n]);
		t->policy[t->n] = "ucb1";
		t->state[t->n] = "running";
	}
	buf_init(out, 1 << 20);
	top_frame(t, width, height, out);
	buf_put_u8(out, 0);
}

START_TEST(a_frame_fits_its_terminal)
{
	for (size_t width = 1; width < 160; width += 13) {
		for (size_t height = 1; height < 50; height += 7) {
			struct top t = {.chosen = 29};
			struct buf out;
			size_t lines = 0;

			make_frame(&t, width, height, &out);
			for (const char *p = (const char *)out.data; *p; p++) {
				size_t n = strcspn(p, "\n");

				ck_assert_uint_le(n, width);
				p += n;
				lines++;
			}
			ck_assert_uint_le(lines, height);
			ck_assert(
			    height < 15 || width < 3 || strstr((const char *)out.data, "\n> "));
			buf_release(&out);
			top_release(&t);
		}
	}
}
END_TEST

START_TEST(a_frame_tells_rates_and_failure)
{
	struct top t = {.chosen = 0};
	struct buf out;

	make_frame(&t, 120, 40, &out);
	ck_assert_ptr_nonnull(strstr((const char *)out.data, "decisions 42, rewards 0"));
	ck_assert_ptr_nonnull(strstr((const char *)out.data, "1.23M"));
	ck_assert_ptr_nonnull(strstr((const char *)out.data, "failed 10"));
	ck_assert_ptr_nonnull(strstr((const char *)out.data, "database 4 KiB"));
	ck_assert_ptr_null(strstr((const char *)out.data, "STORE HAS FAILED"));
	buf_release(&out);
	t.now.store_failed = 1;
	buf_init(&out, 1 << 20);
	top_frame(&t, 200, 40, &out);
	buf_put_u8(&out, 0);
	ck_assert_ptr_nonnull(strstr((const char *)out.data, "STORE HAS FAILED"));
	buf_release(&out);
	top_release(&t);
}
END_TEST

RUN("top", samples_of_several_series_are_added_up, a_quantile_lies_within_its_bucket,
    a_frame_fits_its_terminal, a_frame_tells_rates_and_failure)
