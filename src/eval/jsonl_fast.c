/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in the order they are written, no spaces, no escapes, no byte above 126: anything else is
 * for the other reader. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "eval/jsonl_line.h"
#include "eval/log_impl.h"

#define DEPTH_MAX 64

struct cursor {
	const char *p, *end;
};

/* Passes over a text that must come here. A macro, so that the compiler knows the length. */
#define LIT(c, s)                                                                                  \
	((size_t)((c)->end - (c)->p) >= sizeof(s) - 1 && memcmp((c)->p, s, sizeof(s) - 1) == 0 &&  \
	    ((c)->p += sizeof(s) - 1, true))

#define EACH UINT64_C(0x0101010101010101) /* of eight bytes */
#define HIGH (0x80 * EACH)

/* Is none of these eight bytes a quote, a backslash, below a space or above '~'? (A borrow may
 * blame a byte above one that is such, never the other way.) */
static bool plain(const char *p)
{
	uint64_t b, quote, backslash;

	memcpy(&b, p, sizeof(b));
	quote = b ^ '"' * EACH;
	backslash = b ^ '\\' * EACH;
	return !(((b - ' ' * EACH) | (b + EACH) | b | (quote - EACH) | (backslash - EACH)) & HIGH);
}

static bool string(struct cursor *c, struct jsonl_text *ret)
{
	const char *p = c->p;

	if (p == c->end || *p != '"') {
		return false;
	}
	for (p++; c->end - p >= 8 && plain(p); p += 8) {
	}
	for (; p < c->end && *p != '"'; p++) {
		if (*p == '\\' || *p < ' ' || *p > '~') {
			return false;
		}
	}
	if (p == c->end) {
		return false;
	}
	*ret = (struct jsonl_text){c->p + 1, (size_t)(p - c->p - 1)};
	c->p = p + 1;
	return true;
}

/* The grammar of JSON, which is narrower than strtod()'s. */
static bool number_span(struct cursor *c, const char **ret, size_t *ret_n)
{
	const char *p = c->p, *from;

	p += p < c->end && *p == '-';
	from = p;
	while (p < c->end && *p >= '0' && *p <= '9') {
		p++;
	}
	if (p == from || (*from == '0' && p - from > 1)) {
		return false;
	}
	if (p < c->end && *p == '.') {
		for (from = ++p; p < c->end && *p >= '0' && *p <= '9'; p++) {
		}
		if (p == from) {
			return false;
		}
	}
	if (p < c->end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < c->end && (*p == '-' || *p == '+');
		for (from = p; p < c->end && *p >= '0' && *p <= '9'; p++) {
		}
		if (p == from) {
			return false;
		}
	}
	*ret = c->p;
	*ret_n = (size_t)(p - c->p);
	c->p = p;
	return true;
}

static bool number(struct cursor *c, double *ret)
{
	const char *p;
	size_t n;

	return number_span(c, &p, &n) && log_number(p, n, ret);
}

/* Of a log's propensities few differ, and with 17 digits they are slow to read. */
static bool propensity(struct cursor *c, struct jsonl_line *l, double *ret)
{
	struct jsonl_number *k;
	const char *p;
	size_t n;

	if (!l->known) {
		return number(c, ret);
	}
	if (!number_span(c, &p, &n)) {
		return false;
	}
	k = &l->known
		 ->number[((unsigned char)p[n - 1] + 5 * (unsigned char)p[n / 2]) % JSONL_NUMBERS];
	if (n == k->n && memcmp(k->text, p, n) == 0) {
		*ret = k->value;
		return true;
	}
	if (!log_number(p, n, ret)) {
		return false;
	}
	if (n <= sizeof(k->text)) {
		memcpy(k->text, p, n);
		k->n = n;
		k->value = *ret;
	}
	return true;
}

static bool whole(struct cursor *c, uint64_t *ret)
{
	const char *from = c->p;
	uint64_t v = 0;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9' && c->p - from < 16) {
		v = 10 * v + (uint64_t)(*c->p++ - '0');
	}
	*ret = v;
	return c->p > from && (*from != '0' || c->p - from == 1) && v <= (UINT64_C(1) << 53);
}

/* Any value; brackets are balanced by a stack of what closes them. */
static bool skip_value(struct cursor *c)
{
	char close[DEPTH_MAX] = {0};
	struct jsonl_text s;
	size_t depth = 0, n;
	const char *p;

	for (;;) {
		if (depth && close[depth - 1] == '}' && (!string(c, &s) || !LIT(c, ":"))) {
			return false;
		}
		if (c->p == c->end) {
			return false;
		}
		if (*c->p == '{' || *c->p == '[') {
			if (depth == DEPTH_MAX) {
				return false;
			}
			close[depth] = *c->p++ == '{' ? '}' : ']';
			if (c->p < c->end && *c->p == close[depth]) {
				c->p++;
			} else {
				depth++;
				continue;
			}
		} else if (!(*c->p == '"' ? string(c, &s)
					  : number_span(c, &p, &n) || LIT(c, "true") ||
						LIT(c, "false") || LIT(c, "null"))) {
			return false;
		}
		while (depth && c->p < c->end && *c->p == close[depth - 1]) {
			c->p++;
			depth--;
		}
		if (depth == 0) {
			return true;
		}
		if (!LIT(c, ",")) {
			return false;
		}
	}
}

static bool ids(struct cursor *c, struct jsonl_line *l)
{
	struct jsonl_text id;

	if (!LIT(c, "[")) {
		return false;
	}
	do {
		if (!string(c, &id) || jsonl_add_id(l, id.p, id.n)) {
			return false;
		}
	} while (LIT(c, ","));
	return LIT(c, "]");
}

static bool numbers(struct cursor *c, struct jsonl_line *l)
{
	double v;

	if (!LIT(c, "[")) {
		return false;
	}
	do {
		if (!number(c, &v) || jsonl_add_x(l, v)) {
			return false;
		}
	} while (LIT(c, ","));
	return LIT(c, "]");
}

static bool careful_instant(const struct jsonl_text *t, uint64_t *ret)
{
	char copy[CLOCK_TEXT_MAX];

	if (t->n >= sizeof(copy)) {
		return false;
	}
	memcpy(copy, t->p, t->n);
	copy[t->n] = '\0';
	return clock_parse(copy, ret) == 0;
}

/* "31.000001Z" after the minute. */
static bool seconds(const char *p, uint64_t *ret_us)
{
	static const uint64_t worth[] = {10000000, 1000000, 0, 100000, 10000, 1000, 100, 10, 1};
	uint64_t us = 0;

	for (size_t i = 0; i < sizeof(worth) / sizeof(worth[0]); i++) {
		if (i != 2 && (unsigned)(p[i] - '0') > 9) {
			return false;
		}
		us += (unsigned)(p[i] - '0') * worth[i];
	}
	*ret_us = us;
	return p[0] < '6' && p[2] == '.' && p[9] == 'Z';
}

/* "2026-01-31T08:00:00.000001Z". Of many lines in a row the minute is the same. */
static bool instant(const struct jsonl_text *t, struct jsonl_known *k, uint64_t *ret)
{
	uint64_t us;

	if (!k || t->n != JSONL_MINUTE + 10 || !seconds(t->p + JSONL_MINUTE, &us)) {
		return careful_instant(t, ret);
	}
	if (k->minute_us == 0 || memcmp(k->minute, t->p, JSONL_MINUTE) != 0) {
		if (!careful_instant(t, ret)) {
			return false;
		}
		memcpy(k->minute, t->p, JSONL_MINUTE);
		k->minute_us = *ret - us;
	}
	*ret = k->minute_us + us;
	return true;
}

/* The keys from `from` on that may follow, each at most once and in this order. */
static bool decision_rest(struct cursor *c, struct jsonl_line *l)
{
	struct jsonl_text s;

	if (LIT(c, ",\"eligible\":") ? !ids(c, l) : LIT(c, ",\"active\":") && !skip_value(c)) {
		return false;
	}
	if ((LIT(c, ",\"pmf\":") && !skip_value(c)) ||
	    (LIT(c, ",\"fingerprint\":") && !string(c, &s)) || !LIT(c, ",\"expires_at\":") ||
	    !(LIT(c, "null") || string(c, &s))) {
		return false;
	}
	if (LIT(c, ",\"deferred\":") && !(LIT(c, "true") || LIT(c, "false"))) {
		return false;
	}
	return !(LIT(c, ",\"subject\":") && !string(c, &s)) &&
	       !(LIT(c, ",\"context\":") && !skip_value(c)) &&
	       !(LIT(c, ",\"x\":") && !numbers(c, l)) &&
	       !(LIT(c, ",\"groups\":") && !skip_value(c));
}

static bool decision(struct cursor *c, struct jsonl_line *l)
{
	struct jsonl_text s;
	double p;

	if (!LIT(c, ",\"decision\":") || !string(c, &s) || !LIT(c, ",\"arms\":[")) {
		return false;
	}
	do {
		if (!LIT(c, "{\"arm\":") || !string(c, l->picks ? &s : &l->arm) ||
		    !LIT(c, ",\"propensity\":") ||
		    !propensity(c, l, l->picks ? &p : &l->propensity) || !LIT(c, "}")) {
			return false;
		}
		l->picks++;
	} while (LIT(c, ","));
	return LIT(c, "]") && decision_rest(c, l);
}

/* A key that may be missing, true or false. */
#define FLAG(c, key) (!LIT(c, ",\"" key "\":") || LIT(c, "true") || LIT(c, "false"))

static bool feedback(struct cursor *c, struct jsonl_line *l)
{
	struct jsonl_text s;
	double held;

	if (!LIT(c, ",\"decision\":") || !string(c, &s) || !LIT(c, ",\"ref\":") ||
	    !whole(c, &l->ref) || !LIT(c, ",\"arm\":") || !string(c, &l->arm) ||
	    !LIT(c, ",\"propensity\":") || !propensity(c, l, &l->propensity)) {
		return false;
	}
	if (l->kind == JSONL_REWARD) {
		if (!LIT(c, ",\"reward\":") || !number(c, &l->reward) || !LIT(c, ",\"status\":") ||
		    !string(c, &s)) {
			return false;
		}
		l->pending = s.n == 7 && memcmp(s.p, "pending", 7) == 0;
	}
	if (LIT(c, ",\"learnt\":")) {
		l->has_learnt = number(c, &l->learnt);
		if (!l->has_learnt) {
			return false;
		}
	} else if (LIT(c, ",\"held\":") && !number(c, &held)) {
		return false;
	}
	return FLAG(c, "closes") && FLAG(c, "lost") && FLAG(c, "revived") && FLAG(c, "late") &&
	       FLAG(c, "clipped") && !(LIT(c, ",\"x\":") && !skip_value(c)) &&
	       !(LIT(c, ",\"key\":") && !string(c, &s)) &&
	       !(LIT(c, ",\"fingerprint\":") && !string(c, &s));
}

bool jsonl_fast(const char *text, size_t n, struct jsonl_line *ret)
{
	struct cursor c = {text, text + n};
	struct jsonl_text at;

	if (!LIT(&c, "{\"v\":1,\"experiment\":") || !string(&c, &ret->experiment) ||
	    !LIT(&c, ",\"seq\":") || !whole(&c, &ret->seq) || !LIT(&c, ",\"at\":") ||
	    !string(&c, &at) || !instant(&at, ret->known, &ret->at_us) ||
	    !LIT(&c, ",\"kind\":\"")) {
		return false;
	}
	ret->kind = LIT(&c, "decision\"") ? JSONL_DECISION
		    : LIT(&c, "reward\"") ? JSONL_REWARD
					  : JSONL_OTHER;
	if (ret->kind == JSONL_OTHER) {
		ret->is_void = LIT(&c, "void\"");
		ret->kind = ret->is_void || LIT(&c, "expiry\"") ? JSONL_END : JSONL_OTHER;
	}
	if (ret->kind == JSONL_OTHER ||
	    !(ret->kind == JSONL_DECISION ? decision(&c, ret) : feedback(&c, ret))) {
		return false;
	}
	return LIT(&c, "}") && c.p == c.end;
}
