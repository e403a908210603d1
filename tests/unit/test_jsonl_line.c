/* SPDX-License-Identifier: Apache-2.0 */
/* The two readers of a line of our own log. */
#include "test.h"

#include <stdio.h>

#include "eval/jsonl_line.h"
#include "eval/line_in.h"
#include "jsonl_rig.h"

static bool same_text(const struct jsonl_text *a, const struct jsonl_text *b)
{
	return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

static void assert_alike(const char *text)
{
	struct jsonl_known known;
	struct jsonl_line a, b, again;
	const char *why = "";
	struct buf keep;
	bool twice;
	size_t n = strlen(text) - 1; /* without its end */

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	memset(&again, 0, sizeof(again));
	memset(&known, 0, sizeof(known));
	a.known = again.known = &known;
	buf_init(&keep, LINE_MAX_BYTES);
	ck_assert_msg(jsonl_fast(text, n, &a), "%s", text);
	ck_assert(jsonl_fast(text, n, &again) && again.propensity == a.propensity);
	jsonl_line_release(&again);
	ck_assert_msg(jsonl_slow(text, n, &b, &keep, &why, &twice) == 0, "%s: %s", text, why);
	ck_assert(a.kind == b.kind && a.seq == b.seq && a.ref == b.ref && a.at_us == b.at_us);
	ck_assert(same_text(&a.experiment, &b.experiment) && same_text(&a.arm, &b.arm));
	ck_assert(a.propensity == b.propensity && a.reward == b.reward && a.learnt == b.learnt);
	ck_assert(a.has_learnt == b.has_learnt && a.pending == b.pending);
	ck_assert(a.is_void == b.is_void && a.picks == b.picks && a.nx == b.nx);
	ck_assert_uint_eq(a.nids, b.nids);
	for (size_t i = 0; i < a.nids; i++) {
		ck_assert(same_text(&a.ids[i], &b.ids[i]));
	}
	ck_assert(a.nx == 0 || memcmp(a.x, b.x, a.nx * sizeof(double)) == 0);
	jsonl_line_release(&a);
	jsonl_line_release(&b);
	buf_release(&keep);
}

START_TEST(both_readers_of_a_line_agree)
{
	assert_alike(DECISION(2, NEVER));
	assert_alike(
	    DECISION(9007199254740992, ",\"eligible\":[\"a\",\"b\"],\"pmf\":[0.5,0.5]" NEVER));
	assert_alike(DECISION(2,
	    ",\"active\":[\"a\"],\"pmf\":[1.0],\"fingerprint\":\"00\","
	    "\"expires_at\":\"2026-01-01T00:00:00Z\",\"deferred\":true,\"subject\":\"s\","
	    "\"context\":{\"a\":[1,{\"b\":null},[]],\"c\":{},\"d\":-1.5e-3},"
	    "\"x\":[0.10000000000000001,-1e-300,123456789.5],\"groups\":[\"g\"]"));
	assert_alike(REWARD(3, 2,
	    ",\"learnt\":0.33333333333333331,\"closes\":true,\"late\":true,"
	    "\"clipped\":true,\"x\":[1.0],\"key\":\"k\",\"fingerprint\":\"0123456789abcdef\""));
	assert_alike(REWARD(3, 2, ",\"held\":1.0"));
	assert_alike(
	    OURS(4) "\"expiry\",\"decision\":\"d\",\"ref\":2,\"arm\":\"a\",\"propensity\":1.0,"
		    "\"learnt\":0.0,\"closes\":true,\"lost\":true}\n");
	assert_alike(
	    OURS(4) "\"void\",\"decision\":\"d\",\"ref\":2,\"arm\":\"a\",\"propensity\":1.0}\n");
}
END_TEST

START_TEST(the_fast_reader_leaves_bytes_beside_plain_text)
{
	for (size_t at = 0; at < 19; at++) {
		for (int byte = 0; byte < 256; byte++) {
			char text[512], subject[] = "nineteen characters";
			struct jsonl_line l = {.nids = 0};
			bool is_plain = byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\';
			int n = snprintf(text, sizeof(text),
			    DECISION(2, ",\"expires_at\":null,\"subject\":\"%s\""), subject);
			char *found = strstr(text, subject);

			ck_assert_ptr_nonnull(found);
			found[at] = (char)byte;
			ck_assert_int_eq(jsonl_fast(text, (size_t)n - 1, &l), is_plain);
			jsonl_line_release(&l);
		}
	}
}
END_TEST

START_TEST(numbers_that_were_read_before_are_not_mixed_up)
{
	struct jsonl_known known;

	memset(&known, 0, sizeof(known));
	for (unsigned i = 0; i < 30000; i++) {
		struct jsonl_line l = {.known = &known};
		double p = (1 + i % 977) / 977.0;
		char text[512];
		int n = snprintf(text, sizeof(text),
		    OURS(2) "\"decision\",\"decision\":\"d\",\"arms\":[{\"arm\":\"a\","
			    "\"propensity\":%.*g}],\"expires_at\":null}",
		    i % 2 ? 17 : 3, p);

		ck_assert(jsonl_fast(text, (size_t)n, &l));
		ck_assert(l.propensity == (i % 2 ? p : strtod(strstr(text, "ity\":") + 5, NULL)));
	}
}
END_TEST

RUN("jsonl_line", both_readers_of_a_line_agree, the_fast_reader_leaves_bytes_beside_plain_text,
    numbers_that_were_read_before_are_not_mixed_up)
