/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/live.h"

#include <stdio.h>
#include <string.h>

#include "serve/http_tls.h"
#include "serve/options.h"

int live_load(const struct config *c, struct live *ret, struct errinfo *err)
{
	struct live l = {.auth = NULL};
	int rc = *c->token_file ? auth_load(c->token_file, &l.auth, err) : 0;

	if (rc == 0 && *c->tls_cert) {
		rc = http_tls_load(c->tls_cert, c->tls_key, &l.tls, err);
	}
	if (rc) {
		live_release(&l);
		return rc;
	}
	*ret = l;
	return 0;
}

void live_release(struct live *l)
{
	auth_free(l->auth);
	l->auth = NULL;
	http_tls_free(l->tls);
	l->tls = NULL;
}

void live_apply(struct live *l, const struct config *c, struct api *a, struct http *h)
{
	if (l->tls) {
		http_tls_use(l->tls);
		l->tls = NULL;
	}
	guard_set(api_guard(a), l->auth, (unsigned)c->rate_limit, c->cors_origin);
	l->auth = NULL;
	http_set_timeouts(
	    h, (unsigned)c->request_timeout, (unsigned)c->reply_timeout, (unsigned)c->idle_timeout);
	log_setup(&c->levels, (enum log_format)c->log_format);
}

void live_reload(int argc, char **argv, const struct config *now, struct api *a, struct http *h)
{
	enum options_ask ask = OPTIONS_RUN;
	struct errinfo err = {.rc = 0};
	struct live l = {.auth = NULL};
	struct config next;
	char restart[512];

	config_init(&next);
	if (options_read(argc, argv, &next, &ask, &err) || live_load(&next, &l, &err)) {
		log_event(LOG_DAEMON, LOG_ERROR, "reload refused", "where", err.pointer, "detail",
		    err.text, NULL);
	} else {
		config_needs_restart(now, &next, restart);
		if (!*now->tls_cert != !*next.tls_cert) { /* a listener is plain, or it is not */
			size_t n = strlen(restart);

			snprintf(restart + n, sizeof(restart) - n, "%stls_cert", n ? " " : "");
			http_tls_free(l.tls);
			l.tls = NULL;
		}
		live_apply(&l, &next, a, h);
		log_audit("reloaded", "needs_restart", restart, NULL);
	}
	live_release(&l);
	config_release(&next);
}
