/* SPDX-License-Identifier: Apache-2.0 */
/* bandit convert: a log of one format as one of another. Read twice: first for its arms. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/state_log.h"

const char convert_usage[] =
    "usage: bandit convert IN OUT --to jsonl|vw|dsjson [--from FORMAT]\n"
    "\n"
    "IN is as for bandit replay, but not standard input; OUT may be -, standard output. What the\n"
    "other format does not hold is told on standard error.\n"
    "\n"
    "      --from F   auto, jsonl, dsjson, vw or obd (auto)\n"
    "      --to F     jsonl: our own; vw: cb or cb_adf; dsjson\n";

struct convert {
	const char *path, *from, *to;
	struct log_arms *arms;
	FILE *out;
	uint64_t rounds, refused, passed, seq, last_us, lifted;
	uint64_t weights, positions, times, unrewarded, features;
	size_t dim;
	double lo, hi;
};

static void on_refused(void *arg, const struct errinfo *err)
{
	(void)arg;
	fprintf(stderr, "bandit convert: %s: %s\n", err->pointer, err->text);
}

static void notice(struct convert *c, const struct round *r)
{
	c->rounds++;
	c->weights += r->weight != 1;
	c->positions += r->position != 0;
	c->times += r->at_us != 0;
	c->unrewarded += !r->has_reward;
	c->features += r->dim != 0;
	c->dim = r->dim > c->dim ? r->dim : c->dim;
	c->lo = r->has_reward && r->reward < c->lo ? r->reward : c->lo;
	c->hi = r->has_reward && r->reward > c->hi ? r->reward : c->hi;
}

static uint32_t eligible(const struct convert *c, const struct round *r, size_t i)
{
	(void)c;
	return r->neligible ? r->eligible[i] : (uint32_t)i;
}

static size_t neligible(const struct convert *c, const struct round *r)
{
	return r->neligible ? r->neligible : log_arms_count(c->arms);
}

/* ---- our own ---- */

static void jsonl_head(struct convert *c)
{
	fputs("{\"v\":1,\"experiment\":\"converted\",\"seq\":1,\"at\":\"1970-01-01T00:00:00."
	      "000001Z\",\"kind\":\"create\",\"policy\":{\"name\":\"uniform\",\"params\":{}},"
	      "\"arms\":[",
	    c->out);
	for (uint32_t i = 0; i < log_arms_count(c->arms); i++) {
		fprintf(c->out, "%s{\"id\":\"%s\",\"label\":\"\"}", i ? "," : "",
		    log_arms_id(c->arms, i));
	}
	fputs("],\"context\":[", c->out);
	for (size_t i = 0; i < c->dim; i++) {
		fprintf(c->out, "%s\"x%zu\"", i ? "," : "", i);
	}
	fprintf(c->out,
	    "],\"slots\":1,\"seed\":1,\"fingerprint\":\"0000000000000000\",\"lo\":%.17g,"
	    "\"hi\":%.17g,\"goal\":\"maximise\",\"floor\":0.0,\"state\":\"running\","
	    "\"label\":\"converted\",\"window\":null,\"default\":null,\"late\":\"record\","
	    "\"aggregate\":\"first\"}\n",
	    c->lo, c->hi);
	c->seq = 1;
}

static void jsonl_start(struct convert *c, const struct round *r, const char *kind)
{
	char at[CLOCK_TEXT_MAX];

	/* Time does not go back in a log of ours. */
	c->lifted += kind[0] == 'd' && r->at_us && r->at_us < c->last_us;
	c->last_us = r->at_us > c->last_us ? r->at_us : c->last_us;
	clock_format(c->last_us ? c->last_us : 1, at);
	fprintf(c->out,
	    "{\"v\":1,\"experiment\":\"converted\",\"seq\":%" PRIu64 ",\"at\":\"%s\","
	    "\"kind\":\"%s\",\"decision\":\"r%" PRIu64 "\",",
	    ++c->seq, at, kind, r->index + 1);
}

static void jsonl_round(struct convert *c, const struct round *r)
{
	const char *arm = log_arms_id(c->arms, r->arm);

	jsonl_start(c, r, "decision");
	fprintf(c->out, "\"arms\":[{\"arm\":\"%s\",\"propensity\":%.17g}]", arm, r->propensity);
	for (size_t i = 0; i < r->neligible; i++) {
		fprintf(c->out, "%s\"%s\"%s", i ? "," : ",\"eligible\":[",
		    log_arms_id(c->arms, r->eligible[i]), i + 1 == r->neligible ? "]" : "");
	}
	fprintf(c->out, ",\"fingerprint\":\"0000000000000000\",\"expires_at\":null");
	if (r->position) {
		fprintf(c->out, ",\"context\":{\"position\":%" PRIu32 "}", r->position);
	}
	for (size_t i = 0; i < r->dim; i++) {
		fprintf(
		    c->out, "%s%.17g%s", i ? "," : ",\"x\":[", r->x[i], i + 1 == r->dim ? "]" : "");
	}
	fputs("}\n", c->out);
	if (r->has_reward) {
		uint64_t ref = c->seq;

		jsonl_start(c, r, "reward");
		fprintf(c->out,
		    "\"ref\":%" PRIu64 ",\"arm\":\"%s\",\"propensity\":%.17g,\"reward\":%.17g,"
		    "\"status\":\"learnt\",\"learnt\":%.17g,\"closes\":true}\n",
		    ref, arm, r->propensity, r->reward, r->reward);
	}
}

/* ---- Vowpal Wabbit's ---- */

static void vw_features(struct convert *c, const struct round *r)
{
	fputs("|", c->out);
	for (size_t i = 0; i < r->dim; i++) {
		fprintf(c->out, " x%zu:%.17g", i, r->x[i]);
	}
	fputs("\n", c->out);
}

static void vw_round(struct convert *c, const struct round *r)
{
	fputs("shared ", c->out);
	vw_features(c, r);
	for (size_t i = 0; i < neligible(c, r); i++) {
		uint32_t arm = eligible(c, r, i);

		if (arm == r->arm && r->has_reward) {
			fprintf(c->out, "0:%.17g:%.17g ", 0 - r->reward, r->propensity);
		}
		fprintf(c->out, "|a %s\n", log_arms_id(c->arms, arm));
	}
	fputs("\n", c->out);
}

static void dsjson_list(struct convert *c, const struct round *r, size_t taken)
{
	size_t n = neligible(c, r);
	double rest = n > 1 ? (1 - r->propensity) / (double)(n - 1) : 0;

	fprintf(c->out, "\"a\":[%zu", taken + 1);
	for (size_t i = 0; i < n; i++) {
		if (i != taken) {
			fprintf(c->out, ",%zu", i + 1);
		}
	}
	fprintf(c->out, "],\"p\":[%.17g", r->propensity);
	for (size_t i = 1; i < n; i++) {
		fprintf(c->out, ",%.17g", rest);
	}
	fputs("],\"c\":{\"x\":{", c->out);
	for (size_t i = 0; i < r->dim; i++) {
		fprintf(c->out, "%s\"x%zu\":%.17g", i ? "," : "", i, r->x[i]);
	}
	fputs("},\"_multi\":[", c->out);
	for (size_t i = 0; i < n; i++) {
		const char *id = log_arms_id(c->arms, eligible(c, r, i));

		fprintf(c->out, "%s{\"_tag\":\"%s\",\"a\":{\"id\":\"%s\"}}", i ? "," : "", id, id);
	}
	fputs("]}", c->out);
}

static void dsjson_round(struct convert *c, const struct round *r)
{
	char at[CLOCK_TEXT_MAX];
	size_t taken = 0;

	while (taken + 1 < neligible(c, r) && eligible(c, r, taken) != r->arm) {
		taken++;
	}
	fputs("{", c->out);
	if (r->has_reward) {
		fprintf(c->out,
		    "\"_label_cost\":%.17g,\"_label_probability\":%.17g,\"_label_Action\":%zu,"
		    "\"_labelIndex\":%zu,",
		    0 - r->reward, r->propensity, taken + 1, taken);
	}
	if (r->at_us) {
		clock_format(r->at_us, at);
		fprintf(c->out, "\"Timestamp\":\"%s\",", at);
	}
	fprintf(c->out, "\"Version\":\"1\",\"EventId\":\"r%" PRIu64 "\",", r->index + 1);
	dsjson_list(c, r, taken);
	if (r->weight != 1) {
		fprintf(c->out, ",\"pdrop\":%.17g", 1 - 1 / r->weight);
	}
	fputs("}\n", c->out);
}

/* ---- all ---- */

static void tell(uint64_t n, const char *what)
{
	if (n) {
		fprintf(stderr, "lost: %s (%" PRIu64 " rounds)\n", what, n);
	}
}

static void tell_loss(const struct convert *c)
{
	bool ours = strcmp(c->to, "jsonl") == 0, vw = strcmp(c->to, "vw") == 0;

	fprintf(stderr, "%" PRIu64 " rounds; %" PRIu64 " lines refused, %" PRIu64 " passed over\n",
	    c->rounds, c->refused, c->passed);
	tell(ours || vw ? c->weights : 0, "weights for events that were dropped");
	tell(c->lifted, "times that go back, lifted to the one before");
	tell(ours ? 0 : c->positions, "positions");
	tell(vw ? c->times : 0, "times");
	tell(ours ? 0 : c->rounds, vw ? "names of arms stand as features alone"
				      : "probabilities of other arms, spread evenly");
	tell(c->rounds, "features and settings that no round holds");
}

static int pass(struct convert *c, bool write, struct errinfo *err)
{
	bool ours = strcmp(c->to, "jsonl") == 0, vw = strcmp(c->to, "vw") == 0;
	const struct log_options o = {
	    .open = state_log_open, .format = c->from, .refused = write ? NULL : on_refused};
	struct log *l = NULL;
	struct round r;
	int rc = log_open(c->path, &o, c->arms, &l, err);

	while (rc == 0 && (rc = log_next(l, &r, err)) == 1) {
		rc = 0;
		if (!write) {
			notice(c, &r);
		} else {
			(ours ? jsonl_round : vw ? vw_round : dsjson_round)(c, &r);
			rc = ferror(c->out) ? err_set(err, RC_IO, "output", "", "cannot write") : 0;
		}
	}
	if (l && !write) {
		c->refused = log_refused(log_counts(l));
		for (int i = LOG_REFUSALS; i < LOG_REASONS; i++) {
			c->passed += log_counts(l)->by_reason[i];
		}
	}
	log_close(l);
	return rc;
}

static int convert(struct convert *c, const char *out)
{
	struct errinfo err = {.rc = 0};
	int rc = log_arms_new(&c->arms);

	rc = rc ? err_set(&err, rc, "out_of_memory", "", "out of memory") : pass(c, false, &err);
	c->out = strcmp(out, "-") == 0 || rc ? stdout : fopen(out, "w");
	if (rc == 0 && !c->out) {
		rc = err_set(&err, RC_IO, "cannot_write", out, "cannot be made");
	}
	if (rc == 0 && strcmp(c->to, "jsonl") == 0) {
		jsonl_head(c);
	}
	rc = rc ? rc : pass(c, true, &err);
	if (c->out && (c->out == stdout ? fflush(c->out) : fclose(c->out)) && rc == 0) {
		rc = err_set(&err, RC_IO, "cannot_write", out, "not all could be written");
	}
	if (rc == 0) {
		tell_loss(c);
	}
	log_arms_free(c->arms);
	return rc ? cli_fail("convert", &err) : CLI_DONE;
}

int cmd_convert(int argc, char **argv)
{
	static const struct option options[] = {{"from", required_argument, NULL, 'f'},
	    {"to", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	struct convert c = {.hi = 1};
	int o;

	while ((o = getopt_long(argc, argv, "f:t:h", options, NULL)) != -1) {
		if (o == 'h') {
			fputs(convert_usage, stdout);
			return cli_flush("convert");
		}
		if (o != 'f' && o != 't') {
			return CLI_USAGE;
		}
		*(o == 'f' ? &c.from : &c.to) = optarg;
	}
	if (c.from && !log_format_is(c.from)) {
		return cli_usage("convert", "no format %s", c.from);
	}
	if (!c.to || (strcmp(c.to, "jsonl") && strcmp(c.to, "vw") && strcmp(c.to, "dsjson"))) {
		return cli_usage("convert", "--to must be jsonl, vw or dsjson");
	}
	if (argc - optind != 2 || strcmp(argv[optind], "-") == 0) {
		return cli_usage("convert", "needs a file IN and one OUT");
	}
	c.path = argv[optind];
	return convert(&c, argv[optind + 1]);
}
