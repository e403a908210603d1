/* SPDX-License-Identifier: Apache-2.0 */
/* The library is lenient where a proxy in front of us may read a message differently, which is how
 * requests are smuggled. So every head is walked once more, and what is not plainly sound refused.
 */
#include <string.h>
#include <strings.h>

#include "serve/http_impl.h"

enum { H_HOST = HTTP_FIELDS, H_LENGTH, H_TRANSFER, H_REQUEST_ID, H_EXPECT };

static const struct known {
	const char *name;
	unsigned char len;
	bool once; /* sent twice it would be read differently by different readers */
	int what;
} known[] = {
    /* clang-format off */
	{"Host",              4,  false, H_HOST},
	{"Accept",            6,  false, HTTP_ACCEPT},
	{"Origin",            6,  true,  HTTP_ORIGIN},
	{"Expect",            6,  false, H_EXPECT},
	{"If-Match",          8,  true,  HTTP_IF_MATCH},
	{"Traceparent",       11, false, HTTP_TRACEPARENT},
	{"Content-Type",      12, true,  HTTP_CONTENT_TYPE},
	{"X-Request-Id",      12, false, H_REQUEST_ID},
	{"Authorization",     13, true,  HTTP_AUTHORIZATION},
	{"If-None-Match",     13, true,  HTTP_IF_NONE_MATCH},
	{"Content-Length",    14, false, H_LENGTH},
	{"Accept-Encoding",   15, false, HTTP_ACCEPT_ENCODING},
	{"Idempotency-Key",   15, true,  HTTP_IDEMPOTENCY_KEY},
	{"Content-Encoding",  16, true,  HTTP_CONTENT_ENCODING},
	{"Transfer-Encoding", 17, false, H_TRANSFER},
    /* clang-format on */
};

/* The bytes of a token (RFC 9110, 5.6.2), one bit each. */
static const uint32_t token_bits[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0};

static bool is_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char b = (unsigned char)s[i];

		if (!(token_bits[b >> 5] >> (b & 31) & 1)) {
			return false;
		}
	}
	return n > 0;
}

static bool has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char b = (unsigned char)s[i];

		if ((b < 0x20 && b != '\t') || b == 0x7f) {
			return true;
		}
	}
	return false;
}

static bool is_word_byte(unsigned char b)
{
	return (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') ||
	       b == '.' || b == '_' || b == '-';
}

static void take_request_id(struct http_conn *c, const char *s, size_t n)
{
	if (n == 0 || n > HTTP_REQUEST_ID_MAX || c->head.request_ids++ > 0) {
		c->rq.request_id[0] = '\0';
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (!is_word_byte((unsigned char)s[i])) {
			return;
		}
	}
	memcpy(c->rq.request_id, s, n);
	c->rq.request_id[n] = '\0';
}

static void make_request_id(struct http_conn *c)
{
	struct http *h = c->http;
	/* An odd factor makes neighbours look unlike and never repeats. */
	uint64_t v = h->id_base + h->id_count++ * UINT64_C(0x9e3779b97f4a7c15);

	for (int i = 15; i >= 0; i--, v >>= 4) {
		c->rq.request_id[i] = "0123456789abcdef"[v & 15];
	}
	c->rq.request_id[16] = '\0';
}

static void take_length(struct http_head *head, const char *s, size_t n)
{
	head->lengths++;
	head->length = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || head->length > UINT64_MAX / 10 - 1) {
			head->wrong = "Content-Length is not a number of bytes";
			return;
		}
		head->length = head->length * 10 + (uint64_t)(s[i] - '0');
	}
	if (n == 0) {
		head->wrong = "Content-Length is empty";
	}
}

static void take_known(struct http_conn *c, const struct known *k, const char *value, size_t n)
{
	struct http_head *head = &c->head;

	switch (k->what) {
	case H_HOST:
		head->hosts++;
		return;
	case H_LENGTH:
		take_length(head, value, n);
		return;
	case H_TRANSFER:
		head->encodings++;
		head->encoding = value;
		return;
	case H_REQUEST_ID:
		take_request_id(c, value, n);
		return;
	case H_EXPECT:
		head->expects = !strcasecmp(value, "100-continue");
		return;
	default:
		break;
	}
	if (!c->rq.field[k->what]) {
		c->rq.field[k->what] = value;
	} else if (k->once) {
		head->wrong = "a header that may stand once stands twice";
	} else if (k->what == HTTP_TRACEPARENT) {
		c->rq.field[k->what] = ""; /* which is no valid one: ignored */
	}
}

static void take_arg(
    struct http_conn *c, const char *name, size_t name_len, const char *value, size_t len)
{
	struct http_request *rq = &c->rq;

	if (rq->nargs == HTTP_ARGS_MAX) {
		c->head.wrong = "too many query parameters";
		return;
	}
	/* A decoded NUL would hide what follows it. */
	if (strlen(name) != name_len || (value && strlen(value) != len)) {
		c->head.wrong = "a query parameter contains %00";
		return;
	}
	rq->args[rq->nargs].name = name;
	rq->args[rq->nargs++].value = value ? value : "";
}

/* In the library's buffer a head is still what was sent, line after line, each end overwritten with
 * zeroes. When one header does not begin where the one before it ended, something stood between
 * that the library took for no header or for part of one: a folded line (whose text 0.9.75 adds to
 * the name), a zero byte, a bare line feed, an empty name. */
static void follow_line(
    struct http_conn *c, const char *name, size_t name_len, const char *value, size_t len)
{
	uintptr_t at = (uintptr_t)name;

	if (c->head.at && c->head.at != at) {
		c->head.wrong = "the head is not made of plain lines that end in CR LF";
	}
	if (!c->head.at || !value) {
		return;
	}
	at += name_len + 1;
	while (at < (uintptr_t)value && (*(const char *)at == ' ' || *(const char *)at == '\t')) {
		at++;
	}
	if (at != (uintptr_t)value) {
		c->head.wrong = "a header is folded over lines";
	}
	c->head.at = (uintptr_t)value + len + 2;
}

static enum MHD_Result take(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t len)
{
	struct http_conn *c = cls;

	if (kind == MHD_GET_ARGUMENT_KIND) {
		take_arg(c, name, name_len, value, len);
		return MHD_YES;
	}
	follow_line(c, name, name_len, value, len);
	if (!is_token(name, name_len)) {
		c->head.wrong = "a header name is not a token";
		return MHD_YES;
	}
	if (!value || has_control(value, len)) {
		c->head.wrong = "a header value contains a control byte";
		return MHD_YES;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && known[i].len <= name_len; i++) {
		if (known[i].len == name_len && !strcasecmp(name, known[i].name)) {
			take_known(c, &known[i], value, len);
			break;
		}
	}
	return MHD_YES;
}

/* The path of the target: itself, or what follows the authority of the absolute form. */
static const char *path_of(const char *url)
{
	const char *p = url;

	if (*p == '/') {
		return p;
	}
	if (!strncasecmp(p, "http://", 7) || !strncasecmp(p, "https://", 8)) {
		p = strstr(p, "://") + 3;
		if (!*p || *p == '/') {
			return NULL;
		}
		p += strcspn(p, "/");
		return *p ? p : "/";
	}
	return NULL;
}

static const char *check(const struct http_conn *c, const char *version)
{
	const struct http_head *head = &c->head;
	bool is_11 = !strcmp(version, "HTTP/1.1");

	if (head->wrong) {
		return head->wrong;
	}
	if (is_11 ? head->hosts != 1 : head->hosts > 1) {
		return "exactly one Host header is needed";
	}
	if (head->lengths + head->encodings > 1) {
		return "more than one Content-Length or Transfer-Encoding";
	}
	if (head->encodings && (!is_11 || strcasecmp(head->encoding, "chunked"))) {
		return "Transfer-Encoding must be chunked, in HTTP/1.1";
	}
	if (!c->rq.path) {
		return "the target is neither a path nor an absolute URI";
	}
	for (const char *p = c->rq.path; *p; p++) {
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f) {
			return "the path contains bytes that must be percent-encoded";
		}
	}
	return NULL;
}

static uintptr_t end_of_head(const struct http_conn *c)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info ? (uintptr_t)c->rq.method + info->header_size : 0;
}

void http_framing_read(
    struct http_conn *c, const char *url, const char *method, const char *version)
{
	memset(&c->head, 0, sizeof(c->head));
	memset(c->rq.field, 0, sizeof(c->rq.field));
	memset(c->rq.kept, 0, sizeof(c->rq.kept));
	c->rq.nargs = 0;
	c->rq.request_id[0] = '\0';
	c->rq.method = method;
	c->rq.path = path_of(url);
	c->rq.body = "";
	c->rq.body_len = 0;
	if (c->http->check_lines) {
		c->head.at = (uintptr_t)version + strlen(version) + 2;
		if (c->target_end != (uintptr_t)version) {
			c->head.wrong = "the target contains a zero byte";
		}
	}
	MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, take, c);
	if (c->head.at && !c->head.wrong && c->head.at + 2 != end_of_head(c)) {
		c->head.wrong = "the head does not end in plain lines";
	}
	if (!c->rq.request_id[0]) {
		make_request_id(c);
	}
	c->head.wrong = check(c, version);
	if (!c->rq.path) {
		c->rq.path = "/"; /* for the one who writes the refusal */
	}
}

static int hex(char ch)
{
	if (ch >= '0' && ch <= '9') {
		return ch - '0';
	}
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

size_t http_framing_unescape(char *path)
{
	char *out = strchr(path, '%');

	if (!out) {
		return strlen(path);
	}
	for (const char *in = out; *in; in++) {
		int hi = *in == '%' ? hex(in[1]) : -1;
		int lo = hi >= 0 ? hex(in[2]) : -1;
		unsigned char b = lo >= 0 ? (unsigned char)(hi * 16 + lo) : 0;

		if (is_word_byte(b) || b == ':' || b == '~') {
			*out++ = (char)b;
			in += 2;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
	return (size_t)(out - path);
}
