/* SPDX-License-Identifier: Apache-2.0 */
/* bandit backup and bandit restore: a state is copied, the copy is folded anew and checked, and
 * only then gets its name. A backup is a state of its own: verify, export and replay read it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "store/care.h"

#define PATH_BYTES (PATH_MAX + 64)

const char backup_usage[] =
    "usage: bandit backup STATE --to DIR\n"
    "\n"
    "Copies a state as it is at one moment, while the daemon goes on. The copy is folded anew and\n"
    "checked before it gets its name. DIR is a directory that is made, or holds no state yet; it "
    "is\n"
    "a state like any other. /metrics of the daemon tells when the last backup succeeded.\n"
    "\n"
    "  -t, --to DIR   where the copy goes\n";

const char restore_usage[] =
    "usage: bandit restore DIR --to STATE\n"
    "\n"
    "Makes a state of a backup; the daemon must not run on STATE, and STATE must hold none yet. "
    "The\n"
    "copy is folded anew and checked before it gets its name. Run as root, it belongs to whom the\n"
    "directory belongs to.\n"
    "\n"
    "  -t, --to STATE   where the state goes\n";

/* Where the copy grows, and what it becomes. */
struct place {
	const char *dir;
	char part[PATH_BYTES], from[PATH_BYTES + 16], to[PATH_BYTES];
	bool made; /* the directory */
};

static int failed(struct errinfo *err, const char *path)
{
	return err_set(err, RC_IO, "io", path, "%s", strerror(errno));
}

static int place_make(struct place *p, const char *dir, struct errinfo *err)
{
	struct stat st;

	if (strlen(dir) >= PATH_MAX) {
		return err_set(err, RC_INVALID, "too_long", "--to", "the path is too long");
	}
	p->dir = dir;
	snprintf(p->part, sizeof(p->part), "%s/partial-%ld", dir, (long)getpid());
	snprintf(p->from, sizeof(p->from), "%s/state.db", p->part);
	snprintf(p->to, sizeof(p->to), "%s/state.db", dir);
	p->made = mkdir(dir, 0700) == 0;
	if (!p->made && errno != EEXIST) {
		return failed(err, dir);
	}
	if (stat(p->to, &st) == 0) {
		return err_set(err, RC_EXISTS, "exists", dir, "there is a state already");
	}
	return mkdir(p->part, 0700) ? failed(err, p->part) : 0;
}

static void unlink_in(const char *dir, const char *name)
{
	char path[PATH_BYTES + 32];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

/* What is left of the place the copy grew in. */
static void place_clear(const struct place *p, bool failed)
{
	unlink_in(p->part, "state.db");
	unlink_in(p->part, "state.db-journal");
	unlink_in(p->part, "state.db-shm");
	unlink_in(p->part, "state.db-wal");
	rmdir(p->part);
	if (failed && p->made) {
		rmdir(p->dir);
	}
}

/* The copy takes its name, if nobody took it meanwhile, and the owner of its directory. */
static int place_publish(const struct place *p, struct errinfo *err)
{
	struct stat st;
	int fd, rc = 0;

	if (geteuid() == 0 && stat(p->dir, &st) == 0 && chown(p->from, st.st_uid, st.st_gid)) {
		return failed(err, p->from);
	}
	if (link(p->from, p->to)) {
		return failed(err, p->to);
	}
	fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd)) {
		rc = failed(err, p->dir);
	}
	if (fd >= 0) {
		close(fd);
	}
	return rc;
}

static void on_copied(void *arg, uint64_t pages, uint64_t of)
{
	struct progress *bar = arg;

	bar->of = of;
	progress_add(bar, pages > bar->done ? pages - bar->done : 0);
}

static int copy_checked(struct state *s, const char *dir, struct errinfo *err)
{
	struct place p = {.dir = NULL};
	struct progress bar;
	int rc = place_make(&p, dir, err);

	if (rc) {
		return rc;
	}
	progress_start(&bar, "pages", 0);
	rc = store_copy(s->reader, p.part, on_copied, &bar, err);
	progress_clear(&bar);
	if (rc == 0 && verify_fold(p.part, NULL)) {
		rc = err_set(err, RC_CORRUPT, "damaged", s->where,
		    "the copy does not verify; see bandit verify, bandit salvage");
	}
	rc = rc ? rc : place_publish(&p, err);
	place_clear(&p, rc != 0);
	return rc;
}

/* The daemon tells the age of this file. */
static void mark_backup(const char *where)
{
	char path[PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/last-backup", where);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || futimens(fd, NULL)) {
		fprintf(stderr, "bandit backup: %s: %s; /metrics will not tell of this backup\n",
		    path, strerror(errno));
	}
	if (fd >= 0) {
		close(fd);
	}
}

/* The write-ahead log of a state that is gone would be taken for the new one's. */
static int no_stray_log(const char *dir, struct errinfo *err)
{
	char db[PATH_BYTES], wal[PATH_BYTES];
	struct stat st;

	snprintf(db, sizeof(db), "%s/state.db", dir);
	snprintf(wal, sizeof(wal), "%s/state.db-wal", dir);
	return stat(db, &st) && stat(wal, &st) == 0
		   ? err_set(err, RC_EXISTS, "exists", wal,
			 "there is the log of a state that is gone; move it away first")
		   : 0;
}

static int copy_to(const char *command, const char *from, const char *to, bool restore)
{
	struct errinfo err = {.rc = 0};
	struct state s = {.where = NULL};
	uint64_t start = clock_mono_us();
	int rc = state_open(from, &s, &err);

	rc = rc || !restore ? rc : no_stray_log(to, &err);
	rc = rc ? rc : copy_checked(&s, to, &err);
	if (rc == 0 && !restore) {
		mark_backup(s.where);
	}
	state_close(&s);
	if (rc) {
		return cli_fail(command, &err);
	}
	printf("%s/state.db: sound, %.1f s\n", to, (double)(clock_mono_us() - start) / 1e6);
	return cli_flush(command);
}

static int read_args(int argc, char **argv, const char *usage, bool restore)
{
	static const struct option options[] = {{"to", required_argument, NULL, 't'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *to = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "t:h", options, NULL)) != -1) {
		if (c == 't') {
			to = optarg;
		} else if (c == 'h') {
			fputs(usage, stdout);
			return cli_flush(argv[0]);
		} else {
			return CLI_USAGE;
		}
	}
	if (argc - optind != 1 || !to) {
		return cli_usage(argv[0], "needs one %s and --to", restore ? "DIR" : "STATE");
	}
	return copy_to(argv[0], argv[optind], to, restore);
}

int cmd_backup(int argc, char **argv)
{
	return read_args(argc, argv, backup_usage, false);
}

int cmd_restore(int argc, char **argv)
{
	return read_args(argc, argv, restore_usage, true);
}
