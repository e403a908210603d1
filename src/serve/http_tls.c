/* SPDX-License-Identifier: Apache-2.0 */
/* The library asks for the certificate at each handshake, so that it can change while connections
 * are open. What an unfinished handshake still holds is kept until none can. */
#include "serve/http_tls.h"

#include <gnutls/abstract.h>
#include <stdlib.h>

#include "base/clock.h"
#include "serve/http_impl.h"

#define CHAIN_MAX 16
#define KEEP_US (UINT64_C(700) * CLOCK_SECOND_US) /* longer than any request_timeout */

struct http_tls {
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned n;
	gnutls_privkey_t key;
	uint64_t retired_us;
	struct http_tls *next;
};

/* The callback is not told for which server it is. Newest first; the loop's thread alone. */
static struct http_tls *in_use;

static int fail(const char *what, const char *path, int code, struct errinfo *err)
{
	return err_set(
	    err, RC_INVALID, "out_of_range", path, "%s: %s", what, gnutls_strerror(code));
}

/* Certificate and key belong together? */
static int check_pair(const char *cert, const char *key, struct errinfo *err)
{
	gnutls_certificate_credentials_t both;
	int code = gnutls_certificate_allocate_credentials(&both);

	if (code < 0) {
		return fail("credentials", cert, code, err);
	}
	code = gnutls_certificate_set_x509_key_file(both, cert, key, GNUTLS_X509_FMT_PEM);
	gnutls_certificate_free_credentials(both);
	return code < 0 ? fail("tls_cert and tls_key", cert, code, err) : 0;
}

static int load_key(struct http_tls *t, const char *path, struct errinfo *err)
{
	gnutls_datum_t pem = {.data = NULL};
	int code = gnutls_load_file(path, &pem);

	if (code < 0) {
		return fail("tls_key", path, code, err);
	}
	code = gnutls_privkey_import_x509_raw(t->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_memset(pem.data, 0, pem.size);
	gnutls_free(pem.data);
	return code < 0 ? fail("tls_key", path, code, err) : 0;
}

int http_tls_load(const char *cert, const char *key, struct http_tls **ret, struct errinfo *err)
{
	struct http_tls *t;
	unsigned n = CHAIN_MAX;
	int code, rc = check_pair(cert, key, err);

	if (rc) {
		return rc;
	}
	t = calloc(1, sizeof(*t));
	if (!t || gnutls_privkey_init(&t->key) < 0) {
		free(t);
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	rc = load_key(t, key, err);
	if (rc == 0) {
		code = gnutls_pcert_list_import_x509_file(
		    t->chain, &n, cert, GNUTLS_X509_FMT_PEM, NULL, NULL, 0);
		rc = code < 0 ? fail("tls_cert", cert, code, err) : 0;
		t->n = code < 0 ? 0 : n;
	}
	if (rc) {
		http_tls_free(t);
		return rc;
	}
	*ret = t;
	return 0;
}

void http_tls_free(struct http_tls *t)
{
	if (!t) {
		return;
	}
	for (unsigned i = 0; i < t->n; i++) {
		gnutls_pcert_deinit(&t->chain[i]);
	}
	gnutls_privkey_deinit(t->key);
	free(t);
}

void http_tls_use(struct http_tls *t)
{
	uint64_t now = clock_mono_us();

	if (in_use) {
		in_use->retired_us = now;
	}
	for (struct http_tls **at = &in_use; *at;) {
		struct http_tls *old = *at;

		if (old->retired_us + KEEP_US < now) {
			*at = old->next;
			http_tls_free(old);
		} else {
			at = &old->next;
		}
	}
	t->next = in_use;
	in_use = t;
}

void http_tls_forget(void)
{
	while (in_use) {
		struct http_tls *next = in_use->next;

		http_tls_free(in_use);
		in_use = next;
	}
}

int http_tls_give(gnutls_session_t session, const gnutls_datum_t *authorities, int nauthorities,
    const gnutls_pk_algorithm_t *algorithms, int nalgorithms, gnutls_pcert_st **ret_chain,
    unsigned *ret_n, gnutls_privkey_t *ret_key)
{
	(void)session;
	(void)authorities;
	(void)nauthorities;
	(void)algorithms;
	(void)nalgorithms;
	if (!in_use) {
		return -1;
	}
	*ret_chain = in_use->chain;
	*ret_n = in_use->n;
	*ret_key = in_use->key;
	return 0;
}
