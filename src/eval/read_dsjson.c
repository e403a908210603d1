/* SPDX-License-Identifier: Apache-2.0 */
/* VW's dsjson: one JSON object a line. Contextual-bandit events give rounds, slates where they are
 * asked for; ccb and continuous actions are checked and counted. Features are those of the context
 * without the actions'. Arms are called 1..K, the places of an event's actions. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "eval/features.h"
#include "eval/log_impl.h"
#include "eval/log_places.h"
#include "eval/log_slots.h"

#define DEPTH_MAX 16 /* of objects in objects */

struct dsjson {
	struct places places;
	struct features features;
	struct slots slots;
};

/* 1, or LOG_AGAIN: it is no number. *ret is as it was where there is none. */
static int number(struct log *l, const json_t *o, const char *key, double *ret)
{
	const json_t *v = json_object_get(o, key);

	if (!v) {
		return 1;
	}
	if (!json_is_number(v)) {
		return log_refuse(l, LOG_VALUE, l->line.number, "%s is not a finite number", key);
	}
	*ret = json_number_value(v);
	return 1;
}

static const json_t *first(const json_t *v)
{
	return json_is_array(v) ? json_array_get(v, 0) : v;
}

/* The slots of ccb and slates: 1, or LOG_AGAIN. */
static int check_outcomes(struct log *l, const json_t *outcomes)
{
	uint64_t line = l->line.number;
	const json_t *one, *v;
	double cost = 0;
	size_t i;

	json_array_foreach (outcomes, i, one) {
		v = first(json_object_get(one, "_p"));
		if (v && log_check_propensity(
			     l, line, json_is_number(v) ? json_number_value(v) : 0) != 1) {
			return LOG_AGAIN;
		}
		v = first(json_object_get(one, "_a"));
		if (v && (!json_is_integer(v) || json_integer_value(v) < 0)) {
			return log_refuse(
			    l, LOG_REFERENCE, line, "a slot's action is no number from 0");
		}
		if (number(l, one, "_label_cost", &cost) != 1) {
			return LOG_AGAIN;
		}
	}
	return 1;
}

static int check_continuous(struct log *l, const json_t *label)
{
	double cost = 0, pdf = 0, action = 0;

	if (number(l, label, "cost", &cost) != 1 || number(l, label, "action", &action) != 1 ||
	    number(l, label, "pdf_value", &pdf) != 1) {
		return LOG_AGAIN;
	}
	if (!(pdf > 0)) {
		return log_refuse(l, LOG_PROPENSITY, l->line.number, "pdf_value is not above 0");
	}
	return log_skip(l, LOG_NOT_SCORED);
}

/* Seven digits of a second are more than a clock here has. */
static uint64_t time_of(const json_t *o)
{
	const char *text = json_string_value(json_object_get(o, "Timestamp"));
	char copy[CLOCK_TEXT_MAX];
	uint64_t at;
	size_t n;

	if (!text) {
		return 0;
	}
	n = strcspn(text, "Z");
	n = n < 26 ? n : 26;
	memcpy(copy, text, n);
	memcpy(copy + n, "Z", 2);
	return clock_parse(copy, &at) == 0 ? at : 0;
}

/* The place of the action taken, from 0; -1: none that is there. */
static int64_t taken(const json_t *o, size_t n)
{
	const json_t *index = json_object_get(o, "_labelIndex");
	const json_t *from_one = json_object_get(o, "_label_Action");
	int64_t at = -1;

	if (index) {
		at = json_is_integer(index) ? json_integer_value(index) : -1;
	} else {
		from_one = from_one ? from_one : first(json_object_get(o, "a"));
		at = json_is_integer(from_one) ? json_integer_value(from_one) - 1 : -1;
	}
	return at >= 0 && (uint64_t)at < n ? at : -1;
}

static int weight_of(struct log *l, const json_t *o, double *ret)
{
	double pdrop = 0;

	if (number(l, o, "pdrop", &pdrop) != 1) {
		return LOG_AGAIN;
	}
	if (!(pdrop >= 0 && pdrop < 1)) {
		return log_refuse(l, LOG_VALUE, l->line.number, "pdrop does not lie in [0, 1)");
	}
	*ret = 1 / (1 - pdrop);
	return 1;
}

static void add_text(struct features *f, const char *space, const char *text)
{
	for (size_t n; *text; text += n + (text[n] == ' ')) {
		n = strcspn(text, " ");
		if (n) {
			features_add(f, space, strlen(space), text, n, 1);
		}
	}
}

/* "weather":"Snowy" is the feature weather=Snowy. */
static void add_choice(struct features *f, const char *space, const char *key, const char *text)
{
	char name[256];
	int n = snprintf(name, sizeof(name), "%s=%s", key, text);

	features_add(
	    f, space, strlen(space), name, n < (int)sizeof(name) ? (size_t)n : sizeof(name) - 1, 1);
}

static void add_value(
    struct features *f, const char *space, const char *key, const json_t *v, int depth);

static void add_object(struct features *f, const char *space, const json_t *o, int depth)
{
	const json_t *v;
	const char *key;

	json_object_foreach ((json_t *)o, key, v) {
		if (strcmp(key, "_text") == 0 && json_is_string(v)) {
			add_text(f, space, json_string_value(v));
		} else if (key[0] != '_') {
			add_value(f, space, key, v, depth + 1);
		}
	}
}

/* An object, and each of a list, is a namespace of its own; a number in a list is called by its
 * place. */
static void add_value(
    struct features *f, const char *space, const char *key, const json_t *v, int depth)
{
	char place[24];
	const json_t *one;
	size_t i;

	if (depth > DEPTH_MAX) {
		return;
	}
	if (json_is_object(v)) {
		add_object(f, key, v, depth);
	} else if (json_is_array(v)) {
		json_array_foreach (v, i, one) {
			snprintf(place, sizeof(place), "%zu", i);
			add_value(f, json_is_object(one) ? space : key,
			    json_is_object(one) ? key : place, one, depth + 1);
		}
	} else if (json_is_string(v)) {
		add_choice(f, space, key, json_string_value(v));
	} else if (json_is_number(v)) {
		features_add(f, space, strlen(space), key, strlen(key), json_number_value(v));
	} else if (json_is_true(v)) {
		features_add(f, space, strlen(space), key, strlen(key), 1);
	}
}

static void give_features(struct dsjson *d, const json_t *o, struct round *ret)
{
	features_clear(&d->features);
	if (d->features.dim) {
		add_object(&d->features, "", json_object_get(o, "c"), 0);
	}
	features_give(&d->features, ret);
}

/* Each action of a slate says whose it is; those of ccb are anyone's. */
static bool is_slate(const json_t *o)
{
	const json_t *actions = json_object_get(json_object_get(o, "c"), "_multi");

	return json_object_get(json_array_get(actions, 0), "_slot_id") != NULL;
}

static int read_slots(struct log *l, struct slots *s, const json_t *o, uint64_t line)
{
	const json_t *actions = json_object_get(json_object_get(o, "c"), "_multi");
	const json_t *slots = json_object_get(json_object_get(o, "c"), "_slots");
	const json_t *outcomes = json_object_get(o, "_outcomes"), *one;
	size_t i;

	slots_clear(s);
	json_array_foreach (actions, i, one) {
		const json_t *id = json_object_get(one, "_slot_id");

		if (!json_is_integer(id) || json_integer_value(id) < 0 ||
		    !slots_action(s, (uint64_t)json_integer_value(id))) {
			return log_refuse(l, LOG_REFERENCE, line, "an action's _slot_id is none");
		}
	}
	json_array_foreach (outcomes, i, one) {
		const json_t *a = first(json_object_get(one, "_a"));
		const json_t *p = first(json_object_get(one, "_p"));

		if (!a || !p ||
		    !slots_taken(s, (size_t)json_integer_value(a), json_number_value(p))) {
			return log_refuse(l, LOG_REFERENCE, line,
			    "an outcome without _a and _p, or too many of them");
		}
	}
	return json_is_array(slots) && json_array_size(slots) != s->nslots
		   ? log_refuse(l, LOG_REFERENCE, line, "not every slot has its outcome")
		   : 1;
}

static int slate(
    struct log *l, struct dsjson *d, const json_t *o, struct round *ret, struct errinfo *err)
{
	double cost = 0;
	int rc;

	if (json_is_true(json_object_get(o, "_skipLearn")) || !json_object_get(o, "_label_cost")) {
		return log_skip(l, LOG_UNLABELLED);
	}
	if (number(l, o, "_label_cost", &cost) != 1 ||
	    number(l, o, "_original_label_cost", &cost) != 1 ||
	    weight_of(l, o, &ret->weight) != 1 || read_slots(l, &d->slots, o, ret->line) != 1) {
		return LOG_AGAIN;
	}
	rc = slots_give(&d->slots, &d->places, l, ret->line, ret, err);
	if (rc == 1) {
		ret->reward = 0 - cost;
		ret->has_reward = true;
		ret->at_us = time_of(o);
		give_features(d, o, ret);
	}
	return rc;
}

static int label(
    struct log *l, struct dsjson *d, const json_t *o, struct round *ret, struct errinfo *err)
{
	const json_t *actions = json_object_get(json_object_get(o, "c"), "_multi"), *p;
	double cost = 0, propensity = 0;
	bool unknown;
	int64_t at;
	size_t n;
	int rc;

	n = json_array_size(json_is_array(actions) ? actions : json_object_get(o, "a"));
	at = taken(o, n);
	p = first(json_object_get(o, "p"));
	propensity = json_is_number(p) ? json_number_value(p) : 0;
	if (number(l, o, "_label_cost", &cost) != 1 ||
	    number(l, o, "_original_label_cost", &cost) != 1 ||
	    number(l, o, "_label_probability", &propensity) != 1 ||
	    weight_of(l, o, &ret->weight) != 1) {
		return LOG_AGAIN;
	}
	if (at < 0) {
		return log_refuse(
		    l, LOG_REFERENCE, ret->line, "the action taken is none of the event's");
	}
	unknown = l->o.unknown && !p && !json_object_get(o, "_label_probability");
	if (!unknown && log_check_propensity(l, ret->line, propensity) != 1) {
		return LOG_AGAIN;
	}
	rc = places_upto(&d->places, l->arms, n);
	if (rc) {
		return err_set(err, rc, "too_many", l->path, "%s", err_name(rc));
	}
	ret->propensity = propensity;
	ret->reward = 0 - cost;
	ret->has_reward = true;
	ret->arm = d->places.arm[at];
	ret->eligible = d->places.arm;
	ret->neligible = n;
	ret->at_us = time_of(o);
	give_features(d, o, ret);
	return 1;
}

static int event(
    struct log *l, struct dsjson *d, const json_t *o, struct round *ret, struct errinfo *err)
{
	const json_t *outcomes = json_object_get(o, "_outcomes");
	const json_t *continuous = json_object_get(o, "_label_ca");
	const json_t *a = json_object_get(o, "a");

	if (json_is_array(outcomes)) {
		if (check_outcomes(l, outcomes) != 1) {
			return LOG_AGAIN;
		}
		return l->o.slates && is_slate(o) ? slate(l, d, o, ret, err)
						  : log_skip(l, LOG_NOT_SCORED);
	}
	if (json_is_object(continuous)) {
		return check_continuous(l, continuous);
	}
	if (json_object_get(json_object_get(o, "c"), "_slots")) {
		return log_skip(l, LOG_NOT_SCORED);
	}
	if (!json_is_array(a) && !json_object_get(o, "_label_cost")) {
		return log_skip(l, LOG_DANGLING);
	}
	if (json_is_true(json_object_get(o, "_skipLearn")) || !json_object_get(o, "_label_cost")) {
		return log_skip(l, LOG_UNLABELLED);
	}
	return label(l, d, o, ret, err);
}

static int dsjson_next(struct log *l, void *state, struct round *ret, struct errinfo *err)
{
	json_error_t why;
	char *text;
	size_t n;
	int rc = log_line(l, &text, &n, err);
	json_t *o;

	if (rc != 1) {
		return rc;
	}
	ret->line = l->line.number;
	if (ret->line == 1 && n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		n -= 3;
	}
	if (text[0] != '{') {
		return LOG_AGAIN; /* a checkpoint */
	}
	o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	if (!o) {
		bool twice = json_error_code(&why) == json_error_duplicate_key;

		return json_error_code(&why) == json_error_out_of_memory
			   ? err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory")
			   : log_refuse(
				 l, twice ? LOG_LABELS : LOG_SYNTAX, ret->line, "%s", why.text);
	}
	rc = event(l, state, o, ret, err);
	json_decref(o);
	return rc;
}

static void dsjson_close(void *state)
{
	struct dsjson *d = state;

	if (d) {
		places_release(&d->places);
		features_release(&d->features);
		free(d);
	}
}

static int dsjson_open(struct log *l, void **ret, struct errinfo *err)
{
	struct dsjson *d = calloc(1, sizeof(*d));

	if (!d || features_init(&d->features, l->o.features)) {
		free(d);
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	*ret = d;
	return 0;
}

/* Some line of the first ones is an object; what is ours begins with its version. */
static bool dsjson_probe(const char *bytes, size_t n)
{
	const char *end = bytes + n;

	for (const char *p = bytes; p && p < end; p = memchr(p, '\n', (size_t)(end - p))) {
		p += *p == '\n';
		if (p < end && *p == '{') {
			return true;
		}
	}
	return false;
}

const struct log_reader read_dsjson = {
    "dsjson", dsjson_probe, dsjson_open, dsjson_next, dsjson_close, {.slot_bytes = 0}};
