/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded under the daemon: notes in the file POWER_LOG what every write to the database and its
 * WAL replaced, and every sync, so that test_power.py can take back what was not synced when the
 * power went. The note of a write comes before it, that of a sync after it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Then the name, the old bytes and the new ones. */
struct note {
	uint32_t kind, name_len;
	uint64_t at, old_size, old_len, new_len;
};

static int log_fd = -1;

__attribute__((constructor)) static void open_log(void)
{
	const char *path = getenv("POWER_LOG");

	log_fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

static ssize_t real_pwrite(int fd, const void *p, size_t n, off_t at)
{
	static ssize_t (*f)(int, const void *, size_t, off_t);

	f = f ? f : (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
	return f(fd, p, n, at);
}

static int is_ours(int fd, char name[512])
{
	static const char *const ends[] = {"/state.db", "/state.db-wal", "/state.db-journal"};
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = log_fd < 0 ? -1 : readlink(link, name, 511);
	if (n < 0) {
		return 0;
	}
	name[n] = '\0';
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t len = strlen(ends[i]);

		if ((size_t)n >= len && strcmp(name + n - len, ends[i]) == 0) {
			return 1;
		}
	}
	return 0;
}

/* old_len bytes at `at` are about to become n others. */
static void note(
    int fd, char kind, const char *name, off_t at, size_t old_len, const void *p, size_t n)
{
	struct note h = {.kind = (uint32_t)kind,
	    .name_len = (uint32_t)strlen(name),
	    .at = (uint64_t)at,
	    .new_len = n};
	size_t len = sizeof(h) + h.name_len + old_len + n;
	char *bytes = malloc(len);
	struct stat st;
	ssize_t got;

	if (!bytes || fstat(fd, &st)) {
		abort();
	}
	got = old_len ? pread(fd, bytes + sizeof(h) + h.name_len, old_len, at) : 0;
	h.old_size = (uint64_t)st.st_size;
	h.old_len = got > 0 ? (uint64_t)got : 0;
	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), name, h.name_len);
	if (n) {
		memcpy(bytes + sizeof(h) + h.name_len + h.old_len, p, n);
	}
	len = sizeof(h) + h.name_len + h.old_len + n;
	if (write(log_fd, bytes, len) != (ssize_t)len) {
		abort();
	}
	free(bytes);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	char name[512];

	if (is_ours(fd, name)) {
		note(fd, 'w', name, at, n, p, n);
	}
	return real_pwrite(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return pwrite(fd, p, n, at);
}

int ftruncate(int fd, off_t len)
{
	static int (*f)(int, off_t);
	char name[512];
	struct stat st;

	f = f ? f : (int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate");
	if (is_ours(fd, name) && fstat(fd, &st) == 0) {
		note(
		    fd, 't', name, len, st.st_size > len ? (size_t)(st.st_size - len) : 0, NULL, 0);
	}
	return f(fd, len);
}

int ftruncate64(int fd, off_t len)
{
	return ftruncate(fd, len);
}

/* POWER_LIES: a disk that says it has synced, and has not. */
static int synced(int fd, int rc)
{
	char name[512];

	if (rc == 0 && !getenv("POWER_LIES") && is_ours(fd, name)) {
		note(fd, 's', name, 0, 0, NULL, 0);
	}
	return rc;
}

int fsync(int fd)
{
	static int (*f)(int);

	f = f ? f : (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	return synced(fd, f(fd));
}

int fdatasync(int fd)
{
	static int (*f)(int);

	f = f ? f : (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	return synced(fd, f(fd));
}
