/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of logs: what gives a round, and every shape that is refused. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/hash.h"
#include "eval/jsonl_line.h"
#include "eval/line_in.h"
#include "eval/log_read.h"

#define ROUNDS_MAX 16
#define HEADER "x,timestamp,item_id,position,click,propensity_score\n"

struct got {
	struct round round[ROUNDS_MAX];
	char arm[ROUNDS_MAX][129];
	struct log_counts counts;
	struct errinfo refused; /* the last */
	char format[16];
	size_t n;
};

static void on_refused(void *arg, const struct errinfo *err)
{
	struct got *g = arg;

	g->refused = *err;
}

static void read_all(const char *format, const char *text, size_t open_max, struct got *g)
{
	struct log_options o = {
	    .format = format, .refused = on_refused, .arg = g, .open_max = open_max};
	struct errinfo err = {.rc = 0};
	struct log_arms *arms;
	struct log *l;

	memset(g, 0, sizeof(*g));
	ck_assert_int_eq(hash_init(), 0);
	ck_assert_int_eq(log_arms_new(&arms), 0);
	ck_assert_msg(log_open_bytes("log", text, strlen(text), &o, arms, &l, &err) == 0, "%s %s",
	    err.pointer, err.text);
	while (log_next(l, &g->round[g->n], &err) == 1) {
		snprintf(
		    g->arm[g->n], sizeof(g->arm[0]), "%s", log_arms_id(arms, g->round[g->n].arm));
		ck_assert_uint_lt(++g->n, ROUNDS_MAX);
	}
	ck_assert_msg(err.rc == 0, "%s", err.text);
	snprintf(g->format, sizeof(g->format), "%s", log_format(l));
	g->counts = *log_counts(l);
	log_close(l);
	log_arms_free(arms);
}

static void assert_refused(
    const char *format, const char *text, enum log_reason reason, const char *why)
{
	struct got g;

	read_all(format, text, 0, &g);
	ck_assert_msg(log_refused(&g.counts) == 1 && g.counts.by_reason[reason] == 1, "%s: %s (%s)",
	    text, g.refused.text, why);
	ck_assert_msg(strstr(g.refused.text, why) != NULL, "%s: %s", text, g.refused.text);
	ck_assert_int_eq(strncmp(g.refused.pointer, "log:", 4), 0);
	ck_assert_uint_eq(g.n, 1); /* it went on */
}

/* ---- obd ---- */

START_TEST(columns_are_found_by_name)
{
	struct got g;

	read_all("auto",
	    "\xef\xbb\xbfpropensity_score,click,z,position,item_id\r\n"
	    "0.25,1,9,3,a:b\r\n0.5,0,9,0,33\n",
	    0, &g);
	ck_assert_str_eq(g.format, "obd");
	ck_assert_uint_eq(g.n, 2);
	ck_assert_str_eq(g.arm[0], "a:b");
	ck_assert(g.round[0].propensity == 0.25 && g.round[0].reward == 1);
	ck_assert_uint_eq(g.round[0].position, 3);
	ck_assert_uint_eq(g.round[0].at_us, 0);
	ck_assert_uint_eq(g.round[1].line, 3);
}
END_TEST

START_TEST(quotes_hold_commas_quotes_and_line_ends)
{
	struct got g;

	read_all("obd",
	    HEADER "\"a \"\"b\"\",\nc\",2020-01-01T00:00:00.5Z,\"7\",1,\"1\",0.5\n"
		   "\"\",2020-01-01 00:00:01+00:00,8,1,0,1\n",
	    0, &g);
	ck_assert_uint_eq(g.n, 2);
	ck_assert_str_eq(g.arm[0], "7");
	ck_assert_uint_eq(g.round[0].at_us, UINT64_C(1577836800500000));
	ck_assert_str_eq(g.arm[1], "8");
	ck_assert_uint_eq(g.round[1].line, 4);
}
END_TEST

static void assert_bad_row(const char *row, enum log_reason reason, const char *why)
{
	char text[512];

	snprintf(text, sizeof(text), HEADER ",2020-01-01 00:00:00Z,7,1,1,0.5\n%s\n", row);
	assert_refused("obd", text, reason, why);
}

START_TEST(bad_rows_are_refused)
{
	assert_bad_row(",2020-01-01 00:00:00Z,a b,1,0,0.5", LOG_REFERENCE, "item_id");
	assert_bad_row(",2020-01-01 00:00:00Z,,1,0,0.5", LOG_REFERENCE, "item_id");
	assert_bad_row(",2020-01-01 00:00:00Z,1,-1,0,0.5", LOG_VALUE, "position");
	assert_bad_row(",2020-01-01 00:00:00Z,1,1.5,0,0.5", LOG_VALUE, "position");
	assert_bad_row(",2020-01-01 00:00:00Z,1,1,2,0.5", LOG_VALUE, "click");
	assert_bad_row(",2020-01-01 00:00:00Z,1,1,nan,0.5", LOG_VALUE, "click");
	assert_bad_row(",2020-01-01 00:00:00Z,1,1,0,0", LOG_PROPENSITY, "propensity");
	assert_bad_row(",2020-01-01 00:00:00Z,1,1,0,1.1", LOG_PROPENSITY, "propensity");
	assert_bad_row(",2020-01-01 00:00:00Z,1,1,0,nan", LOG_PROPENSITY, "propensity");
	assert_bad_row(",yesterday,1,1,0,0.5", LOG_VALUE, "timestamp");
	assert_bad_row(",2020-01-01 00:00:00Z,1,1,0", LOG_SYNTAX, "fields");
	assert_bad_row(",2020-01-01 00:00:00Z,1,1,0,0.5,", LOG_SYNTAX, "fields");
	assert_bad_row("\"a\"b,2020-01-01 00:00:00Z,1,1,0,0.5", LOG_SYNTAX, "quote");
	assert_bad_row("\"a,2020-01-01 00:00:00Z,1,1,0,0.5", LOG_SYNTAX, "quote");
	assert_bad_row("", LOG_SYNTAX, "fields");
}
END_TEST

/* ---- dsjson ---- */

#define DS(fields) "{" fields ",\"a\":[2,1],\"p\":[0.5,0.5],\"c\":{\"_multi\":[{},{}]}}\n"
#define DS_LABEL "\"_label_cost\":-1,\"_label_probability\":0.5,\"_labelIndex\":1"
#define DS_GOOD DS(DS_LABEL)

START_TEST(dsjson_gives_costs_as_rewards_and_weights)
{
	struct got g;

	read_all("auto",
	    "checkpoint\n" DS(DS_LABEL ",\"_label_Action\":1,\"pdrop\":0.75") DS(
		DS_LABEL ",\"_original_label_cost\":-3") "{\"RewardValue\":1.0,\"EventId\":\"x\"}"
							 "\n" DS(DS_LABEL ",\"_skipLearn\":true"),
	    0, &g);
	ck_assert_str_eq(g.format, "dsjson");
	ck_assert_uint_eq(g.n, 2);
	ck_assert_str_eq(g.arm[0], "2"); /* _labelIndex, whatever else says */
	ck_assert(g.round[0].weight == 4 && g.round[0].reward == 1);
	ck_assert(g.round[1].weight == 1 && g.round[1].reward == 3);
	ck_assert_uint_eq(g.round[0].neligible, 2);
	ck_assert_uint_eq(g.counts.by_reason[LOG_DANGLING], 1);
	ck_assert_uint_eq(g.counts.by_reason[LOG_UNLABELLED], 1);
	ck_assert_uint_eq(log_refused(&g.counts), 0);
}
END_TEST

START_TEST(dsjson_with_slots_is_checked_and_counted)
{
	struct got g;

	read_all("dsjson",
	    DS_GOOD "{\"_outcomes\":[{\"_label_cost\":0,\"_a\":[1,0],\"_p\":[0.8,0.2]}],\"c\":{\"_"
		    "slots\":[]}}\n"
		    "{\"_label_ca\":{\"action\":1.5,\"cost\":0.5,\"pdf_value\":0.1}}\n",
	    0, &g);
	ck_assert_uint_eq(g.n, 1);
	ck_assert_uint_eq(g.counts.by_reason[LOG_NOT_SCORED], 2);
	assert_refused("dsjson", DS_GOOD "{\"_outcomes\":[{\"_a\":[1],\"_p\":[1.5]}]}\n",
	    LOG_PROPENSITY, "(0, 1]");
	assert_refused("dsjson", DS_GOOD "{\"_outcomes\":[{\"_a\":[-1],\"_p\":[0.5]}]}\n",
	    LOG_REFERENCE, "slot");
	assert_refused(
	    "dsjson", DS_GOOD "{\"_label_ca\":{\"pdf_value\":0}}\n", LOG_PROPENSITY, "pdf");
}
END_TEST

START_TEST(bad_dsjson_is_refused)
{
	assert_refused("dsjson", DS_GOOD "{\"a\":[1\n", LOG_SYNTAX, "");
	assert_refused("dsjson", DS_GOOD DS("\"_label_cost\":NaN"), LOG_SYNTAX, "");
	assert_refused("dsjson", DS_GOOD DS("\"_label_cost\":\"NaN\""), LOG_VALUE, "_label_cost");
	assert_refused("dsjson", DS_GOOD DS(DS_LABEL ",\"_label_cost\":0"), LOG_LABELS, "");
	assert_refused("dsjson",
	    DS_GOOD DS("\"_label_cost\":0,\"_labelIndex\":0,\"_label_probability\":0"),
	    LOG_PROPENSITY, "(0, 1]");
	assert_refused("dsjson",
	    DS_GOOD DS("\"_label_cost\":0,\"_labelIndex\":0,\"_label_probability\":1.01"),
	    LOG_PROPENSITY, "(0, 1]");
	assert_refused(
	    "dsjson", DS_GOOD DS("\"_label_cost\":0,\"_labelIndex\":2"), LOG_REFERENCE, "none of");
	assert_refused("dsjson", DS_GOOD DS(DS_LABEL ",\"pdrop\":1"), LOG_VALUE, "pdrop");
}
END_TEST

/* ---- vw ---- */

START_TEST(vw_lines_are_events_or_parts_of_one)
{
	struct got g;

	read_all("auto", "2:-1:0.25 | a b\n| only:1 features\n1:0.5:1 'tag| c\n", 0, &g);
	ck_assert_str_eq(g.format, "vw");
	ck_assert_uint_eq(g.n, 2);
	ck_assert_str_eq(g.arm[0], "2");
	ck_assert(g.round[0].reward == 1 && g.round[0].propensity == 0.25);
	ck_assert_uint_eq(g.counts.by_reason[LOG_UNLABELLED], 1);
	read_all("auto", "shared | s\n|A x\n0:-2:0.5 |A y\n\n|A x\n0:1:0.5|A z\n|A y\n", 0, &g);
	ck_assert_uint_eq(g.n, 2);
	ck_assert_str_eq(g.arm[0], "2");
	ck_assert_uint_eq(g.round[0].neligible, 2);
	ck_assert_uint_eq(g.round[1].neligible, 3);
	ck_assert_uint_eq(g.round[1].line, 5);
	read_all("auto",
	    "ccb shared | s\nccb action | a\nccb action | b\n"
	    "ccb slot 1:0.8:0.25,0:0.75 0,1 | x\n\n"
	    "slates shared 0.8 | s\nslates action 0 | a\nslates slot 0:1.0 | x\n\n"
	    "ca 1.5:0.2:0.1 | x\n",
	    0, &g);
	ck_assert_uint_eq(g.counts.by_reason[LOG_NOT_SCORED], 3);
	ck_assert_uint_eq(log_refused(&g.counts), 0);
}
END_TEST

START_TEST(bad_vw_is_refused)
{
	assert_refused("vw", "1:0:0.5 | a\n1:0:nan | a\n", LOG_VALUE, "label");
	assert_refused("vw", "1:0:0.5 | a\n1:nan:0.5 | a\n", LOG_VALUE, "label");
	assert_refused("vw", "1:0:0.5 | a\n1:0:0 | a\n", LOG_PROPENSITY, "(0, 1]");
	assert_refused("vw", "1:0:0.5 | a\n1:0:1.5 | a\n", LOG_PROPENSITY, "(0, 1]");
	assert_refused("vw", "1:0:0.5 | a\n1:0 | a\n", LOG_PROPENSITY, "(0, 1]");
	assert_refused("vw", "1:0:0.5 | a\n1:0:0.5 2:0:0.5 | a\n", LOG_LABELS, "second");
	assert_refused("vw", "1:0:0.5 | a\n0:0:0.5 | a\n", LOG_REFERENCE, "from 1");
	assert_refused("vw", "1:0:0.5 | a\n9e8:0:0.5 | a\n", LOG_REFERENCE, "large");
	assert_refused(
	    "vw", "shared | s\n0:0:1 | a\n\n0:0:0.5 | a\n1:0:0.5 | b\n", LOG_LABELS, "second");
	assert_refused(
	    "vw", "shared | s\n0:0:1 | a\n\nccb slot 0:0:0.5 | b\n", LOG_REFERENCE, "not there");
}
END_TEST

/* ---- our own ---- */

#define OURS(seq)                                                                                  \
	"{\"v\":1,\"experiment\":\"e\",\"seq\":" #seq                                              \
	",\"at\":\"2026-02-28T23:59:59.000007Z\",\"kind\":"
#define DECISION(seq, rest)                                                                        \
	OURS(seq)                                                                                  \
	"\"decision\",\"decision\":\"d" #seq                                                       \
	"\",\"arms\":[{\"arm\":\"a\",\"propensity\":0.25}]" rest "}\n"
#define REWARD(seq, ref, rest)                                                                     \
	OURS(seq)                                                                                  \
	"\"reward\",\"decision\":\"d" #ref "\",\"ref\":" #ref                                      \
	",\"arm\":\"a\",\"propensity\":0.25,\"reward\":2.0,\"status\":\"learnt\"" rest "}\n"
#define NEVER ",\"expires_at\":null"

START_TEST(rewards_are_joined_to_their_decisions)
{
	struct got g;

	read_all("auto",
	    DECISION(2, ",\"eligible\":[\"a\",\"c\"]" NEVER ",\"x\":[1.5,-2.0]") DECISION(3, NEVER)
		REWARD(4, 3, ",\"learnt\":0.5,\"closes\":true") REWARD(5, 2, ",\"learnt\":1.0")
		    REWARD(6, 2, ",\"learnt\":1.0") DECISION(7, NEVER),
	    0, &g);
	ck_assert_str_eq(g.format, "jsonl");
	ck_assert_uint_eq(g.n, 3);
	ck_assert(g.round[0].line == 2 && g.round[0].reward == 0.5 && g.round[0].has_reward);
	ck_assert(g.round[1].line == 1 && g.round[1].reward == 1 && g.round[1].dim == 2);
	ck_assert_uint_eq(g.round[1].neligible, 2);
	ck_assert(!g.round[2].has_reward && g.round[2].line == 6);
	ck_assert_uint_eq(g.round[0].at_us, UINT64_C(1772323199000007));
	ck_assert_uint_eq(g.counts.by_reason[LOG_DANGLING], 1);
}
END_TEST

START_TEST(the_oldest_goes_when_too_many_wait)
{
	struct got g;

	read_all("jsonl",
	    DECISION(2, NEVER) DECISION(3, NEVER) DECISION(4, NEVER) REWARD(5, 2, ",\"learnt\":1.0")
		REWARD(6, 4, ",\"learnt\":1.0"),
	    2, &g);
	ck_assert_uint_eq(g.n, 3);
	ck_assert(g.round[0].line == 1 && !g.round[0].has_reward);
	ck_assert(g.round[1].line == 3 && g.round[1].has_reward);
	ck_assert_uint_eq(g.counts.by_reason[LOG_DANGLING], 1);
}
END_TEST

START_TEST(costs_to_be_minimised_are_negated)
{
	struct got g;

	read_all("jsonl",
	    OURS(1) "\"create\",\"goal\":\"minimise\"}\n" DECISION(2, NEVER)
		REWARD(3, 2, ",\"learnt\":1.0"),
	    0, &g);
	ck_assert(g.n == 1 && g.round[0].reward == -1);
}
END_TEST

START_TEST(bad_lines_of_ours_are_refused)
{
	assert_refused("jsonl", DECISION(2, NEVER) "{\"v\":1\n", LOG_SYNTAX, "JSON");
	assert_refused("jsonl", DECISION(2, NEVER) DECISION(2, NEVER), LOG_LABELS, "already");
	assert_refused(
	    "jsonl", DECISION(2, NEVER) DECISION(3, NEVER ",\"seq\":4"), LOG_LABELS, "twice");
	assert_refused("jsonl",
	    DECISION(2, NEVER)
		OURS(3) "\"decision\",\"arms\":[{\"arm\":\"a\",\"propensity\":0}]}\n",
	    LOG_PROPENSITY, "(0, 1]");
	assert_refused("jsonl",
	    DECISION(2, NEVER)
		OURS(3) "\"decision\",\"arms\":[{\"arm\":\"a\",\"propensity\":1.5}]}\n",
	    LOG_PROPENSITY, "(0, 1]");
	assert_refused("jsonl",
	    DECISION(2, NEVER)
		OURS(3) "\"decision\",\"arms\":[{\"arm\":\"a b\",\"propensity\":1}]}\n",
	    LOG_REFERENCE, "name");
	assert_refused("jsonl",
	    DECISION(2, NEVER)
		OURS(3) "\"reward\",\"ref\":2,\"arm\":\"a\",\"propensity\":1,\"reward\":NaN}\n",
	    LOG_SYNTAX, "JSON");
	assert_refused("jsonl",
	    DECISION(2, NEVER) OURS(3) "\"reward\",\"ref\":2,\"arm\":\"a\",\"propensity\":1}\n",
	    LOG_SYNTAX, "no reward");
}
END_TEST

static bool same_text(const struct jsonl_text *a, const struct jsonl_text *b)
{
	return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

static void assert_alike(const char *text)
{
	struct jsonl_line a, b;
	const char *why = "";
	struct buf keep;
	bool twice;
	size_t n = strlen(text) - 1; /* without its end */

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	buf_init(&keep, LINE_MAX_BYTES);
	ck_assert_msg(jsonl_fast(text, n, &a), "%s", text);
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

/* ---- input ---- */

static void assert_lines(const void *data, size_t len)
{
	struct errinfo err = {.rc = 0};
	struct line_in *in;
	char *text;
	size_t n;

	ck_assert_msg(line_in_bytes(data, len, &in, &err) == 0, "%s", err.text);
	ck_assert(line_in_next(in, &text, &n, &err) == 1 && strcmp(text, "one") == 0);
	ck_assert(line_in_next(in, &text, &n, &err) == 1 && n == 0);
	ck_assert(line_in_next(in, &text, &n, &err) == 1 && strcmp(text, "three") == 0);
	ck_assert_uint_eq(line_in_number(in), 3);
	ck_assert_int_eq(line_in_next(in, &text, &n, &err), 0);
	line_in_close(in);
}

START_TEST(lines_come_from_bytes_and_gzip)
{
	static const char text[] = "one\r\n\nthree";
	unsigned char packed[256];
	z_stream z = {.next_out = packed, .avail_out = sizeof(packed)};
	struct errinfo err = {.rc = 0};
	struct line_in *in;
	char *line;
	size_t n, len;

	assert_lines(text, sizeof(text) - 1);
	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)text;
	z.avail_in = sizeof(text) - 1;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	len = sizeof(packed) - z.avail_out;
	deflateEnd(&z);
	assert_lines(packed, len);
	ck_assert_int_eq(line_in_bytes(packed, len - 9, &in, &err), 0);
	while (line_in_next(in, &line, &n, &err) == 1) {
	}
	ck_assert_int_eq(err.rc, RC_CORRUPT);
	line_in_close(in);
}
END_TEST

START_TEST(a_line_too_long_is_passed_over)
{
	size_t len = LINE_MAX_BYTES + (1 << 20);
	char *text = malloc(len + 64);
	struct got g;

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', len);
	snprintf(text + len, 64, "\n1:0:0.5 | a\n");
	read_all("vw", text, 0, &g);
	ck_assert_uint_eq(g.n, 1);
	ck_assert_uint_eq(g.round[0].line, 2);
	ck_assert_uint_eq(g.counts.by_reason[LOG_SYNTAX], 1);
	ck_assert_str_eq(g.refused.pointer, "log:1");
	free(text);
}
END_TEST

START_TEST(what_is_no_log_is_said)
{
	struct errinfo err = {.rc = 0};
	struct log_arms *arms;
	struct log *l = NULL;

	ck_assert_int_eq(hash_init(), 0);
	ck_assert_int_eq(log_arms_new(&arms), 0);
	ck_assert_int_eq(log_open("/nowhere/log", NULL, arms, &l, &err), RC_IO);
	err.rc = 0;
	ck_assert_int_eq(log_open_bytes("x", "words\n", 6, NULL, arms, &l, &err), RC_INVALID);
	err.rc = 0;
	ck_assert_int_eq(log_open_bytes("x", "", 0, NULL, arms, &l, &err), RC_INVALID);
	ck_assert_ptr_null(l);
	log_arms_free(arms);
}
END_TEST

RUN("log_read", columns_are_found_by_name, quotes_hold_commas_quotes_and_line_ends,
    bad_rows_are_refused, dsjson_gives_costs_as_rewards_and_weights,
    dsjson_with_slots_is_checked_and_counted, bad_dsjson_is_refused,
    vw_lines_are_events_or_parts_of_one, bad_vw_is_refused, rewards_are_joined_to_their_decisions,
    the_oldest_goes_when_too_many_wait, costs_to_be_minimised_are_negated,
    bad_lines_of_ours_are_refused, both_readers_of_a_line_agree, lines_come_from_bytes_and_gzip,
    a_line_too_long_is_passed_over, what_is_no_log_is_said)
