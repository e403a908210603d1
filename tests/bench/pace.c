/* SPDX-License-Identifier: Apache-2.0 */
/* A load generator that keeps a rate: request i is due at i / rate whether or not the ones before
 * it were answered, and its latency counts from then. Prints one line of JSON.
 *
 * pace HOST PORT PATH BODY RATE CONNECTIONS SECONDS */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REPLY_MAX (64 * 1024)
#define SECOND_NS UINT64_C(1000000000)

struct conn {
	int fd;
	uint64_t due_ns;
	size_t len;
	char reply[REPLY_MAX];
	struct conn *next; /* idle ones */
};

struct pace {
	int epoll;
	char *request;
	size_t request_len;
	struct conn *conns, *idle;
	uint64_t start_ns, interval_ns, sent, total, answered, errors;
	uint32_t *latency_us;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_conn(struct pace *p, struct conn *c, const char *host, const char *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	int on = 1;

	sin.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || inet_pton(AF_INET, host, &sin.sin_addr) != 1 ||
	    connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)) ||
	    epoll_ctl(p->epoll, EPOLL_CTL_ADD, c->fd, &ev)) {
		die("connect");
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->next = p->idle;
	p->idle = c;
}

static void make_request(struct pace *p, const char *host, const char *path, const char *body)
{
	int n = asprintf(&p->request,
	    "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    path, host, strlen(body), body);

	if (n < 0) {
		die("request");
	}
	p->request_len = (size_t)n;
}

static void send_due(struct pace *p, uint64_t now)
{
	while (p->sent < p->total && p->idle) {
		uint64_t due = p->start_ns + p->sent * p->interval_ns;
		struct conn *c = p->idle;

		if (due > now) {
			return;
		}
		p->idle = c->next;
		p->sent++;
		c->due_ns = due;
		c->len = 0;
		if (send(c->fd, p->request, p->request_len, MSG_NOSIGNAL) !=
		    (ssize_t)p->request_len) {
			die("send");
		}
	}
}

/* True when the reply in c is whole. */
static bool is_whole(const struct conn *c)
{
	const char *end = strstr(c->reply, "\r\n\r\n"), *length;

	if (!end) {
		return false;
	}
	length = strcasestr(c->reply, "\r\nContent-Length:");
	return length && length < end &&
	       c->len >= (size_t)(end + 4 - c->reply) + strtoul(length + 17, NULL, 10);
}

static void receive(struct pace *p, struct conn *c)
{
	ssize_t n = recv(c->fd, c->reply + c->len, sizeof(c->reply) - 1 - c->len, MSG_DONTWAIT);

	if (n <= 0) {
		if (n < 0 && errno == EAGAIN) {
			return;
		}
		die("the connection was closed");
	}
	c->len += (size_t)n;
	c->reply[c->len] = '\0';
	if (!is_whole(c)) {
		return;
	}
	p->latency_us[p->answered++] = (uint32_t)((now_ns() - c->due_ns) / 1000);
	p->errors += c->len < 10 || c->reply[9] != '2';
	c->next = p->idle;
	p->idle = c;
}

static void run(struct pace *p)
{
	struct epoll_event ev[256];

	while (p->answered < p->total) {
		uint64_t now = now_ns(), due = p->start_ns + p->sent * p->interval_ns;
		struct timespec nap = {.tv_sec = 1};
		int n;

		if (p->sent < p->total && p->idle) {
			nap.tv_sec = 0;
			nap.tv_nsec = due > now ? (long)(due - now) : 0;
		}
		n = epoll_pwait2(p->epoll, ev, 256, &nap, NULL);
		if (n == 0 && p->start_ns + p->total * p->interval_ns + 5 * SECOND_NS < now) {
			errno = ETIMEDOUT;
			die("no answers");
		}
		for (int i = 0; i < n; i++) {
			receive(p, ev[i].data.ptr);
		}
		send_due(p, now_ns());
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(struct pace *p)
{
	double seconds = (double)(now_ns() - p->start_ns) / (double)SECOND_NS;

	qsort(p->latency_us, p->answered, sizeof(*p->latency_us), by_value);
	printf("{\"requests\":%llu,\"rps\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"errors\":%llu}\n",
	    (unsigned long long)p->answered, (double)p->answered / seconds,
	    p->latency_us[p->answered / 2] / 1000.0, p->latency_us[p->answered * 99 / 100] / 1000.0,
	    (unsigned long long)p->errors);
}

int main(int argc, char **argv)
{
	struct pace p = {0};
	double rate, seconds;
	size_t conns;

	if (argc != 8) {
		fputs("usage: pace HOST PORT PATH BODY RATE CONNECTIONS SECONDS\n", stderr);
		return 2;
	}
	rate = strtod(argv[5], NULL);
	conns = strtoul(argv[6], NULL, 10);
	seconds = strtod(argv[7], NULL);
	if (rate < 1 || conns < 1 || rate * seconds < 1) {
		fputs("pace: rate, connections and seconds must be positive\n", stderr);
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1000UL); /* 50 us by default, more than an interval */
	p.total = (uint64_t)(rate * seconds);
	p.interval_ns = (uint64_t)((double)SECOND_NS / rate);
	p.epoll = epoll_create1(0);
	p.latency_us = calloc(p.total, sizeof(*p.latency_us));
	p.conns = calloc(conns, sizeof(*p.conns));
	if (p.epoll < 0 || !p.latency_us || !p.conns) {
		die("start");
	}
	make_request(&p, argv[1], argv[3], argv[4]);
	for (size_t i = 0; i < conns; i++) {
		open_conn(&p, &p.conns[i], argv[1], argv[2]);
	}
	p.start_ns = now_ns();
	run(&p);
	report(&p);
	free(p.request);
	free(p.latency_us);
	free(p.conns);
	return 0;
}
