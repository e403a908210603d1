/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/log_read.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "eval/log_impl.h"

#define PART_KEY UINT64_C(0x686f6c646f757421) /* any number, but for ever */

const char *const log_reason_names[LOG_REASONS] = {
    "syntax", "value", "propensity", "labels", "reference", "unlabelled", "dangling", "not_scored"};

/* In the order they are tried: VW text is what nothing else is. */
static const struct log_reader *const readers[] = {&read_jsonl, &read_dsjson, &read_obd, &read_vw};
#define READERS (sizeof(readers) / sizeof(readers[0]))

uint64_t log_refused(const struct log_counts *c)
{
	uint64_t n = 0;

	for (int i = 0; i < LOG_REFUSALS; i++) {
		n += c->by_reason[i];
	}
	return n;
}

bool log_format_is(const char *name)
{
	bool is = strcmp(name, "auto") == 0;

	for (size_t i = 0; i < READERS; i++) {
		is = is || strcmp(name, readers[i]->name) == 0;
	}
	return is;
}

bool log_part_has(const struct log_part *p, uint64_t index)
{
	struct rng rng;

	if (index < p->from || (p->to && index >= p->to)) {
		return false;
	}
	if (p->side == LOG_WHOLE) {
		return true;
	}
	rng = rng_at(PART_KEY, index, RNG_SAMPLE);
	return (rng_uniform(&rng) < p->kept) == (p->side == LOG_KEPT);
}

static int choose(struct log *l, struct errinfo *err)
{
	const char *format = l->o.format ? l->o.format : "auto", *bytes;
	bool by_bytes = strcmp(format, "auto") == 0;
	size_t n;
	int rc = line_in_peek(l->in, &bytes, &n, err);

	if (rc == 0 && by_bytes && n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		n -= 3;
	}
	for (size_t i = 0; rc == 0 && !l->reader && i < READERS; i++) {
		if (by_bytes ? readers[i]->probe(bytes, n)
			     : strcmp(format, readers[i]->name) == 0) {
			l->reader = readers[i];
		}
	}
	return rc || l->reader ? rc
			       : err_set(err, RC_INVALID, "unknown_format", l->path,
				     "no format that is known here");
}

static int start(struct line_in *in, const char *path, const struct log_options *o,
    struct log_arms *arms, struct log **ret, struct errinfo *err)
{
	struct log *l = calloc(1, sizeof(*l));
	int rc;

	if (!l || !(l->path = strdup(path))) {
		free(l);
		line_in_close(in);
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	l->in = in;
	l->arms = arms;
	l->o = o ? *o : (struct log_options){.format = NULL};
	rc = choose(l, err);
	rc = rc ? rc : l->reader->open(l, &l->state, err);
	if (rc) {
		log_close(l);
		return rc;
	}
	*ret = l;
	return 0;
}

int log_open(const char *path, const struct log_options *o, struct log_arms *arms, struct log **ret,
    struct errinfo *err)
{
	struct line_in *in = NULL;
	int rc;

	if (o && o->open) {
		return o->open(path, o, arms, ret, err);
	}
	rc = line_in_open(path, &in, err);
	return rc ? rc : start(in, path, o, arms, ret, err);
}

int log_open_bytes(const char *name, const void *data, size_t len, const struct log_options *o,
    struct log_arms *arms, struct log **ret, struct errinfo *err)
{
	struct line_in *in = NULL;
	int rc = line_in_bytes(data, len, &in, err);

	return rc ? rc : start(in, name, o, arms, ret, err);
}

int log_open_source(const char *name, const struct log_source *s, const struct log_options *o,
    struct log_arms *arms, struct log **ret, struct errinfo *err)
{
	struct log *l = calloc(1, sizeof(*l));
	int rc;

	if (!l || !(l->path = strdup(name))) {
		free(l);
		s->close(s->arg);
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	l->source = *s;
	l->arms = arms;
	l->o = o ? *o : (struct log_options){.format = NULL};
	l->reader = &read_jsonl;
	rc = l->reader->open(l, &l->state, err);
	if (rc) {
		log_close(l);
		return rc;
	}
	*ret = l;
	return 0;
}

void log_close(struct log *l)
{
	if (l) {
		line_ahead_close(l->ahead); /* it may use the state */
		if (l->reader) {
			l->reader->close(l->state);
		}
		if (l->source.close) {
			l->source.close(l->source.arg);
		}
		line_in_close(l->in);
		free(l->path);
		free(l);
	}
}

int log_next(struct log *l, struct round *ret, struct errinfo *err)
{
	int rc;

	do {
		*ret = (struct round){.index = l->counts.rounds, .weight = 1};
		rc = l->reader->next(l, l->state, ret, err);
		l->counts.rounds += rc == 1;
	} while (rc == LOG_AGAIN || (rc == 1 && !log_part_has(&l->o.part, ret->index)));
	l->counts.lines = l->line.number;
	l->counts.bytes = l->line.total;
	return rc;
}

struct round round_slot(const struct round *r, size_t k)
{
	const struct round_slot *s = &r->slots[k];
	struct round one = *r;

	one.position = (uint32_t)k;
	one.arm = s->arm;
	one.propensity = s->propensity;
	one.eligible = s->eligible;
	one.neligible = s->neligible;
	one.slots = NULL;
	one.nslots = 0;
	return one;
}

const struct log_counts *log_counts(const struct log *l)
{
	return &l->counts;
}

const char *log_format(const struct log *l)
{
	return l->reader->name;
}

/* ---- what readers share ---- */

static int start_lines(struct log *l, struct errinfo *err)
{
	struct line_ahead_ops ops = l->reader->ahead;
	struct line_in *in = l->in;

	ops.arg = l->state;
	l->in = NULL;
	return line_ahead_open(in, &ops, &l->ahead, err);
}

int log_line(struct log *l, char **ret, size_t *ret_len, struct errinfo *err)
{
	struct errinfo why = {.rc = 0};
	int rc = l->ahead ? 0 : start_lines(l, err);

	if (rc) {
		return rc;
	}
	rc = line_ahead_next(l->ahead, &l->line, &why);
	*ret = l->line.text;
	*ret_len = l->line.n;
	if (rc == RC_LIMIT) {
		return log_refuse(l, LOG_SYNTAX, l->line.number,
		    "the line is longer than %zu bytes", LINE_MAX_BYTES);
	}
	return rc < 0 ? err_set(err, rc, why.code, l->path, "%s", why.text) : rc;
}

int log_refuse(struct log *l, enum log_reason reason, uint64_t line, const char *fmt, ...)
{
	struct errinfo why = {.rc = 0};
	char where[160], text[256];
	va_list ap;

	l->counts.by_reason[reason]++;
	if (l->o.refused) {
		va_start(ap, fmt);
		vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
		snprintf(where, sizeof(where), "%.120s:%llu", l->path, (unsigned long long)line);
		err_set(&why, RC_INVALID, "bad_line", where, "%s", text);
		l->o.refused(l->o.arg, &why);
	}
	return LOG_AGAIN;
}

int log_skip(struct log *l, enum log_reason reason)
{
	l->counts.by_reason[reason]++;
	return LOG_AGAIN;
}

int log_arm(
    struct log *l, const char *name, size_t len, uint64_t line, uint32_t *ret, struct errinfo *err)
{
	int rc = log_arms_put(l->arms, name, len, ret);

	if (rc == RC_INVALID) {
		return log_refuse(
		    l, LOG_REFERENCE, line, "the arm's name is not 1-128 of A-Z a-z 0-9 . _ : -");
	}
	return rc == RC_LIMIT ? err_set(err, rc, "too_many", l->path, "too many arms")
	       : rc           ? err_set(err, rc, "out_of_memory", "", "out of memory")
			      : 0;
}

int log_check_propensity(struct log *l, uint64_t line, double p)
{
	return p > 0 && p <= 1
		   ? 1
		   : log_refuse(l, LOG_PROPENSITY, line, "the propensity does not lie in (0, 1]");
}

bool log_number(const char *text, size_t len, double *ret)
{
	static const double ten[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	const char *p = text, *end = text + len;
	bool minus = p < end && *p == '-';
	uint64_t m = 0;
	int digits = 0, places = 0;
	char copy[64], *stop;
	double v;

	p += minus;
	for (; p < end && (unsigned)(*p - '0') < 10 && digits < 18; p++, digits++) {
		m = 10 * m + (unsigned)(*p - '0');
	}
	if (p < end && *p == '.' && digits) {
		for (p++; p < end && (unsigned)(*p - '0') < 10 && digits < 18; p++, digits++) {
			m = 10 * m + (unsigned)(*p - '0');
			places++;
		}
	}
	/* Exact: both are doubles without rounding, and a quotient is rounded once. */
	if (p == end && digits && m <= (UINT64_C(1) << 53) && places <= 22) {
		v = (double)m / ten[places];
		*ret = minus ? -v : v;
		return true;
	}
	if (len == 0 || len >= sizeof(copy) || text[strspn(text, "+-.0123456789eE")] == 'x') {
		return false;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	v = strtod(copy, &stop);
	if (stop != copy + len || !isfinite(v) || copy[0] == ' ') {
		return false;
	}
	*ret = v;
	return true;
}
