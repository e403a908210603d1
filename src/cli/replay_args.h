/* SPDX-License-Identifier: Apache-2.0 */
/* What bandit replay is told, read in one place for both of its questions: --policy and --target.
 */
#ifndef CLI_REPLAY_ARGS_H
#define CLI_REPLAY_ARGS_H

#include <getopt.h>
#include <stdio.h>

#include "cli/given.h"
#include "eval/learning.h"
#include "eval/ope.h"

#define REPLAY_POLICIES_MAX 32
#define REPLAY_ESTIMATORS_MAX 32

struct replay_args {
	const char *command, *usage; /* who is told */
	char **logs;                 /* operands */
	size_t nlogs;
	const char *path, *format; /* the log that is read now */
	struct log_part part;      /* of it */
	double holdout;            /* the share of rounds that is kept back; 0: none */
	const char *plot;          /* a directory; NULL: no plots */
	bool quiet;                /* refused lines were told before */
	const char *target;        /* as given; NULL: policies */
	struct given_policy policy[REPLAY_POLICIES_MAX];
	size_t npolicies;
	const char *estimators[REPLAY_ESTIMATORS_MAX]; /* lists, as given */
	size_t nestimators;
	struct ope_options o; /* without its target */
	uint64_t rounds;      /* 0: all */
	uint32_t runs;        /* of policies */
	size_t features;      /* that those with names are hashed to */
	bool slates, unknown; /* read, too: slates, and rounds without a propensity */
	bool json, strict, interval_given;
	const char *of_policies, *of_targets; /* an option that only these take; NULL: none */
	uint64_t refused;                     /* lines that were told */
	FILE *input;                          /* what came by standard input */
	char kept[64];
	struct arena mem;
};

/* A command with options of its own beside these: several logs and targets are for it to read. */
#define REPLAY_MORE_FIRST 512 /* val of its options, and 't' */
struct replay_more {
	const char *command, *usage;
	const struct option *options; /* n of them */
	size_t n;
	int (*read)(void *arg, int option, const char *text); /* the status, or -1 */
	void *arg;
};

/* The status that ends the program, or -1: go on. To be released in any case. more may be NULL. */
int replay_args_read(
    int argc, char **argv, const struct replay_more *more, struct replay_args *ret);
void replay_args_release(struct replay_args *a);
/* How to open the log: states too, and refused lines are told on standard error. */
struct log_options replay_log_options(struct replay_args *a);
/* Calls add() for each of "ips,dr:clip=5" in every list; it gives -1 to go on, else the status. */
int replay_estimators(
    const struct replay_args *a, int (*add)(void *arg, const char *name), void *arg);

/* Plays the first rows of a log that was scanned. Shows progress. seen() hears of
 * each row, and whether the first run has taken it; NULL is fine. Errors of learning_play(). */
typedef void replay_seen_fn(void *arg, const struct round *r, bool taken);
int replay_play(const struct rejection_log *l, uint64_t rows, struct learning *g,
    replay_seen_fn *seen, void *arg, struct errinfo *err);

/* replay --target, which cmd_replay gives on. */
int replay_target(struct replay_args *a);
/* A target as it is given; also a policy of a state. Errors of target_parse() and state_open(). */
int replay_make_target(const char *text, struct target **ret, struct errinfo *err);
/* The same for other commands: o, with its target, on that part of a->path. Shows progress. */
int replay_target_on(struct replay_args *a, const struct ope_options *o,
    const struct estimator *est, size_t n, struct ope_summary *ret, struct ope_result *ret_results,
    struct errinfo *err);
/* One result, as bandit replay --json has it; NULL: out of memory. */
json_t *replay_target_json(const char *policy, const char *interval, const struct ope_summary *s,
    const struct ope_result *r);

#endif
