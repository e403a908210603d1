/* SPDX-License-Identifier: Apache-2.0 */
/* The offline tool: a table of commands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "autoconf.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "cli/cmd_simulate.h"
#include "cli/commands.h"
#include "json/memory.h"

struct command {
	const char *name, *summary, *usage;
	command_fn *run;
};

/* clang-format off */
static const struct command commands[] = {
	{"backup", "copy a state while the daemon runs", backup_usage, cmd_backup},
	{"compare", "policies side by side on recorded logs, and their ranking", compare_usage, cmd_compare},
	{"convert", "a log of one format as one of another", convert_usage, cmd_convert},
	{"export", "write the log of a state as JSON Lines", export_usage, cmd_export},
	{"import", "make a state of an exported log", import_usage, cmd_import},
	{"plan", "periodic slates for arms that recover, from their tables", plan_usage, cmd_plan},
	{"prune", "remove old events from the log of a state", prune_usage, cmd_prune},
	{"replay", "what a policy would have earned on a recorded log", replay_usage, cmd_replay},
	{"reproduce", "the papers' experiments beside their figures", reproduce_usage, cmd_reproduce},
	{"restore", "make a state of a backup", restore_usage, cmd_restore},
	{"salvage", "a sound state of what is left of a damaged one", salvage_usage, cmd_salvage},
	{"serve-demo", "play a log through a running daemon", serve_demo_usage, cmd_serve_demo},
	{"simulate", "policies against an environment, side by side", simulate_usage, cmd_simulate},
	{"tables", "what arms earn by their rests and rows, from a log", tables_usage, cmd_tables},
	{"top", "watch a running daemon", top_usage, cmd_top},
	{"token", "make a token for the daemon", token_usage, cmd_token},
	{"verify", "fold the log of a state anew and check it", verify_usage, cmd_verify},
	{NULL, NULL, NULL, NULL},
};
/* clang-format on */

static const struct command *find(const char *name)
{
	const struct command *c = commands;

	while (c->name && strcmp(c->name, name) != 0) {
		c++;
	}
	return c->name ? c : NULL;
}

static void usage(FILE *out)
{
	fputs("usage: bandit COMMAND [OPTIONS]\n"
	      "       bandit help [COMMAND]\n"
	      "       bandit --version\n"
	      "\n",
	    out);
	for (const struct command *c = commands; c->name; c++) {
		fprintf(out, "  %-12s %s\n", c->name, c->summary);
	}
}

static int unknown(const char *name)
{
	fprintf(stderr, "bandit: no command %s; see bandit help\n", name);
	return CLI_USAGE;
}

static int help(int argc, char **argv)
{
	const struct command *c = argc > 1 ? find(argv[1]) : NULL;

	if (argc > 1 && !c) {
		return unknown(argv[1]);
	}
	if (c) {
		fputs(c->usage, stdout);
	} else {
		usage(stdout);
	}
	return cli_flush("help");
}

int main(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		usage(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0) {
		return help(argc - 1, argv + 1);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("bandit %s\n", PACKAGE_VERSION);
		return cli_flush("--version");
	}
	c = find(argv[1]);
	if (!c) {
		return unknown(argv[1]);
	}
	signal(SIGPIPE, SIG_IGN); /* a write that fails says so */
	json_memory_init();
	if (hash_init()) {
		return cli_fail(c->name, &(struct errinfo){.rc = RC_FAILED});
	}
	return c->run(argc - 1, argv + 1);
}
