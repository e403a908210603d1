/* SPDX-License-Identifier: Apache-2.0 */
/* bandit serve-demo: a recommender back end in miniature. Every request carries an id or key of
 * ours, so the daemon may be killed and started again at any moment and no count is lost. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/given.h"
#include "eval/rejection.h"

#define NAME_MAX_BYTES 32 /* of a decision here */
#define MEM_MAX ((size_t)64 << 20)
#define PATH_MAX_BYTES 512
#define ROUNDS 2000
#define SHOWN_ARMS 40

const char serve_demo_usage[] =
    "usage: bandit serve-demo URL [OPTIONS]\n"
    "\n"
    "Plays a log through the HTTP API of a running daemon, as a recommender's back end would, and\n"
    "prints what was learnt. Without a log a small audience is made up. The daemon may be stopped\n"
    "and started meanwhile. URL is http://HOST:PORT or unix:PATH.\n"
    "\n"
    "  -l, --log FILE       Open Bandit Dataset, .csv: a click is sent where the decision is the\n"
    "                       logged one, the others are made void\n"
    "      --format F       obd (auto)\n"
    "  -p, --policy P       JSON, @file, or name:key=value,... (thompson)\n"
    "  -s, --seed S         of the experiment and of the made-up audience (1)\n"
    "  -n, --rounds N       the first N rounds of the log alone (made-up: 2000)\n"
    "  -e, --experiment E   its name (demo)\n"
    "      --json           one JSON document\n";

static const char *const demo_arms[] = {"news", "sport", "film", "music", "travel"};
#define DEMO_ARMS (sizeof(demo_arms) / sizeof(demo_arms[0]))

struct demo {
	const char *url, *log_path, *experiment;
	struct given_policy policy;
	uint64_t seed, rounds;
	bool json;
	struct client *client;
	struct rejection_log log; /* nitems 0: the audience is made up */
	double rate[DEMO_ARMS];
	struct rejection_result result;
};

/* One request below /v1/experiments/E; takes body. */
static int call(struct demo *d, const char *method, const char *rest, json_t *body, json_t **ret,
    struct errinfo *err)
{
	char path[PATH_MAX_BYTES];
	int rc;

	snprintf(path, sizeof(path), "/v1/experiments/%s%s", d->experiment, rest);
	rc = client_call(d->client, method, path, body, ret, err);
	json_decref(body);
	return rc;
}

static int create(struct demo *d, struct errinfo *err)
{
	json_t *arms = json_array(), *answer = NULL;
	size_t n = d->log.nitems ? d->log.nitems : DEMO_ARMS;
	int rc;

	for (size_t i = 0; i < n; i++) {
		json_array_append_new(
		    arms, json_string(d->log.nitems ? d->log.items[i] : demo_arms[i]));
	}
	rc = call(d, "PUT", "",
	    json_pack(
		"{sO so sI}", "policy", d->policy.json, "arms", arms, "seed", (json_int_t)d->seed),
	    &answer, err);
	json_decref(answer);
	return rc == RC_CONFLICT ? err_set(err, rc, "conflict", "", "choose another --experiment")
				 : rc;
}

/* Decides; the arm's id is copied. */
static int decide(struct demo *d, const char *id, uint64_t position, char ret_arm[ID_MAX + 1],
    struct errinfo *err)
{
	json_t *answer = NULL;
	const char *arm;
	int rc = call(d, "POST", "/decisions",
	    json_pack("{ss s{sI}}", "id", id, "context", "position", (json_int_t)position), &answer,
	    err);

	if (rc) {
		return rc;
	}
	arm = json_string_value(json_object_get(answer, "arm"));
	if (!arm || !id_is_valid(arm)) {
		rc = err_set(err, RC_FAILED, "no_arm", "/decisions", "an answer without an arm");
	} else {
		memcpy(ret_arm, arm, strlen(arm) + 1);
	}
	json_decref(answer);
	return rc;
}

static int settle(struct demo *d, const char *id, bool keeps, bool click, struct errinfo *err)
{
	char rest[NAME_MAX_BYTES + 32];
	json_t *answer = NULL;
	int rc;

	if (keeps) {
		rc = call(d, "POST", "/rewards",
		    json_pack("{ss si ss}", "decision", id, "reward", click, "key", id), &answer,
		    err);
	} else {
		snprintf(rest, sizeof(rest), "/decisions/%s/void", id);
		rc = call(d, "POST", rest, NULL, &answer, err);
	}
	json_decref(answer);
	if (rc == 0) {
		d->result.rounds++;
		d->result.accepted += keeps;
		d->result.clicks += keeps && click;
	}
	return rc;
}

static bool made_up_click(const struct demo *d, uint64_t row, const char *arm)
{
	struct rng rng = rng_at(d->seed, row, RNG_ENV);
	double u = rng_uniform(&rng);

	for (size_t i = 0; i < DEMO_ARMS; i++) {
		if (strcmp(arm, demo_arms[i]) == 0) {
			return u < d->rate[i];
		}
	}
	return false;
}

static int play_round(struct demo *d, uint64_t row, const struct round *logged, struct errinfo *err)
{
	char id[NAME_MAX_BYTES], arm[ID_MAX + 1];
	int rc;

	snprintf(id, sizeof(id), "demo-%" PRIu64, row);
	rc = decide(d, id, logged ? logged->position : 1, arm, err);
	if (rc) {
		return rc;
	}
	return logged ? settle(d, id, rejection_keeps(&d->log, d->seed, row, logged, arm),
			    logged->reward != 0, err)
		      : settle(d, id, true, made_up_click(d, row, arm), err);
}

static int play_made_up(struct demo *d, struct errinfo *err)
{
	struct rng rng = rng_at(d->seed, 0, RNG_ENV);
	struct progress bar;
	int rc = 0;

	for (size_t i = 0; i < DEMO_ARMS; i++) {
		d->rate[i] = 0.05 + 0.5 * rng_uniform(&rng);
	}
	progress_start(&bar, "rounds", d->rounds);
	for (uint64_t row = 1; rc == 0 && row <= d->rounds; row++) {
		rc = play_round(d, row, NULL, err);
		progress_add(&bar, 1);
	}
	progress_clear(&bar);
	return rc;
}

static int play_log(struct demo *d, struct errinfo *err)
{
	uint64_t last = d->rounds && d->rounds < d->log.rows ? d->rounds : d->log.rows, row = 0;
	struct progress bar;
	struct round round;
	int rc = round_file_rewind(d->log.kept, err), more = 1;

	progress_start(&bar, "rounds", last);
	while (rc == 0 && row < last && (more = round_file_next(d->log.kept, &round, err)) == 1) {
		rc = play_round(d, ++row, &round, err);
		progress_add(&bar, 1);
	}
	progress_clear(&bar);
	return rc ? rc : more < 0 ? more : 0;
}

static double real(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void print_stats(const struct demo *d, const json_t *stats)
{
	const json_t *arms = json_object_get(stats, "arms"), *arm;
	size_t i;

	printf("%" PRIu64 " rounds, %" PRIu64 " accepted, %" PRIu64 " clicks", d->result.rounds,
	    d->result.accepted, d->result.clicks);
	if (d->result.accepted) {
		printf(", mean %.5f", (double)d->result.clicks / (double)d->result.accepted);
	}
	printf("\n\n%-20s %10s %10s %8s %19s %7s\n", "arm", "decisions", "rewards", "mean", "95 %",
	    "share");
	json_array_foreach (arms, i, arm) {
		if (i == SHOWN_ARMS) {
			printf("... %zu more\n", json_array_size(arms) - SHOWN_ARMS);
			break;
		}
		printf("%-20s %10.0f %10.0f %8.4f   %7.4f - %7.4f %6.1f%%",
		    json_string_value(json_object_get(arm, "arm")), real(arm, "decisions"),
		    real(arm, "rewards"), real(arm, "mean"), real(arm, "lo"), real(arm, "hi"),
		    100 * real(arm, "share"));
		if (d->log.nitems == 0 && i < DEMO_ARMS) {
			printf("   true rate %.4f", d->rate[i]);
		}
		putchar('\n');
	}
}

static int report(struct demo *d, struct errinfo *err)
{
	json_t *stats = NULL;
	int rc = call(d, "GET", "/stats", NULL, &stats, err);

	if (client_retries(d->client)) {
		fprintf(
		    stderr, "%" PRIu64 " requests were sent again\n", client_retries(d->client));
	}
	if (rc) {
		return rc;
	}
	if (d->json) {
		rc = cli_print_json("serve-demo",
		    json_pack("{ss sO sI sI sI sI sO}", "experiment", d->experiment, "policy",
			d->policy.json, "seed", (json_int_t)d->seed, "rounds",
			(json_int_t)d->result.rounds, "accepted", (json_int_t)d->result.accepted,
			"clicks", (json_int_t)d->result.clicks, "stats", stats));
	} else {
		print_stats(d, stats);
		rc = cli_flush("serve-demo");
	}
	json_decref(stats);
	return rc ? err_set(err, RC_IO, "output", "", "the result could not be printed") : 0;
}

static void on_refused(void *arg, const struct errinfo *err)
{
	(void)arg;
	fprintf(stderr, "bandit serve-demo: %s: %s\n", err->pointer, err->text);
}

static int serve_demo(struct demo *d)
{
	const struct log_options o = {.format = "obd", .refused = on_refused};
	struct errinfo err = {.rc = 0};
	int rc = client_new(d->url, &d->client, &err);

	if (rc == 0 && d->log_path) {
		rc = rejection_scan(d->log_path, &o, &d->log, &err);
	}
	d->rounds = d->rounds || d->log_path ? d->rounds : ROUNDS;
	rc = rc ? rc : create(d, &err);
	rc = rc ? rc : d->log_path ? play_log(d, &err) : play_made_up(d, &err);
	rc = rc ? rc : report(d, &err);
	client_free(d->client);
	rejection_log_release(&d->log);
	return rc ? cli_fail("serve-demo", &err) : CLI_DONE;
}

enum { OPT_FORMAT = 256, OPT_JSON };
static const struct option options[] = {{"log", required_argument, NULL, 'l'},
    {"format", required_argument, NULL, OPT_FORMAT}, {"policy", required_argument, NULL, 'p'},
    {"seed", required_argument, NULL, 's'}, {"rounds", required_argument, NULL, 'n'},
    {"experiment", required_argument, NULL, 'e'}, {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

/* The status that ends the program, or -1: go on. */
static int read_option(int c, const char **policy, struct demo *d)
{
	switch (c) {
	case 'l':
		d->log_path = optarg;
		return -1;
	case 'p':
		*policy = optarg;
		return -1;
	case 'e':
		d->experiment = optarg;
		return id_is_valid(optarg) ? -1
					   : cli_usage("serve-demo", "--experiment is not an id");
	case 's':
		return cli_whole(optarg, UINT64_C(1) << 53, &d->seed)
			   ? cli_usage("serve-demo", "--seed must be a whole number up to 2^53")
			   : -1;
	case 'n':
		return cli_whole(optarg, UINT64_C(1) << 53, &d->rounds)
			   ? cli_usage("serve-demo", "--rounds must be a whole number")
			   : -1;
	case OPT_FORMAT:
		return strcmp(optarg, "obd") != 0 && strcmp(optarg, "auto") != 0
			   ? cli_usage("serve-demo", "--format must be auto or obd, not %s", optarg)
			   : -1;
	case OPT_JSON:
		d->json = true;
		return -1;
	case 'h':
		fputs(serve_demo_usage, stdout);
		return cli_flush("serve-demo");
	default:
		return CLI_USAGE;
	}
}

int cmd_serve_demo(int argc, char **argv)
{
	struct demo d = {.experiment = "demo", .seed = 1};
	const char *policy = "thompson";
	struct errinfo err = {.rc = 0};
	struct arena mem;
	int c, status = -1;

	arena_init(&mem, MEM_MAX);
	while (status < 0 && (c = getopt_long(argc, argv, "l:p:s:n:e:h", options, NULL)) != -1) {
		status = read_option(c, &policy, &d);
	}
	if (status < 0 && argc - optind != 1) {
		status = cli_usage("serve-demo", "needs one URL");
	}
	if (status < 0 && given_policy(policy, &mem, &d.policy, &err)) {
		status = cli_usage("serve-demo", "--policy: %s: %s", err.pointer, err.text);
	}
	if (status < 0) {
		d.url = argv[optind];
		status = serve_demo(&d);
	}
	json_decref(d.policy.json);
	arena_release(&mem);
	return status;
}
