/* SPDX-License-Identifier: Apache-2.0 */
/* bandit token: makes tokens for the daemon. It keeps nothing: the token is shown once, and what is
 * stored is a line with its digest. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "serve/auth.h"

const char token_usage[] =
    "usage: bandit token new NAME --scope SCOPE[,SCOPE]... [--experiment PATTERN[,PATTERN]...]\n"
    "                             [--expires TIME]\n"
    "\n"
    "Makes a token. It is printed once, on standard error; the line for the daemon's token_file,\n"
    "which does not contain it, on standard output:\n"
    "\n"
    "    bandit token new web --scope decide,reward >>/etc/banditd/tokens\n"
    "\n"
    "  -s, --scope SCOPES        decide, reward, read, admin\n"
    "  -e, --experiment PATTERN  these experiments alone: ids, or beginnings followed by *\n"
    "      --expires TIME        when it ends, 2027-01-31T00:00:00Z, or after how long, P90D\n";

struct args {
	const char *name, *scopes, *patterns, *expires;
};

/* A duration counts from now. */
static int expiry(const char *text, char ret[CLOCK_TEXT_MAX], struct errinfo *err)
{
	uint64_t us;

	if (clock_parse(text, &us)) {
		if (clock_parse_duration(text, &us)) {
			return err_set(err, RC_INVALID, "out_of_range", "--expires",
			    "a time like 2027-01-31T00:00:00Z or a duration like P90D");
		}
		us += clock_wall_us();
	}
	if (us <= clock_wall_us()) {
		return err_set(err, RC_INVALID, "out_of_range", "--expires", "this is over");
	}
	clock_format(us, ret);
	return 0;
}

static int make(const struct args *a)
{
	char token[AUTH_TOKEN_SIZE], hex[2 * AUTH_DIGEST_BYTES + 1], time[CLOCK_TEXT_MAX] = "";
	char line[AUTH_LINE_MAX], copy[AUTH_LINE_MAX];
	struct errinfo err = {.rc = 0};
	struct auth_token t;
	int n, rc = a->expires ? expiry(a->expires, time, &err) : 0;

	if (rc) {
		return cli_fail("token", &err);
	}
	auth_make(token, hex);
	n = snprintf(line, sizeof(line), "%s %s %s%s%s%s%s", a->name, hex, a->scopes,
	    a->patterns ? " experiment=" : "", a->patterns ? a->patterns : "",
	    a->expires ? " expires=" : "", time);
	if (n < 0 || n > AUTH_LINE_MAX - 2) {
		return cli_usage("token", "the line has more than %d bytes", AUTH_LINE_MAX - 2);
	}
	memcpy(copy, line, (size_t)n + 1);
	rc = auth_parse(copy, &t, &err); /* what the daemon would refuse is refused here */
	if (rc) {
		return cli_fail("token", &err);
	}
	auth_token_release(&t);
	fprintf(stderr, "%s\n", token);
	printf("%s\n", line);
	return cli_flush("token");
}

int cmd_token(int argc, char **argv)
{
	enum { OPT_EXPIRES = 256 };
	static const struct option options[] = {{"scope", required_argument, NULL, 's'},
	    {"experiment", required_argument, NULL, 'e'},
	    {"expires", required_argument, NULL, OPT_EXPIRES}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	struct args a = {.name = NULL};
	int c;

	while ((c = getopt_long(argc, argv, "s:e:h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			a.scopes = optarg;
			break;
		case 'e':
			a.patterns = optarg;
			break;
		case OPT_EXPIRES:
			a.expires = optarg;
			break;
		case 'h':
			fputs(token_usage, stdout);
			return cli_flush("token");
		default:
			return CLI_USAGE;
		}
	}
	if (argc - optind != 2 || strcmp(argv[optind], "new") != 0) {
		return cli_usage("token", "needs new and a NAME");
	}
	if (!a.scopes) {
		return cli_usage("token", "needs --scope");
	}
	a.name = argv[optind + 1];
	return make(&a);
}
