/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json/spec_json.h"
#include "policies/policies.h"

void die(const char *what, int rc, const struct errinfo *err)
{
	fprintf(stderr, "bench: %s: %s %s\n", what, err_name(rc), err ? err->text : "");
	exit(1);
}

uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct experiment_spec make_spec(
    struct arena *mem, const char *name, const char *policy, size_t arms)
{
	struct experiment_spec spec = {.name = name, .slots = 1, .seed = 1, .hi = 1};
	struct spec_arm *a = arena_array(mem, arms, sizeof(*a));
	struct errinfo err = {.rc = 0};
	char text[24];
	int rc = policy_from_text(policy, mem, &spec, &err);

	if (rc) {
		die(policy, rc, &err);
	}
	for (size_t i = 0; i < arms; i++) {
		snprintf(text, sizeof(text), "a%zu", i);
		a[i] = (struct spec_arm){.id = arena_text(mem, text, strlen(text)), .label = ""};
	}
	spec.arms = a;
	spec.narms = arms;
	spec.settings.label = "";
	return spec;
}

struct experiment *make_experiment(const struct experiment_spec *spec)
{
	const struct policy_ops *ops = policy_find(spec->policy);
	struct errinfo err = {.rc = 0};
	struct experiment *e;
	int rc = ops ? experiment_new(spec, ops, 1, &e, &err) : RC_NOT_FOUND;

	if (rc) {
		die(spec->policy, rc, &err);
	}
	return e;
}

void apply(struct experiment *e, const struct event *ev)
{
	int rc = experiment_reserve(e, ev);

	rc = rc ? rc : experiment_apply(e, ev);
	if (rc) {
		die("apply", rc, NULL);
	}
}

void decide(struct experiment *e, struct arena *mem, struct event *ret)
{
	struct select_in in = {.id = NULL};
	struct errinfo err = {.rc = 0};
	int rc = experiment_select(e, &in, experiment_seq(e), mem, ret, &err);

	if (rc) {
		die("select", rc, &err);
	}
}

struct event reward_of(
    struct experiment *e, struct arena *mem, const struct event *d, const struct reward_in *in)
{
	enum feedback_status status;
	struct errinfo err = {.rc = 0};
	struct pending p;
	struct event ev;
	int rc;

	pending_start(&p, &d->decision);
	rc = experiment_reward(e, d, &p, in, experiment_seq(e), mem, &ev, &status, &err);
	if (rc) {
		die("reward", rc, &err);
	}
	return ev;
}
