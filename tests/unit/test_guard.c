/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, rates and who may do what, at the limit and one beyond; the clock is the test's. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "serve/guard.h"
#include "test.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SECOND CLOCK_SECOND_US

static int load(const char *text, struct auth **ret, struct errinfo *err)
{
	char path[] = "/tmp/test_guard_XXXXXX";
	int fd = mkstemp(path), rc;

	ck_assert_int_eq(hash_init(), 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	*err = (struct errinfo){.rc = 0};
	rc = auth_load(path, ret, err);
	unlink(path);
	return rc;
}

START_TEST(a_bad_line_of_the_tokens_is_named)
{
	static const struct {
		const char *text, *where, *says;
	} cases[] = {{"a " HEX " read\nb\n", ":2", "NAME DIGEST SCOPES"},
	    {"a " HEX "0 read\n", ":1", "64 hexadecimal"}, {"a 00 read\n", ":1", "64 hexadecimal"},
	    {"a " HEX " read,write\n", ":1", "\"write\" is no scope"},
	    {"a " HEX " read,\n", ":1", "no scope"}, {"\n#x\na/b " HEX " read\n", ":3", "a name"},
	    {"a " HEX " read experiment=x*y\n", ":1", "a pattern"},
	    {"a " HEX " read experiment=\n", ":1", "a pattern"},
	    {"a " HEX " read expires=tomorrow\n", ":1", "expires is a time"},
	    {"a " HEX " read for=ever\n", ":1", "neither"},
	    {"a " HEX " read\nb " HEX " read\n", "", "same name or digest"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct errinfo err;
		struct auth *a;

		ck_assert_int_eq(load(cases[i].text, &a, &err), RC_INVALID);
		ck_assert_msg(strstr(err.pointer, cases[i].where) != NULL, "%s", err.pointer);
		ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s", err.text);
	}
}
END_TEST

static struct auth_token *find(struct auth *a, const char *header, uint64_t now_us)
{
	unsigned char digest[AUTH_DIGEST_BYTES];

	return auth_digest(header, digest) ? auth_find(a, digest, now_us) : NULL;
}

START_TEST(a_token_is_found_until_it_expires)
{
	char token[AUTH_TOKEN_SIZE], other[AUTH_TOKEN_SIZE], hex[2 * AUTH_DIGEST_BYTES + 1];
	char unused[sizeof(hex)], text[300], header[80];
	const uint64_t end = UINT64_C(1893456000) * SECOND; /* 2030-01-01 */
	struct errinfo err;
	struct auth *a;

	auth_make(token, hex);
	auth_make(other, unused);
	ck_assert_str_ne(token, other);
	snprintf(text, sizeof(text),
	    "# tokens\n\nweb %s decide,reward experiment=shop,home-* "
	    "expires=2030-01-01T00:00:00Z\n",
	    hex);
	ck_assert_int_eq(load(text, &a, &err), 0);
	ck_assert_uint_eq(auth_count(a), 1);
	snprintf(header, sizeof(header), "Bearer %s", token);
	ck_assert_str_eq(find(a, header, end - 1)->name, "web");
	ck_assert_ptr_null(find(a, header, end));
	snprintf(header, sizeof(header), "bearer  %s", token);
	ck_assert_uint_eq(find(a, header, 1)->scopes, AUTH_DECIDE | AUTH_REWARD);
	ck_assert(auth_sees(find(a, header, 1), "shop"));
	ck_assert(auth_sees(find(a, header, 1), "home-page"));
	ck_assert(!auth_sees(find(a, header, 1), "shop2"));
	ck_assert(!auth_sees(find(a, header, 1), "home"));
	snprintf(header, sizeof(header), "Bearer %s", other);
	ck_assert_ptr_null(find(a, header, 1));
	snprintf(header, sizeof(header), "Basic %s", token);
	ck_assert_ptr_null(find(a, header, 1));
	snprintf(header, sizeof(header), "Bearer %sx", token);
	ck_assert_ptr_null(find(a, header, 1));
	ck_assert_ptr_null(find(a, "", 1));
	auth_free(a);
}
END_TEST

START_TEST(a_bucket_gives_its_rate_and_not_one_more)
{
	struct bucket b = {.spent = 0};
	uint64_t now = 5 * SECOND;
	int taken = 0;

	for (int i = 0; i < 7; i++) {
		taken += bucket_take(&b, 5, 5, now);
	}
	ck_assert_int_eq(taken, 5);
	ck_assert_uint_eq(bucket_left(&b, 5), 0);
	ck_assert(!bucket_take(&b, 5, 5, now + SECOND / 5 - 1));
	ck_assert(bucket_take(&b, 5, 5, now + SECOND / 5 + 1));
	ck_assert(!bucket_take(&b, 5, 5, now + SECOND / 5 + 1));
	ck_assert(bucket_take(&b, 5, 5, now + 3600 * SECOND));
	ck_assert_uint_eq(bucket_left(&b, 5), 4); /* never more than it holds */
	ck_assert(bucket_take(&b, 5, 5, now));    /* a clock that goes back gives nothing away */
	ck_assert_uint_eq(bucket_left(&b, 5), 3);
}
END_TEST

static int ask(
    struct guard *g, const char *header, uint64_t now_us, unsigned char last, struct errinfo *err)
{
	const struct guard_ask what = {
	    .scope = AUTH_READ, .object = GUARD_EXPERIMENT, .experiment = "e"};
	struct http_request rq = {.now_us = now_us, .mono_us = now_us};
	const struct auth_token *t;
	struct http_response rs;

	memset(&rs, 0, sizeof(rs));
	rq.field[HTTP_AUTHORIZATION] = header;
	rq.peer[10] = rq.peer[11] = 0xff;
	rq.peer[15] = last;
	*err = (struct errinfo){.rc = 0};
	return guard_check(g, &rq, &what, &rs, &t, err);
}

#define HEADER_SIZE 80

/* A guard that knows one token, and the header that has it. */
static struct guard *guard_of_a_reader(unsigned rate, char ret_header[HEADER_SIZE])
{
	char token[AUTH_TOKEN_SIZE], hex[2 * AUTH_DIGEST_BYTES + 1], text[200];
	struct errinfo err;
	struct guard *g;
	struct auth *a;

	auth_make(token, hex);
	snprintf(text, sizeof(text), "r %s read\n", hex);
	snprintf(ret_header, HEADER_SIZE, "Bearer %s", token);
	ck_assert_int_eq(load(text, &a, &err), 0);
	ck_assert_int_eq(guard_new(&g), 0);
	guard_set(g, a, rate, "");
	return g;
}

START_TEST(a_token_has_its_rate)
{
	char header[HEADER_SIZE];
	struct errinfo err;
	struct guard *g = guard_of_a_reader(3, header);

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ask(g, header, 9 * SECOND, 1, &err), 0);
	}
	ck_assert_int_ne(ask(g, header, 9 * SECOND, 1, &err), 0);
	ck_assert_str_eq(err.code, "rate_limited");
	ck_assert_int_eq(ask(g, header, 10 * SECOND, 1, &err), 0);
	guard_free(g);
}
END_TEST

/* A right token goes through from an address that has sent wrong ones. */
START_TEST(wrong_tokens_of_an_address_are_counted)
{
	char header[HEADER_SIZE];
	struct errinfo err;
	struct guard *g = guard_of_a_reader(0, header);

	for (int i = 0; i < GUARD_FAILURES_MAX; i++) {
		ask(g, "Bearer wrong", 9 * SECOND, 1, &err);
		ck_assert_str_eq(err.code, "unauthorised");
	}
	ask(g, "Bearer wrong", 9 * SECOND, 1, &err);
	ck_assert_str_eq(err.code, "rate_limited");
	ck_assert_int_eq(ask(g, header, 9 * SECOND, 1, &err), 0);
	ask(g, "Bearer wrong", 10 * SECOND, 1, &err);
	ck_assert_str_eq(err.code, "unauthorised");
	guard_free(g);
}
END_TEST

/* How often a digest was computed: the linker puts this in between. */
static int digests;

int __real_crypto_generichash(unsigned char *out, size_t outlen, const unsigned char *in,
    unsigned long long inlen, const unsigned char *key, size_t keylen);
int __wrap_crypto_generichash(unsigned char *out, size_t outlen, const unsigned char *in,
    unsigned long long inlen, const unsigned char *key, size_t keylen);
int __wrap_crypto_generichash(unsigned char *out, size_t outlen, const unsigned char *in,
    unsigned long long inlen, const unsigned char *key, size_t keylen)
{
	digests++;
	return __real_crypto_generichash(out, outlen, in, inlen, key, keylen);
}

static const struct guard_ask to_read = {
    .scope = AUTH_READ, .object = GUARD_EXPERIMENT, .experiment = "e"};

static int check(
    struct guard *g, const struct http_request *rq, const struct auth_token **ret, const char **why)
{
	struct errinfo err = {.rc = 0};
	struct http_response rs;
	int rc;

	memset(&rs, 0, sizeof(rs));
	rc = guard_check(g, rq, &to_read, &rs, ret, &err);
	*why = rc ? err.code : "";
	return rc;
}

START_TEST(the_digest_of_a_request_with_a_body_is_computed_once)
{
	char header[HEADER_SIZE];
	struct guard *g = guard_of_a_reader(0, header);
	struct http_request rq = {.now_us = 1, .mono_us = 1};
	const struct auth_token *t;
	const char *why;

	rq.field[HTTP_AUTHORIZATION] = header;
	digests = 0;
	ck_assert(guard_may(g, &rq, &to_read));
	ck_assert_int_eq(check(g, &rq, &t, &why), 0);
	ck_assert_str_eq(t->name, "r");
	ck_assert_int_eq(digests, 1);

	memset(rq.kept, 0, sizeof(rq.kept)); /* the next one, and without a body */
	ck_assert_int_eq(check(g, &rq, &t, &why), 0);
	ck_assert_int_eq(digests, 2);

	rq.field[HTTP_AUTHORIZATION] = "Bearer bdt_short";
	ck_assert(!guard_may(g, &rq, &to_read));
	ck_assert_int_ne(check(g, &rq, &t, &why), 0);
	ck_assert_int_eq(digests, 2); /* of what is no token none is */
	guard_free(g);
}
END_TEST

/* SIGHUP comes between the head of a request and its body: what counts is the table that is. */
START_TEST(a_table_that_comes_while_a_body_is_read_is_what_counts)
{
	char header[HEADER_SIZE], other[AUTH_TOKEN_SIZE], hex[2 * AUTH_DIGEST_BYTES + 1], text[200];
	struct guard *g = guard_of_a_reader(0, header);
	struct http_request rq = {.now_us = 1, .mono_us = 1};
	const struct auth_token *t;
	struct errinfo err;
	struct auth *a;
	const char *why;

	rq.field[HTTP_AUTHORIZATION] = header;
	ck_assert(guard_may(g, &rq, &to_read));
	auth_make(other, hex);
	snprintf(text, sizeof(text), "other %s read\n", hex);
	ck_assert_int_eq(load(text, &a, &err), 0);
	guard_set(g, a, 0, "");
	ck_assert_int_ne(check(g, &rq, &t, &why), 0);
	ck_assert_str_eq(why, "unauthorised");
	ck_assert_ptr_null(t);

	memset(
	    rq.kept, 0, sizeof(rq.kept)); /* unknown when the head came, known when the body did */
	snprintf(header, sizeof(header), "Bearer %s", other);
	ck_assert_int_eq(load("", &a, &err), 0);
	guard_set(g, a, 0, "");
	ck_assert(!guard_may(g, &rq, &to_read));
	ck_assert_int_eq(load(text, &a, &err), 0);
	guard_set(g, a, 0, "");
	ck_assert_int_eq(check(g, &rq, &t, &why), 0);
	ck_assert_str_eq(t->name, "other");
	guard_free(g);
}
END_TEST

RUN("guard", a_bad_line_of_the_tokens_is_named, a_token_is_found_until_it_expires,
    a_bucket_gives_its_rate_and_not_one_more, a_token_has_its_rate,
    wrong_tokens_of_an_address_are_counted, the_digest_of_a_request_with_a_body_is_computed_once,
    a_table_that_comes_while_a_body_is_read_is_what_counts)
