/* SPDX-License-Identifier: Apache-2.0 */
/* Result codes and the one error description that travels from where a fault is found to the
 * client. Functions return 0 or a negative enum rc; 1 only means "there is one more". */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum rc {
	RC_OK = 0,
	RC_MEMORY = -1,    /* an allocation failed; nothing changed */
	RC_INVALID = -2,   /* a value is out of its range or of the wrong kind */
	RC_NOT_FOUND = -3, /* no such experiment, arm, decision, key ... */
	RC_CONFLICT = -4,  /* an id or key was used before with another body */
	RC_EXISTS = -5,    /* the same thing is there already, unchanged */
	RC_STATE = -6,  /* sound, but impossible in the present state (paused, archived, closed) */
	RC_LIMIT = -7,  /* a limit of doc/limits.md was reached */
	RC_BUSY = -8,   /* a queue is full: try again later */
	RC_FAILED = -9, /* the store failed and stays failed until restart */
	RC_FULL = -10,  /* the disk is nearly full; heals by itself */
	RC_CORRUPT = -11, /* stored bytes do not check or do not fit */
	RC_VERSION = -12, /* stored by a newer version */
	RC_IO = -13,      /* the operating system refused; errno tells */
};

/* Where and why. `code` is a stable word for machines ("unknown_field"), `pointer` a JSON Pointer
 * or a file and line, `text` a sentence for people. Owned by the caller, who zeroes it. */
struct errinfo {
	int rc;
	const char *code; /* static string */
	char pointer[160];
	char text[320];
};

/* Fills err unless it is NULL or already holds an earlier error; always returns rc. What does not
 * fit is cut; what is not UTF-8 becomes '?'. */
int err_set(struct errinfo *err, int rc, const char *code, const char *pointer, const char *fmt,
    ...) __attribute__((format(printf, 5, 6)));

/* A short English word for rc, for logs. Never NULL. */
const char *err_name(int rc);

#endif
