/* SPDX-License-Identifier: Apache-2.0 */
/* The same log gives the same bytes everywhere: a fixed life of every policy, few arms and many,
 * with delays, losses and arms that come and go, ends in the digest that tests/golden/digests.txt
 * holds. The file is the same for every compiler, optimisation and CPU; script/check-digests runs
 * this program under several. GOLDEN_PRINT=1 prints the file anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "core/experiment_plan.h"
#include "needed.h"
#include "policies/policies.h"
#include "test.h"

#define ROUNDS 3000
#define DIM 2
#define DELAY 17 /* decisions between one and its reward */
#define ARMS_MAX_HERE 160

struct life {
	const struct policy_ops *ops;
	struct experiment *e;
	struct arena mem;
	struct buf decided[DELAY]; /* a ring of encoded decisions */
	uint64_t seq[DELAY];
	struct rng rng;
};

static void commit(struct life *l, const struct event *ev)
{
	ck_assert_int_eq(experiment_apply(l->e, ev), 0);
}

static void plan(struct life *l, size_t i)
{
	struct event ev;

	if (experiment_plan_due(l->e, i * 1000)) {
		ck_assert_int_eq(experiment_plan_now(l->e, i * 1000, &l->mem, &ev, NULL), 0);
		commit(l, &ev);
	}
}

static void decide(struct life *l, size_t i)
{
	bool draws = l->ops->pmf && !(experiment_traits(l->e) & POLICY_FORECAST);
	struct select_in in = {.want_pmf = draws && i % 97 == 5};
	static const char *const groups[] = {"even", "odd", "all"};
	double x[DIM];
	static const char *const subjects[] = {"a", "b", "c", "d", "e", "f", "g"};
	struct buf *slot = &l->decided[i % DELAY];
	struct event ev;

	if (l->ops->traits || (l->ops->flags & POLICY_SUBJECT)) {
		in.subject = subjects[i * i % 7];
	}
	if (l->ops->reserve_groups) {
		in.groups = groups + i % 2;
		in.ngroups = 2;
	}
	if (experiment_dim(l->e)) {
		in.dim = experiment_dim(l->e);
		in.x = x;
		for (size_t k = 0; k < in.dim; k++) {
			x[k] = rng_uniform(&l->rng);
		}
	}
	ck_assert_int_eq(experiment_select(l->e, &in, i * 1000, &l->mem, &ev, NULL), 0);
	buf_reset(slot);
	event_encode(&ev, slot);
	l->seq[i % DELAY] = ev.seq;
	commit(l, &ev);
}

static struct arm_reward paid(struct life *l, uint32_t slot)
{
	return (struct arm_reward){.arm = arms_id(experiment_arms(l->e), slot),
	    .reward = rng_uniform(&l->rng) < 0.2 + 0.06 * (slot % 9)};
}

/* Feedback in the form that the decision takes. */
static struct reward_in told(struct life *l, const struct event_decision *d)
{
	bool slate = d->flags & DECISION_SLATE;
	size_t n = slate ? d->npicks : d->nslots;
	struct reward_in in = {.form = FORM_REWARDS};
	struct arm_reward *all;

	if (d->flags & DECISION_FORECAST) {
		return (struct reward_in){.form = FORM_LABEL, .reward = rng_uniform(&l->rng)};
	}
	if (!slate && !(experiment_traits(l->e) & POLICY_FULL)) {
		return (struct reward_in){.reward = paid(l, d->picks[0].slot).reward};
	}
	all = arena_array(&l->mem, n, sizeof(*all));
	ck_assert_ptr_nonnull(all);
	for (size_t i = 0; i < n; i++) {
		all[i] = paid(l, slate ? d->picks[i].slot : d->slots[i]);
	}
	in.rewards = all;
	in.nrewards = n;
	return in;
}

/* What became of the decision that was made DELAY rounds ago: mostly a reward. */
static void feed_back(struct life *l, size_t i)
{
	struct buf *slot = &l->decided[i % DELAY];
	struct reward_in in;
	struct pending p;
	struct event d, ev;
	enum feedback_status status;

	ck_assert_int_eq(event_decode(slot->data, slot->len, l->seq[i % DELAY], &l->mem, &d), 0);
	if ((d.decision.flags & DECISION_SLATE) && d.decision.npicks == 0) {
		return; /* nothing was shown */
	}
	pending_start(&p, &d.decision);
	if (rng_below(&l->rng, 10) == 0) {
		ck_assert_int_eq(experiment_void(l->e, &d, &p, i * 1000, &l->mem, &ev, NULL), 0);
	} else {
		in = told(l, &d.decision);
		ck_assert_int_eq(
		    experiment_reward(l->e, &d, &p, &in, i * 1000, &l->mem, &ev, &status, NULL), 0);
	}
	commit(l, &ev);
}

static void change_arms(struct life *l, size_t i)
{
	const struct arms *arms = experiment_arms(l->e);
	struct spec_arm arm = {.label = ""};
	struct event ev;
	char id[16];

	if (i % 500 == 100) {
		snprintf(id, sizeof(id), "new%zu", i);
		arm.id = id;
		ck_assert_int_eq(
		    experiment_add_arms(l->e, &arm, NULL, 1, i * 1000, &l->mem, &ev, NULL), 0);
		commit(l, &ev);
	}
	if (i % 500 == 200 || i % 500 == 300) {
		enum arm_state to = i % 500 == 200 ? ARM_PAUSED : ARM_ACTIVE;

		ck_assert_int_eq(experiment_set_arm(l->e, 3, to, i * 1000, &l->mem, &ev, NULL), 0);
		commit(l, &ev);
	}
	if (i == 1400) {
		ck_assert_int_eq(experiment_set_arm(
				     l->e, arms->n - 2, ARM_RETIRED, i * 1000, &l->mem, &ev, NULL),
		    0);
		commit(l, &ev);
	}
}

static struct experiment *be_born(
    const struct policy_ops *ops, const struct spec_param *p, size_t arms)
{
	static const char *const features[DIM] = {"one", "two"};
	static char ids[ARMS_MAX_HERE][8];
	static struct spec_arm list[ARMS_MAX_HERE];
	struct spec_param both[2];
	size_t needs = policy_needs(ops, both);
	struct experiment_spec spec = {.name = "golden",
	    .policy = ops->name,
	    .params = both,
	    .nparams = needs + (p ? 1 : 0),
	    .arms = list,
	    .narms = arms,
	    .slots = ops->flags & POLICY_SLATE ? 2 : 1,
	    .seed = 20260101,
	    .features = features,
	    .nfeatures = ops->dim || (ops->flags & POLICY_CONTEXTUAL) ? DIM : 0,
	    .hi = 1,
	    .settings = {.floor = ops->pmf && arms > 100 ? 0.05 : 0, .label = ""}};
	struct experiment *e = NULL;
	int rc;

	if (p) {
		both[needs] = *p;
	}
	for (size_t i = 0; i < arms; i++) {
		snprintf(ids[i], sizeof(ids[i]), "a%zu", i);
		list[i] = (struct spec_arm){.id = ids[i], .label = ""};
	}
	rc = experiment_new(&spec, ops, 0, &e, NULL);
	ck_assert(rc == 0 || rc == RC_INVALID);
	return e; /* NULL: these settings do not go together */
}

static bool live(
    const struct policy_ops *ops, const struct spec_param *p, size_t arms, char ret_hex[33])
{
	struct life l = {.ops = ops, .e = be_born(ops, p, arms), .rng = rng_at(7, arms, RNG_TEST)};
	unsigned char digest[16];

	if (!l.e) {
		return false;
	}
	arena_init(&l.mem, (size_t)1 << 20);
	for (size_t i = 0; i < DELAY; i++) {
		buf_init(&l.decided[i], (size_t)1 << 20);
	}
	for (size_t i = 0; i < ROUNDS; i++) {
		if (i >= DELAY && i % 37) {
			feed_back(&l, i);
		}
		change_arms(&l, i);
		plan(&l, i);
		decide(&l, i);
		arena_reset(&l.mem);
	}
	ck_assert_int_eq(experiment_digest(l.e, digest), 0);
	for (size_t i = 0; i < sizeof(digest); i++) {
		snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
	}
	for (size_t i = 0; i < DELAY; i++) {
		buf_release(&l.decided[i]);
	}
	arena_release(&l.mem);
	experiment_free(l.e);
	return true;
}

/* The line of the file that begins with this text, or NULL. */
static const char *golden_line(const char *what)
{
	static char line[256];
	const char *srcdir = getenv("SRCDIR");
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/golden/digests.txt", srcdir ? srcdir : ".");
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "cannot read %s", path);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, what, strlen(what)) == 0) {
			fclose(f);
			line[strcspn(line, "\n")] = '\0';
			return line + strlen(what);
		}
	}
	fclose(f);
	return NULL;
}

static void hold(const struct policy_ops *ops, const struct spec_param *p, size_t arms)
{
	char what[160], hex[33];
	const char *wanted;

	if (p) {
		snprintf(what, sizeof(what), "%s:%s=%s %zu ", ops->name, p->name, p->text, arms);
	} else {
		snprintf(what, sizeof(what), "%s %zu ", ops->name, arms);
	}
	if (!live(ops, p, arms, hex)) {
		return;
	}
	if (getenv("GOLDEN_PRINT")) {
		fprintf(stderr, "%s%s\n", what, hex);
		return;
	}
	wanted = golden_line(what);
	ck_assert_msg(wanted && strcmp(wanted, hex) == 0, "%s%s, the file says %s", what, hex,
	    wanted ? wanted : "nothing");
}

START_TEST(every_policy_ends_in_its_golden_digest)
{
	hash_init();
	for (const struct policy_ops *const *ops = policy_table; *ops; ops++) {
		hold(*ops, NULL, 10);
		hold(*ops, NULL, 150);
		for (const struct param_desc *d = (*ops)->params; d && d->name; d++) {
			for (int k = 0; d->type == PARAM_CHOICE && d->choices[k]; k++) {
				struct spec_param p = {.name = d->name, .text = d->choices[k]};

				if (k != (int)d->dflt) {
					hold(*ops, &p, 10);
					hold(*ops, &p, 150);
				}
			}
		}
	}
}
END_TEST

RUN("golden", every_policy_ends_in_its_golden_digest)
