/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FLOOR_END 1.0

const char *const goal_names[] = {"maximise", "minimise", NULL};
const char *const late_rule_names[] = {"record", "learn", "drop", NULL};
const char *const aggregate_names[] = {"first", "last", "sum", "max", NULL};
const char *const run_state_names[] = {"running", "paused", "archived", NULL};
const char *const arm_state_names[] = {"active", "paused", "retired", NULL};

/* Bit c % 32 of word c / 32: A-Z a-z 0-9 . _ : - */
static bool is_id_char(unsigned char c)
{
	static const uint32_t allowed[8] = {0, 0x07ff6000, 0x87fffffe, 0x07fffffe};

	return allowed[c / 32] >> (c % 32) & 1;
}

bool id_is_valid(const char *id)
{
	size_t n = 0;

	while (n <= ID_MAX && is_id_char((unsigned char)id[n])) {
		n++;
	}
	return n >= 1 && n <= ID_MAX && id[n] == '\0';
}

static int invalid(struct errinfo *err, const char *pointer, const char *text)
{
	return err_set(err, RC_INVALID, "out_of_range", pointer, "%s", text);
}

int settings_check(const struct settings *s, double lo, double hi, struct errinfo *err)
{
	if (!(s->floor >= 0 && s->floor < FLOOR_END)) {
		return invalid(err, "/floor", "floor must lie in [0, 1)");
	}
	if (s->has_fallback && !(s->fallback >= lo && s->fallback <= hi)) {
		return invalid(err, "/reward/default", "default must lie within lo and hi");
	}
	if (s->has_fallback && s->window_us == 0) {
		return invalid(err, "/reward/default", "a default needs a window that closes");
	}
	if (s->aggregate != AGGREGATE_FIRST && s->window_us == 0) {
		return invalid(err, "/reward/aggregate",
		    "last, sum and max are learnt when the window closes, so they need one");
	}
	if (strlen(s->label) > LABEL_MAX) {
		return invalid(err, "/label", "label is longer than 256 bytes");
	}
	return 0;
}

static int features_check(const struct experiment_spec *spec, struct errinfo *err)
{
	char pointer[32];

	if (spec->nfeatures > DIM_MAX) {
		return err_set(
		    err, RC_LIMIT, "too_many", "/context", "at most %d features", DIM_MAX);
	}
	for (size_t i = 0; i < spec->nfeatures; i++) {
		if (!id_is_valid(spec->features[i])) {
			snprintf(pointer, sizeof(pointer), "/context/%zu", i);
			return err_set(
			    err, RC_INVALID, "invalid_id", pointer, "not a valid feature name");
		}
		for (size_t k = 0; k < i; k++) {
			if (strcmp(spec->features[k], spec->features[i]) == 0) {
				snprintf(pointer, sizeof(pointer), "/context/%zu", i);
				return err_set(err, RC_INVALID, "out_of_range", pointer,
				    "feature %s is declared twice", spec->features[i]);
			}
		}
	}
	return 0;
}

static int groups_check(const struct experiment_spec *spec, struct errinfo *err)
{
	char pointer[32];

	if (spec->ngroups > GROUPS_ALL_MAX) {
		return err_set(
		    err, RC_LIMIT, "too_many", "/groups", "at most %d groups", GROUPS_ALL_MAX);
	}
	if (spec->closed_groups && spec->ngroups == 0) {
		return invalid(err, "/auto_groups", "without groups none could ever be named");
	}
	for (size_t i = 0; i < spec->ngroups; i++) {
		if (!id_is_valid(spec->groups[i])) {
			snprintf(pointer, sizeof(pointer), "/groups/%zu", i);
			return err_set(
			    err, RC_INVALID, "invalid_id", pointer, "not a valid group name");
		}
	}
	return 0;
}

int spec_check(const struct experiment_spec *spec, struct errinfo *err)
{
	int rc;

	if (!id_is_valid(spec->name)) {
		return err_set(err, RC_INVALID, "invalid_id", "",
		    "an experiment's name is 1-128 of A-Z a-z 0-9 . _ : -");
	}
	if (spec->slots < 1 || spec->slots > SLATE_MAX) {
		return invalid(err, "/slots", "slots must lie in 1..1024");
	}
	if (!isfinite(spec->lo) || !isfinite(spec->hi) || !(spec->lo < spec->hi) ||
	    !isfinite(spec->hi - spec->lo)) {
		return invalid(err, "/reward/lo", "lo must be less than hi, and both finite");
	}
	rc = features_check(spec, err);
	rc = rc ? rc : groups_check(spec, err);
	return rc ? rc : settings_check(&spec->settings, spec->lo, spec->hi, err);
}

void spec_list_write(const struct param_list *list, struct buf *out)
{
	buf_put_var(out, list->width);
	buf_put_var(out, list->n);
	for (size_t i = 0; i < list->n; i++) {
		buf_put_f64(out, list->v[i]);
	}
}

int spec_list_read(struct rd *in, struct arena *mem, struct param_list *ret)
{
	size_t width = (size_t)rd_var(in), n = rd_count(in, 8);
	double *v;

	if (n == 0 || n > PARAM_LIST_MAX || (width && n % width)) {
		rd_fail(in);
		return 0;
	}
	v = arena_array(mem, n, sizeof(*v));
	if (!v) {
		rd_fail(in);
		return RC_MEMORY;
	}
	for (size_t i = 0; i < n; i++) {
		v[i] = rd_f64(in);
		if (!isfinite(v[i])) {
			rd_fail(in);
		}
	}
	*ret = (struct param_list){.v = v, .n = n, .width = width};
	return 0;
}
