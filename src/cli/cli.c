/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR 30
#define BAR_EVERY_US 100000
#define LOOK_EVERY 256 /* steps between two looks at the clock */

int cli_fail(const char *command, const struct errinfo *err)
{
	fprintf(stderr, "bandit %s: %s%s%s\n", command, err->pointer, *err->pointer ? ": " : "",
	    *err->text ? err->text : err_name(err->rc));
	return CLI_WRONG;
}

int cli_usage(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "bandit %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see bandit help %s\n", command);
	return CLI_USAGE;
}

int cli_whole(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	double v = strtod(text, &end);

	if (!*text || *end || !(v >= 0 && v <= (double)max) || v != (double)(uint64_t)v) {
		return RC_INVALID;
	}
	*ret = (uint64_t)v;
	return 0;
}

int cli_flush(const char *command)
{
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "bandit %s: ", command);
		perror("standard output");
		return CLI_WRONG;
	}
	return CLI_DONE;
}

int cli_print_json(const char *command, json_t *doc)
{
	int rc = doc ? json_dumpf(doc, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17)) : -1;

	json_decref(doc);
	if (rc) {
		return cli_fail(command, &(struct errinfo){.rc = RC_MEMORY});
	}
	putchar('\n');
	return cli_flush(command);
}

/* ---- progress ---- */

void progress_start(struct progress *p, const char *what, uint64_t of)
{
	*p = (struct progress){.what = what, .of = of, .show = isatty(STDERR_FILENO)};
	if (p->show) {
		p->start_us = clock_mono_us();
		p->next_us = p->start_us + BAR_EVERY_US;
	}
}

static void draw(const struct progress *p, uint64_t now)
{
	static const char full[] = "##############################";
	double seconds = (double)(now - p->start_us) / 1e6, rate = (double)p->done / seconds;
	double share = p->of ? (double)p->done / (double)p->of : 0;
	int n = share > 1 ? BAR : (int)(share * BAR);

	if (p->of == 0) {
		fprintf(stderr, "\r\033[K%.0f %s  %.4g/s", (double)p->done, p->what, (double)rate);
		return;
	}
	fprintf(stderr, "\r\033[K[%.*s%*s] %3.0f %%  %.4g %s/s  %.0f s left", n, full, BAR - n, "",
	    100 * share, rate, p->what,
	    p->done < p->of ? (double)(p->of - p->done) / (rate > 0 ? rate : 1) : 0);
}

void progress_add(struct progress *p, uint64_t n)
{
	uint64_t before = p->done, now;

	p->done += n;
	if (!p->show || (before / LOOK_EVERY == p->done / LOOK_EVERY && n != 0)) {
		return;
	}
	now = clock_mono_us();
	if (now >= p->next_us) {
		p->next_us = now + BAR_EVERY_US;
		draw(p, now);
	}
}

void progress_clear(struct progress *p)
{
	if (p->show) {
		fputs("\r\033[K", stderr);
	}
}
