/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded under the daemon: as long as the file READONLY_FLAG is there, whatever lies in the
 * folder READONLY_DIR may not be written to, although it is open for that: as after an error of a
 * disk that is mounted with errors=remount-ro. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *dir, *flag;

__attribute__((constructor)) static void read_environment(void)
{
	dir = getenv("READONLY_DIR");
	flag = getenv("READONLY_FLAG");
}

static int refuse(const char *path)
{
	size_t n = dir ? strlen(dir) : 0;

	if (!n || !flag || strncmp(path, dir, n) != 0 || path[n] != '/' || access(flag, F_OK)) {
		return 0;
	}
	errno = EROFS;
	return 1;
}

static int refuse_fd(int fd)
{
	char link[64], path[512];
	ssize_t n;
	int before = errno;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	errno = before;
	return refuse(path);
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	ssize_t (*f)(int, const void *, size_t, off_t) = next("pwrite");

	return refuse_fd(fd) ? -1 : f(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return pwrite(fd, p, n, at);
}

int ftruncate(int fd, off_t len)
{
	int (*f)(int, off_t) = next("ftruncate");

	return refuse_fd(fd) ? -1 : f(fd, len);
}

int ftruncate64(int fd, off_t len)
{
	return ftruncate(fd, len);
}

int fsync(int fd)
{
	int (*f)(int) = next("fsync");

	return refuse_fd(fd) ? -1 : f(fd);
}

int fdatasync(int fd)
{
	int (*f)(int) = next("fdatasync");

	return refuse_fd(fd) ? -1 : f(fd);
}

int unlink(const char *path)
{
	int (*f)(const char *) = next("unlink");

	return refuse(path) ? -1 : f(path);
}

int open(const char *path, int flags, ...)
{
	int (*f)(const char *, int, ...) = next("open");
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return (flags & O_ACCMODE) != O_RDONLY && refuse(path) ? -1 : f(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return open(path, flags | O_LARGEFILE, mode);
}
