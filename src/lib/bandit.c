/* SPDX-License-Identifier: Apache-2.0 */
/* The experiment of bandit.h: core without a log. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autoconf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "core/experiment_plan.h"
#include "json/bind.h"
#include "json/decision_json.h"
#include "json/spec_json.h"
#include "lib/lib_impl.h"
#include "policies/policies.h"

#define CALL_MEMORY ((size_t)256 << 20)
#define SEED_BITS 53 /* exact in JSON */

const char *bandit_version(void)
{
	return PACKAGE_VERSION;
}

int lib_fail(int rc, const struct errinfo *why, struct bandit_error *err)
{
	if (rc && err) {
		memset(err, 0, sizeof(*err));
		err->code = rc;
		snprintf(err->word, sizeof(err->word), "%s", why->code ? why->code : err_name(rc));
		snprintf(err->where, sizeof(err->where), "%s", why->pointer);
		snprintf(err->text, sizeof(err->text), "%s", *why->text ? why->text : err_name(rc));
	}
	return rc;
}

uint64_t lib_now_us(const struct bandit *b)
{
	return b->at_us ? b->at_us : clock_wall_us();
}

int lib_apply(struct bandit *b, const struct event *ev, struct errinfo *err)
{
	int rc = experiment_reserve(b->e, ev);

	rc = rc ? rc : experiment_apply(b->e, ev);
	return rc ? err_set(err, rc, rc == RC_LIMIT ? "too_many" : "out_of_memory", "", "%s",
			err_name(rc))
		  : 0;
}

static int wrap(struct experiment *e, struct bandit **ret)
{
	struct bandit *b = calloc(1, sizeof(*b));

	if (!b) {
		return RC_MEMORY;
	}
	b->e = e;
	arena_init(&b->mem, CALL_MEMORY);
	*ret = b;
	return 0;
}

static int make(
    const json_t *o, const char *name, struct arena *mem, struct bandit **ret, struct errinfo *err)
{
	struct experiment_spec spec;
	struct experiment *e = NULL;
	const struct policy_ops *ops = NULL;
	bool has_seed;
	int rc = spec_from_json(o, name, mem, &spec, &has_seed, err);

	if (rc == 0 && !has_seed) {
		hash_random(&spec.seed, sizeof(spec.seed));
		spec.seed &= (UINT64_C(1) << SEED_BITS) - 1;
	}
	if (rc == 0) {
		ops = policy_find(spec.policy);
		rc = ops ? 0
			 : err_set(err, RC_INVALID, "unknown_policy", "/policy/name",
			       "no policy %.128s", spec.policy);
	}
	rc = rc ? rc : experiment_new(&spec, ops, clock_wall_us(), &e, err);
	rc = rc ? rc : wrap(e, ret);
	if (rc) {
		experiment_free(e);
	}
	return rc;
}

int bandit_new(const char *name, const char *spec, struct bandit **ret, struct bandit_error *err)
{
	struct errinfo why = {.rc = 0};
	struct arena mem;
	json_t *o = NULL;
	int rc = hash_init();

	arena_init(&mem, CALL_MEMORY);
	if (rc == 0 && !id_is_valid(name)) {
		rc = err_set(&why, RC_INVALID, "invalid_id", "", "not the name of an experiment");
	}
	rc = rc ? rc : json_parse(spec, strlen(spec), &o, &why);
	rc = rc ? rc : make(o, name, &mem, ret, &why);
	json_decref(o);
	arena_release(&mem);
	return lib_fail(rc, &why, err);
}

void bandit_free(struct bandit *b)
{
	if (b) {
		experiment_free(b->e);
		arena_release(&b->mem);
		free(b);
	}
}

void bandit_set_time(struct bandit *b, uint64_t at_us)
{
	b->at_us = at_us;
}

int bandit_add_arm(struct bandit *b, const char *id, const char *label, struct bandit_error *err)
{
	const struct spec_arm arm = {.id = id, .label = label ? label : ""};
	struct errinfo why = {.rc = 0};
	struct event ev;
	int rc;

	arena_reset(&b->mem);
	rc = id_is_valid(id) ? 0
			     : err_set(&why, RC_INVALID, "invalid_id", "", "not the id of an arm");
	if (rc == 0 && strlen(arm.label) > LABEL_MAX) {
		rc = err_set(&why, RC_INVALID, "out_of_range", "", "label is longer than %d bytes",
		    LABEL_MAX);
	}
	rc = rc ? rc : experiment_add_arms(b->e, &arm, NULL, 1, lib_now_us(b), &b->mem, &ev, &why);
	rc = rc ? rc : lib_apply(b, &ev, &why);
	return lib_fail(rc, &why, err);
}

int bandit_set_arm(
    struct bandit *b, const char *id, enum bandit_arm_state state, struct bandit_error *err)
{
	static const enum arm_state states[] = {ARM_ACTIVE, ARM_PAUSED, ARM_RETIRED};
	struct errinfo why = {.rc = 0};
	struct event ev;
	uint32_t slot = 0;
	int rc = 0;

	arena_reset(&b->mem);
	if ((unsigned)state >= sizeof(states) / sizeof(states[0])) {
		rc = err_set(&why, RC_INVALID, "out_of_range", "", "no such state of an arm");
	} else {
		slot = arms_find(experiment_arms(b->e), id);
		rc = slot == ARM_NONE
			 ? err_set(&why, RC_NOT_FOUND, "unknown_arm", "", "no arm %.128s", id)
			 : 0;
	}
	rc = rc ? rc
		: experiment_set_arm(b->e, slot, states[state], lib_now_us(b), &b->mem, &ev, &why);
	if (rc == RC_EXISTS) {
		return 0;
	}
	rc = rc ? rc : lib_apply(b, &ev, &why);
	return lib_fail(rc, &why, err);
}

/* A plan that is due is made at once, in the caller's thread. */
static int plan(struct bandit *b, struct errinfo *err)
{
	struct event ev;
	int rc;

	if (!experiment_plan_due(b->e, lib_now_us(b))) {
		return 0;
	}
	rc = experiment_plan_now(b->e, lib_now_us(b), &b->mem, &ev, err);
	return rc ? rc : lib_apply(b, &ev, err);
}

/* The object is made before anything is applied: what cannot be handed out must not count. */
static int decide(
    struct bandit *b, const json_t *o, struct bandit_decision **ret, struct errinfo *err)
{
	struct bandit_decision *d = NULL;
	struct select_in in = {.id = NULL};
	struct event ev;
	int rc = o ? select_from_json(o, b->e, false, &b->mem, &in, err) : 0;

	rc = rc ? rc : plan(b, err);
	rc = rc ? rc : experiment_select(b->e, &in, lib_now_us(b), &b->mem, &ev, err);
	if (rc == 0 && !ev.kind) {
		rc = err_set(err, RC_STATE, "decision_open", "",
		    "decision %llu is open, and has to have its reward first",
		    (unsigned long long)ev.seq);
	}
	rc = rc ? rc : lib_decision_new(b, &ev, &d);
	rc = rc ? rc : lib_apply(b, &ev, err);
	if (rc) {
		bandit_decision_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

int bandit_select(
    struct bandit *b, const char *request, struct bandit_decision **ret, struct bandit_error *err)
{
	struct errinfo why = {.rc = 0};
	json_t *o = NULL;
	int rc = 0;

	arena_reset(&b->mem);
	if (request) {
		rc = json_parse(request, strlen(request), &o, &why);
	}
	rc = rc ? rc : decide(b, o, ret, &why);
	json_decref(o);
	return lib_fail(rc, &why, err);
}

int bandit_save(const struct bandit *b, void **ret, size_t *ret_len, struct bandit_error *err)
{
	const struct errinfo why = {.rc = 0};
	struct buf out;

	buf_init(&out, LIB_BYTES_MAX);
	lib_frame_begin(&out, "bdtS");
	experiment_save(b->e, &out);
	return lib_fail(lib_frame_end(&out, ret, ret_len), &why, err);
}

int bandit_load(const void *bytes, size_t len, struct bandit **ret, struct bandit_error *err)
{
	const struct errinfo why = {.rc = 0};
	struct experiment *e = NULL;
	struct rd in;
	int rc = hash_init();

	rc = rc ? rc : lib_frame_open(bytes, len, "bdtS", &in);
	rc = rc ? rc : experiment_load(&in, policy_find, &e);
	if (rc == 0 && rd_left(&in)) {
		rc = RC_CORRUPT;
	}
	rc = rc ? rc : wrap(e, ret);
	if (rc) {
		experiment_free(e);
	}
	return lib_fail(rc, &why, err);
}
