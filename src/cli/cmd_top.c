/* SPDX-License-Identifier: Apache-2.0 */
/* bandit top: what a running daemon does, as it does it. */
#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/top.h"

#define FRAME_MAX ((size_t)1 << 20)
#define PLAIN_WIDTH 120
#define PLAIN_HEIGHT 60

const char top_usage[] =
    "usage: bandit top [OPTIONS] URL\n"
    "\n"
    "Shows what a running daemon does: rates, latencies, experiments and the arms of one of them.\n"
    "Up and down choose the experiment, q leaves. URL is http://HOST:PORT or unix:PATH.\n"
    "\n"
    "  -d, --delay S   seconds between two looks (2)\n"
    "  -n, --looks N   leave after N of them (0: never)\n"
    "      --plain     print one frame after the other; so does output that is no terminal\n";

struct args {
	const char *url;
	uint64_t delay, looks;
	bool plain, help;
};

static int read_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {{"delay", required_argument, NULL, 'd'},
	    {"looks", required_argument, NULL, 'n'}, {"plain", no_argument, NULL, 'p'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "d:n:h", options, NULL)) != -1) {
		if (c == 'd') {
			if (cli_whole(optarg, 3600, &a->delay) || a->delay == 0) {
				return cli_usage("top", "--delay must be a whole number, 1..3600");
			}
		} else if (c == 'n') {
			if (cli_whole(optarg, 1000000000, &a->looks)) {
				return cli_usage("top", "--looks must be a whole number");
			}
		} else if (c == 'p') {
			a->plain = true;
		} else if (c == 'h') {
			a->help = true;
		} else {
			return CLI_USAGE;
		}
	}
	if (!a->help && optind + 1 != argc) {
		return cli_usage("top", "needs the URL of a daemon");
	}
	a->url = argv[optind];
	a->plain = a->plain || !isatty(STDOUT_FILENO);
	return 0;
}

/* ---- on a terminal ---- */

static void paint(const struct top *t, struct buf *out)
{
	char *text, *next;

	buf_reset(out);
	top_frame(t, (size_t)COLS, (size_t)LINES, out);
	buf_put_u8(out, 0);
	erase();
	text = out->rc ? NULL : (char *)out->data;
	for (int y = 0; text && *text && y < LINES; y++, text = next) {
		next = strchr(text, '\n');
		*next++ = '\0';
		if (*text == '>') {
			attron(A_REVERSE);
		}
		mvaddstr(y, 0, text);
		attroff(A_REVERSE);
	}
	refresh();
}

/* Until it is time to look again; true: leave. */
static bool wait_for_key(struct top *t, struct buf *out, uint64_t delay)
{
	int key;

	timeout((int)delay * 1000);
	while ((key = getch()) != ERR) {
		if (key == 'q' || key == 27) {
			return true;
		}
		if (key == KEY_UP || key == 'k') {
			t->chosen -= t->chosen > 0;
		} else if (key == KEY_DOWN || key == 'j') {
			t->chosen += t->chosen + 1 < t->n;
		}
		paint(t, out);
	}
	return false;
}

static int on_terminal(
    const struct args *a, struct top *t, struct client *c, struct buf *out, struct errinfo *err)
{
	bool leave = false;
	int rc = top_look(t, c, err);

	if (rc) {
		return rc;
	}
	if (!newterm(NULL, stdout, stdin)) {
		return err_set(err, RC_FAILED, "terminal", getenv("TERM") ? getenv("TERM") : "TERM",
		    "no such terminal; --plain does without");
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	for (uint64_t n = 1; rc == 0 && !leave && (!a->looks || n <= a->looks); n++) {
		paint(t, out);
		leave = wait_for_key(t, out, a->delay);
		rc = leave ? 0 : top_look(t, c, err);
	}
	endwin();
	return rc;
}

/* ---- elsewhere ---- */

static int plainly(
    const struct args *a, struct top *t, struct client *c, struct buf *out, struct errinfo *err)
{
	int rc = top_look(t, c, err);

	for (uint64_t n = 1; rc == 0 && (!a->looks || n <= a->looks); n++) {
		sleep((unsigned)a->delay);
		rc = top_look(t, c, err);
		if (rc == 0) {
			buf_reset(out);
			top_frame(t, PLAIN_WIDTH, PLAIN_HEIGHT, out);
			fwrite(out->data, 1, out->len, stdout);
			putchar('\n');
			fflush(stdout);
		}
	}
	return rc;
}

int cmd_top(int argc, char **argv)
{
	struct args a = {.delay = 2};
	struct top t = {.n = 0};
	struct client *c = NULL;
	struct errinfo err = {.rc = 0};
	struct buf out;
	int rc = read_args(argc, argv, &a);

	if (rc) {
		return rc;
	}
	if (a.help) {
		fputs(top_usage, stdout);
		return cli_flush("top");
	}
	buf_init(&out, FRAME_MAX);
	snprintf(t.url, sizeof(t.url), "%s", a.url);
	rc = client_new(a.url, &c, &err);
	if (rc == 0) {
		client_set_patience(c, 0);
		rc = a.plain ? plainly(&a, &t, c, &out, &err) : on_terminal(&a, &t, c, &out, &err);
	}
	top_release(&t);
	client_free(c);
	buf_release(&out);
	return rc ? cli_fail("top", &err) : cli_flush("top");
}
