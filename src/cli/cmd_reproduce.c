/* SPDX-License-Identifier: Apache-2.0 */
/* bandit reproduce: the headline experiments of the papers, beside their figures. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/reproduce.h"

#define NAMES_MAX 16
#define SEED_MAX (UINT64_C(1) << 53)

const char reproduce_usage[] =
    "usage: bandit reproduce [NAME...] [OPTIONS] --out DIR\n"
    "\n"
    "Runs the headline experiment of each paper again and puts what it claims beside what is\n"
    "measured here. Without a name: all of them. Exit status 1: some figure differs.\n"
    "\n"
    "  -o, --out DIR   reproduce.md, reproduce.json, and NAME.csv, NAME.svg for each\n"
    "  -q, --quick     fewer runs and shorter ones\n"
    "  -s, --seed S    the same seed gives the same figures, but for times (1)\n"
    "      --json      print the JSON document instead of the tables\n";

struct args {
	const char *out;
	bool quick, json, help;
	uint64_t seed;
	const struct rep_headline *headline[NAMES_MAX];
	size_t n;
};

static int read_names(int argc, char **argv, struct args *a)
{
	for (const struct rep_headline *h = reproduce_table; optind == argc && h->name; h++) {
		a->headline[a->n++] = h;
	}
	for (int i = optind; i < argc; i++) {
		const struct rep_headline *h = reproduce_table;

		while (h->name && strcmp(h->name, argv[i]) != 0) {
			h++;
		}
		if (!h->name || a->n == NAMES_MAX) {
			return cli_usage("reproduce", "no headline %s", argv[i]);
		}
		a->headline[a->n++] = h;
	}
	return CLI_DONE;
}

static int read_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
	    {"out", required_argument, NULL, 'o'},
	    {"quick", no_argument, NULL, 'q'},
	    {"seed", required_argument, NULL, 's'},
	    {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "o:qs:h", options, NULL)) != -1) {
		if (c == '?' || (c == 's' && cli_whole(optarg, SEED_MAX, &a->seed))) {
			return c == '?' ? CLI_USAGE : cli_usage("reproduce", "bad seed %s", optarg);
		}
		a->out = c == 'o' ? optarg : a->out;
		a->quick = a->quick || c == 'q';
		a->json = a->json || c == 'j';
		a->help = a->help || c == 'h';
	}
	if (!a->help && !a->out) {
		return cli_usage("reproduce", "--out DIR is missing");
	}
	return a->help ? CLI_DONE : read_names(argc, argv, a);
}

/* ---- the tables ---- */

static void number(FILE *f, const json_t *row, const char *key, const char *se)
{
	double v = json_number_value(json_object_get(row, key));
	double error = json_number_value(json_object_get(row, se));

	fprintf(f, error > 0 ? "%.4g ± %.2g" : "%.4g", v, error);
}

static void write_row(FILE *f, const json_t *row)
{
	const json_t *reference = json_object_get(row, "reference");
	const char *is = json_string_value(json_object_get(reference, "is"));

	fprintf(f, "| %s | ", json_string_value(json_object_get(row, "what")));
	if (is) {
		fputs(strcmp(is, "equal") ? is : "", f);
		fputs(strcmp(is, "equal") ? " " : "", f);
		number(f, reference, "value", "se");
		fprintf(f, " (%s)", json_string_value(json_object_get(reference, "source")));
	}
	fputs(" | ", f);
	number(f, row, "ours", "se");
	fprintf(f, " | %s |\n", json_string_value(json_object_get(row, "verdict")));
}

static void write_tables(FILE *f, const json_t *all)
{
	size_t i, k;
	const json_t *one, *row;

	json_array_foreach (all, i, one) {
		fprintf(f, "%s## %s\n\n", i ? "\n" : "",
		    json_string_value(json_object_get(one, "title")));
		fputs("| what | reference | ours | verdict |\n|---|---|---|---|\n", f);
		json_array_foreach (json_object_get(one, "rows"), k, row) {
			write_row(f, row);
		}
	}
}

static int write_files(const struct args *a, const json_t *doc, struct errinfo *err)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/reproduce.json", a->out);
	if (json_dump_file(doc, path, JSON_INDENT(1) | JSON_REAL_PRECISION(12))) {
		return err_set(err, RC_IO, "failed", path, "%s", strerror(errno));
	}
	snprintf(path, sizeof(path), "%s/reproduce.md", a->out);
	f = fopen(path, "w");
	if (!f) {
		return err_set(err, RC_IO, "failed", path, "%s", strerror(errno));
	}
	write_tables(f, json_object_get(doc, "headlines"));
	return fclose(f) ? err_set(err, RC_IO, "failed", path, "%s", strerror(errno)) : 0;
}

static int run_all(const struct args *a, json_t *all, bool *ret_differs, struct errinfo *err)
{
	for (size_t i = 0; i < a->n; i++) {
		json_t *one = NULL;
		int rc = reproduce_run(
		    a->headline[i], a->quick, a->seed, a->out, &one, ret_differs, err);

		if (rc) {
			return rc;
		}
		if (json_array_append_new(all, one)) {
			return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
		}
	}
	return 0;
}

int cmd_reproduce(int argc, char **argv)
{
	struct args a = {.seed = 1};
	struct errinfo err = {.rc = 0};
	bool differs = false;
	json_t *all, *doc;
	int rc = read_args(argc, argv, &a);

	if (rc || a.help) {
		fputs(a.help ? reproduce_usage : "", stdout);
		return rc;
	}
	if (mkdir(a.out, 0777) && errno != EEXIST) {
		err_set(&err, RC_IO, "failed", a.out, "%s", strerror(errno));
		return cli_fail("reproduce", &err);
	}
	all = json_array();
	doc =
	    json_pack("{sb sI so}", "quick", a.quick, "seed", (json_int_t)a.seed, "headlines", all);
	rc = doc ? run_all(&a, all, &differs, &err)
		 : err_set(&err, RC_MEMORY, "out_of_memory", "", "out of memory");
	rc = rc ? rc : write_files(&a, doc, &err);
	if (rc) {
		json_decref(doc);
		return cli_fail("reproduce", &err);
	}
	if (a.json) {
		rc = cli_print_json("reproduce", doc);
	} else {
		write_tables(stdout, all);
		json_decref(doc);
		rc = cli_flush("reproduce");
	}
	return rc ? rc : differs ? CLI_WRONG : CLI_DONE;
}
