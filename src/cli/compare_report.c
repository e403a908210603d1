/* SPDX-License-Identifier: Apache-2.0 */
/* What bandit compare says: a table of estimates, the rankings, and where they disagree. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/compare.h"

#define CONFLICTS_SHOWN 10
#define WORDS_MAX 640

static const char *by_words(const struct ranking_conflict *f)
{
	return f->borda && f->kemeny ? "Borda and Kemeny" : f->borda ? "Borda" : "Kemeny";
}

/* The pair that by_mean has at i and k, in words; false: the rankings agree on it. */
static bool conflict_words(const struct comparison *c, size_t i, size_t k, char ret[WORDS_MAX])
{
	const struct ranking *r = &c->ranking;
	uint32_t a = r->by_mean[i], b = r->by_mean[k];
	struct ranking_conflict f;

	if (!ranking_conflict(r, c->judged, i, k, &f)) {
		return false;
	}
	snprintf(ret, WORDS_MAX,
	    "by mean %.150s is before %.150s (%.6g and %.6g), by %s behind it: on %g of %zu %s "
	    "%.150s "
	    "is ahead",
	    c->candidate[a].name, c->candidate[b].name, r->mean[a], r->mean[b], by_words(&f),
	    f.ahead, r->places, r->places == 1 ? "log" : "logs or segments", c->candidate[b].name);
	return true;
}

static int width_of_candidates(const struct comparison *c)
{
	size_t width = 6;

	for (size_t i = 0; i < c->n; i++) {
		size_t n = strlen(c->candidate[i].name);

		width = n > width ? n : width;
	}
	return width > 40 ? 40 : (int)width;
}

static void print_cell(const struct comparison *c, size_t k, size_t i, int width)
{
	const struct compare_cell *e = &c->cell[k * c->n + i];

	printf("%-*s %-12s %12.6f %12.6f %12.6f %12.6f  %s: %s\n", width, c->candidate[i].name,
	    e->r.estimator.text, e->r.value, e->r.se, e->r.lo, e->r.hi, ope_verdicts[e->r.verdict],
	    e->r.why);
	if (c->given->holdout > 0) {
		printf("%-*s %-12s %12.6f %12s %12.6f %12.6f  from the %s\n", width, "", "guarded",
		    e->guard.value, "", e->guard.lo, e->guard.hi,
		    e->guard.source == HOLDOUT_AGREES    ? "training part, and the holdout agrees"
		    : e->guard.source == HOLDOUT_DIFFERS ? "holdout, with noise: it differs"
							 : "training part alone, not guarded");
	}
}

static void print_place(const struct comparison *c, size_t k, int width)
{
	const struct compare_place *p = &c->place[k];

	printf("%s: %" PRIu64 " rounds, %" PRIu64 " used, mean %.6f%s\n", p->name, p->rounds,
	    p->used, p->logged, c->given->holdout > 0 ? "; the training part" : "");
	if (p->holdout[0]) {
		printf("holdout: %" PRIu64 " questions so far, %" PRIu32 " of %" PRIu32
		       " of the budget left, in %s\n",
		    p->queries, p->budget - p->spent, p->budget, p->holdout);
	}
	if (p->holdout[0] && p->spent == p->budget) {
		puts("the budget is spent: the holdout is not asked any more");
	}
	printf("%-*s %-12s %12s %12s %12s %12s  %s\n", width, "policy", "estimator", "value",
	    "s.e.", "lo", "hi", "verdict");
	for (size_t i = 0; i < c->n; i++) {
		print_cell(c, k, i, width);
	}
	putchar('\n');
}

static size_t rank_of(const uint32_t *order, uint32_t who)
{
	size_t i = 0;

	while (order[i] != who) {
		i++;
	}
	return i + 1;
}

static void print_ranking(const struct comparison *c, int width)
{
	const struct ranking *r = &c->ranking;

	printf("%-*s %4s %12s %12s %12s %8s %6s %6s\n", width, "policy", "rank", "mean", "lo", "hi",
	    "points", "Borda", "Kemeny");
	for (size_t i = 0; i < r->n; i++) {
		uint32_t a = r->by_mean[i];
		char kemeny[24] = "-";

		if (r->has_kemeny) {
			snprintf(kemeny, sizeof(kemeny), "%zu", rank_of(r->by_kemeny, a));
		}
		printf("%-*s %4zu %12.6f %12.6f %12.6f %8g %6zu %6s\n", width, c->candidate[a].name,
		    i + 1, r->mean[a], r->lo[a], r->hi[a], r->points[a], rank_of(r->by_borda, a),
		    kemeny);
	}
}

static void print_conflicts(const struct comparison *c)
{
	char words[WORDS_MAX];
	size_t found = 0;

	for (size_t i = 0; i < c->n; i++) {
		for (size_t k = i + 1; k < c->n; k++) {
			if (conflict_words(c, i, k, words) && found++ < CONFLICTS_SHOWN) {
				puts(words);
			}
		}
	}
	if (found > CONFLICTS_SHOWN) {
		printf("and %zu more pairs\n", found - CONFLICTS_SHOWN);
	} else if (found == 0) {
		printf("mean, Borda%s agree on every pair\n",
		    c->ranking.has_kemeny ? " and Kemeny" : "");
	}
	if (!c->ranking.has_kemeny) {
		printf("more than %d candidates: no exact Kemeny ranking\n", RANK_KEMENY_MAX);
	}
}

void compare_print(const struct comparison *c)
{
	int width = width_of_candidates(c);

	for (size_t k = 0; k < c->places; k++) {
		print_place(c, k, width);
	}
	print_ranking(c, width);
	print_conflicts(c);
	printf("%s: %s\n", ope_verdicts[c->ranking.verdict], c->ranking.why);
}

/* ---- JSON ---- */

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *cell_json(const struct comparison *c, size_t k, size_t i)
{
	const struct compare_cell *e = &c->cell[k * c->n + i];
	json_t *j = replay_target_json(c->candidate[i].name, compare_interval(c, i), &e->s, &e->r);

	if (c->given->holdout > 0) {
		json_object_set_new(j, "guarded",
		    json_pack("{ss so so so}", "from", holdout_sources[e->guard.source], "value",
			number(e->guard.value), "lo", number(e->guard.lo), "hi",
			number(e->guard.hi)));
	}
	return j;
}

static json_t *place_json(const struct comparison *c, size_t k)
{
	const struct compare_place *p = &c->place[k];
	const struct ope_summary *s = &c->cell[k * c->n].s;
	json_t *results = json_array(), *j;

	for (size_t i = 0; i < c->n; i++) {
		json_array_append_new(results, cell_json(c, k, i));
	}
	j = json_pack("{s{ss sI sI sI s{sI sI} sf} s{sf} so}", "log", "path", p->path, "segment",
	    (json_int_t)p->segment, "rounds", (json_int_t)s->rounds, "used", (json_int_t)s->used,
	    "skipped", "refused", (json_int_t)s->refused, "no_reward", (json_int_t)s->no_reward,
	    "reward_sum", s->reward_sum, "logging", "mean", s->logging_mean, "results", results);
	if (p->holdout[0]) {
		json_object_set_new(j, "holdout",
		    json_pack("{ss sf sI sI sI sI}", "file", p->holdout, "kept", c->given->holdout,
			"budget", (json_int_t)p->budget, "spent", (json_int_t)p->spent, "left",
			(json_int_t)(p->budget - p->spent), "questions", (json_int_t)p->queries));
	}
	return j;
}

static json_t *order_json(const struct comparison *c, const uint32_t *order)
{
	json_t *names = json_array();

	for (size_t i = 0; i < c->n; i++) {
		json_array_append_new(names, json_string(c->candidate[order[i]].name));
	}
	return names;
}

static json_t *rows_json(const struct comparison *c)
{
	const struct ranking *r = &c->ranking;
	json_t *rows = json_array();

	for (size_t i = 0; i < c->n; i++) {
		uint32_t a = r->by_mean[i];

		json_array_append_new(
		    rows, json_pack("{ss sf so so sf so}", "policy", c->candidate[a].name, "mean",
			      r->mean[a], "lo", number(r->lo[a]), "hi", number(r->hi[a]), "points",
			      r->points[a], "separates",
			      i + 1 < c->n ? json_boolean(r->separates[i]) : json_null()));
	}
	return rows;
}

static json_t *conflicts_json(const struct comparison *c)
{
	const struct ranking *r = &c->ranking;
	json_t *list = json_array();
	struct ranking_conflict f;
	char words[WORDS_MAX];

	for (size_t i = 0; i < c->n; i++) {
		for (size_t k = i + 1; k < c->n; k++) {
			if (!conflict_words(c, i, k, words)) {
				continue;
			}
			ranking_conflict(r, c->judged, i, k, &f);
			json_array_append_new(list,
			    json_pack("{ss ss sb sb ss}", "ahead", c->candidate[r->by_mean[i]].name,
				"behind", c->candidate[r->by_mean[k]].name, "borda", f.borda,
				"kemeny", f.kemeny, "words", words));
		}
	}
	return list;
}

json_t *compare_json(const struct comparison *c)
{
	const struct ranking *r = &c->ranking;
	json_t *places = json_array(), *kemeny = json_null(), *distance = json_null();

	for (size_t k = 0; k < c->places; k++) {
		json_array_append_new(places, place_json(c, k));
	}
	if (r->has_kemeny) {
		kemeny = order_json(c, r->by_kemeny);
		distance = json_real(r->distance);
	}
	return json_pack("{so s{so so so so so so ss ss}}", "places", places, "ranking", "policies",
	    rows_json(c), "mean", order_json(c, r->by_mean), "borda", order_json(c, r->by_borda),
	    "kemeny", kemeny, "distance", distance, "disagreements", conflicts_json(c), "verdict",
	    ope_verdicts[r->verdict], "why", r->why);
}
