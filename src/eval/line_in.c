/* SPDX-License-Identifier: Apache-2.0 */
/* One block of LINE_MAX_BYTES and some: what is left of it moves to its front before more is read,
 * so that a line always lies in one piece. */
#include "eval/line_in.h"
#include "autoconf.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#define BLOCK ((size_t)1 << 18) /* read at once */
#define ROOM (LINE_MAX_BYTES + 2)

enum coding { PLAIN, GZIP, ZSTD };

struct line_in {
	int fd; /* -1: from bytes */
	enum coding coding;
	const unsigned char *bytes; /* still to come, when there is no file */
	size_t nbytes;
	unsigned char *raw; /* what is compressed: [raw_at, raw_len) is still to come */
	size_t raw_at, raw_len;
	z_stream gz;
	bool gz_open, inside, end;
#ifdef HAVE_ZSTD
	ZSTD_DStream *zstd;
#endif
	char *text; /* [at, len) is still to come */
	size_t at, len;
	uint64_t number, total;
};

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

/* As many bytes as come at once, 0 at the end; negative: RC_IO. Here alone a thread that reads
 * ahead may be cancelled: a pipe may never say more. */
static ssize_t read_some(struct line_in *in, void *to, size_t n, struct errinfo *err)
{
	ssize_t got;
	int cancel;

	if (in->fd < 0) {
		n = n < in->nbytes ? n : in->nbytes;
		if (n) {
			memcpy(to, in->bytes, n);
		}
		in->bytes += n;
		in->nbytes -= n;
		return (ssize_t)n;
	}
	do {
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancel);
		got = read(in->fd, to, n);
		pthread_setcancelstate(cancel, NULL);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? err_set(err, RC_IO, "cannot_read", "", "%s", strerror(errno)) : got;
}

static int fill_raw(struct line_in *in, struct errinfo *err)
{
	ssize_t got;

	if (in->raw_at < in->raw_len) {
		return 1;
	}
	got = read_some(in, in->raw, BLOCK, err);
	in->raw_at = 0;
	in->raw_len = got > 0 ? (size_t)got : 0;
	return got < 0 ? (int)got : got > 0;
}

static int damaged(struct errinfo *err, const char *what)
{
	return err_set(err, RC_CORRUPT, "damaged", "", "%s", what);
}

/* One file may hold several streams, one after the other. */
static ssize_t inflate_some(struct line_in *in, void *to, size_t n, struct errinfo *err)
{
	for (;;) {
		int rc = fill_raw(in, err);

		if (rc <= 0) {
			return rc == 0 && in->inside ? damaged(err, "the gzip stream is cut short")
						     : rc;
		}
		in->gz.next_in = in->raw + in->raw_at;
		in->gz.avail_in = (uInt)(in->raw_len - in->raw_at);
		in->gz.next_out = to;
		in->gz.avail_out = (uInt)n;
		in->inside = true;
		rc = inflate(&in->gz, Z_NO_FLUSH);
		in->raw_at = in->raw_len - in->gz.avail_in;
		if (rc == Z_STREAM_END) {
			in->inside = false;
			inflateReset(&in->gz);
		} else if (rc != Z_OK && rc != Z_BUF_ERROR) {
			return damaged(err, "the gzip stream is damaged");
		}
		if (in->gz.avail_out < n) {
			return (ssize_t)(n - in->gz.avail_out);
		}
	}
}

#ifdef HAVE_ZSTD
static ssize_t unzstd_some(struct line_in *in, void *to, size_t n, struct errinfo *err)
{
	for (;;) {
		ZSTD_outBuffer out = {.dst = to, .size = n};
		ZSTD_inBuffer from;
		size_t left;
		int rc = fill_raw(in, err);

		if (rc < 0 || (rc == 0 && !in->inside)) {
			return rc;
		}
		from = (ZSTD_inBuffer){in->raw + in->raw_at, in->raw_len - in->raw_at, 0};
		left = ZSTD_decompressStream(in->zstd, &out, &from);
		if (ZSTD_isError(left)) {
			return damaged(err, "the zstd stream is damaged");
		}
		in->raw_at += from.pos;
		in->inside = left != 0;
		if (out.pos) {
			return (ssize_t)out.pos;
		}
		if (rc == 0) {
			return in->inside ? damaged(err, "the zstd stream is cut short") : 0;
		}
	}
}
#endif

static ssize_t decoded(struct line_in *in, void *to, size_t n, struct errinfo *err)
{
	size_t now;

	if (in->coding == GZIP) {
		return inflate_some(in, to, n, err);
	}
#ifdef HAVE_ZSTD
	if (in->coding == ZSTD) {
		return unzstd_some(in, to, n, err);
	}
#endif
	if (in->raw_at == in->raw_len) {
		return read_some(in, to, n, err);
	}
	now = in->raw_len - in->raw_at < n ? in->raw_len - in->raw_at : n;
	memcpy(to, in->raw + in->raw_at, now);
	in->raw_at += now;
	return (ssize_t)now;
}

/* The first bytes tell the coding, whatever the name ends in. */
static int sniff(struct line_in *in, struct errinfo *err)
{
	static const unsigned char zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};

	while (in->raw_len < 4) {
		ssize_t got = read_some(in, in->raw + in->raw_len, BLOCK - in->raw_len, err);

		if (got <= 0) {
			if (got < 0) {
				return (int)got;
			}
			break;
		}
		in->raw_len += (size_t)got;
	}
	if (in->raw_len >= 2 && in->raw[0] == 0x1f && in->raw[1] == 0x8b) {
		in->coding = GZIP;
		in->gz_open = inflateInit2(&in->gz, 15 + 16) == Z_OK;
		return in->gz_open ? 0 : no_memory(err);
	}
	if (in->raw_len >= 4 && memcmp(in->raw, zstd_magic, 4) == 0) {
#ifdef HAVE_ZSTD
		in->coding = ZSTD;
		in->zstd = ZSTD_createDStream();
		return in->zstd ? 0 : no_memory(err);
#else
		return err_set(err, RC_INVALID, "no_zstd", "", "built without zstd");
#endif
	}
	return 0;
}

static int start(int fd, const void *data, size_t len, struct line_in **ret, struct errinfo *err)
{
	struct line_in *in = calloc(1, sizeof(*in));
	int rc = 0;

	if (in) {
		in->fd = fd;
		in->bytes = data;
		in->nbytes = len;
		in->raw = malloc(BLOCK);
		in->text = malloc(ROOM + BLOCK);
	} else if (fd > STDIN_FILENO) {
		close(fd);
	}
	rc = in && in->raw && in->text ? sniff(in, err) : no_memory(err);
	if (rc) {
		line_in_close(in);
		return rc;
	}
	*ret = in;
	return 0;
}

int line_in_open(const char *path, struct line_in **ret, struct errinfo *err)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return err_set(err, RC_IO, "cannot_read", path, "%s", strerror(errno));
	}
	return start(fd, NULL, 0, ret, err);
}

int line_in_bytes(const void *data, size_t len, struct line_in **ret, struct errinfo *err)
{
	return start(-1, data, len, ret, err);
}

void line_in_close(struct line_in *in)
{
	if (!in) {
		return;
	}
	if (in->fd > STDIN_FILENO) {
		close(in->fd);
	}
	if (in->gz_open) {
		inflateEnd(&in->gz);
	}
#ifdef HAVE_ZSTD
	ZSTD_freeDStream(in->zstd);
#endif
	free(in->raw);
	free(in->text);
	free(in);
}

/* One more piece behind what is there. 0, and in->end at the end. */
static int fill(struct line_in *in, struct errinfo *err)
{
	ssize_t got;

	if (in->at) {
		memmove(in->text, in->text + in->at, in->len - in->at);
		in->len -= in->at;
		in->at = 0;
	}
	got = decoded(in, in->text + in->len, BLOCK, err);
	if (got < 0) {
		return (int)got;
	}
	in->end = got == 0;
	in->len += (size_t)got;
	return 0;
}

int line_in_peek(struct line_in *in, const char **ret, size_t *ret_len, struct errinfo *err)
{
	int rc = 0;

	while (rc == 0 && !in->end && in->len - in->at < BLOCK / 4) {
		rc = fill(in, err);
	}
	*ret = in->text + in->at;
	*ret_len = in->len - in->at;
	return rc;
}

static int too_long(struct line_in *in, struct errinfo *err)
{
	const char *nl = NULL;
	int rc = 0;

	while (rc == 0 && !nl) {
		in->total += in->len - in->at;
		in->at = in->len = 0;
		rc = in->end ? 0 : fill(in, err);
		if (rc == 0 && in->len == 0 && in->end) {
			break;
		}
		nl = memchr(in->text, '\n', in->len);
	}
	if (nl) {
		in->at = (size_t)(nl - in->text) + 1;
		in->total += in->at;
	}
	return rc ? rc : RC_LIMIT;
}

int line_in_next(struct line_in *in, char **ret, size_t *ret_len, struct errinfo *err)
{
	size_t seen = 0, n;
	char *nl = NULL;
	int rc;

	while (!(nl = memchr(in->text + in->at + seen, '\n', in->len - in->at - seen))) {
		seen = in->len - in->at;
		if (seen > LINE_MAX_BYTES) {
			in->number++;
			return too_long(in, err);
		}
		if (in->end) {
			break;
		}
		rc = fill(in, err);
		if (rc) {
			return rc;
		}
	}
	if (!nl && in->at == in->len) {
		return 0;
	}
	n = nl ? (size_t)(nl - (in->text + in->at)) : in->len - in->at;
	*ret = in->text + in->at;
	in->at += n + (nl != NULL);
	in->total += n + (nl != NULL);
	in->number++;
	n -= n && (*ret)[n - 1] == '\r';
	(*ret)[n] = '\0';
	*ret_len = n;
	return 1;
}

uint64_t line_in_number(const struct line_in *in)
{
	return in->number;
}

uint64_t line_in_total(const struct line_in *in)
{
	return in->total;
}
