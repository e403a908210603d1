/* SPDX-License-Identifier: Apache-2.0 */
/* A command of bandit, run in this process: what it prints and what it returns. */
#ifndef TESTS_UNIT_COMMAND_RIG_H
#define TESTS_UNIT_COMMAND_RIG_H

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_ARGS_MAX 32

/* Standard output of the command, NUL-terminated and cut at size; what it says on standard error is
 * dropped. args ends with NULL. */
static inline int run_command(int (*command)(int argc, char **argv), const char *name,
    const char *const *args, char *output, size_t size)
{
	char *argv[COMMAND_ARGS_MAX + 2] = {strdup(name)};
	int argc = 1, rc, out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	int nowhere = open("/dev/null", O_WRONLY);
	FILE *f = tmpfile();
	size_t n;

	for (; args[argc - 1] && argc <= COMMAND_ARGS_MAX; argc++) {
		argv[argc] = strdup(args[argc - 1]);
	}
	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	dup2(nowhere, STDERR_FILENO);
	optind = 0;
	rc = command(argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	rewind(f);
	n = fread(output, 1, size - 1, f);
	output[n] = '\0';
	fclose(f);
	close(nowhere);
	close(out);
	close(err);
	for (int i = 0; i < argc; i++) {
		free(argv[i]);
	}
	return rc;
}

#endif
