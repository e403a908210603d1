/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "autoconf.h"

enum { OPT_CONFIG = 1000, OPT_ASK, OPT_KEYS = 2000 };
#define FIXED_MAX 8
#define NAME_SIZE 40

/* getopt_long's table: the fixed options, then every setting with '-' for '_'. */
struct table {
	struct option opts[FIXED_MAX + CONFIG_KEYS_MAX];
	char names[CONFIG_KEYS_MAX][NAME_SIZE];
};

static void option_name(const struct param_desc *d, char ret[NAME_SIZE])
{
	snprintf(ret, NAME_SIZE, "%s", d->name);
	for (char *p = ret; *p; p++) {
		*p = *p == '_' ? '-' : *p;
	}
}

static void make_table(struct table *t)
{
	static const struct option fixed[] = {{"config", required_argument, NULL, OPT_CONFIG},
	    {"check-config", no_argument, NULL, OPT_ASK + OPTIONS_CHECK},
	    {"print-config", no_argument, NULL, OPT_ASK + OPTIONS_PRINT},
	    {"help", no_argument, NULL, OPT_ASK + OPTIONS_HELP},
	    {"version", no_argument, NULL, OPT_ASK + OPTIONS_VERSION}};
	size_t n = sizeof(fixed) / sizeof(fixed[0]);

	memset(t, 0, sizeof(*t));
	memcpy(t->opts, fixed, sizeof(fixed));
	for (size_t k = 0; config_table[k].name; k++) {
		option_name(&config_table[k], t->names[k]);
		t->opts[n++] =
		    (struct option){t->names[k], required_argument, NULL, OPT_KEYS + (int)k};
	}
}

static void usage(void)
{
	char name[NAME_SIZE];

	printf("Usage: banditd [OPTION]...\n"
	       "Serves bandit policies over HTTP.\n\n"
	       "  --config FILE            read settings from FILE and FILE.d/*.conf\n"
	       "  --check-config           check the settings and exit\n"
	       "  --print-config           print the settings, and where each is from, and exit\n"
	       "  --help, --version\n\nSettings, also as BANDITD_KEY and in FILE:\n");
	for (const struct param_desc *d = config_table; d->name; d++) {
		option_name(d, name);
		printf("  --%-24s %s\n", name, d->text);
	}
}

/* In the form of a file: what follows " ;" is a comment. */
static void print_config(const struct config *c)
{
	char scratch[PARAM_TEXT_MAX];

	for (size_t i = 0; config_table[i].name; i++) {
		const struct param_desc *d = &config_table[i];

		printf("%s = %s ; %s\n", d->name, param_format(d, c, scratch), c->from[i]);
	}
}

void options_tell(enum options_ask ask, const struct config *c)
{
	if (ask == OPTIONS_HELP) {
		usage();
	} else if (ask == OPTIONS_VERSION) {
		printf("banditd %s\n", PACKAGE_VERSION);
	} else if (ask == OPTIONS_PRINT) {
		print_config(c);
	}
}

/* A path on the command line is meant from where the command was given. */
static int set_option(
    struct config *c, const struct param_desc *d, const char *value, struct errinfo *err)
{
	char where[NAME_SIZE + 2] = "--", path[8192], here[4096];

	option_name(d, where + 2);
	if ((d->flags & PARAM_PATH) && *value && *value != '/' && getcwd(here, sizeof(here))) {
		snprintf(path, sizeof(path), "%s/%s", here, value);
		value = path;
	}
	return config_set(c, d->name, value, where, err);
}

static int read_files(struct config *c, const char *file, struct errinfo *err)
{
	int rc = file ? config_read_file(c, file, err) : 0;

	return rc || !file ? rc : config_read_folder(c, file, err);
}

int options_read(
    int argc, char **argv, struct config *c, enum options_ask *ret, struct errinfo *err)
{
	static struct table t;
	const char *file = NULL;
	int opt, rc;

	make_table(&t);
	optind = 1;
	while ((opt = getopt_long(argc, argv, "", t.opts, NULL)) != -1) {
		if (opt == OPT_CONFIG) {
			file = optarg;
		} else if (opt >= OPT_ASK && opt < OPT_KEYS) {
			*ret = (enum options_ask)(opt - OPT_ASK);
		} else if (opt < OPT_KEYS) {
			return err_set(err, RC_INVALID, "usage", "", "see banditd --help");
		}
	}
	if (optind < argc) {
		return err_set(err, RC_INVALID, "usage", argv[optind], "not an option");
	}
	rc = read_files(c, file, err);
	rc = rc ? rc : config_read_environment(c, err);
	optind = 1;
	while (rc == 0 && (opt = getopt_long(argc, argv, "", t.opts, NULL)) != -1) {
		if (opt >= OPT_KEYS) {
			rc = set_option(c, &config_table[opt - OPT_KEYS], optarg, err);
		}
	}
	return rc ? rc : config_check(c, err);
}
