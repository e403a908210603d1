/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "eval/line_ahead.h"
#include "test.h"

#define LINES 20000
#define TOO_LONG 1234 /* this one is */

/* What is made of a line here: who it was of, and a sum of its bytes. */
struct seen {
	int who;
	uint64_t sum;
	const char *text;
	char *own; /* so that a slot has something to release */
};

static uint64_t sum_of(const char *text, size_t n)
{
	uint64_t sum = n;

	for (size_t i = 0; i < n; i++) {
		sum = 31 * sum + (unsigned char)text[i];
	}
	return sum;
}

static void look(void *arg, int who, void *slot, const char *text, size_t n)
{
	struct seen *s = slot;

	(void)arg;
	s->own = s->own ? s->own : malloc(1);
	*s = (struct seen){who, sum_of(text, n), text, s->own};
}

static void release(void *slot)
{
	free(((struct seen *)slot)->own);
}

static const struct line_ahead_ops looked = {
    .slot_bytes = sizeof(struct seen), .look = look, .release = release};

/* Of line i: mostly short, some empty, a few larger than any batch. */
static size_t length_of(size_t i)
{
	struct rng rng = rng_at(3, i, RNG_TEST);

	return i == TOO_LONG  ? LINE_MAX_BYTES + (1 << 20)
	       : i % 777 == 5 ? 300000 + rng_below(&rng, 300000)
	       : i % 7 == 0   ? 0
			      : rng_below(&rng, 600);
}

static char byte_of(size_t i, size_t at)
{
	return (char)('a' + (i + at) % 26);
}

/* The caller frees it. */
static char *made(size_t lines, size_t *ret_n)
{
	size_t n = 0, at = 0;
	char *text;

	for (size_t i = 0; i < lines; i++) {
		n += length_of(i) + 1;
	}
	text = malloc(n);
	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < lines; i++) {
		for (size_t j = 0, len = length_of(i); j < len; j++) {
			text[at++] = byte_of(i, j);
		}
		text[at++] = '\n';
	}
	*ret_n = n;
	return text;
}

static struct line_ahead *opened(const char *text, size_t n, const struct line_ahead_ops *ops)
{
	struct errinfo err = {.rc = 0};
	struct line_ahead *a = NULL;
	struct line_in *in = NULL;

	ck_assert_int_eq(line_in_bytes(text, n, &in, &err), 0);
	ck_assert_int_eq(line_ahead_open(in, ops, &a, &err), 0);
	return a;
}

static void assert_lines(const struct line_ahead_ops *ops, unsigned *ret_who)
{
	size_t n;
	char *text = made(LINES, &n), *p = text;
	struct line_ahead *a = opened(text, n, ops);
	struct errinfo err = {.rc = 0};
	struct line_given l;

	for (size_t i = 0; i < LINES; i++) {
		size_t len = length_of(i);
		int rc = line_ahead_next(a, &l, &err);

		p += len + 1;
		ck_assert_uint_eq(l.number, i + 1);
		ck_assert_uint_eq(l.total, (uint64_t)(p - text));
		if (i == TOO_LONG) {
			ck_assert_int_eq(rc, RC_LIMIT);
			continue;
		}
		ck_assert_int_eq(rc, 1);
		ck_assert_uint_eq(l.n, len);
		ck_assert(memcmp(l.text, p - len - 1, len) == 0 && l.text[len] == '\0');
		if (ops->slot_bytes) {
			const struct seen *s = l.slot;

			ck_assert(s->text == l.text && s->sum == sum_of(l.text, len));
			*ret_who |= 1U << s->who;
		}
	}
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(line_ahead_next(a, &l, &err), 0);
		ck_assert_uint_eq(l.number, LINES);
	}
	line_ahead_close(a);
	free(text);
}

START_TEST(lines_come_in_order_whoever_looks)
{
	static const struct line_ahead_ops nothing = {.slot_bytes = 0};
	unsigned who = 0;

	assert_lines(&looked, &who);
	ck_assert_uint_eq(who & ~3U, 0);
	assert_lines(&nothing, &who);
}
END_TEST

static void *nop(void *arg)
{
	return arg;
}

START_TEST(without_a_thread_it_goes_as_well)
{
	pthread_attr_t attr;
	unsigned who = 0;
	pthread_t t;

	ck_assert_int_eq(pthread_attr_init(&attr), 0);
	ck_assert_int_eq(pthread_attr_setstacksize(&attr, (size_t)1 << 46), 0);
	ck_assert_int_eq(pthread_setattr_default_np(&attr), 0);
	ck_assert_int_ne(pthread_create(&t, NULL, nop, NULL), 0);
	assert_lines(&looked, &who);
	ck_assert_uint_eq(who, 2);
	pthread_attr_destroy(&attr);
}
END_TEST

START_TEST(it_may_be_left_at_any_line)
{
	size_t n;
	char *text = made(1000, &n);

	for (size_t stop = 0; stop < 1000; stop += 1 + stop / 2) {
		struct line_ahead *a = opened(text, n, &looked);
		struct line_given l;

		for (size_t i = 0; i < stop; i++) {
			ck_assert_int_eq(line_ahead_next(a, &l, NULL), 1);
		}
		line_ahead_close(a);
	}
	free(text);
}
END_TEST

START_TEST(a_pipe_that_says_no_more_is_left)
{
	struct errinfo err = {.rc = 0};
	struct line_ahead *a = NULL;
	struct line_in *in = NULL;
	struct line_given l;
	char path[32];
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "one\ntwo\n", 8), 8);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	ck_assert_int_eq(line_in_open(path, &in, &err), 0);
	ck_assert_int_eq(line_ahead_open(in, &looked, &a, &err), 0);
	usleep(50000); /* so that it waits by then, most likely */
	line_ahead_close(a);

	ck_assert_int_eq(write(ends[1], "one\ntwo\n", 8), 8);
	ck_assert_int_eq(line_in_open(path, &in, &err), 0);
	ck_assert_int_eq(line_ahead_open(in, &looked, &a, &err), 0);
	close(ends[1]);
	ck_assert(line_ahead_next(a, &l, &err) == 1 && strcmp(l.text, "one") == 0);
	ck_assert(line_ahead_next(a, &l, &err) == 1 && strcmp(l.text, "two") == 0);
	ck_assert_int_eq(line_ahead_next(a, &l, &err), 0);
	line_ahead_close(a);
	close(ends[0]);
}
END_TEST

START_TEST(damage_ends_it_after_the_lines_before)
{
	static const unsigned char gz[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0xcf};
	struct line_ahead *a = opened((const char *)gz, sizeof(gz), &looked);
	struct errinfo err = {.rc = 0};
	struct line_given l;

	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(line_ahead_next(a, &l, &err), RC_CORRUPT);
		ck_assert_str_eq(err.code, "damaged");
	}
	line_ahead_close(a);
}
END_TEST

RUN("line_ahead", lines_come_in_order_whoever_looks, without_a_thread_it_goes_as_well,
    it_may_be_left_at_any_line, a_pipe_that_says_no_more_is_left,
    damage_ends_it_after_the_lines_before)
