/* SPDX-License-Identifier: Apache-2.0 */
/* Experiments without a server, for timings. What goes wrong ends the program. */
#ifndef TESTS_BENCH_RIG_H
#define TESTS_BENCH_RIG_H

#include "core/experiment.h"

_Noreturn void die(const char *what, int rc, const struct errinfo *err);
/* CPU time of this thread alone: what others run on the machine does not count. */
uint64_t cpu_ns(void);

/* "NAME" or "NAME:key=value,...", with arms a0, a1 ...; from mem. */
struct experiment_spec make_spec(
    struct arena *mem, const char *name, const char *policy, size_t arms);
struct experiment *make_experiment(const struct experiment_spec *spec);
/* Makes room for the event first, as a server does. */
void apply(struct experiment *e, const struct event *ev);
/* One decision that nothing is told about; *ret lives in mem. */
void decide(struct experiment *e, struct arena *mem, struct event *ret);
struct event reward_of(
    struct experiment *e, struct arena *mem, const struct event *d, const struct reward_in *in);

#endif
