/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/regress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "eval/table.h"

#define RANK_TOLERANCE 1e-9

/* One that forecasts and hears of labels. */
struct forecaster {
	const struct policy_ops *ops;
	struct policy_env env;
	void *state;
	struct buf memo;
	uint64_t seed, seq;
};

/* What one of the two has lost: on each group, then on all rows. */
struct sums {
	double loss[GROUPS_MAX + 1];
};

bool regress_is(const json_t *env)
{
	const char *name = json_string_value(json_object_get(env, "env"));

	return name && strcmp(name, "table") == 0;
}

static int set_params(const struct sim_policy *p, void *params, struct errinfo *err)
{
	int rc = 0;

	param_defaults(p->ops->params, params);
	for (size_t i = 0; rc == 0 && i < p->nparams; i++) {
		const struct spec_param *given = &p->params[i];
		const struct param_desc *d = param_find(p->ops->params, given->name);
		char pointer[160];

		snprintf(pointer, sizeof(pointer), "/params/%s", given->name);
		if (!d) {
			rc = err_set(err, RC_INVALID, "unknown_field", pointer, "not a parameter");
		} else if (given->text) {
			rc = param_set_text(d, params, given->text, pointer, err);
		} else if (d->type == PARAM_BOOL) {
			rc = param_set_bool(d, params, given->number != 0, pointer, err);
		} else {
			rc = param_set_number(d, params, given->number, pointer, err);
		}
	}
	if (rc == 0 && p->ops->check) {
		rc = p->ops->check(params, err);
	}
	return rc;
}

static int check_policy(const struct policy_ops *ops, const void *params, struct errinfo *err)
{
	unsigned traits = ops->traits ? ops->traits(params) : ops->flags;

	if (!(traits & POLICY_FORECAST)) {
		return err_set(err, RC_INVALID, "wrong_policy", "",
		    "a table takes a policy that forecasts: groupwise:kind=regress");
	}
	return 0;
}

static int forecaster_init(struct forecaster *f, const struct policy_ops *ops, const void *params,
    const struct table *t, uint64_t seed)
{
	int rc;

	*f = (struct forecaster){
	    .ops = ops, .env = {.params = params, .dim = t->dim, .hi = 1}, .seed = seed};
	buf_init(&f->memo, MEMO_MAX);
	rc = ops->create(&f->env, &f->state);
	if (rc == 0 && ops->reserve_groups) {
		rc = ops->reserve_groups(f->state, t->ngroups);
	}
	return rc;
}

static void forecaster_release(struct forecaster *f)
{
	if (f->ops) {
		f->ops->destroy(f->state);
		buf_release(&f->memo);
	}
}

/* One row: the squared error of what is predicted. */
static int forecast(struct forecaster *f, const double *x, double y, const uint32_t *groups,
    size_t n, double *ret_loss, struct errinfo *err)
{
	struct rng rng = rng_at(f->seed, ++f->seq, RNG_POLICY);
	struct ask ask = {.x = x, .seq = f->seq, .groups = groups, .ngroups = n, .k = 1};
	struct choice choice = {.memo = &f->memo};
	int rc;

	buf_reset(&f->memo);
	rc = f->ops->choose(f->state, &ask, &rng, &choice, err);
	if (rc) {
		return rc;
	}
	if (f->ops->pulled) {
		f->ops->pulled(f->state, &(struct pull){.seq = f->seq,
					     .x = x,
					     .groups = groups,
					     .ngroups = n,
					     .memo = f->memo.data,
					     .nmemo = f->memo.len,
					     .prediction = choice.prediction});
	}
	f->ops->update(f->state, &(struct outcome){.ref = f->seq,
				     .slot = SLOT_NONE,
				     .reward = y,
				     .propensity = 1,
				     .x = x,
				     .groups = groups,
				     .ngroups = n,
				     .memo = f->memo.data,
				     .nmemo = f->memo.len,
				     .prediction = choice.prediction});
	*ret_loss = (choice.prediction - y) * (choice.prediction - y);
	return 0;
}

/* The least sum of squares over the group's rows: x'x bordered by x'y and y'y, eliminated column by
 * column; columns that depend on those before add nothing. */
static int least_squares(const struct table *t, const bool *member, double *ret)
{
	size_t d = t->dim, n = d + 1;
	double *a = calloc(n * n, sizeof(*a)), *row = calloc(n, sizeof(*row));

	if (!a || !row) {
		free(a);
		free(row);
		return RC_MEMORY;
	}
	for (size_t i = 0; i < t->rows; i++) {
		if (member && !member[i]) {
			continue;
		}
		memcpy(row, t->x + i * d, d * sizeof(*row));
		row[d] = t->y[i];
		for (size_t k = 0; k < n; k++) {
			for (size_t j = k; row[k] != 0 && j < n; j++) {
				a[k * n + j] += row[k] * row[j];
			}
		}
	}
	for (size_t k = 0; k < n; k++) {
		row[k] = a[k * n + k];
	}
	for (size_t k = 0; k < d; k++) {
		double pivot = a[k * n + k];

		for (size_t i = k + 1; pivot > RANK_TOLERANCE * row[k] && i < n; i++) {
			double f = a[k * n + i] / pivot;

			for (size_t j = i; f != 0 && j < n; j++) {
				a[i * n + j] -= f * a[k * n + j];
			}
		}
	}
	*ret = a[n * n - 1] > 0 ? a[n * n - 1] : 0;
	free(a);
	free(row);
	return 0;
}

static size_t groups_of(const struct table *t, size_t row, uint32_t *ret)
{
	size_t n = 0;

	for (uint32_t g = 0; g < t->ngroups; g++) {
		if (t->group[g].member[row]) {
			ret[n++] = g;
		}
	}
	return n;
}

static void shuffle(size_t *order, size_t n, struct rng *rng)
{
	for (size_t i = 0; i < n; i++) {
		size_t j = rng_below(rng, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

/* All rows in one order, with the groups and without them. */
static int run_shuffle(const struct table *t, const size_t *order, struct forecaster f[2],
    struct sums ret[2], struct errinfo *err)
{
	uint32_t groups[GROUPS_MAX];

	for (size_t i = 0; i < t->rows; i++) {
		size_t row = order[i], n = groups_of(t, row, groups);

		for (size_t k = 0; k < 2; k++) {
			double loss;
			int rc = forecast(&f[k], t->x + row * t->dim, t->y[row], groups,
			    k == 0 ? n : 0, &loss, err);

			if (rc) {
				return rc;
			}
			for (size_t j = 0; j < n; j++) {
				ret[k].loss[groups[j]] += loss;
			}
			ret[k].loss[t->ngroups] += loss;
		}
	}
	return 0;
}

struct tally {
	struct num_welford regret[2]; /* with groups, without */
	double best;
};

static int run_all(const struct table *t, const struct sim_policy *policy, const void *params,
    uint64_t seed, struct tally *tally, struct errinfo *err)
{
	size_t *order = calloc(t->rows, sizeof(*order));
	int rc = order ? 0 : RC_MEMORY;

	for (uint64_t s = 0; rc == 0 && s < t->shuffles; s++) {
		struct rng rng = rng_at(seed, s, RNG_SAMPLE);
		struct forecaster f[2] = {{.ops = NULL}};
		struct sums sums[2] = {{.loss = {0}}};

		shuffle(order, t->rows, &rng);
		for (size_t k = 0; rc == 0 && k < 2; k++) {
			rc = forecaster_init(&f[k], policy->ops, params, t, seed);
		}
		if (rc == 0) {
			rc = run_shuffle(t, order, f, sums, err);
		}
		for (size_t k = 0; k < 2; k++) {
			for (size_t g = 0; rc == 0 && g <= t->ngroups; g++) {
				num_welford_add(
				    &tally[g].regret[k], sums[k].loss[g] - tally[g].best);
			}
			forecaster_release(&f[k]);
		}
	}
	free(order);
	return rc;
}

static struct sim_estimate estimate(const struct num_welford *w)
{
	return (struct sim_estimate){
	    .mean = w->mean,
	    .se = w->n > 1 ? sqrt(num_welford_variance(w) / (double)w->n) : 0,
	};
}

static int tell(const struct table *t, const struct tally *tally, struct sim_result *ret)
{
	for (size_t g = 0; g <= t->ngroups; g++) {
		struct sim_group *to = &ret->group[g];

		to->name = strdup(g < t->ngroups ? t->group[g].name : "_all");
		if (!to->name) {
			return RC_MEMORY;
		}
		to->regret = estimate(&tally[g].regret[0]);
		to->base = estimate(&tally[g].regret[1]);
		to->has_base = true;
		ret->ngroups++;
	}
	ret->regret = estimate(&tally[t->ngroups].regret[0]);
	ret->reward.mean =
	    -(ret->regret.mean + tally[t->ngroups].best) / (double)t->rows; /* less is better */
	return 0;
}

static int run_table(const struct table *t, const struct sim_policy *policy, uint64_t seed,
    struct sim_result *ret, struct errinfo *err)
{
	struct tally tally[GROUPS_MAX + 1] = {{.best = 0}};
	void *params = calloc(1, policy->ops->params_size + 1);
	int rc = params ? set_params(policy, params, err) : RC_MEMORY;

	if (rc == 0) {
		rc = check_policy(policy->ops, params, err);
	}
	for (size_t g = 0; rc == 0 && g <= t->ngroups; g++) {
		rc = least_squares(t, g < t->ngroups ? t->group[g].member : NULL, &tally[g].best);
	}
	if (rc == 0) {
		rc = run_all(t, policy, params, seed, tally, err);
	}
	if (rc == 0) {
		rc = tell(t, tally, ret);
	}
	free(params);
	return rc;
}

int regress_run(const json_t *env, const struct sim_policy *policy, const struct sim_opts *opts,
    struct sim_result *ret, struct errinfo *err)
{
	struct sim_result r = {.narms = 0};
	struct table t;
	int rc = table_read(env, &t, err);

	if (rc) {
		return err_set(err, rc, "failed", "", "%s", err_name(rc));
	}
	r.group = calloc(t.ngroups + 1, sizeof(*r.group));
	rc = r.group ? run_table(&t, policy, opts->seed, &r, err) : RC_MEMORY;
	table_release(&t);
	if (rc) {
		sim_release(&r);
		return err_set(err, rc, "failed", "", "%s", err_name(rc));
	}
	*ret = r;
	return 0;
}
