/* SPDX-License-Identifier: Apache-2.0 */
/* VW's text: a line an event (cb), or lines up to an empty one (cb_adf, ccb, slates). cb and cb_adf
 * give rounds, slates where they are asked for; the others are checked and counted. Features are
 * those of the line in cb, of the shared line in cb_adf. Arms are called by their numbers in cb,
 * and 1..K, the places of an event's or a slot's actions, elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "eval/features.h"
#include "eval/log_impl.h"
#include "eval/log_places.h"
#include "eval/log_slots.h"

#define TOKENS_MAX 64

enum shape { SHAPE_CB, SHAPE_ADF, SHAPE_CCB, SHAPE_SLATES, SHAPE_CA };

struct token {
	const char *p;
	size_t n;
};

struct vw {
	struct places places;
	struct features features; /* of the event whose lines come */
	struct slots slots;       /* of it, where it is a slate */
	bool lines;               /* an event has several */
};

/* An event while its lines come. */
struct event {
	enum shape shape;
	uint64_t line;
	size_t nlines, nactions, nlabels, nslots;
	size_t taken; /* the place, or the number in cb */
	double cost, propensity;
	bool has_cost, bad; /* has_cost: of a slate */
};

/* The words before the first bar. The last may be a tag: it stands right before the bar, or begins
 * with a quote. Too many: TOKENS_MAX + 1. */
static size_t words(const char *p, size_t n, struct token t[TOKENS_MAX])
{
	const char *bar = memchr(p, '|', n), *end = bar ? bar : p + n;
	size_t k = 0;

	while (p < end) {
		const char *to = p;

		while (to < end && *to != ' ' && *to != '\t') {
			to++;
		}
		if (to > p && *p != '\'') {
			if (k == TOKENS_MAX) {
				return TOKENS_MAX + 1;
			}
			t[k++] = (struct token){p, (size_t)(to - p)};
		}
		p = to + (to < end);
	}
	return k;
}

static bool is_word(const struct token *t, const char *s)
{
	return t->n == strlen(s) && memcmp(t->p, s, t->n) == 0;
}

static bool has_colon(const struct token *t)
{
	return memchr(t->p, ':', t->n) != NULL;
}

/* The k numbers of "1:0.5:0.2", at most `max`; 0: broken. */
static size_t numbers(const char *p, size_t n, double *ret, size_t max)
{
	const char *end = p + n;
	size_t k = 0;

	for (; p; k++) {
		const char *colon = memchr(p, ':', (size_t)(end - p));

		if (k == max || !log_number(p, (size_t)((colon ? colon : end) - p), &ret[k])) {
			return 0;
		}
		p = colon ? colon + 1 : NULL;
	}
	return k;
}

static bool is_whole(double v)
{
	return v >= 0 && v <= 1e9 && v == (double)(uint32_t)v;
}

static void bad(struct log *l, struct event *e, enum log_reason reason, const char *why)
{
	if (!e->bad) {
		log_refuse(l, reason, l->line.number, "%s", why);
	}
	e->bad = true;
}

/* "action:cost:probability". */
static void bandit_label(struct log *l, struct event *e, const struct token *t, size_t place)
{
	double v[3];
	size_t n = numbers(t->p, t->n, v, 3);

	if (n == 0) {
		bad(l, e, LOG_VALUE, "the label is not action:cost:probability");
	} else if ((n < 3 && !(n == 2 && l->o.unknown)) || (n == 3 && !(v[2] > 0 && v[2] <= 1))) {
		bad(l, e, LOG_PROPENSITY, "the propensity does not lie in (0, 1]");
	} else if (e->nlabels++) {
		bad(l, e, LOG_LABELS, "a second label in one event");
	} else if (!is_whole(v[0]) || (e->shape == SHAPE_CB && v[0] < 1)) {
		bad(l, e, LOG_REFERENCE, "the action is not a whole number from 1");
	} else {
		e->taken = e->shape == SHAPE_CB ? (size_t)v[0] - 1 : place;
		e->cost = v[1];
		e->propensity = n == 3 ? v[2] : 0;
	}
}

/* "ccb slot 1:0.8:0.25,0:0.1 0,2" and "slates slot 1:0.8,0:0.1": the first was taken. */
static void slot_label(struct log *l, struct vw *r, struct event *e, const struct token *t)
{
	const char *p = t->p, *end = t->p + t->n;
	bool first = true;

	while (p) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		double v[3];
		size_t n = numbers(p, (size_t)((comma ? comma : end) - p), v, 3);

		if (n == 0 || !is_whole(v[0]) || (n != 2 && e->shape == SHAPE_SLATES)) {
			bad(l, e, LOG_VALUE, "the slot's label is broken");
		} else if (n >= 2 &&
			   (!(v[n - 1] >= 0 && v[n - 1] <= 1) || (first && v[n - 1] == 0))) {
			bad(l, e, LOG_PROPENSITY, "the propensity does not lie in (0, 1]");
		} else if (n >= 2 && e->shape == SHAPE_CCB && v[0] >= (double)e->nactions) {
			bad(l, e, LOG_REFERENCE, "the slot's action is not there");
		} else if (first && e->shape == SHAPE_SLATES &&
			   !slots_taken(&r->slots, (size_t)v[0], v[n - 1])) {
			bad(l, e, LOG_REFERENCE, "too many slots");
		}
		first = false;
		p = comma ? comma + 1 : NULL;
	}
}

static void slate_cost(struct log *l, struct event *e, const struct token *t)
{
	if (!log_number(t->p, t->n, &e->cost)) {
		bad(l, e, LOG_VALUE, "the cost is not a number");
	} else if (e->has_cost) {
		bad(l, e, LOG_LABELS, "a second label in one event");
	}
	e->has_cost = true;
}

static void slate_action(struct log *l, struct vw *r, struct event *e, const struct token *t)
{
	double v;

	if (!t || !log_number(t->p, t->n, &v) || !is_whole(v)) {
		bad(l, e, LOG_VALUE, "the action has no slot");
	} else if (!slots_action(&r->slots, (uint64_t)v)) {
		bad(l, e, LOG_REFERENCE, "the action's slot is too large");
	}
}

static void slot_line(struct log *l, struct vw *r, struct event *e, const struct token *t, size_t n)
{
	size_t labels = 0;

	e->nslots++;
	for (size_t i = 2; i < n; i++) {
		if (has_colon(&t[i]) && labels++ && e->shape == SHAPE_SLATES) {
			bad(l, e, LOG_LABELS, "a second label in one slot");
		} else if (has_colon(&t[i])) {
			slot_label(l, r, e, &t[i]);
		}
	}
	e->nlabels += labels > 0;
}

static void slots_line(
    struct log *l, struct vw *r, struct event *e, const struct token *t, size_t n)
{
	if (n >= 2 && is_word(&t[1], "shared")) {
		if (n > 2) {
			slate_cost(l, e, &t[2]);
		}
	} else if (n >= 2 && is_word(&t[1], "action")) {
		e->nactions++;
		if (e->shape == SHAPE_SLATES) {
			slate_action(l, r, e, n > 2 ? &t[2] : NULL);
		}
	} else if (n >= 2 && is_word(&t[1], "slot")) {
		slot_line(l, r, e, t, n);
	} else {
		bad(l, e, LOG_SYNTAX, "neither shared, action nor slot");
	}
}

static void continuous_line(struct log *l, struct event *e, const struct token *t, size_t n)
{
	double v[3];
	size_t k;

	for (size_t i = 1; i < n; i++) {
		k = has_colon(&t[i]) ? numbers(t[i].p, t[i].n, v, 3) : 3;
		if (k < 3) {
			bad(l, e, LOG_VALUE, "the label is not action:cost:pdf");
		} else if (has_colon(&t[i]) && !(v[2] > 0)) {
			bad(l, e, LOG_PROPENSITY, "the density is not above 0");
		} else if (has_colon(&t[i]) && e->nlabels++) {
			bad(l, e, LOG_LABELS, "a second label in one event");
		}
	}
}

static void bandit_line(struct log *l, struct event *e, const struct token *t, size_t n)
{
	size_t place = e->nactions;

	if (n && is_word(&t[0], "shared")) {
		if (e->nactions) {
			bad(l, e, LOG_SYNTAX, "shared is not the first line of the event");
		}
		return;
	}
	e->nactions++;
	for (size_t i = 0; i < n; i++) {
		if (has_colon(&t[i])) {
			bandit_label(l, e, &t[i], place);
		}
	}
}

/* "a:2 b", after the bar: of the namespace "" or of the word that stands right at the bar. */
static void namespace_features(
    struct log *l, struct vw *r, struct event *e, const char *p, const char *end)
{
	const char *space = p, *to, *colon;
	double weight = 1, v;
	size_t nspace = 0;

	for (bool first = true; p < end; first = false, p = to + (to < end)) {
		to = p;
		while (to < end && *to != ' ' && *to != '\t') {
			to++;
		}
		colon = memchr(p, ':', (size_t)(to - p));
		v = 1;
		if (colon && !log_number(colon + 1, (size_t)(to - colon - 1), &v)) {
			bad(l, e, LOG_VALUE, "a feature's value is not a finite number");
			return;
		}
		if (first && to > p) {
			nspace = (size_t)((colon ? colon : to) - p);
			weight = v;
		} else if (to > p) {
			features_add(&r->features, space, nspace, p,
			    (size_t)((colon ? colon : to) - p), weight * v);
		}
	}
}

static void line_features(struct log *l, struct vw *r, struct event *e, const char *p, size_t n)
{
	const char *end = p + n, *bar = memchr(p, '|', n), *next;

	for (; bar && r->features.dim; bar = next) {
		next = memchr(bar + 1, '|', (size_t)(end - bar - 1));
		namespace_features(l, r, e, bar + 1, next ? next : end);
	}
}

static void event_line(struct log *l, struct vw *r, struct event *e, const char *p, size_t n)
{
	struct token t[TOKENS_MAX];
	size_t k = words(p, n, t);

	if (k > TOKENS_MAX) {
		bad(l, e, LOG_SYNTAX, "too many words before the bar");
		return;
	}
	if (e->nlines++ == 0) {
		e->line = l->line.number;
		features_clear(&r->features);
		slots_clear(&r->slots);
		e->shape = k && is_word(&t[0], "ccb")      ? SHAPE_CCB
			   : k && is_word(&t[0], "slates") ? SHAPE_SLATES
			   : k && is_word(&t[0], "ca")     ? SHAPE_CA
			   : r->lines                      ? SHAPE_ADF
							   : SHAPE_CB;
	}
	if (e->shape == SHAPE_CCB || e->shape == SHAPE_SLATES) {
		slots_line(l, r, e, t, k);
		if (e->shape == SHAPE_SLATES && k > 1 && is_word(&t[1], "shared")) {
			line_features(l, r, e, p, n);
		}
	} else if (e->shape == SHAPE_CA) {
		continuous_line(l, e, t, k);
	} else if (!memchr(p, '|', n) && k == 0) {
		bad(l, e, LOG_SYNTAX, "no bar and no label");
	} else {
		bandit_line(l, e, t, k);
		if (e->shape == SHAPE_CB || (k && is_word(&t[0], "shared"))) {
			line_features(l, r, e, p, n);
		}
	}
}

static int whole_slate(
    struct log *l, struct vw *r, const struct event *e, struct round *ret, struct errinfo *err)
{
	int rc;

	if (!e->has_cost || e->nlabels == 0) {
		return log_skip(l, LOG_UNLABELLED);
	}
	if (e->nlabels < e->nslots) {
		return log_refuse(l, LOG_REFERENCE, e->line, "not every slot has a label");
	}
	rc = slots_give(&r->slots, &r->places, l, e->line, ret, err);
	if (rc == 1) {
		ret->reward = 0 - e->cost;
		ret->has_reward = true;
		features_give(&r->features, ret);
	}
	return rc;
}

static int whole_event(
    struct log *l, struct vw *r, const struct event *e, struct round *ret, struct errinfo *err)
{
	size_t n = e->shape == SHAPE_CB ? e->taken + 1 : e->nactions;
	int rc;

	if (e->bad) {
		return LOG_AGAIN;
	}
	if (e->shape == SHAPE_SLATES && l->o.slates) {
		return whole_slate(l, r, e, ret, err);
	}
	if (e->shape != SHAPE_CB && e->shape != SHAPE_ADF) {
		return log_skip(l, LOG_NOT_SCORED);
	}
	if (e->nlabels == 0) {
		return log_skip(l, LOG_UNLABELLED);
	}
	rc = places_upto(&r->places, l->arms, n);
	if (rc == RC_LIMIT) {
		return log_refuse(l, LOG_REFERENCE, e->line, "the action's number is too large");
	}
	if (rc) {
		return err_set(err, rc, "out_of_memory", "", "out of memory");
	}
	ret->line = e->line;
	ret->arm = r->places.arm[e->taken];
	ret->propensity = e->propensity;
	ret->reward = 0 - e->cost;
	ret->has_reward = true;
	features_give(&r->features, ret);
	if (e->shape == SHAPE_ADF) {
		ret->eligible = r->places.arm;
		ret->neligible = n;
	}
	return 1;
}

static int vw_next(struct log *l, void *state, struct round *ret, struct errinfo *err)
{
	struct event e = {.nlines = 0};
	struct vw *r = state;
	char *text;
	size_t n;
	int rc;

	for (;;) {
		rc = log_line(l, &text, &n, err);
		if (rc < 0 || (rc == 0 && e.nlines == 0)) {
			return rc;
		}
		if (rc == LOG_AGAIN) {
			e.bad = true;
			e.nlines++;
			n = 1;
		} else if (rc == 1 && n) {
			event_line(l, r, &e, text, n);
		}
		if (e.nlines && (rc == 0 || n == 0 || !r->lines || e.shape == SHAPE_CA)) {
			return whole_event(l, r, &e, ret, err);
		}
	}
}

static void vw_close(void *state)
{
	struct vw *r = state;

	if (r) {
		places_release(&r->places);
		features_release(&r->features);
		free(r);
	}
}

/* Events of several lines: one begins with its word, or an empty line ends one in which not every
 * line has a label. */
static bool several_lines(const char *p, size_t n)
{
	const char *end = p + n, *nl;
	struct token t[TOKENS_MAX];
	size_t lines = 0, labels = 0;

	for (; p < end; p = nl + 1) {
		size_t len, k, i;

		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl : end;
		len = (size_t)(nl - p);
		len -= len && p[len - 1] == '\r';
		if (len == 0) {
			return lines > 1 && labels < lines;
		}
		k = words(p, len, t);
		if (k && k <= TOKENS_MAX &&
		    (is_word(&t[0], "shared") || is_word(&t[0], "ccb") ||
			is_word(&t[0], "slates"))) {
			return true;
		}
		for (i = 0; i < k && k <= TOKENS_MAX && !has_colon(&t[i]); i++) {
		}
		lines++;
		labels += i < k;
	}
	return false;
}

static int vw_open(struct log *l, void **ret, struct errinfo *err)
{
	struct vw *r = calloc(1, sizeof(*r));
	const char *bytes;
	size_t n;
	int rc = r ? line_in_peek(l->in, &bytes, &n, err)
		   : err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");

	if (rc == 0 && features_init(&r->features, l->o.features)) {
		rc = err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	if (rc) {
		free(r);
		return rc;
	}
	r->lines = several_lines(bytes, n);
	*ret = r;
	return 0;
}

static bool vw_probe(const char *bytes, size_t n)
{
	const char *nl = memchr(bytes, '\n', n);

	return memchr(bytes, '|', nl ? (size_t)(nl - bytes) : n) != NULL;
}

const struct log_reader read_vw = {"vw", vw_probe, vw_open, vw_next, vw_close, {.slot_bytes = 0}};
