/* SPDX-License-Identifier: Apache-2.0 */
/* Which experiments a state holds, as its registry's log says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "store/registry.h"

#define DB_NAME "state.db"
#define NAMES_FIRST 64

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

static int add_name(struct state *s, const char *name)
{
	uint32_t n = s->numbers;
	char **names = s->names;

	/* Grown at powers of two, so that no capacity need be kept. */
	if (n == 0 || (n >= NAMES_FIRST && (n & (n - 1)) == 0)) {
		names = realloc(names, (n ? 2 * (size_t)n : NAMES_FIRST) * sizeof(*names));
		if (!names) {
			return RC_MEMORY;
		}
		s->names = names;
	}
	names[n] = name ? strdup(name) : NULL;
	if (name && !names[n]) {
		return RC_MEMORY;
	}
	s->numbers++;
	return 0;
}

static int fold_registry(void *arg, uint64_t seq, const void *body, size_t len)
{
	struct state *s = arg;
	struct registry_entry entry;
	int rc = registry_decode(body, len, &entry);

	if (rc || seq != s->registry_seq + 1) {
		return rc ? rc : RC_CORRUPT;
	}
	s->registry_seq = seq;
	if (entry.op == REGISTRY_CREATE) {
		return entry.number == s->numbers ? add_name(s, entry.name) : RC_CORRUPT;
	}
	if (entry.number >= s->numbers || !s->names[entry.number]) {
		return RC_CORRUPT;
	}
	free(s->names[entry.number]);
	s->names[entry.number] = NULL;
	return 0;
}

int state_open(const char *path, struct state *ret, struct errinfo *err)
{
	struct state s = {.numbers = 0};
	int rc = directory_of(path, &s.where, err);

	rc = rc ? rc : store_reader_open(&store_sqlite, s.where, &s.reader, err);
	rc = rc ? rc : add_name(&s, NULL); /* 0 is the registry itself */
	if (rc == 0) {
		rc = store_read_raw(s.reader, STORE_REGISTRY, 0, fold_registry, &s, err);
		if (rc == RC_CORRUPT || rc == RC_VERSION) {
			err_set(err, rc, "state_damaged", path,
			    "the list of experiments does not hold after entry %llu",
			    (unsigned long long)s.registry_seq);
		}
	}
	if (rc) {
		state_close(&s);
		return err_set(err, rc, "open_failed", path, "%s", err_name(rc));
	}
	*ret = s;
	return 0;
}

void state_close(struct state *s)
{
	store_reader_close(s->reader);
	for (uint32_t i = 0; i < s->numbers; i++) {
		free(s->names[i]);
	}
	free(s->names);
	free(s->where);
}

uint32_t state_find(const struct state *s, const char *name)
{
	for (uint32_t i = 1; i < s->numbers; i++) {
		if (s->names[i] && strcmp(s->names[i], name) == 0) {
			return i;
		}
	}
	return 0;
}
