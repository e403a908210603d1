/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots. A saved state is a function of the state alone, so its hash is the state's digest. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "core/experiment_impl.h"

#define SAVE_VERSION 1
#define SAVE_VERSION_STREAM 2 /* of a policy with a stream: with a backlog */
#define SAVE_VERSION_GONE 3   /* stacked, or with arms that were withdrawn */
#define SAVE_VERSION_LATE 4   /* with pulls of tests that were rewarded late */
#define SAVE_MAX ((size_t)2 << 30)
#define PARAMS_MAX 64

static void put_text(struct buf *out, const char *s)
{
	buf_put_str(out, s, strlen(s));
}

static bool is_saved(const struct param_desc *d, const void *params)
{
	double v = param_get(d, params);

	return !isnan(v) && !((d->flags & PARAM_LATER) && v == d->dflt);
}

static void save_params(const struct experiment *e, struct buf *out)
{
	size_t n = 0;

	for (const struct param_desc *d = e->ops->params; d && d->name; d++) {
		n += is_saved(d, e->params);
	}
	buf_put_var(out, n);
	for (const struct param_desc *d = e->ops->params; d && d->name; d++) {
		double v = param_get(d, e->params);

		if (!is_saved(d, e->params)) {
			continue;
		}
		put_text(out, d->name);
		if (d->type == PARAM_CHOICE) {
			buf_put_u8(out, 1);
			put_text(out, d->choices[(int)v]);
		} else if (d->type == PARAM_LIST) {
			buf_put_u8(out, 2);
			spec_list_write(param_get_list(d, e->params), out);
		} else {
			buf_put_u8(out, 0);
			buf_put_f64(out, v);
		}
	}
}

static void save_settings(const struct settings *s, struct buf *out)
{
	put_text(out, s->label);
	buf_put_f64(out, s->floor);
	buf_put_var(out, s->window_us);
	buf_put_u8(out, s->has_fallback);
	buf_put_f64(out, s->has_fallback ? s->fallback : 0);
	buf_put_u8(out, (uint8_t)s->late);
	buf_put_u8(out, (uint8_t)s->aggregate);
	buf_put_u8(out, (uint8_t)s->state);
}

static void save_totals(const struct totals *t, struct buf *out)
{
	const uint64_t all[] = {t->decisions, t->open, t->voided, t->expired, t->learnt,
	    t->recorded, t->late, t->held, t->clipped};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		buf_put_var(out, all[i]);
	}
}

static unsigned version_of(const struct experiment *e)
{
	return e->ops->stream ? SAVE_VERSION_STREAM + backlog_form(e) : SAVE_VERSION;
}

void experiment_save(const struct experiment *e, struct buf *out)
{
	buf_put_u8(out, (uint8_t)version_of(e));
	put_text(out, e->name);
	put_text(out, e->ops->name);
	save_params(e, out);
	buf_put_u64(out, e->seed);
	buf_put_u64(out, e->fingerprint);
	buf_put_f64(out, e->lo);
	buf_put_f64(out, e->hi);
	buf_put_u8(out, (uint8_t)e->goal);
	buf_put_var(out, e->slots);
	buf_put_var(out, e->nfeatures);
	for (size_t i = 0; i < e->nfeatures; i++) {
		put_text(out, e->features[i]);
	}
	save_settings(&e->settings, out);
	buf_put_u8(out, (uint8_t)((e->has_windows ? 1 : 0) | (e->closed_groups ? 2 : 0)));
	buf_put_var(out, e->seq);
	buf_put_u64(out, e->at_us);
	buf_put_u64(out, e->created_us);
	buf_put_var(out, e->changed_seq);
	buf_put_var(out, e->expired_ref);
	save_totals(&e->totals, out);
	arms_save(&e->arms, out);
	arms_save(&e->groups, out);
	buf_put_u8(out, e->planning);
	history_save(&e->history, out);
	buf_put_var(out, e->ops->version);
	backlog_save(e, out);
	e->ops->serialise(e->state, out);
}

static const char *get_text(struct rd *in, struct arena *mem, size_t max)
{
	size_t n;
	const char *s = rd_str(in, &n);
	const char *copy = NULL;

	if (s && n <= max && !memchr(s, '\0', n)) {
		copy = arena_text(mem, s, n);
	}
	if (!copy) {
		rd_fail(in);
		return "";
	}
	return copy;
}

static unsigned get_choice(struct rd *in, unsigned values)
{
	unsigned v = rd_u8(in);

	if (v >= values) {
		rd_fail(in);
		return 0;
	}
	return v;
}

static void load_params(struct rd *in, struct arena *mem, struct experiment_spec *spec)
{
	size_t n = rd_count(in, 3);
	struct spec_param *p = arena_array(mem, n < PARAMS_MAX ? n : 0, sizeof(*p));

	if (n > PARAMS_MAX || !p) {
		rd_fail(in);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		p[i] = (struct spec_param){.name = get_text(in, mem, ID_MAX)};
		switch (get_choice(in, 3)) {
		case 0:
			p[i].number = rd_f64(in);
			break;
		case 1:
			p[i].text = get_text(in, mem, ID_MAX);
			break;
		default:
			spec_list_read(in, mem, &p[i].list);
		}
	}
	spec->params = p;
	spec->nparams = n;
}

static void load_features(struct rd *in, struct arena *mem, struct experiment_spec *spec)
{
	size_t n = rd_count(in, 2);
	const char **v = arena_array(mem, n <= DIM_MAX ? n : 0, sizeof(*v));

	if (n > DIM_MAX || !v) {
		rd_fail(in);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		v[i] = get_text(in, mem, ID_MAX);
	}
	spec->features = v;
	spec->nfeatures = n;
}

static void load_settings(struct rd *in, struct arena *mem, struct settings *s)
{
	s->label = get_text(in, mem, LABEL_MAX);
	s->floor = rd_f64(in);
	s->window_us = rd_var(in);
	s->has_fallback = get_choice(in, 2);
	s->fallback = rd_f64(in);
	if (!s->has_fallback && (s->fallback != 0 || signbit(s->fallback))) {
		rd_fail(in); /* save writes 0 */
	}
	s->late = (enum late_rule)get_choice(in, LATE_DROP + 1);
	s->aggregate = (enum aggregate)get_choice(in, AGGREGATE_MAX + 1);
	s->state = (enum run_state)get_choice(in, RUN_ARCHIVED + 1);
}

static uint32_t load_slots(struct rd *in)
{
	uint64_t n = rd_var(in);

	if (n < 1 || n > SLATE_MAX) {
		rd_fail(in);
	}
	return (uint32_t)n;
}

static void load_spec(struct rd *in, struct arena *mem, struct experiment_spec *spec)
{
	spec->name = get_text(in, mem, ID_MAX);
	spec->policy = get_text(in, mem, ID_MAX);
	load_params(in, mem, spec);
	spec->seed = rd_u64(in);
	spec->fingerprint = rd_u64(in);
	spec->lo = rd_f64(in);
	spec->hi = rd_f64(in);
	spec->goal = (enum goal)get_choice(in, GOAL_MINIMISE + 1);
	spec->slots = load_slots(in);
	load_features(in, mem, spec);
	load_settings(in, mem, &spec->settings);
}

static void load_totals(struct rd *in, struct totals *t)
{
	uint64_t *const all[] = {&t->decisions, &t->open, &t->voided, &t->expired, &t->learnt,
	    &t->recorded, &t->late, &t->held, &t->clipped};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		*all[i] = rd_var(in);
	}
}

/* Each parameter once, in the order of the table, as save_params() writes them. */
static bool has_all_params(const struct experiment *e, const struct experiment_spec *spec)
{
	size_t i = 0;

	for (const struct param_desc *d = e->ops->params; d && d->name; d++) {
		if (!is_saved(d, e->params)) {
			continue;
		}
		if (i == spec->nparams || strcmp(spec->params[i].name, d->name) != 0 ||
		    !spec->params[i].text != (d->type != PARAM_CHOICE) ||
		    !spec->params[i].list.n != (d->type != PARAM_LIST)) {
			return false;
		}
		i++;
	}
	return i == spec->nparams;
}

static int load_state(struct rd *in, struct experiment *e, unsigned saved)
{
	struct policy_env env = experiment_env(e);
	uint64_t version;
	unsigned bits;
	int rc;

	bits = get_choice(in, 4);
	e->has_windows = bits & 1;
	e->closed_groups = bits & 2;
	e->seq = rd_var(in);
	e->at_us = rd_u64(in);
	e->created_us = rd_u64(in);
	e->changed_seq = rd_var(in);
	e->expired_ref = rd_var(in);
	load_totals(in, &e->totals);
	if (in->rc || e->seq == 0 || e->changed_seq > e->seq || e->expired_ref >= e->seq ||
	    e->totals.open > e->totals.decisions || e->at_us < e->created_us) {
		return RC_CORRUPT;
	}
	rc = arms_load(&e->arms, in);
	rc = rc ? rc : arms_load(&e->groups, in);
	e->planning = get_choice(in, 2);
	if (rc == 0 && e->planning && !e->ops->plan_due) {
		rc = RC_CORRUPT;
	}
	if (rc == 0) {
		rc = history_load(&e->history, in);
	}
	if (rc) {
		return rc;
	}
	version = rd_var(in);
	rc = backlog_load(
	    e, in, saved > SAVE_VERSION_STREAM ? saved - SAVE_VERSION_STREAM : BACKLOG_PLAIN);
	if (rc) {
		return rc;
	}
	if (in->rc || version == 0) {
		return RC_CORRUPT;
	}
	if (version != e->ops->version) {
		return RC_VERSION; /* a snapshot is a cache: the log knows better */
	}
	rc = e->ops->deserialise(&env, in, &e->state);
	if (rc == 0 && (rd_left(in) || e->ops->slots(e->state) != e->arms.n)) {
		rc = RC_CORRUPT;
	}
	if (rc == 0 && e->ops->reserve_groups) {
		rc = e->ops->reserve_groups(e->state, e->groups.n);
	}
	rc = rc ? rc : experiment_reserve_arms(e, 0, 0, NULL);
	if (rc == 0) {
		backlog_loaded(e);
	}
	return rc;
}

int experiment_load(
    struct rd *in, const struct policy_ops *(*find)(const char *name), struct experiment **ret)
{
	struct experiment_spec spec = {.name = NULL};
	const struct policy_ops *ops;
	struct experiment *e = NULL;
	struct errinfo err = {.rc = 0};
	struct arena mem;
	unsigned version = rd_u8(in);
	int rc;

	if (in->rc || version < SAVE_VERSION || version > SAVE_VERSION_LATE) {
		return in->rc || version == 0 ? RC_CORRUPT : RC_VERSION;
	}
	arena_init(&mem, 1u << 20);
	load_spec(in, &mem, &spec);
	ops = in->rc ? NULL : find(spec.policy);
	if (ops && (ops->stream != NULL) != (version >= SAVE_VERSION_STREAM)) {
		arena_release(&mem); /* from before there were backlogs: the log knows better */
		return ops->stream ? RC_VERSION : RC_CORRUPT;
	}
	rc = ops && spec_check(&spec, &err) == 0 ? experiment_start(&spec, ops, false, &e, &err)
						 : RC_CORRUPT;
	if (rc == 0) {
		rc = has_all_params(e, &spec) ? load_state(in, e, version) : RC_CORRUPT;
	}
	arena_release(&mem);
	if (rc) {
		experiment_free(e);
		return rc == RC_MEMORY || rc == RC_VERSION ? rc : RC_CORRUPT;
	}
	*ret = e;
	return 0;
}

int experiment_digest(const struct experiment *e, unsigned char ret[16])
{
	struct buf out;
	int rc;

	buf_init(&out, SAVE_MAX);
	experiment_save(e, &out);
	rc = out.rc;
	if (rc == 0) {
		hash_digest(out.data, out.len, ret);
	}
	buf_release(&out);
	return rc ? RC_MEMORY : 0;
}
