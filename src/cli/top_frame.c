/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/top.h"

#define LINE_MAX_BYTES 512
#define ROWS_ABOVE 7 /* lines that stand above the experiments */
#define BAR_CELLS 24

struct frame {
	struct buf *out;
	size_t width, left; /* lines that still fit */
};

static void line(struct frame *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line(struct frame *f, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;
	size_t n;

	if (f->left == 0) {
		return;
	}
	f->left--;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (n = strlen(text); n && text[n - 1] == ' '; n--) {
	}
	buf_put(f->out, text, n < f->width ? n : f->width);
	buf_put_u8(f->out, '\n');
}

/* 1234567 as "1.23M"; "-" when there is none. */
static const char *count(double v, char ret[16])
{
	static const char units[] = " kMGTP";
	int u = 0;

	if (!isfinite(v)) {
		return "-";
	}
	while (fabs(v) >= 999.5 && u < 5) {
		v /= 1000;
		u++;
	}
	if (u == 0) {
		snprintf(ret, 16, "%.0f", v);
	} else {
		snprintf(ret, 16, "%.3g%c", v, units[u]);
	}
	return ret;
}

static const char *bytes(double v, char ret[16])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	int u = 0;

	while (v >= 1024 && u < 4) {
		v /= 1024;
		u++;
	}
	snprintf(ret, 16, "%.3g %s", v, units[u]);
	return ret;
}

static const char *ms(double seconds, char ret[16])
{
	if (isnan(seconds)) {
		return "-";
	}
	snprintf(ret, 16, "%.3g ms", seconds * 1e3);
	return ret;
}

static void process(struct frame *f, const struct top *t)
{
	const struct top_scrape *a = &t->before, *b = &t->now;
	double elapsed = a->mono_us ? (double)(b->mono_us - a->mono_us) / 1e6 : (double)NAN;
	char s[6][16];

	line(f, "banditd %s at %s: %.0f running, %.0f paused, %.0f archived%s", b->version, t->url,
	    b->running, b->paused, b->archived,
	    b->store_failed > 0 ? "; THE STORE HAS FAILED" : "");
	line(f, "per second: decisions %s, rewards %s, requests %s, failed %s; connections %s",
	    count((b->decisions - a->decisions) / elapsed, s[0]),
	    count((b->rewards - a->rewards) / elapsed, s[1]),
	    count((b->requests - a->requests) / elapsed, s[2]),
	    count((b->failed - a->failed) / elapsed, s[3]), count(b->connections, s[4]));
	line(f, "answer p50 %s, p99 %s; commit p50 %s, p99 %s; queue %s events",
	    ms(top_quantile(&a->answer, &b->answer, 0.5), s[0]),
	    ms(top_quantile(&a->answer, &b->answer, 0.99), s[1]),
	    ms(top_quantile(&a->commit, &b->commit, 0.5), s[2]),
	    ms(top_quantile(&a->commit, &b->commit, 0.99), s[3]), count(b->queue, s[4]));
	line(f, "open %s; database %s, log %s, free %s; memory %s, CPU %s %%", count(b->open, s[0]),
	    bytes(b->db, s[1]), bytes(b->wal, s[2]), bytes(b->disk_free, s[3]),
	    bytes(b->resident, s[4]), count((b->cpu - a->cpu) / elapsed * 100, s[5]));
}

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static void experiment_row(struct frame *f, const struct top *t, size_t i)
{
	const json_t *o = t->stats[i];
	char s[5][16];

	line(f, "%c %-24.24s %-14.14s %-8.8s %8s %7s %8s %8s %10.5g", i == t->chosen ? '>' : ' ',
	    json_string_value(json_object_get(o, "experiment")), t->policy[i] ? t->policy[i] : "",
	    t->state[i] ? t->state[i] : "", count(number(o, "decisions"), s[0]),
	    count(t->rate[i], s[1]), count(number(o, "rewards"), s[2]),
	    count(number(o, "open"), s[3]), number(o, "mean"));
}

/* The chosen experiment stays in sight. */
static void experiments(struct frame *f, const struct top *t, size_t rows)
{
	size_t from = t->chosen >= rows ? t->chosen - rows + 1 : 0;
	double all = t->now.running + t->now.paused + t->now.archived;

	line(f, "  %-24s %-14s %-8s %8s %7s %8s %8s %10s", "EXPERIMENT", "POLICY", "STATE",
	    "DECIDED", "1/s", "REWARDS", "OPEN", "MEAN");
	for (size_t i = from; i < t->n && i < from + rows; i++) {
		experiment_row(f, t, i);
	}
	if (all > (double)t->n) {
		line(f, "  and %.0f more", all - (double)t->n);
	}
}

/* [  ---*--  ]: the interval of the mean within the range of all of them. */
static void bar(double lo, double hi, double mean, double from, double to, char ret[BAR_CELLS + 1])
{
	memset(ret, ' ', BAR_CELLS);
	ret[BAR_CELLS] = '\0';
	if (!(to > from)) {
		return;
	}
	for (int i = 0; i < BAR_CELLS; i++) {
		double at = from + (to - from) * (i + 0.5) / BAR_CELLS;

		ret[i] = at >= lo && at <= hi ? '-' : ' ';
	}
	if (isfinite(mean)) {
		int i = (int)((mean - from) / (to - from) * BAR_CELLS);

		ret[i < 0 ? 0 : i >= BAR_CELLS ? BAR_CELLS - 1 : i] = '*';
	}
}

static void arms(struct frame *f, const struct top *t)
{
	json_t *list, *arm;
	double from = INFINITY, to = -INFINITY;
	size_t i;

	if (t->n == 0) {
		return;
	}
	list = json_object_get(t->stats[t->chosen], "arms");
	json_array_foreach (list, i, arm) {
		from = fmin(from, number(arm, "lo"));
		to = fmax(to, number(arm, "hi"));
	}
	line(f, "%s", "");
	line(f, "  %-24s %-8s %8s %7s %8s %10s  %.5g .. %.5g", "ARM", "STATE", "DECIDED", "SHARE",
	    "REWARDS", "MEAN", from, to);
	json_array_foreach (list, i, arm) {
		char s[2][16], cells[BAR_CELLS + 1];

		bar(number(arm, "lo"), number(arm, "hi"), number(arm, "mean"), from, to, cells);
		line(f, "  %-24.24s %-8.8s %8s %6.1f%% %8s %10.5g  %s",
		    json_string_value(json_object_get(arm, "arm")),
		    json_string_value(json_object_get(arm, "state")),
		    count(number(arm, "decisions"), s[0]), 100 * number(arm, "share"),
		    count(number(arm, "rewards"), s[1]), number(arm, "mean"), cells);
	}
}

void top_frame(const struct top *t, size_t width, size_t height, struct buf *out)
{
	struct frame f = {.out = out, .width = width, .left = height};
	size_t rows = height > 2 * ROWS_ABOVE ? (height - ROWS_ABOVE) / 2 : 1;

	process(&f, t);
	line(&f, "%s", "");
	experiments(&f, t, rows);
	arms(&f, t);
}
