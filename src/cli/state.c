/* SPDX-License-Identifier: Apache-2.0 */
/* Which experiments a state holds, as its registry's log says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "core/replay.h"
#include "policies/policies.h"
#include "store/care.h"

#define DB_NAME "state.db"

/* The directory of a path that may also be that of the file in it. */
static int directory_of(const char *path, char **ret, struct errinfo *err)
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	struct stat st;

	if (stat(path, &st)) {
		return err_set(err, RC_NOT_FOUND, "not_found", path, "%s", strerror(errno));
	}
	if (S_ISDIR(st.st_mode)) {
		*ret = strdup(path);
	} else if (strcmp(last, DB_NAME) != 0) {
		return err_set(err, RC_INVALID, "not_a_state", path,
		    "not a state directory, nor the " DB_NAME " of one");
	} else if (!slash) {
		*ret = strdup(".");
	} else {
		*ret = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	}
	return *ret ? 0 : err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

bool state_is(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	return strcmp(slash ? slash + 1 : path, DB_NAME) == 0 ||
	       (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

static int fold_registry(void *arg, uint64_t seq, const void *body, size_t len)
{
	struct state *s = arg;

	return registry_fold(&s->list, seq, body, len);
}

int state_open(const char *path, struct state *ret, struct errinfo *err)
{
	struct state s = {.where = NULL};
	int rc = directory_of(path, &s.where, err);

	rc = rc ? rc : store_reader_open(&store_sqlite, s.where, &s.reader, err);
	rc = rc ? rc : registry_init(&s.list);
	if (rc == 0) {
		rc = store_read_raw(s.reader, STORE_REGISTRY, 0, fold_registry, &s, err);
		if (rc == RC_CORRUPT || rc == RC_VERSION) {
			err_set(err, rc, "state_damaged", path,
			    "the list of experiments does not hold after entry %llu",
			    (unsigned long long)s.list.seq);
		}
	}
	if (rc) {
		state_close(&s);
		return err_set(err, rc, "open_failed", path, "%s", err_name(rc));
	}
	*ret = s;
	return 0;
}

struct base {
	struct experiment *e;
	uint64_t seq; /* 0: none */
	int rc;
};

static int take_base(void *arg, const struct store_snapshot *s)
{
	struct base *b = arg;
	struct rd in;

	rd_init(&in, s->body, s->len);
	b->seq = s->seq;
	b->rc = experiment_load(&in, policy_find, &b->e);
	if (b->rc == 0 && experiment_seq(b->e) != s->seq) {
		experiment_free(b->e);
		b->rc = RC_CORRUPT;
	}
	return 1;
}

static void bad_base(void *arg, uint32_t experiment, uint64_t seq)
{
	struct base *b = arg;

	(void)experiment;
	b->seq = seq;
	b->rc = RC_CORRUPT;
}

int state_begin(struct store_reader *r, uint32_t number, struct replay *replay, uint64_t *ret_after,
    struct errinfo *err)
{
	struct base b = {.e = NULL};
	int rc = store_read_bases(r, number, take_base, bad_base, &b);

	if (rc) {
		return err_set(err, rc, "read_failed", "", "%s", err_name(rc));
	}
	*ret_after = b.seq;
	if (b.rc) {
		return err_set(err, b.rc, "state_damaged", "",
		    "the log was pruned up to seq %llu, and the state at which it begins %s",
		    (unsigned long long)b.seq,
		    b.rc == RC_VERSION ? "is of another version of the policy" : "is damaged");
	}
	if (b.e) {
		replay_from(replay, b.e);
	}
	return 0;
}

void state_close(struct state *s)
{
	store_reader_close(s->reader);
	registry_release(&s->list);
	free(s->where);
}

uint32_t state_find(const struct state *s, const char *name)
{
	for (uint32_t i = 1; i < s->list.numbers; i++) {
		if (s->list.names[i] && strcmp(s->list.names[i], name) == 0) {
			return i;
		}
	}
	return 0;
}
