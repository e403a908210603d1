/* SPDX-License-Identifier: Apache-2.0 */
/* Our own log. Decisions wait for what becomes of them; a round comes when its reward is learnt, or
 * without one when it expires, when it is the oldest of too many that wait, and at the end. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "core/spec.h"
#include "eval/jsonl_line.h"
#include "eval/log_impl.h"

#define OPEN_MAX ((size_t)1 << 18)
#define OPEN_BYTES_MAX ((size_t)32 << 20)
#define EXPERIMENTS_MAX 4096
#define BUCKETS ((size_t)1 << 17)
#define KEPT_IDS 64

/* A decision that waits: its arms and numbers stand behind it. */
struct open {
	struct open *chain, *older, *newer;
	uint64_t seq, line, at_us;
	uint32_t experiment, arm;
	double propensity;
	uint32_t neligible, dim;
	double x[]; /* dim, then neligible of uint32_t */
};

struct experiment_name {
	char id[ID_MAX + 1];
	bool minimise;
};

/* A line that was looked at ahead. */
struct ahead {
	struct jsonl_line line;
	bool fast;
};

struct jsonl {
	struct jsonl_line *line; /* of an ahead, or own */
	struct jsonl_line own;   /* what the fast reader did not take */
	struct jsonl_known known[LINE_LOOKERS];
	struct buf keep;
	struct experiment_name *names;
	size_t nnames, last;                            /* last: of the line before */
	struct open **bucket, *oldest, *newest, *given; /* given: lent out by the last round */
	size_t nopen, bytes, open_max;
	bool ended;
};

static size_t size_of(const struct open *o)
{
	return sizeof(*o) + o->dim * sizeof(double) + o->neligible * sizeof(uint32_t);
}

static struct open **bucket_of(const struct jsonl *r, uint32_t experiment, uint64_t seq)
{
	return &r->bucket[(seq + experiment * UINT64_C(0x9e3779b9)) & (BUCKETS - 1)];
}

/* Takes it out of the map; the caller frees it. */
static struct open *take(struct jsonl *r, uint32_t experiment, uint64_t seq)
{
	struct open **at = bucket_of(r, experiment, seq), *o;

	while (*at && ((*at)->seq != seq || (*at)->experiment != experiment)) {
		at = &(*at)->chain;
	}
	o = *at;
	if (o) {
		*at = o->chain;
		*(o->older ? &o->older->newer : &r->oldest) = o->newer;
		*(o->newer ? &o->newer->older : &r->newest) = o->older;
		r->nopen--;
		r->bytes -= size_of(o);
	}
	return o;
}

static bool is_open(const struct jsonl *r, uint32_t experiment, uint64_t seq)
{
	const struct open *o = *bucket_of(r, experiment, seq);

	while (o && (o->seq != seq || o->experiment != experiment)) {
		o = o->chain;
	}
	return o != NULL;
}

static void put(struct jsonl *r, struct open *o)
{
	struct open **at = bucket_of(r, o->experiment, o->seq);

	o->chain = *at;
	*at = o;
	o->newer = NULL;
	o->older = r->newest;
	*(r->newest ? &r->newest->newer : &r->oldest) = o;
	r->newest = o;
	r->nopen++;
	r->bytes += size_of(o);
}

static int give(struct jsonl *r, struct open *o, struct round *ret)
{
	free(r->given);
	r->given = o;
	ret->line = o->line;
	ret->at_us = o->at_us;
	ret->arm = o->arm;
	ret->propensity = o->propensity;
	ret->dim = o->dim;
	ret->x = o->dim ? o->x : NULL;
	ret->neligible = o->neligible;
	ret->eligible = o->neligible ? (const uint32_t *)(const void *)(o->x + o->dim) : NULL;
	return 1;
}

/* From a source it is the event's seq. */
static uint64_t line_of(const struct log *l, const struct jsonl *r)
{
	return l->source.next ? r->line->seq : l->line.number;
}

static int out_of_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* 0, LOG_AGAIN: refused, or an error. */
static int experiment_of(struct log *l, struct jsonl *r, uint32_t *ret, struct errinfo *err)
{
	const struct jsonl_text *t = &r->line->experiment;
	struct experiment_name *names;
	size_t i = r->last;

	if (t->n == 0 || t->n > ID_MAX) {
		return log_refuse(l, LOG_VALUE, line_of(l, r), "no experiment's name");
	}
	for (size_t tried = 0; tried < r->nnames; tried++, i = (i + 1) % r->nnames) {
		if (memcmp(r->names[i].id, t->p, t->n) == 0 && !r->names[i].id[t->n]) {
			*ret = (uint32_t)(r->last = i);
			return 0;
		}
	}
	if (r->nnames == EXPERIMENTS_MAX) {
		return err_set(err, RC_LIMIT, "too_many", l->path, "too many experiments");
	}
	names = realloc(r->names, (r->nnames + 1) * sizeof(*names));
	if (!names) {
		return out_of_memory(err);
	}
	r->names = names;
	names[r->nnames] = (struct experiment_name){.minimise = false};
	memcpy(names[r->nnames].id, t->p, t->n);
	r->last = r->nnames++;
	*ret = (uint32_t)r->last;
	return 0;
}

static int new_open(struct log *l, struct jsonl *r, uint32_t experiment, struct errinfo *err)
{
	const struct jsonl_line *d = r->line;
	uint64_t at = line_of(l, r);
	struct open *o = malloc(sizeof(*o) + d->nx * sizeof(double) + d->nids * sizeof(uint32_t));
	uint32_t *eligible;
	int rc;

	if (!o) {
		return out_of_memory(err);
	}
	*o = (struct open){.seq = d->seq,
	    .line = at,
	    .at_us = d->at_us,
	    .experiment = experiment,
	    .propensity = d->propensity,
	    .neligible = (uint32_t)d->nids,
	    .dim = (uint32_t)d->nx};
	if (d->nx) {
		memcpy(o->x, d->x, d->nx * sizeof(double));
	}
	eligible = (uint32_t *)(void *)(o->x + d->nx);
	rc = log_arm(l, d->arm.p, d->arm.n, at, &o->arm, err);
	for (size_t i = 0; rc == 0 && i < d->nids; i++) {
		rc = log_arm(l, d->ids[i].p, d->ids[i].n, at, &eligible[i], err);
	}
	if (rc) {
		free(o);
		return rc;
	}
	put(r, o);
	return LOG_AGAIN;
}

static int decision(
    struct log *l, struct jsonl *r, uint32_t experiment, struct round *ret, struct errinfo *err)
{
	uint64_t at = line_of(l, r);
	int rc;

	if (r->line->picks != 1) { /* a slate or a forecast */
		return log_skip(l, LOG_NOT_SCORED);
	}
	if (log_check_propensity(l, at, r->line->propensity) != 1) {
		return LOG_AGAIN;
	}
	if (is_open(r, experiment, r->line->seq)) {
		return log_refuse(l, LOG_LABELS, at, "the decision stands there already");
	}
	rc = new_open(l, r, experiment, err);
	if (rc == LOG_AGAIN && (r->nopen > r->open_max || r->bytes > OPEN_BYTES_MAX)) {
		struct open *o = take(r, r->oldest->experiment, r->oldest->seq);

		return give(r, o, ret);
	}
	return rc;
}

static int feedback(struct log *l, struct jsonl *r, uint32_t experiment, struct round *ret)
{
	const struct jsonl_line *f = r->line;
	struct open *o;

	if (f->kind == JSONL_REWARD && f->pending && !f->has_learnt) {
		return LOG_AGAIN;
	}
	o = take(r, experiment, f->ref);
	if (!o) {
		return f->kind == JSONL_REWARD ? log_skip(l, LOG_DANGLING) : LOG_AGAIN;
	}
	if (f->is_void) {
		free(o);
		return log_skip(l, LOG_UNLABELLED);
	}
	ret->has_reward = f->has_learnt || f->kind == JSONL_REWARD;
	if (ret->has_reward) {
		ret->reward = f->has_learnt ? f->learnt : f->reward;
		ret->reward = r->names[experiment].minimise ? 0 - ret->reward : ret->reward;
	}
	return give(r, o, ret);
}

/* Forgets all but the memory. */
static void clean(struct jsonl_line *l)
{
	*l = (struct jsonl_line){
	    .ids = l->ids, .x = l->x, .ids_cap = l->ids_cap, .x_cap = l->x_cap, .known = l->known};
}

/* In any thread. Room for many names is not kept, for there are many slots. */
static void look(void *arg, int who, void *slot, const char *text, size_t n)
{
	struct jsonl *r = arg;
	struct ahead *a = slot;

	if (a->line.ids_cap > KEPT_IDS || a->line.x_cap > KEPT_IDS) {
		jsonl_line_release(&a->line);
		a->line = (struct jsonl_line){.kind = JSONL_OTHER};
	}
	clean(&a->line);
	a->line.known = &r->known[who];
	a->fast = jsonl_fast(text, n, &a->line);
}

static void release(void *slot)
{
	jsonl_line_release(&((struct ahead *)slot)->line);
}

/* 1: read; LOG_AGAIN: refused. */
static int parse(struct log *l, struct jsonl *r, const char *text, size_t n, struct errinfo *err)
{
	struct ahead *a = l->line.slot;
	const char *why = "";
	bool twice;
	int rc;

	r->line = a->fast ? &a->line : &r->own;
	if (a->fast) {
		return 1;
	}
	clean(r->line);
	rc = jsonl_slow(text, n, r->line, &r->keep, &why, &twice);
	if (rc == RC_INVALID) {
		return log_refuse(l, twice ? LOG_LABELS : LOG_SYNTAX, line_of(l, r), "%s", why);
	}
	return rc ? out_of_memory(err) : 1;
}

/* 1, 0, LOG_AGAIN or an error. */
static int read_event(struct log *l, struct jsonl *r, struct errinfo *err)
{
	char *text;
	size_t n;
	int rc;

	if (l->source.next) {
		r->line = &r->own;
		clean(r->line);
		return l->source.next(l->source.arg, r->line, err);
	}
	rc = log_line(l, &text, &n, err);
	if (rc != 1) {
		return rc;
	}
	return n ? parse(l, r, text, n, err) : LOG_AGAIN;
}

static int jsonl_next(struct log *l, void *state, struct round *ret, struct errinfo *err)
{
	struct jsonl *r = state;
	uint32_t experiment;
	int rc = r->ended ? 0 : read_event(l, r, err);

	if (rc == 0) {
		r->ended = true;
		return r->oldest ? give(r, take(r, r->oldest->experiment, r->oldest->seq), ret) : 0;
	}
	if (rc != 1) {
		return rc;
	}
	rc = experiment_of(l, r, &experiment, err);
	if (rc) {
		return rc;
	}
	switch (r->line->kind) {
	case JSONL_CREATE:
		r->names[experiment].minimise = r->line->minimise;
		return LOG_AGAIN;
	case JSONL_DECISION:
		return decision(l, r, experiment, ret, err);
	case JSONL_REWARD:
	case JSONL_END:
		return feedback(l, r, experiment, ret);
	default:
		return LOG_AGAIN;
	}
}

static void jsonl_close(void *state)
{
	struct jsonl *r = state;

	if (!r) {
		return;
	}
	while (r->oldest) {
		free(take(r, r->oldest->experiment, r->oldest->seq));
	}
	free(r->given);
	free(r->bucket);
	free(r->names);
	jsonl_line_release(&r->own);
	buf_release(&r->keep);
	free(r);
}

static int jsonl_open(struct log *l, void **ret, struct errinfo *err)
{
	struct jsonl *r = calloc(1, sizeof(*r));

	if (!r || !(r->bucket = calloc(BUCKETS, sizeof(struct open *)))) {
		free(r);
		return out_of_memory(err);
	}
	r->line = &r->own;
	buf_init(&r->keep, LINE_MAX_BYTES + 1);
	r->open_max = l->o.open_max ? l->o.open_max : OPEN_MAX;
	*ret = r;
	return 0;
}

static bool jsonl_probe(const char *bytes, size_t n)
{
	static const char start[] = "{\"v\":1,\"experiment\":";

	return n >= sizeof(start) - 1 && memcmp(bytes, start, sizeof(start) - 1) == 0;
}

const struct log_reader read_jsonl = {"jsonl", jsonl_probe, jsonl_open, jsonl_next, jsonl_close,
    {.slot_bytes = sizeof(struct ahead), .look = look, .release = release}};
