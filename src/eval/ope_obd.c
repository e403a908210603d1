/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/ope_obd.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "core/experiment.h"
#include "eval/read_obd.h"

#define POSITIONS_MAX 1024

struct named_arm {
	UT_hash_handle hh;
	uint32_t number;
	char id[ID_MAX + 1];
};

struct ope_obd {
	char *path;
	struct read_obd *in;
	struct named_arm *by_id;
	const char **arms;
	size_t narms, cap, npositions;
	uint64_t positions[POSITIONS_MAX];
	uint64_t next;
};

int ope_obd_open(const char *path, struct ope_obd **ret, struct errinfo *err)
{
	struct ope_obd *l = calloc(1, sizeof(*l));
	int rc = 0;

	if (!l || !(l->path = strdup(path))) {
		rc = err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	rc = rc ? rc : read_obd_open(path, &l->in, err);
	if (rc) {
		ope_obd_close(l);
		return rc;
	}
	*ret = l;
	return 0;
}

void ope_obd_close(struct ope_obd *l)
{
	struct named_arm *a, *next;

	if (l) {
		HASH_ITER (hh, l->by_id, a, next) {
			HASH_DEL(l->by_id, a);
			free(a);
		}
		read_obd_close(l->in);
		free(l->arms);
		free(l->path);
		free(l);
	}
}

/* Room for one more arm. */
static int grow(struct ope_obd *l, struct errinfo *err)
{
	size_t cap = l->cap ? 2 * l->cap : 64;
	const char **arms;

	if (l->narms == SCAN_MAX) {
		return err_set(
		    err, RC_LIMIT, "too_many", "", "the log has more than %d items", SCAN_MAX);
	}
	if (l->narms < l->cap) {
		return 0;
	}
	arms = realloc(l->arms, cap * sizeof(*arms));
	if (!arms) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	l->arms = arms;
	l->cap = cap;
	return 0;
}

static int add_arm(struct ope_obd *l, const char *id, struct named_arm **ret, struct errinfo *err)
{
	struct named_arm *a;
	int rc = grow(l, err);

	if (rc) {
		return rc;
	}
	a = calloc(1, sizeof(*a));
	if (!a) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	memcpy(a->id, id, strlen(id) + 1);
	a->number = (uint32_t)l->narms;
	l->arms[l->narms++] = a->id;
	HASH_ADD_STR(l->by_id, id, a);
	*ret = a;
	return 0;
}

static int position_of(struct ope_obd *l, uint64_t position, uint32_t *ret, struct errinfo *err)
{
	size_t i = 0;

	while (i < l->npositions && l->positions[i] != position) {
		i++;
	}
	if (i == POSITIONS_MAX) {
		return err_set(err, RC_LIMIT, "too_many", "", "the log has more than %d positions",
		    POSITIONS_MAX);
	}
	if (i == l->npositions) {
		l->positions[l->npositions++] = position;
	}
	*ret = (uint32_t)i;
	return 0;
}

static int next(void *arg, struct round *ret, struct errinfo *err)
{
	struct ope_obd *l = arg;
	struct obd_row row;
	struct named_arm *a;
	uint32_t position = 0;
	int rc = read_obd_next(l->in, &row, err);

	if (rc != 1) {
		return rc;
	}
	HASH_FIND_STR(l->by_id, row.item, a);
	rc = a ? 0 : add_arm(l, row.item, &a, err);
	rc = rc ? rc : position_of(l, row.position, &position, err);
	if (rc) {
		return rc;
	}
	*ret = (struct round){.index = l->next++,
	    .position = position,
	    .arm = a->number,
	    .propensity = row.propensity,
	    .reward = row.click,
	    .weight = 1,
	    .has_reward = true};
	return 1;
}

static int rewind_log(void *arg, struct errinfo *err)
{
	struct ope_obd *l = arg;

	read_obd_close(l->in);
	l->in = NULL;
	l->next = 0;
	return read_obd_open(l->path, &l->in, err);
}

static void names(void *arg, struct target_names *ret)
{
	struct ope_obd *l = arg;

	*ret = (struct target_names){l->arms, l->narms, l->positions, l->npositions};
}

void ope_obd_log(struct ope_obd *l, struct ope_log *ret)
{
	ret->arg = l;
	ret->rewind = rewind_log;
	ret->next = next;
	ret->names = names;
}
