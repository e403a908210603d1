/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/auth.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

#define PREFIX "bdt_"
#define RANDOM_BYTES 32
#define LETTERS 43 /* of 32 bytes in base64 without padding */
#define ID_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"
#define PATTERN_MAX 128

static const unsigned char domain[] = "banditd bearer token 1";

struct auth {
	struct auth_token *tokens; /* by digest */
	size_t n;
};

static void digest_of(const char *token, size_t n, unsigned char ret[AUTH_DIGEST_BYTES])
{
	crypto_generichash(
	    ret, AUTH_DIGEST_BYTES, (const unsigned char *)token, n, domain, sizeof(domain) - 1);
}

void auth_make(char ret_token[AUTH_TOKEN_SIZE], char ret_hex[2 * AUTH_DIGEST_BYTES + 1])
{
	unsigned char secret[RANDOM_BYTES], digest[AUTH_DIGEST_BYTES];

	_Static_assert(sizeof(PREFIX) + LETTERS == AUTH_TOKEN_SIZE, "a token");
	randombytes_buf(secret, sizeof(secret));
	memcpy(ret_token, PREFIX, sizeof(PREFIX));
	sodium_bin2base64(ret_token + strlen(PREFIX), LETTERS + 1, secret, sizeof(secret),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	digest_of(ret_token, strlen(ret_token), digest);
	sodium_bin2hex(ret_hex, 2 * AUTH_DIGEST_BYTES + 1, digest, sizeof(digest));
	sodium_memzero(secret, sizeof(secret));
}

unsigned auth_scope(const char *name, size_t n)
{
	static const char *const names[] = {"decide", "reward", "read", "admin"};

	for (unsigned i = 0; i < 4; i++) {
		if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0) {
			return 1U << i;
		}
	}
	return 0;
}

/* ---- a line ---- */

static int take_scopes(const char *list, struct auth_token *t, struct errinfo *err)
{
	for (const char *p = list;; p++) {
		size_t n = strcspn(p, ",");
		unsigned bit = auth_scope(p, n);

		if (!bit) {
			return err_set(err, RC_INVALID, "out_of_range", "",
			    "\"%.*s\" is no scope: decide, reward, read or admin",
			    n < 40 ? (int)n : 40, p);
		}
		t->scopes |= bit;
		p += n;
		if (!*p) {
			return 0;
		}
	}
}

static int take_patterns(const char *list, struct auth_token *t, struct errinfo *err)
{
	for (const char *p = list;; p++) {
		size_t n = strcspn(p, ","), id = strspn(p, ID_LETTERS);

		if (t->npatterns == AUTH_PATTERNS_MAX) {
			return err_set(err, RC_LIMIT, "too_many", "",
			    "at most %d patterns of experiments", AUTH_PATTERNS_MAX);
		}
		if (n == 0 || n > PATTERN_MAX || (id != n && (id + 1 != n || p[id] != '*'))) {
			return err_set(err, RC_INVALID, "out_of_range", "",
			    "a pattern is the id of an experiment, or its beginning and *");
		}
		t->patterns[t->npatterns] = strndup(p, n);
		if (!t->patterns[t->npatterns]) {
			return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
		}
		t->npatterns++;
		p += n;
		if (!*p) {
			return 0;
		}
	}
}

static int take_option(const char *word, struct auth_token *t, struct errinfo *err)
{
	if (strncmp(word, "experiment=", 11) == 0) {
		return take_patterns(word + 11, t, err);
	}
	if (strncmp(word, "expires=", 8) != 0) {
		return err_set(err, RC_INVALID, "unknown_field", "",
		    "\"%.40s\" is neither experiment= nor expires=", word);
	}
	if (clock_parse(word + 8, &t->expires_us) || t->expires_us == 0) {
		return err_set(err, RC_INVALID, "out_of_range", "",
		    "expires is a time like 2027-01-31T00:00:00Z");
	}
	return 0;
}

static int take_digest(const char *hex, struct auth_token *t, struct errinfo *err)
{
	size_t n = 0;

	if (sodium_hex2bin(t->digest, sizeof(t->digest), hex, strlen(hex), NULL, &n, NULL) ||
	    n != sizeof(t->digest) || strlen(hex) != 2 * n) {
		return err_set(err, RC_INVALID, "out_of_range", "",
		    "a digest is %d hexadecimal digits", 2 * AUTH_DIGEST_BYTES);
	}
	return 0;
}

int auth_parse(char *line, struct auth_token *ret, struct errinfo *err)
{
	struct auth_token t = {.scopes = 0};
	char *save = NULL, *name = strtok_r(line, " \t", &save), *digest, *scopes, *word;
	int rc;

	digest = strtok_r(NULL, " \t", &save);
	scopes = strtok_r(NULL, " \t", &save);
	if (!scopes) {
		return err_set(err, RC_INVALID, "invalid", "",
		    "not a line of the form NAME DIGEST SCOPES [experiment=...] [expires=...]");
	}
	if (strlen(name) > AUTH_NAME_MAX || strspn(name, ID_LETTERS) != strlen(name)) {
		return err_set(err, RC_INVALID, "out_of_range", "",
		    "a name is 1 to %d of A-Z a-z 0-9 . _ : -", AUTH_NAME_MAX);
	}
	snprintf(t.name, sizeof(t.name), "%s", name);
	rc = take_digest(digest, &t, err);
	rc = rc ? rc : take_scopes(scopes, &t, err);
	while (rc == 0 && (word = strtok_r(NULL, " \t", &save)) != NULL) {
		rc = take_option(word, &t, err);
	}
	if (rc) {
		auth_token_release(&t);
		return rc;
	}
	*ret = t;
	return 0;
}

void auth_token_release(struct auth_token *t)
{
	for (size_t i = 0; i < t->npatterns; i++) {
		free(t->patterns[i]);
	}
	t->npatterns = 0;
}

/* ---- the file ---- */

static int by_digest(const void *a, const void *b)
{
	const struct auth_token *x = a, *y = b;

	return memcmp(x->digest, y->digest, sizeof(x->digest));
}

/* Names tell tokens apart in the log, so they are unique as digests are. */
static int by_name(const void *a, const void *b)
{
	const struct auth_token *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int add(struct auth *a, char *line, struct errinfo *err)
{
	struct auth_token t, *more;
	int rc = auth_parse(line, &t, err);

	if (rc) {
		return rc;
	}
	if (a->n == AUTH_TOKENS_MAX) {
		auth_token_release(&t);
		return err_set(err, RC_LIMIT, "too_many", "", "at most %d tokens", AUTH_TOKENS_MAX);
	}
	more = realloc(a->tokens, (a->n + 1) * sizeof(*more));
	if (!more) {
		auth_token_release(&t);
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	a->tokens = more;
	a->tokens[a->n++] = t;
	return 0;
}

static int check_unique(struct auth *a, int (*by)(const void *, const void *), struct errinfo *err)
{
	qsort(a->tokens, a->n, sizeof(*a->tokens), by);
	for (size_t i = 1; i < a->n; i++) {
		if (by(&a->tokens[i - 1], &a->tokens[i]) == 0) {
			return err_set(err, RC_INVALID, "duplicate_field", "",
			    "the tokens %s and %s have the same name or digest",
			    a->tokens[i - 1].name, a->tokens[i].name);
		}
	}
	return 0;
}

static int read_lines(FILE *in, struct auth *a, int *ret_line, struct errinfo *err)
{
	char line[AUTH_LINE_MAX];
	int rc = 0;

	while (rc == 0 && fgets(line, sizeof(line), in)) {
		size_t n = strlen(line);

		++*ret_line;
		if (n + 1 == sizeof(line) || (n && line[n - 1] != '\n' && !feof(in))) {
			return err_set(err, RC_LIMIT, "too_many", "",
			    "a line has at most %d bytes, none of them zero", AUTH_LINE_MAX - 2);
		}
		line[strcspn(line, "\r\n")] = '\0';
		if (line[strspn(line, " \t")] && line[strspn(line, " \t")] != '#') {
			rc = add(a, line, err);
		}
	}
	return rc;
}

int auth_load(const char *path, struct auth **ret, struct errinfo *err)
{
	struct errinfo why = {.rc = 0};
	struct auth *a = calloc(1, sizeof(*a));
	FILE *in = fopen(path, "re");
	char where[sizeof(err->pointer)];
	int line = 0, rc;

	if (!a || !in) {
		rc = err_set(err, a ? RC_IO : RC_MEMORY, "unreadable", path, "%s", strerror(errno));
		goto out;
	}
	rc = read_lines(in, a, &line, &why);
	snprintf(where, sizeof(where), "%.*s:%d", (int)sizeof(where) - 16, path, line);
	if (rc == 0) {
		snprintf(where, sizeof(where), "%.*s", (int)sizeof(where) - 16, path);
		rc = ferror(in) ? err_set(&why, RC_IO, "unreadable", "", "it cannot be read") : 0;
	}
	if (rc == 0 && a->n) {
		rc = check_unique(a, by_name, &why);
		rc = rc ? rc : check_unique(a, by_digest, &why);
	}
	if (rc) {
		err_set(err, rc, why.code, where, "%s", why.text);
		goto out;
	}
	*ret = a;
	a = NULL;
out:
	if (in) {
		fclose(in);
	}
	auth_free(a);
	return rc;
}

void auth_free(struct auth *a)
{
	if (!a) {
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		auth_token_release(&a->tokens[i]);
	}
	free(a->tokens);
	free(a);
}

size_t auth_count(const struct auth *a)
{
	return a->n;
}

/* ---- requests ---- */

bool auth_digest(const char *header, unsigned char ret[AUTH_DIGEST_BYTES])
{
	if (strncasecmp(header, "Bearer ", 7) != 0) {
		return false;
	}
	header += 7 + strspn(header + 7, " ");
	if (strlen(header) != AUTH_TOKEN_SIZE - 1 || strncmp(header, PREFIX, 4) != 0) {
		return false;
	}
	digest_of(header, AUTH_TOKEN_SIZE - 1, ret);
	return true;
}

static int compare_digest(const void *digest, const void *token)
{
	return memcmp(digest, ((const struct auth_token *)token)->digest, AUTH_DIGEST_BYTES);
}

struct auth_token *auth_find(
    struct auth *a, const unsigned char digest[AUTH_DIGEST_BYTES], uint64_t now_us)
{
	struct auth_token *t;

	if (!a->n) {
		return NULL;
	}
	/* What the search's time tells is of the digest, which nobody can choose. */
	t = bsearch(digest, a->tokens, a->n, sizeof(*t), compare_digest);
	if (!t || sodium_memcmp(t->digest, digest, AUTH_DIGEST_BYTES) != 0 ||
	    (t->expires_us && now_us >= t->expires_us)) {
		return NULL;
	}
	return t;
}

bool auth_sees(const struct auth_token *t, const char *experiment)
{
	for (size_t i = 0; i < t->npatterns; i++) {
		size_t n = strlen(t->patterns[i]);

		if (t->patterns[i][n - 1] == '*' ? strncmp(t->patterns[i], experiment, n - 1) == 0
						 : strcmp(t->patterns[i], experiment) == 0) {
			return true;
		}
	}
	return t->npatterns == 0;
}
