/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/ope_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "eval/positions.h"

struct ope_file {
	char *path;
	struct log_options o;
	struct log_arms *arms;
	struct log *log;
	const char **names; /* of arms, made when they are asked for */
	struct positions positions;
	unsigned passes; /* begun by a rewind */
};

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

static void on_refused(void *arg, const struct errinfo *why)
{
	struct ope_file *f = arg;

	if (f->passes <= 1 && f->o.refused) {
		f->o.refused(f->o.arg, why);
	}
}

static int open_log(struct ope_file *f, struct errinfo *err)
{
	struct log_options o = f->o;

	o.refused = on_refused;
	o.arg = f;
	return log_open(f->path, &o, f->arms, &f->log, err);
}

int ope_file_open(
    const char *path, const struct log_options *o, struct ope_file **ret, struct errinfo *err)
{
	struct ope_file *f;
	int rc;

	if (strcmp(path, "-") == 0) {
		return err_set(err, RC_INVALID, "read_once", path,
		    "an evaluation reads the log more than once: give a file");
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		return no_memory(err);
	}
	f->o = *o;
	f->path = strdup(path);
	rc = f->path && log_arms_new(&f->arms) == 0 ? open_log(f, err) : no_memory(err);
	if (rc) {
		ope_file_close(f);
		return rc;
	}
	*ret = f;
	return 0;
}

void ope_file_close(struct ope_file *f)
{
	if (f) {
		log_close(f->log);
		log_arms_free(f->arms);
		free(f->names);
		free(f->path);
		free(f);
	}
}

static int next(void *arg, struct round *ret, struct errinfo *err)
{
	struct ope_file *f = arg;
	struct round r;
	int rc = log_next(f->log, &r, err);

	if (rc != 1) {
		return rc;
	}
	rc = positions_put(&f->positions, r.position, &r.position, err);
	if (rc) {
		return rc;
	}
	for (uint32_t k = 0, at; rc == 0 && k < r.nslots; k++) {
		rc = positions_put(&f->positions, k, &at, err);
		assert(rc || at == k); /* a log with slates has no other positions */
	}
	*ret = r;
	return rc ? rc : 1;
}

static int rewind_log(void *arg, struct errinfo *err)
{
	struct ope_file *f = arg;

	log_close(f->log);
	f->log = NULL;
	f->passes++;
	return open_log(f, err);
}

static void names(void *arg, struct target_names *ret)
{
	struct ope_file *f = arg;
	size_t n = log_arms_count(f->arms);
	const char **grown = realloc(f->names, (n + 1) * sizeof(*grown));

	f->names = grown ? grown : f->names;
	n = grown ? n : 0; /* no arm is known then, and a target of arms is refused */
	for (size_t i = 0; i < n; i++) {
		grown[i] = log_arms_id(f->arms, (uint32_t)i);
	}
	*ret = (struct target_names){f->names, n, f->positions.at, f->positions.n};
}

void ope_file_log(struct ope_file *f, struct ope_log *ret)
{
	*ret = (struct ope_log){.arg = f, .rewind = rewind_log, .next = next, .names = names};
}

const struct log_counts *ope_file_counts(const struct ope_file *f)
{
	return log_counts(f->log);
}
