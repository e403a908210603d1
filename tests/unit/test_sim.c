/* SPDX-License-Identifier: Apache-2.0 */
/* Simulations: the same bytes whatever the threads, regret against what it is said to be. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "eval/plot.h"
#include "eval/sim.h"
#include "policies/policies.h"
#include "test.h"

static const struct sim_policy uniform = {.ops = &uniform_ops};
static const struct sim_policy greedy = {.ops = &epsilon_greedy_ops};

static json_t *json_of(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(j);
	return j;
}

static struct sim_result run(
    const char *env, const struct sim_policy *policy, const struct sim_opts *opts)
{
	json_t *j = json_of(env);
	struct sim_result r;
	struct errinfo err = {.rc = 0};
	int rc = sim_run(j, policy, opts, &r, &err);

	ck_assert_msg(rc == 0, "%s: %s", err.pointer, err.text);
	json_decref(j);
	return r;
}

static void refused(const char *env, const char *pointer)
{
	const struct sim_opts opts = {.horizon = 10, .runs = 1, .threads = 1};
	json_t *j = json_of(env);
	struct sim_result r;
	struct errinfo err = {.rc = 0};

	ck_assert_int_eq(sim_run(j, &uniform, &opts, &r, &err), RC_INVALID);
	ck_assert_str_eq(err.pointer, pointer);
	json_decref(j);
}

START_TEST(environments_name_what_is_wrong)
{
	refused("{}", "/env");
	refused("{\"env\":\"bernouilli\"}", "/env");
	refused("{\"env\":\"bernoulli\"}", "/means");
	refused("{\"env\":\"bernoulli\",\"means\":[]}", "/means");
	refused("{\"env\":\"bernoulli\",\"means\":[0.5,1.5]}", "/means/1");
	refused("{\"env\":\"bernoulli\",\"means\":[0.5],\"sd\":1}", "/sd");
	refused("{\"env\":\"gaussian\",\"means\":[0.5],\"sd\":-1}", "/sd");
	refused("{\"env\":\"gaussian\",\"means\":[0.5],\"sd\":\"1\"}", "/sd");
	refused("{\"env\":\"drift\",\"segments\":[{\"length\":0,\"means\":[1]}]}",
	    "/segments/0/length");
	refused("{\"env\":\"drift\",\"segments\":[{\"length\":1,\"means\":[1]},"
		"{\"length\":1,\"means\":[1,0]}]}",
	    "/segments/1/means");
	refused("{\"env\":\"drift\",\"segments\":[{\"length\":1,\"means\":[2]}]}",
	    "/segments/0/means/0");
	refused("{\"env\":\"stream\",\"arms\":0}", "/arms");
	refused("{\"env\":\"stream\",\"arms\":5,\"shape\":\"odd\"}", "/shape");
	refused("{\"env\":\"tallying\",\"memory\":0,\"losses\":[]}", "/memory");
	refused("{\"env\":\"tallying\",\"memory\":2,\"losses\":[]}", "/losses");
	refused("{\"env\":\"tallying\",\"memory\":2,\"losses\":[{\"from\":0}]}", "/losses/0/to");
	refused("{\"env\":\"tallying\",\"memory\":10000,\"subjects\":1000000,"
		"\"losses\":[{\"from\":0,\"to\":1}]}",
	    "/subjects");
}
END_TEST

#define EASY "{\"env\":\"bernoulli\",\"means\":[0.2,0.8,0.2]}"

START_TEST(regret_of_uniform_play_is_the_mean_gap)
{
	const struct sim_opts opts = {.horizon = 3000, .runs = 20, .seed = 1, .threads = 1};
	struct sim_result r = run(EASY, &uniform, &opts);

	ck_assert_double_eq_tol(r.regret.mean, 3000 * 0.4, 4.5 * r.regret.se);
	ck_assert_double_eq_tol(r.reward.mean, 0.4, 4.5 * r.reward.se);
	ck_assert_double_eq_tol(r.share[0] + r.share[1] + r.share[2], 1, 1e-12);
	ck_assert(r.regret.se > 0 && r.regret.se < 20);
	sim_release(&r);
}
END_TEST

START_TEST(gaussian_rewards_have_their_mean)
{
	const struct sim_opts opts = {.horizon = 3000, .runs = 20, .seed = 1, .threads = 1};
	struct sim_result r =
	    run("{\"env\":\"gaussian\",\"means\":[-1,2],\"sd\":0.5}", &uniform, &opts);

	ck_assert_double_eq_tol(r.regret.mean, 4500, 4.5 * r.regret.se);
	ck_assert_double_eq_tol(r.reward.mean, 0.5, 4.5 * r.reward.se);
	sim_release(&r);
}
END_TEST

/* Arm 0 is best at first, arm 1 over all: the curve is against the best so far. */
START_TEST(drift_counts_against_the_best_fixed_arm)
{
	const struct sim_opts opts = {
	    .horizon = 300, .runs = 1, .seed = 1, .curve = 3, .threads = 1};
	struct sim_policy first = {.ops = &epsilon_greedy_ops};
	const struct spec_param never = {.name = "epsilon", .number = 0};
	struct sim_result r;

	first.params = &never;
	first.nparams = 1;
	r = run("{\"env\":\"drift\",\"segments\":[{\"length\":100,\"means\":[1,0]},"
		"{\"length\":1,\"means\":[0,1]}]}",
	    &first, &opts);
	ck_assert_uint_eq(r.at[0], 100);
	ck_assert_uint_eq(r.at[2], 300);
	/* Whichever arm the first play hit, arm 0's mean stays 1 for long after play 100. */
	ck_assert_double_le(r.curve[0].mean, 100);
	ck_assert_double_eq(r.curve[2].mean, r.regret.mean);
	ck_assert_double_ge(r.regret.mean, 0);
	sim_release(&r);
}
END_TEST

static bool same(const struct sim_result *a, const struct sim_result *b)
{
	bool same = memcmp(&a->regret, &b->regret, sizeof(a->regret)) == 0 &&
		    memcmp(&a->reward, &b->reward, sizeof(a->reward)) == 0 &&
		    memcmp(a->share, b->share, a->narms * sizeof(*a->share)) == 0;

	return same && memcmp(a->curve, b->curve, a->ncurve * sizeof(*a->curve)) == 0;
}

START_TEST(threads_do_not_matter)
{
	struct sim_opts opts = {.horizon = 500,
	    .runs = 7,
	    .seed = 3,
	    .delay = 5,
	    .loss = 0.2,
	    .curve = 10,
	    .threads = 1};
	struct sim_result one = run(EASY, &greedy, &opts), three;

	opts.threads = 3;
	three = run(EASY, &greedy, &opts);
	ck_assert(same(&one, &three));
	sim_release(&one);
	sim_release(&three);
}
END_TEST

START_TEST(seeds_do_matter)
{
	struct sim_opts opts = {.horizon = 500, .runs = 2, .seed = 3, .threads = 1};
	struct sim_result a = run(EASY, &greedy, &opts), b;

	opts.seed = 4;
	b = run(EASY, &greedy, &opts);
	ck_assert(!same(&a, &b));
	sim_release(&a);
	sim_release(&b);
}
END_TEST

/* Nothing comes, or too late: as good as uniform. Late enough for some: in between. */
START_TEST(delay_and_loss_slow_learning)
{
	struct sim_opts opts = {.horizon = 2000, .runs = 10, .seed = 3, .threads = 1};
	struct sim_result prompt = run(EASY, &greedy, &opts), late, never, lost;

	opts.delay = 1000;
	late = run(EASY, &greedy, &opts);
	opts.delay = 2000;
	never = run(EASY, &greedy, &opts);
	opts.delay = 0;
	opts.loss = 1;
	lost = run(EASY, &greedy, &opts);
	ck_assert_double_lt(prompt.regret.mean, 250);
	ck_assert_double_gt(late.regret.mean, 350);
	ck_assert_double_lt(late.regret.mean, 650);
	ck_assert_double_gt(never.regret.mean, 750);
	ck_assert_double_gt(lost.regret.mean, 750);
	sim_release(&prompt);
	sim_release(&late);
	sim_release(&never);
	sim_release(&lost);
}
END_TEST

START_TEST(plots_are_svg)
{
	const struct plot_point line[] = {{.x = 0, .y = 1, .error = 0.5, .lo = -HUGE_VAL, .hi = 3},
	    {.x = 1, .y = 3, .error = 0.5, .lo = 2, .hi = 4}};
	const char *const tics[] = {"one", "`touch plot-ran`"};
	const struct plot_series series = {
	    .label = "it's \"quoted\" \\ `touch plot-ran`", .point = line, .n = 2};
	struct plot plot = {
	    .title = "a title", .x = "plays", .y = "regret", .series = &series, .n = 1};
	char path[] = "plot-XXXXXX", head[64] = "";
	struct errinfo err = {.rc = 0};
	int fd = mkstemp(path), rc;
	FILE *f;

	ck_assert_int_ge(fd, 0);
	close(fd);
	for (int kind = PLOT_CURVES; kind <= PLOT_BARS; kind++) {
		plot.kind = (enum plot_kind)kind;
		plot.tics = tics;
		plot.ntics = kind == PLOT_CURVES ? 0 : 2;
		rc = plot_svg(&plot, path, &err);
		if (rc == RC_NOT_FOUND) { /* gnuplot is an option */
			break;
		}
		ck_assert_msg(rc == 0, "%s", err.text);
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		ck_assert_ptr_nonnull(fgets(head, sizeof(head), f));
		ck_assert_ptr_nonnull(strstr(head, "<?xml"));
		fclose(f);
		ck_assert_int_ne(access("plot-ran", F_OK), 0);
	}
	unlink(path);
	ck_assert_int_eq(plot_svg(&plot, "/nowhere/at/all.svg", NULL), RC_IO);
}
END_TEST

RUN("sim", environments_name_what_is_wrong, regret_of_uniform_play_is_the_mean_gap,
    gaussian_rewards_have_their_mean, drift_counts_against_the_best_fixed_arm,
    threads_do_not_matter, seeds_do_matter, delay_and_loss_slow_learning, plots_are_svg)
