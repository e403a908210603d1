/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* In gnuplot's single quotes: in double ones it would run what stands between backquotes. Control
 * characters become spaces. */
static void put_quoted(FILE *f, const char *s)
{
	putc('\'', f);
	for (; *s; s++) {
		if (*s == '\'') {
			putc('\'', f);
		}
		putc((unsigned char)*s < ' ' ? ' ' : *s, f);
	}
	putc('\'', f);
}

static void put_data(FILE *f, const struct plot_series *s, size_t i)
{
	fprintf(f, "$d%zu << EOD\n", i);
	for (size_t k = 0; k < s->n; k++) {
		const struct plot_point *p = &s->point[k];

		fprintf(f, "%.9g %.9g %.9g\n", p->x, p->y, p->error);
	}
	fputs("EOD\n", f);
}

static void put_script(FILE *f, const struct plot *p)
{
	fputs("set terminal svg size 800,500 dynamic noenhanced background 'white'\n"
	      "set key left top\nset grid\nset style fill transparent solid 0.15 noborder\n"
	      "set title ",
	    f);
	put_quoted(f, p->title);
	fputs("\nset xlabel ", f);
	put_quoted(f, p->x);
	fputs("\nset ylabel ", f);
	put_quoted(f, p->y);
	putc('\n', f);
	for (size_t i = 0; i < p->n; i++) {
		put_data(f, &p->series[i], i);
	}
	for (size_t i = 0; i < p->n; i++) {
		fprintf(f,
		    "%s $d%zu using 1:($2-$3):($2+$3) with filledcurves lc %zu notitle, "
		    "$d%zu using 1:2 with lines lw 2 lc %zu title ",
		    i ? "," : "plot", i, i + 1, i, i + 1);
		put_quoted(f, p->series[i].label);
	}
	putc('\n', f);
}

/* Standard input and output of gnuplot are files, so nothing has to be quoted for a shell. */
static int run_gnuplot(int script, int svg, struct errinfo *err)
{
	char *const argv[] = {(char[]){"gnuplot"}, NULL};
	posix_spawn_file_actions_t actions;
	int status, rc;
	pid_t pid;

	if (posix_spawn_file_actions_init(&actions)) {
		return RC_MEMORY;
	}
	posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, svg, STDOUT_FILENO);
	rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc) {
		return err_set(err, rc == ENOENT ? RC_NOT_FOUND : RC_FAILED, "no_gnuplot", "",
		    "plots are drawn by gnuplot, which cannot be started: %s", strerror(rc));
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return err_set(err, RC_FAILED, "plot_failed", "", "%s", strerror(errno));
		}
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		return err_set(err, RC_FAILED, "plot_failed", "", "gnuplot failed");
	}
	return 0;
}

static int io_error(const char *path, struct errinfo *err)
{
	return err_set(err, RC_IO, "cannot_write", path, "%s", strerror(errno));
}

int plot_svg(const struct plot *p, const char *path, struct errinfo *err)
{
	FILE *script = tmpfile();
	int svg = -1, rc;

	if (!script) {
		return io_error("temporary file", err);
	}
	put_script(script, p);
	if (fflush(script) || ferror(script) || lseek(fileno(script), 0, SEEK_SET) < 0) {
		rc = io_error("temporary file", err);
		goto out;
	}
	svg = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	rc = svg < 0 ? io_error(path, err) : run_gnuplot(fileno(script), svg, err);
	if (rc && svg >= 0) {
		unlink(path);
	}
	if (svg >= 0 && close(svg) && rc == 0) {
		rc = io_error(path, err);
	}
out:
	fclose(script);
	return rc;
}
