/* SPDX-License-Identifier: Apache-2.0 */
/* How long the JSON of one decision and one reward takes, as JSON lines: parse and bind, render.
 *	json_bench [ROUNDS] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "json/bind.h"
#include "json/decision_json.h"
#include "json/memory.h"
#include "json/spec_json.h"
#include "policies/policies.h"

static void need(int rc, const char *what)
{
	if (rc) {
		fprintf(stderr, "json_bench: %s: %d\n", what, rc);
		exit(1);
	}
}

static void report(const char *name, size_t n, uint64_t start_us)
{
	double us = (double)(clock_mono_us() - start_us) / (double)n;

	printf("{\"bench\":\"json\",\"case\":\"%s\",\"n\":%zu,\"us\":%.3f}\n", name, n, us);
}

static struct experiment *make_experiment(struct arena *mem)
{
	static const char body[] =
	    "{\"policy\":\"uniform\",\"arms\":[\"news\",\"sport\",\"film\"],\"seed\":42,"
	    "\"reward\":{\"window\":\"PT24H\"}}";
	struct experiment_spec spec;
	struct experiment *e;
	struct errinfo err = {.rc = 0};
	bool has_seed;
	json_t *o;

	need(json_parse(body, strlen(body), &o, &err), err.text);
	need(spec_from_json(o, "home", mem, &spec, &has_seed, &err), err.text);
	need(experiment_new(&spec, policy_find(spec.policy), 1, &e, &err), err.text);
	json_decref(o);
	return e;
}

static void bench_select(
    const char *name, const char *body, const struct experiment *e, size_t rounds)
{
	uint64_t start = clock_mono_us();
	struct arena mem;

	arena_init(&mem, 1 << 20);
	for (size_t i = 0; i < rounds; i++) {
		struct select_in in;
		json_t *o;

		arena_reset(&mem);
		need(json_parse(body, strlen(body), &o, NULL), "parse");
		need(select_from_json(o, e, false, &mem, &in, NULL), "bind");
		in.fingerprint = in.id ? bind_fingerprint(o) : 0;
		json_decref(o);
	}
	report(name, rounds, start);
	arena_release(&mem);
}

static void bench_reward(const char *body, size_t rounds)
{
	uint64_t start = clock_mono_us();
	struct arena mem;

	arena_init(&mem, 1 << 20);
	for (size_t i = 0; i < rounds; i++) {
		struct reward_in in;
		const char *id;
		json_t *o;

		need(json_parse(body, strlen(body), &o, NULL), "parse");
		need(reward_from_json(o, &mem, &in, &id, NULL), "bind");
		in.fingerprint = in.key ? bind_fingerprint(o) : 0;
		json_decref(o);
	}
	report("reward parse and bind", rounds, start);
	arena_release(&mem);
}

static void bench_render(const struct experiment *e, size_t rounds)
{
	struct arena mem;
	struct event ev;
	struct buf out;
	uint64_t start;

	arena_init(&mem, 1 << 20);
	buf_init(&out, 1 << 16);
	need(experiment_select(e, &(struct select_in){.id = "req-7731", .fingerprint = 7},
		 UINT64_C(1767225600000001), &mem, &ev, NULL),
	    "select");
	start = clock_mono_us();
	for (size_t i = 0; i < rounds; i++) {
		buf_reset(&out);
		decision_write(e, &ev, &out);
	}
	report("decision render", rounds, start);
	start = clock_mono_us();
	for (size_t i = 0; i < rounds; i++) {
		buf_reset(&out);
		reward_write(
		    e, "req-7731", FEEDBACK_LEARNT, &(struct event_feedback){.flags = 0}, &out);
	}
	report("reward render", rounds, start);
	need(out.rc, "render");
	buf_release(&out);
	arena_release(&mem);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 300000;
	struct arena mem;
	struct experiment *e;

	json_memory_init();
	need(hash_init(), "hash");
	arena_init(&mem, 1 << 20);
	e = make_experiment(&mem);
	bench_select("decision parse and bind, empty", "{}", e, rounds);
	bench_select("decision parse and bind, id and subject",
	    "{\"id\":\"req-7731\",\"subject\":\"u-9\"}", e, rounds);
	bench_select("decision parse and bind, full",
	    "{\"id\":\"req-7731\",\"subject\":\"u-9\",\"groups\":[\"f\",\"18-24\"],"
	    "\"context\":{\"hour\":21},\"eligible\":[\"news\",\"film\"],\"defer\":false}",
	    e, rounds);
	bench_reward("{\"decision\":\"req-7731\",\"reward\":1,\"key\":\"click-88\"}", rounds);
	bench_render(e, rounds);
	experiment_free(e);
	arena_release(&mem);
	return 0;
}
