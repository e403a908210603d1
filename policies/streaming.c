/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over arms that keep coming: Wang, "Tight Regret Bounds for Single-pass Streaming
 * Multi-armed Bandits", ICML 2023, with the levels and the budget of Assadi, Wang, "Exploration
 * with Limited Memory", STOC 2020, and lengths that follow from the decisions per arm.
 *
 * One arm is tested while the best so far, the king, serves the rest; the loser is not drawn again.
 * Arms that are added during a test wait. Select, update O(1). */
#include <math.h>
#include <stdlib.h>

#include "core/slots.h"
#include "policies/policies.h"
#include "policies/streaming.h"

static int bad(struct errinfo *err, const char *pointer, const char *what)
{
	return err_set(err, RC_INVALID, "out_of_range", pointer, "%s", what);
}

static int stream_check(const void *params, struct errinfo *err)
{
	const struct stream_params *p = params;

	if (p->ratio != 0 && p->ratio < 1) {
		return bad(err, "/ratio", "ratio is auto, or at least 1");
	}
	if (p->mode == STREAM_UNIFORM && p->test_pulls == 0 && !(p->horizon > 1)) {
		return err_set(err, RC_INVALID, "missing_field", "/horizon",
		    "mode uniform needs the horizon, or test_pulls");
	}
	return stream_check_levels(p, err);
}

static unsigned stream_traits(const void *params)
{
	const struct stream_params *p = params;

	return p->share < 1 ? 0 : POLICY_DETERMINISTIC;
}

static size_t stream_bound(const void *params, size_t slots, size_t dim)
{
	(void)params, (void)dim;
	return sizeof(struct streaming) + slots_capacity(slots);
}

int stream_create(const struct policy_env *env, void **ret_state)
{
	struct streaming *s = calloc(1, sizeof(*s));

	if (!s) {
		return RC_MEMORY;
	}
	s->params = env->params;
	s->lo = env->lo;
	s->width = env->hi - env->lo;
	s->king = s->deputy = s->test.arm = STREAM_NONE;
	s->nlevels = s->params->mode == STREAM_LEVELS ? stream_nlevels(s->params) : 0;
	for (uint32_t l = 0; l < s->nlevels; l++) {
		s->level[l].arm = STREAM_NONE;
	}
	*ret_state = s;
	return 0;
}

void stream_destroy(void *state)
{
	struct streaming *s = state;

	if (s) {
		free(s->arm);
		free(s);
	}
}

static uint32_t stream_slots(const void *state)
{
	return ((const struct streaming *)state)->slots;
}

int stream_reserve(void *state, size_t slots)
{
	struct streaming *s = state;
	uint8_t *arm;

	if (slots > SLOTS_MAX) {
		return RC_LIMIT;
	}
	if (slots <= s->cap) {
		return 0;
	}
	slots = slots_capacity(slots);
	arm = realloc(s->arm, slots);
	if (!arm) {
		return RC_MEMORY;
	}
	s->arm = arm;
	s->cap = (uint32_t)slots;
	return 0;
}

static void stream_arm_add(void *state, uint32_t slot)
{
	struct streaming *s = state;

	s->arm[slot] = ARM_ACTIVE;
	s->slots = slot + 1;
	s->closing = false;
	stream_next(s);
}

static void stream_arm_set(void *state, uint32_t slot, enum arm_state to)
{
	struct streaming *s = state;

	s->arm[slot] = (uint8_t)((s->arm[slot] & ARM_READ) | to);
	if (to == ARM_RETIRED) {
		stream_remove(s, slot);
	} else if (to == ARM_ACTIVE && slot < s->cursor && !(s->arm[slot] & ARM_READ)) {
		s->cursor = slot; /* passed while it was paused */
		stream_next(s);
	}
}

static bool can_draw(const struct streaming *s, const struct ask *ask, uint32_t slot)
{
	if (slot == STREAM_NONE || ask->all) {
		return slot != STREAM_NONE && (s->arm[slot] & 3) == ARM_ACTIVE;
	}
	return ask_place(ask, slot) < ask->n;
}

static uint64_t wanted(const struct stream_test *t)
{
	return t->plan[t->nplan > 1 ? t->stage : 0] - t->cnt;
}

static int answer(
    const struct streaming *s, struct choice *ret, uint32_t slot, double p, enum stream_role role)
{
	ret->picks[0] = (struct pick){.slot = slot, .propensity = p};
	ret->npicks = 1;
	buf_put_u8(ret->memo, (uint8_t)role);
	buf_put_var(ret->memo, s->serial);
	return 0;
}

static int stream_choose(const void *state, const struct ask *ask, struct rng *rng,
    struct choice *ret, struct errinfo *err)
{
	const struct streaming *s = state;
	const struct stream_test *t = &s->test;
	uint32_t king = stream_champion(s);
	bool tested = can_draw(s, ask, t->arm), crowned = can_draw(s, ask, king);
	double share = s->params->share;

	(void)err;
	if (tested && t->issued < wanted(t)) {
		if (!crowned || king == t->arm) {
			share = 1;
		}
		return share >= 1 || rng_uniform(rng) < share
			   ? answer(s, ret, t->arm, share, STREAM_TEST)
			   : answer(s, ret, king, 1 - share, STREAM_KING);
	}
	if (crowned) {
		return answer(s, ret, king, 1, STREAM_KING);
	}
	return answer(s, ret, tested ? t->arm : ask->slots[0], 1, STREAM_FILL);
}

/* Of a pull of the test that runs now. */
static bool counts(const struct streaming *s, const void *memo, size_t n)
{
	struct rd in;
	unsigned role;
	uint64_t serial;

	rd_init(&in, memo, n);
	role = rd_u8(&in);
	serial = rd_var(&in);
	return in.rc == 0 && role == STREAM_TEST && serial == s->serial &&
	       s->test.arm != STREAM_NONE;
}

static void stream_pulled(void *state, const struct pull *p)
{
	struct streaming *s = state;

	s->decisions++;
	s->test.issued += counts(s, p->memo, p->nmemo);
}

static void stream_lost(void *state, const struct pull *p)
{
	struct streaming *s = state;
	struct stream_test *t = &s->test;
	double most = s->params->max_lost;

	if (!counts(s, p->memo, p->nmemo) || t->issued == 0) {
		return;
	}
	t->issued--;
	if (p->voided) {
		return;
	}
	t->lost++;
	s->expired++;
	if ((double)t->lost > (isnan(most) ? (double)t->plan[t->nplan - 1] : most)) {
		stream_abort(s);
	}
}

/* A checkpoint waits until every pull it needs has its reward: were the first ones to arrive
 * enough, an arm whose bad outcomes come late would look better than it is. */
static void stream_update(void *state, const struct outcome *o)
{
	struct streaming *s = state;
	struct stream_test *t = &s->test;
	double r = (o->reward - s->lo) / s->width;

	if (!counts(s, o->memo, o->nmemo) || o->revived || t->issued == 0) {
		return; /* a pull that was given up has been made again */
	}
	t->issued--;
	t->cnt++;
	t->sum += r < 0 ? 0 : r > 1 ? 1 : r;
	if (wanted(t) == 0) {
		stream_checkpoint(s);
	}
}

static void show(struct arm_view *v, const char *name, double value)
{
	if (v->n < ARM_VIEW_MAX) {
		v->item[v->n].name = name;
		v->item[v->n++].value = value;
	}
}

static void stream_describe(const void *state, uint32_t slot, struct arm_view *ret)
{
	const struct streaming *s = state;
	const struct stream_test *t = &s->test;

	ret->n = 0;
	show(ret, "read", s->arm[slot] & ARM_READ ? 1 : 0);
	show(ret, "king", slot == stream_champion(s));
	if (slot == s->king || slot == s->deputy) {
		show(ret, "bench", slot == s->king ? s->bench : s->deputy_bench);
	}
	for (uint32_t l = 0; l < s->nlevels; l++) {
		if (s->level[l].arm == slot) {
			show(ret, "bench", s->level[l].bench);
		}
	}
	if (slot == t->arm) {
		show(ret, "test_pulls", (double)t->plan[t->nplan - 1]);
		show(ret, "rewards", (double)t->cnt);
		show(ret, "lost", (double)t->lost);
	}
}

static const char *const modes[] = {"race", "tuned", "levels", "budget", "uniform", "naive", NULL};
static const char *const estimated[] = {"auto", NULL};
static const char *const memories[] = {"ids", "none", NULL};
static const char *const orders[] = {"fifo", "lifo", NULL};
static const char *const presets[] = {"default", "short", "loglog", "log", NULL};

/* clang-format off */
#define AT(field) .offset = offsetof(struct stream_params, field)
static const struct param_desc stream_param_table[] = {
	{.name = "mode", .type = PARAM_CHOICE, AT(mode), .choices = modes,
	 .text = "how long an arm is tested, and against what"},
	{.name = "ratio", .type = PARAM_F64, AT(ratio), .min = 0, .max = 1e12,
	 .flags = PARAM_UNSET, .choices = estimated,
	 .text = "decisions per arm that comes; auto, or 0: estimated whenever an arm is read"},
	{.name = "horizon", .type = PARAM_F64, AT(horizon), .min = 0, .max = 1e15, .dflt = 0,
	 .text = "decisions in all; with arms_expected instead of ratio; 0: unknown"},
	{.name = "arms_expected", .type = PARAM_F64, AT(arms_expected), .min = 0, .max = 1e12,
	 .dflt = 0, .text = "arms in all; 0: those read so far"},
	{.name = "c", .type = PARAM_F64, AT(c), .min = 0.1, .max = 10, .flags = PARAM_UNSET,
	 .text = "race, tuned: length of a test, times ratio^(2/3) ln(arms)^(1/3); 1 and 0.5"},
	{.name = "c_delta", .type = PARAM_F64, AT(c_delta), .min = 0.01, .max = 1, .dflt = 0.25,
	 .text = "race: how likely the best arm may be dropped early, times ratio^(-1/3)"},
	{.name = "m_min", .type = PARAM_INT, AT(m_min), .min = 1, .max = 1e6, .dflt = 8,
	 .text = "race: pulls before an arm may be dropped"},
	{.name = "delta", .type = PARAM_F64, AT(delta), .min = 0, .max = 0.5, .dflt = 0,
	 .flags = PARAM_OPEN_MAX,
	 .text = "race, tuned: above 0, the tests are so long that all goes well but for this"},
	{.name = "test_pulls", .type = PARAM_INT, AT(test_pulls), .min = 0, .max = 1e9, .dflt = 0,
	 .text = "race, tuned, uniform, naive: the length of a test; 0: from the rest"},
	{.name = "levels", .type = PARAM_CHOICE, AT(levels), .choices = presets,
	 .text = "levels: how the tests grow: 1 4 16 65536, 1 2 4, or by 1.2 for ln ln K or ln K"},
	{.name = "level_r", .type = PARAM_LIST, AT(level_r), .min = 1e-3, .max = 1e12,
	 .text = "levels: how the tests grow, a number per level, instead of levels"},
	{.name = "level_cap", .type = PARAM_LIST, AT(level_cap), .min = 1, .max = 1e9,
	 .text = "levels: arms that enter each level of level_r but the last before its king moves up"},
	{.name = "level_scale", .type = PARAM_F64, AT(level_scale), .min = 0.05, .max = 10,
	 .dflt = 0.5, .text = "levels: length of the shortest test, times ratio^(2/3)"},
	{.name = "n0_scale", .type = PARAM_F64, AT(n0_scale), .min = 0, .max = 100, .dflt = 0.25,
	 .flags = PARAM_OPEN_MIN,
	 .text = "budget: pulls of the first comparison, times ratio^(2/3)"},
	{.name = "growth", .type = PARAM_F64, AT(growth), .min = 0, .max = 100, .dflt = 1,
	 .text = "budget: what each challenger adds to the king's budget; 0 lets it fall at once"},
	{.name = "crown", .type = PARAM_F64, AT(crown), .min = 1, .max = 100, .dflt = 1.2,
	 .text = "budget: pulls that set a new king's benchmark, in first comparisons"},
	{.name = "margin", .type = PARAM_F64, AT(margin), .min = 0, .max = 1, .dflt = 0.2,
	 .text = "budget: what a challenger may lack, times ratio^(-1/3)"},
	{.name = "share", .type = PARAM_F64, AT(share), .min = 0, .max = 1, .dflt = 1,
	 .flags = PARAM_OPEN_MIN,
	 .text = "probability of the arm under test; below 1 the log can be evaluated offline"},
	{.name = "max_lost", .type = PARAM_F64, AT(max_lost), .min = 0, .max = 1e9,
	 .flags = PARAM_UNSET,
	 .text = "pulls without a reward after which an arm is dropped; else the test's length"},
	{.name = "backlog_max", .type = PARAM_F64, AT(backlog_max), .min = 0, .max = 1e15, .dflt = 0,
	 .text = "arms that may wait to be read; 0: any number"},
	{.name = "arm_ttl_s", .type = PARAM_F64, AT(arm_ttl_s), .min = 0, .max = 3e9, .dflt = 0,
	 .text = "seconds after which an arm that still waits is not read any more; 0: for ever"},
	{.name = "pull_timeout_s", .type = PARAM_F64, AT(pull_timeout_s), .min = 0, .max = 3e6,
	 .dflt = 3600,
	 .text = "seconds after which a pull of a test is made again where the experiment has no window; 0: never"},
	{.name = "remember", .type = PARAM_CHOICE, AT(remember), .choices = memories,
	 .text = "ids: an arm comes once; none: one that is offered again is a new arm"},
	{.name = "order", .type = PARAM_CHOICE, AT(order), .choices = orders,
	 .flags = PARAM_LATER,
	 .text = "which of the arms that wait is read next: the oldest, or the newest"},
	{.name = NULL},
};
/* clang-format on */

const struct policy_ops streaming_ops = {
    .name = "streaming",
    .summary = "arms that keep coming: one is tested at a time against the best so far",
    .version = 1,
    .params = stream_param_table,
    .params_size = sizeof(struct stream_params),
    .check = stream_check,
    .traits = stream_traits,
    .bound = stream_bound,
    .create = stream_create,
    .destroy = stream_destroy,
    .slots = stream_slots,
    .reserve = stream_reserve,
    .arm_add = stream_arm_add,
    .arm_set = stream_arm_set,
    .choose = stream_choose,
    .pulled = stream_pulled,
    .lost = stream_lost,
    .update = stream_update,
    .serialise = stream_serialise,
    .deserialise = stream_deserialise,
    .describe = stream_describe,
    .stream = &streaming_queue,
};
