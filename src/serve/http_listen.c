/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/http_impl.h"

#define BACKLOG 1024
#define UNIX_PREFIX "unix:"

static int fail(const char *where, int fd, struct errinfo *err)
{
	int saved = errno;

	if (fd >= 0) {
		close(fd);
	}
	return err_set(
	    err, RC_IO, "listen_failed", "", "cannot listen on %s: %s", where, strerror(saved));
}

/* True when the file is a socket that nobody listens on: left behind by a crash. */
static bool is_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(sun->sun_path, &st) || !S_ISSOCK(st.st_mode)) {
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return false;
	}
	stale = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int listen_unix(const char *where, int *ret_fd, char **ret_path, struct errinfo *err)
{
	const char *path = where + strlen(UNIX_PREFIX);
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	char *copy;
	int fd;

	if (path[0] != '/' || strlen(path) >= sizeof(sun.sun_path)) {
		return err_set(err, RC_INVALID, "listen_invalid", "",
		    "%s: an absolute path of at most %zu bytes is needed", where,
		    sizeof(sun.sun_path) - 1);
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	copy = strdup(path);
	if (!copy) {
		return err_set(err, RC_MEMORY, "memory", "", "out of memory");
	}
	if (is_stale(&sun)) {
		unlink(path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) || listen(fd, BACKLOG)) {
		free(copy);
		return fail(where, fd, err);
	}
	*ret_fd = fd;
	*ret_path = copy;
	return 0;
}

/* "127.0.0.1:8080" or "[::1]:8080" into its two parts. */
static int split(const char *where, char host[256], char port[16], struct errinfo *err)
{
	const char *colon = strrchr(where, ':');
	size_t n = colon ? (size_t)(colon - where) : 0;

	if (n >= 2 && where[0] == '[' && where[n - 1] == ']') {
		where++;
		n -= 2;
	} else if (memchr(where, ':', n)) {
		n = 0;
	}
	if (n == 0 || n >= 256 || strlen(colon + 1) >= 16 || !colon[1] ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
		return err_set(err, RC_INVALID, "listen_invalid", "",
		    "not HOST:PORT, [HOST]:PORT or unix:/PATH: %s", where);
	}
	memcpy(host, where, n);
	host[n] = '\0';
	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	return 0;
}

int http_listen(const char *where, int *ret_fd, char **ret_path, struct errinfo *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *ai;
	char host[256], port[16];
	int fd, rc, on = 1;

	if (!strncmp(where, UNIX_PREFIX, strlen(UNIX_PREFIX))) {
		return listen_unix(where, ret_fd, ret_path, err);
	}
	rc = split(where, host, port, err);
	if (rc) {
		return rc;
	}
	rc = getaddrinfo(host, port, &hints, &ai);
	if (rc) {
		return err_set(err, RC_IO, "listen_failed", "", "cannot listen on %s: %s", where,
		    gai_strerror(rc));
	}
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (ai->ai_family == AF_INET6) {
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		}
	}
	if (fd < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG)) {
		rc = fail(where, fd, err);
	} else {
		*ret_fd = fd;
	}
	freeaddrinfo(ai);
	return rc;
}

void http_listen_name(int fd, char *ret, size_t size)
{
	union {
		struct sockaddr sa;
		struct sockaddr_un sun;
		struct sockaddr_storage ss;
	} a;
	socklen_t len = sizeof(a);
	char host[64], port[16];

	memset(&a, 0, sizeof(a));
	snprintf(ret, size, "fd:%d", fd);
	if (getsockname(fd, &a.sa, &len)) {
		return;
	}
	if (a.sa.sa_family == AF_UNIX) {
		snprintf(ret, size, UNIX_PREFIX "%.107s", a.sun.sun_path);
	} else if (!getnameinfo(&a.sa, len, host, sizeof(host), port, sizeof(port),
		       NI_NUMERICHOST | NI_NUMERICSERV)) {
		snprintf(ret, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
	}
}
