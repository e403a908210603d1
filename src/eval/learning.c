/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/learning.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num_special.h"

#define MEM_MAX ((size_t)64 << 20)

struct run {
	struct experiment *e;
	struct rejection_result rejected;
	struct nonstationary_run *ns; /* of dr-ns */
	double clicks, reward_sum;    /* of dr-ns */
};

struct learning {
	const struct rejection_log *l;
	const struct nonstationary_log *n;
	struct learning_kind kind;
	struct run *run;
	uint32_t runs;
	uint64_t rounds;
	struct arena mem;
};

int learning_parse(const char *text, struct learning_kind *ret, struct errinfo *err)
{
	struct learning_kind k = {.rejection = strcmp(text, "rejection") == 0, .quantile = -1};
	bool ns = strncmp(text, "dr-ns", 5) == 0 && (text[5] == '\0' || text[5] == ':');
	char *end;

	if ((!k.rejection && !ns) || strlen(text) >= sizeof(k.text)) {
		return err_set(err, RC_INVALID, "estimator", "",
		    "a policy that learns is evaluated by rejection, dr-ns or dr-ns:QUANTILE, not "
		    "by %.40s",
		    text);
	}
	if (ns && text[5]) {
		k.quantile = strtod(text + 6, &end);
		if (!text[6] || *end || !(k.quantile >= 0 && k.quantile < 1)) {
			return err_set(err, RC_INVALID, "estimator", "",
			    "dr-ns takes a quantile, at least 0 and below 1");
		}
	}
	snprintf(k.text, sizeof(k.text), "%s", text);
	*ret = k;
	return 0;
}

static int no_memory(struct errinfo *err)
{
	return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
}

static int start_run(struct learning *g, struct run *r, const struct learning_policy *policy,
    uint64_t seed, struct errinfo *err)
{
	if (!g->kind.rejection && !policy->ops->pmf) {
		return err_set(err, RC_INVALID, "not_supported", policy->ops->name,
		    "it gives no probabilities, which dr-ns needs: use rejection");
	}
	if (!g->kind.rejection) {
		r->ns = calloc(1, sizeof(*r->ns));
		if (!r->ns) {
			return no_memory(err);
		}
		r->ns->quantile = g->kind.quantile;
		r->ns->seed = seed;
		r->ns->weights.lo = g->l->lo;
		r->ns->weights.hi = g->l->hi;
	}
	return rejection_start(
	    g->l, policy->ops, policy->params, policy->nparams, seed, &r->e, err);
}

int learning_new(const struct rejection_log *l, const struct nonstationary_log *n,
    const struct learning_kind *kind, const struct learning_policy *policy, uint64_t seed,
    uint32_t runs, struct learning **ret, struct errinfo *err)
{
	struct learning *g = calloc(1, sizeof(*g));
	int rc = 0;

	if (!g) {
		return no_memory(err);
	}
	*g = (struct learning){.l = l, .n = n, .kind = *kind, .runs = runs};
	arena_init(&g->mem, MEM_MAX);
	g->run = calloc(runs, sizeof(*g->run));
	rc = g->run ? 0 : no_memory(err);
	for (uint32_t i = 0; rc == 0 && i < runs; i++) {
		rc = start_run(g, &g->run[i], policy, seed + i, err);
	}
	if (rc) {
		learning_free(g);
		return rc;
	}
	*ret = g;
	return 0;
}

void learning_free(struct learning *g)
{
	if (!g) {
		return;
	}
	for (uint32_t i = 0; g->run && i < g->runs; i++) {
		experiment_free(g->run[i].e);
		if (g->run[i].ns) {
			nonstationary_run_release(g->run[i].ns);
			free(g->run[i].ns);
		}
	}
	free(g->run);
	arena_release(&g->mem);
	free(g);
}

static int play_ns(
    struct learning *g, struct run *r, uint64_t row, const struct round *round, struct errinfo *err)
{
	uint64_t before = r->ns->accepted;
	int rc = nonstationary_play(g->n, r->e, row, round, &g->mem, r->ns, err);

	if (rc == 0 && r->ns->accepted > before) {
		r->clicks += round->reward != 0;
		r->reward_sum += round->reward;
	}
	return rc;
}

int learning_play(struct learning *g, uint64_t row, const struct round *round, struct errinfo *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < g->runs; i++) {
		struct run *r = &g->run[i];

		rc = g->kind.rejection
			 ? rejection_play(g->l, r->e, row, round, &g->mem, &r->rejected, err)
			 : play_ns(g, r, row, round, err);
	}
	g->rounds += rc == 0;
	return rc;
}

uint64_t learning_taken(const struct learning *g)
{
	return g->kind.rejection ? g->run[0].rejected.accepted : g->run[0].ns->accepted;
}

const struct experiment *learning_first(const struct learning *g)
{
	return g->run[0].e;
}

/* Of one run. */
struct one {
	double accepted, clicks, reward_sum, value, se; /* value NaN: none */
	struct ope_summary s;
};

/* How many rounds carry the reward; where rewards have both signs their sum says nothing of it. */
static double carried_by(const struct learning *g, double sum, double squares)
{
	return g->l->lo < 0 ? HUGE_VAL : squares > 0 ? sum * sum / squares : 0;
}

/* The rounds that were accepted are the policy's own, of equal weight. */
static void one_rejection(
    const struct learning *g, const struct rejection_result *r, struct one *ret)
{
	double n = (double)r->accepted, mean = r->sum / n, v = r->squares / n - mean * mean;

	*ret = (struct one){.accepted = n,
	    .clicks = (double)r->clicks,
	    .reward_sum = r->sum,
	    .value = n > 0 ? mean : (double)NAN,
	    .se = n > 0 ? sqrt(v > 0 ? v / n : 0) : (double)NAN,
	    .s = {.overlap = {.ess = n,
		      .mean_weight = 1,
		      .max_weight = 1,
		      .reward_ess = carried_by(g, r->sum, r->squares)}}};
}

static void one_ns(const struct learning *g, const struct run *r, struct one *ret)
{
	const struct interval_sum *q = &r->ns->weights;

	*ret = (struct one){.accepted = (double)r->ns->accepted,
	    .clicks = r->clicks,
	    .reward_sum = r->reward_sum,
	    .value = est_sum_value(&r->ns->sum),
	    .se = est_sum_se(&r->ns->sum),
	    .s = {
		.overlap = ope_overlap_of(q, q->wr.hi), .unsupported = r->ns->unsupported / q->n}};
	ret->s.overlap.reward_ess = carried_by(g, q->wr.hi, q->wwrr.hi);
}

static void add_one(const struct one *o, double runs, struct learning_result *ret)
{
	struct ope_overlap *s = &ret->summary.overlap;
	const struct ope_overlap *v = &o->s.overlap;

	ret->accepted += o->accepted / runs;
	ret->clicks += o->clicks / runs;
	ret->reward_sum += o->reward_sum / runs;
	s->ess += v->ess / runs;
	s->mean_weight += v->mean_weight / runs;
	s->mean_weight_se += v->mean_weight_se / runs;
	s->max_weight = v->max_weight > s->max_weight ? v->max_weight : s->max_weight;
	s->reward_ess += v->reward_ess / runs;
	ret->summary.unsupported += o->s.unsupported / runs;
}

/* Beside the noise of the rewards, which se holds, a policy might have learnt differently: from
 * another log at least as differently as with another seed, which the runs show, and their mean has
 * its own part of that. Few runs show it badly: Student's t, of as many degrees of freedom as
 * Satterthwaite (1946) gives the sum. */
static void bound(struct learning_result *r, double alpha)
{
	double own = r->se * r->se, spread = 0, half = num_norm_quantile(1 - alpha / 2) * r->se;

	if (r->valued > 1) {
		spread = r->seed_sd * r->seed_sd * (1 + 1 / (double)r->valued);
	}
	if (spread > 0) {
		double share = spread / (own + spread);

		half = sqrt(own + spread) *
		       num_t_quantile(1 - alpha / 2, (r->valued - 1) / (share * share));
	}
	r->lo = r->value - half;
	r->hi = r->value + half;
}

void learning_result(const struct learning *g, double alpha, struct learning_result *ret)
{
	static const struct est_kind kind = {.name = "learning"};
	struct num_welford values = {.n = 0};
	double squares = 0;

	*ret = (struct learning_result){.rounds = g->rounds,
	    .runs = g->runs,
	    .summary = {.used = g->rounds, .rounds = g->rounds},
	    .judged = {.estimator = {.kind = &kind}}};
	for (uint32_t i = 0; g->rounds && i < g->runs; i++) {
		struct one o;

		if (g->kind.rejection) {
			one_rejection(g, &g->run[i].rejected, &o);
		} else {
			one_ns(g, &g->run[i], &o);
		}
		add_one(&o, g->runs, ret);
		if (!isnan(o.value)) {
			num_welford_add(&values, o.value);
			squares += o.se * o.se;
		}
	}
	ret->valued = (uint32_t)values.n;
	ret->value = values.n ? values.mean : (double)NAN;
	ret->se = values.n ? sqrt(squares / (double)values.n) : (double)NAN;
	ret->seed_sd = values.n > 1 ? sqrt(num_welford_variance(&values)) : (double)NAN;
	bound(ret, alpha);
	ope_judge(&ret->summary, &ret->judged);
}
