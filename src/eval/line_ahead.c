/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of batches, one of them with the user. A batch does not grow once it has a line, so that
 * what points into its text stays. */
#include "eval/line_ahead.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RING 3
#define BATCH_LINES 512
#define BATCH_BYTES ((size_t)256 << 10)
#define CLAIM 16 /* lines that a thread looks at before it asks for more */

struct line {
	size_t at, n;
	uint64_t number, total;
};

struct batch {
	char *text;
	unsigned char *slots;
	size_t cap, len, nlines;
	struct line line[BATCH_LINES];
	int rc; /* what comes after its lines: 0: the next batch; 1: the end; or an error */
	struct errinfo err;
	uint64_t number, total; /* with it */
	atomic_size_t claimed;  /* lines that some thread looks at, or did */
	size_t looked;          /* those that were looked at; under the lock */
};

struct line_ahead {
	struct line_in *in;
	struct line_ahead_ops ops;
	char *held; /* the line that had no room in the batch before, and its length */
	size_t held_n;
	struct batch batch[RING];
	size_t at;     /* the line that is given next */
	uint64_t seen; /* batches that who uses the lines knows to be whole */
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock;
	pthread_cond_t turned;
	/* Batches that were filled and that were used up; changed under the lock. */
	uint64_t filled, used;
	bool stop;
};

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* An empty batch with room for a text of n bytes, or as much as there always is. */
static bool make_room(struct batch *b, size_t n)
{
	size_t cap = n < BATCH_BYTES ? BATCH_BYTES : n + 1;

	b->len = b->nlines = 0;
	if (cap != b->cap) {
		free(b->text);
		b->text = malloc(cap);
		b->cap = b->text ? cap : 0;
	}
	return b->text != NULL;
}

static void add(struct line_ahead *a, struct batch *b, const char *text, size_t n)
{
	struct line *l = &b->line[b->nlines];
	char *copy = b->text + b->len;

	memcpy(copy, text, n);
	copy[n] = '\0';
	*l = (struct line){b->len, n, line_in_number(a->in), line_in_total(a->in)};
	b->len += n + 1;
	b->nlines++;
}

static void fill(struct line_ahead *a, struct batch *b)
{
	int rc = 1;

	b->err = (struct errinfo){.rc = 0};
	b->looked = 0;
	atomic_store(&b->claimed, 0);
	if (!make_room(b, a->held ? a->held_n : 0)) {
		b->rc = no_memory(&b->err);
		return;
	}
	while (b->nlines < BATCH_LINES) {
		if (!a->held) {
			rc = line_in_next(a->in, &a->held, &a->held_n, &b->err);
		}
		if (rc != 1 ||
		    (b->nlines == 0 && a->held_n >= b->cap && !make_room(b, a->held_n))) {
			a->held = NULL;
			break;
		}
		if (a->held_n >= b->cap - b->len) {
			break;
		}
		add(a, b, a->held, a->held_n);
		a->held = NULL;
	}
	b->rc = !b->text ? no_memory(&b->err) : rc == 1 ? 0 : rc == 0 ? 1 : rc;
	b->number = line_in_number(a->in);
	b->total = line_in_total(a->in);
}

/* A line that is too long is no end. */
static bool is_last(const struct batch *b)
{
	return b->rc && b->rc != RC_LIMIT;
}

/* Until every line is claimed; returns how many it looked at. */
static size_t look(struct line_ahead *a, struct batch *b, int who)
{
	size_t n = 0, from;

	if (!a->ops.slot_bytes) {
		return 0;
	}
	while ((from = atomic_fetch_add(&b->claimed, CLAIM)) < b->nlines) {
		size_t to = from + CLAIM < b->nlines ? from + CLAIM : b->nlines;

		for (size_t i = from; i < to; i++) {
			a->ops.look(a->ops.arg, who, b->slots + i * a->ops.slot_bytes,
			    b->text + b->line[i].at, b->line[i].n);
		}
		n += to - from;
	}
	return n;
}

static bool is_whole(const struct line_ahead *a, const struct batch *b)
{
	return !a->ops.slot_bytes || b->looked == b->nlines;
}

static void *run(void *arg)
{
	struct line_ahead *a = arg;
	bool on = true;

	pthread_setcancelstate(
	    PTHREAD_CANCEL_DISABLE, NULL); /* but where line_in waits for bytes */
	while (on) {
		struct batch *b = &a->batch[a->filled % RING];
		size_t n;

		fill(a, b);
		on = !is_last(b);
		pthread_mutex_lock(&a->lock);
		a->filled++;
		pthread_cond_signal(&a->turned);
		pthread_mutex_unlock(&a->lock);
		n = look(a, b, 0);
		pthread_mutex_lock(&a->lock);
		b->looked += n;
		pthread_cond_signal(&a->turned);
		while (!a->stop && a->filled - a->used == RING) {
			pthread_cond_wait(&a->turned, &a->lock);
		}
		on = on && !a->stop;
		pthread_mutex_unlock(&a->lock);
	}
	return NULL;
}

int line_ahead_open(struct line_in *in, const struct line_ahead_ops *ops, struct line_ahead **ret,
    struct errinfo *err)
{
	struct line_ahead *a = calloc(1, sizeof(*a));
	bool ok = a != NULL;

	if (!a) {
		line_in_close(in);
		return no_memory(err);
	}
	a->in = in;
	a->ops = *ops;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->turned, NULL);
	for (int i = 0; i < RING && ops->slot_bytes; i++) {
		a->batch[i].slots = calloc(BATCH_LINES, ops->slot_bytes);
		ok = ok && a->batch[i].slots;
	}
	if (!ok) {
		line_ahead_close(a);
		return no_memory(err);
	}
	a->threaded = pthread_create(&a->thread, NULL, run, a) == 0;
	*ret = a;
	return 0;
}

static void stop(struct line_ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->turned);
	pthread_mutex_unlock(&a->lock);
	pthread_cancel(a->thread);
	pthread_join(a->thread, NULL);
}

void line_ahead_close(struct line_ahead *a)
{
	if (!a) {
		return;
	}
	if (a->threaded) {
		stop(a);
	}
	for (int i = 0; i < RING; i++) {
		struct batch *b = &a->batch[i];

		for (size_t s = 0; b->slots && a->ops.release && s < BATCH_LINES; s++) {
			a->ops.release(b->slots + s * a->ops.slot_bytes);
		}
		free(b->slots);
		free(b->text);
	}
	pthread_cond_destroy(&a->turned);
	pthread_mutex_destroy(&a->lock);
	line_in_close(a->in);
	free(a);
}

/* The batch that is used, once it is there and was looked at. */
static struct batch *front(struct line_ahead *a)
{
	struct batch *b = &a->batch[a->used % RING];
	size_t n;

	if (a->seen > a->used) {
		return b;
	}
	if (!a->threaded) {
		fill(a, b);
		a->filled++;
	}
	pthread_mutex_lock(&a->lock);
	while (a->filled == a->used) {
		pthread_cond_wait(&a->turned, &a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	n = look(a, b, 1);
	pthread_mutex_lock(&a->lock);
	b->looked += n;
	while (!is_whole(a, b)) {
		pthread_cond_wait(&a->turned, &a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	a->seen = a->used + 1;
	return b;
}

static void turn(struct line_ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->used++;
	pthread_cond_signal(&a->turned);
	pthread_mutex_unlock(&a->lock);
	a->at = 0;
}

int line_ahead_next(struct line_ahead *a, struct line_given *ret, struct errinfo *err)
{
	struct batch *b = front(a);
	const struct line *l;
	int rc = b->rc;

	while (rc == 0 && a->at == b->nlines) {
		turn(a);
		b = front(a);
		rc = b->rc;
	}
	if (a->at < b->nlines) {
		l = &b->line[a->at];
		*ret = (struct line_given){b->text + l->at, l->n,
		    a->ops.slot_bytes ? b->slots + a->at * a->ops.slot_bytes : NULL, l->number,
		    l->total};
		a->at++;
		return 1;
	}
	*ret = (struct line_given){.number = b->number, .total = b->total};
	if (rc == 1) {
		return 0;
	}
	err_set(err, rc, b->err.code, b->err.pointer, "%s", b->err.text);
	if (!is_last(b)) {
		turn(a);
	}
	return rc;
}
