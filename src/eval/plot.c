/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scratch.h"

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

/* What is infinite has no place on paper: gnuplot leaves it out. */
static double shown(double v)
{
	return isfinite(v) ? v : (double)NAN;
}

static void put_data(FILE *f, const struct plot_series *s, size_t i)
{
	fprintf(f, "$d%zu << EOD\n", i);
	for (size_t k = 0; k < s->n; k++) {
		const struct plot_point *p = &s->point[k];

		fprintf(f, "%.9g %.9g %.9g %.9g %.9g\n", p->x, shown(p->y), p->error, shown(p->lo),
		    shown(p->hi));
	}
	fputs("EOD\n", f);
}

static void put_tics(FILE *f, const struct plot *p)
{
	fputs("set xtics rotate by -30 (", f);
	for (size_t i = 0; i < p->ntics; i++) {
		fputs(i ? ", " : "", f);
		put_quoted(f, p->tics[i]);
		fprintf(f, " %zu", i);
	}
	fprintf(f, ")\nset xrange [-0.6:%zu - 0.4]\n", p->ntics);
}

/* Series i of p: bars of several stand side by side. */
static void put_plot(FILE *f, const struct plot *p, size_t i)
{
	double width = 0.8 / (double)p->n;

	switch (p->kind) {
	case PLOT_INTERVALS:
		fprintf(f, "$d%zu using 1:2:4:5 with yerrorbars lc %zu pt 7 lw 2 title ", i, i + 1);
		break;
	case PLOT_BARS:
		fprintf(f, "$d%zu using ($1 + %g):2:(%g) with boxes lc %zu fs solid 0.6 title ", i,
		    ((double)i + 0.5) * width - 0.4, width, i + 1);
		break;
	default:
		fprintf(f,
		    "$d%zu using 1:($2-$3):($2+$3) with filledcurves lc %zu notitle, "
		    "$d%zu using 1:2 with lines lw 2 lc %zu title ",
		    i, i + 1, i, i + 1);
	}
	put_quoted(f, p->series[i].label);
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
	if (p->ntics) {
		put_tics(f, p);
	}
	for (size_t i = 0; i < p->n; i++) {
		put_data(f, &p->series[i], i);
	}
	for (size_t i = 0; i < p->n; i++) {
		fputs(i ? ", " : "plot ", f);
		put_plot(f, p, i);
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
	FILE *script = scratch_file();
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
