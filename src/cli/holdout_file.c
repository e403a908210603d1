/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/holdout_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

#define HEAD_BYTES 65536 /* of the log, that are hashed */
#define FILE_BYTES_MAX 4096
#define HEX_MAX (2 * HASH_DIGEST_BYTES + 1)
#define SHIFT_MAX 100 /* no noise is as large */

struct holdout_file {
	char *path, *path_new;
	int log; /* open, and locked */
	long long bytes;
	char head[HEX_MAX];
	double kept;
	struct holdout state;
};

static int io_error(const char *path, struct errinfo *err)
{
	return err_set(err, RC_IO, "holdout", path, "%s", strerror(errno));
}

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* Locks the log, and notes what it is. */
static int take_log(struct holdout_file *f, const char *log, struct errinfo *err)
{
	unsigned char digest[HASH_DIGEST_BYTES], *head;
	struct stat st;
	ssize_t n;

	f->log = open(log, O_RDONLY | O_CLOEXEC);
	if (f->log < 0 || fstat(f->log, &st)) {
		return io_error(log, err);
	}
	if (!S_ISREG(st.st_mode)) {
		return err_set(err, RC_INVALID, "holdout", log,
		    "--holdout needs a log that is a file: export a state, and evaluate that");
	}
	if (flock(f->log, LOCK_EX | LOCK_NB)) {
		return errno == EWOULDBLOCK
			   ? err_set(err, RC_BUSY, "holdout", log,
				 "another run asks the holdout of this log: wait for its end")
			   : io_error(log, err);
	}
	head = malloc(HEAD_BYTES);
	if (!head) {
		return no_memory(err);
	}
	n = pread(f->log, head, HEAD_BYTES, 0);
	if (n < 0) {
		free(head);
		return io_error(log, err);
	}
	hash_digest(head, (size_t)n, digest);
	free(head);
	for (size_t i = 0; i < HASH_DIGEST_BYTES; i++) {
		snprintf(f->head + 2 * i, 3, "%02x", digest[i]);
	}
	f->bytes = (long long)st.st_size;
	return 0;
}

static int damaged(const struct holdout_file *f, const char *what, struct errinfo *err)
{
	return err_set(err, RC_CORRUPT, "holdout", f->path,
	    "is no sound file of a holdout: %s; it is left as it is", what);
}

/* What the document says, checked. */
static int check(
    struct holdout_file *f, json_t *doc, double kept, uint32_t budget, struct errinfo *err)
{
	json_int_t v = 0, bytes = 0, most = -1, spent = -1, queries = -1;
	const char *head = "", *key = "";
	struct holdout *h = &f->state;
	char *end = NULL;
	json_error_t why;

	if (json_unpack_ex(doc, &why, JSON_STRICT, "{sI s{sI ss} sF sI sI sI ss sF}", "v", &v,
		"log", "bytes", &bytes, "head", &head, "kept", &f->kept, "budget", &most, "spent",
		&spent, "queries", &queries, "key", &key, "shift", &h->shift)) {
		return damaged(f, why.text, err);
	}
	h->key = strtoull(key, &end, 16);
	if (v != 1) {
		return damaged(f, "v is not 1", err);
	}
	if (!(f->kept > 0 && f->kept < 1)) {
		return damaged(f, "kept does not lie between 0 and 1", err);
	}
	if (most < 1 || most > HOLDOUT_BUDGET_MAX || spent < 0 || spent > most || queries < spent) {
		return damaged(f, "budget, spent and queries do not fit", err);
	}
	if (strlen(key) != 16 || *end || !(fabs(h->shift) <= SHIFT_MAX)) {
		return damaged(f, "key or shift make no sense", err);
	}
	if (bytes != f->bytes || strcmp(head, f->head) != 0) {
		return err_set(err, RC_CONFLICT, "holdout", f->path,
		    "belongs to another log, or to this one before it changed (it had %lld bytes)",
		    (long long)bytes);
	}
	if (f->kept != kept) {
		return err_set(err, RC_INVALID, "holdout", f->path,
		    "keeps %.17g of the log back: --holdout cannot be %.17g now", f->kept, kept);
	}
	if (budget && budget != most) {
		return err_set(err, RC_INVALID, "holdout", f->path,
		    "has a budget of %d: --budget cannot be %" PRIu32 " now", (int)most, budget);
	}
	h->budget = (uint32_t)most;
	h->spent = (uint32_t)spent;
	h->queries = (uint64_t)queries;
	return 0;
}

static int load(struct holdout_file *f, int fd, double kept, uint32_t budget, struct errinfo *err)
{
	char text[FILE_BYTES_MAX + 1];
	ssize_t n = read(fd, text, sizeof(text));
	json_error_t why;
	json_t *doc;
	int rc;

	if (n < 0) {
		return io_error(f->path, err);
	}
	if (n > FILE_BYTES_MAX) {
		return damaged(f, "it is too long", err);
	}
	doc = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &why);
	rc = doc ? check(f, doc, kept, budget, err) : damaged(f, why.text, err);
	json_decref(doc);
	return rc;
}

static int find_or_start(struct holdout_file *f, double kept, uint32_t budget, struct errinfo *err)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc;
	uint64_t key;

	if (fd >= 0) {
		rc = load(f, fd, kept, budget, err);
		close(fd);
		return rc;
	}
	if (errno != ENOENT) {
		return io_error(f->path, err);
	}
	/* Nobody is to foretell the noise. */
	hash_random(&key, sizeof(key));
	f->kept = kept;
	holdout_start(&f->state, budget ? budget : HOLDOUT_BUDGET, key);
	return holdout_file_save(f, err);
}

int holdout_file_open(
    const char *log, double kept, uint32_t budget, struct holdout_file **ret, struct errinfo *err)
{
	struct holdout_file *f = calloc(1, sizeof(*f));
	size_t n = strlen(log) + sizeof(".holdout.new");
	int rc;

	if (!f) {
		return no_memory(err);
	}
	f->log = -1;
	f->path = malloc(n);
	f->path_new = malloc(n);
	if (f->path && f->path_new) {
		snprintf(f->path, n, "%s.holdout", log);
		snprintf(f->path_new, n, "%s.holdout.new", log);
		rc = take_log(f, log, err);
		rc = rc ? rc : find_or_start(f, kept, budget, err);
	} else {
		rc = no_memory(err);
	}
	if (rc) {
		holdout_file_close(f);
		return rc;
	}
	*ret = f;
	return 0;
}

void holdout_file_close(struct holdout_file *f)
{
	if (f) {
		if (f->log >= 0) {
			close(f->log);
		}
		free(f->path);
		free(f->path_new);
		free(f);
	}
}

struct holdout *holdout_file_state(struct holdout_file *f)
{
	return &f->state;
}

const char *holdout_file_path(const struct holdout_file *f)
{
	return f->path;
}

/* A rename is durable when its directory is. */
static int sync_folder(const struct holdout_file *f, struct errinfo *err)
{
	const char *slash = strrchr(f->path, '/');
	char *folder = slash ? strndup(f->path, (size_t)(slash - f->path) + 1) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int rc = fd < 0 || fsync(fd) ? io_error(f->path, err) : 0;

	if (fd >= 0) {
		close(fd);
	}
	free(folder);
	return rc;
}

static int write_new(const struct holdout_file *f, const char *text, struct errinfo *err)
{
	size_t n = strlen(text);
	int fd = open(f->path_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n && write(fd, "\n", 1) == 1 &&
		  fsync(fd) == 0;
	int rc = ok ? 0 : io_error(f->path_new, err);

	if (fd >= 0 && close(fd) && rc == 0) {
		rc = io_error(f->path_new, err);
	}
	if (rc == 0 && rename(f->path_new, f->path)) {
		rc = io_error(f->path, err);
	}
	if (rc && fd >= 0) {
		unlink(f->path_new);
	}
	return rc ? rc : sync_folder(f, err);
}

int holdout_file_save(struct holdout_file *f, struct errinfo *err)
{
	const struct holdout *h = &f->state;
	char key[17], *text;
	json_t *doc;
	int rc;

	snprintf(key, sizeof(key), "%016" PRIx64, h->key);
	doc = json_pack("{si s{sI ss} sf sI sI sI ss sf}", "v", 1, "log", "bytes",
	    (json_int_t)f->bytes, "head", f->head, "kept", f->kept, "budget", (json_int_t)h->budget,
	    "spent", (json_int_t)h->spent, "queries", (json_int_t)h->queries, "key", key, "shift",
	    h->shift);
	text = doc ? json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
	rc = text ? write_new(f, text, err) : no_memory(err);
	free(text);
	json_decref(doc);
	return rc;
}

void holdout_file_warn(const char *command, const char *log)
{
	char path[4096];

	if ((size_t)snprintf(path, sizeof(path), "%s.holdout", log) < sizeof(path) &&
	    access(path, F_OK) == 0) {
		fprintf(stderr,
		    "bandit %s: %s: this reads the rounds that are kept back, too; with --holdout "
		    "it would not\n",
		    command, path);
	}
}
