/* SPDX-License-Identifier: Apache-2.0 */
/* Phases: optimistic tables, a plan for them, and when it is time for a better one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "policies/recovering_impl.h"

#define CLEARLY 1e-9
#define PERIOD_MAX (1u << 30)
#define HEAD_BYTES 64 /* of a plan's input, and of an arm beside its row, at most */
#define ARM_BYTES 30

const double *recovering_known(const struct recovering *r, uint32_t slot)
{
	const struct param_list *known = &r->params->tables;

	return slot < known->n / r->d_max ? &known->v[(size_t)slot * r->d_max] : NULL;
}

/* The square of the width at one reward; 0: none. */
static double width_of(const struct recovering *r, double alpha)
{
	return alpha > 0 ? alpha * num_log(1 + (double)recovering_served(r)) / 2 : 0;
}

static void index_cells(const struct rec_cell *c, uint32_t d_max, double wide, double *ret)
{
	double m = 1, x;

	for (uint32_t d = d_max; d-- > 0;) {
		if (c[d].n > 0) {
			x = c[d].sum / (double)c[d].n;
			x += wide > 0 ? sqrt(wide / (double)c[d].n) : 0;
			m = x < m ? x : m;
		}
		ret[d] = m;
	}
}

void recovering_index(const struct recovering *r, uint32_t slot, double alpha, double *ret)
{
	if (r->params->tables.n) {
		const double *known = recovering_known(r, slot);

		for (uint32_t d = 0; d < r->d_max; d++) {
			ret[d] = known ? known[d] : 0;
		}
		return;
	}
	index_cells(&r->cell[(size_t)slot * r->d_max], r->d_max, width_of(r, alpha), ret);
}

static uint64_t phase_min(const struct recovering *r)
{
	uint64_t least = (uint64_t)(r->params->phase_min ? r->params->phase_min : 2 * r->d_max);

	if (r->params->scope == REC_SUBJECT) {
		least *= r->plan_subjects ? r->plan_subjects : 1;
	}
	return least;
}

bool recovering_plan_due(const void *state, const struct ask *ask)
{
	const struct recovering *r = state;

	(void)ask;
	if (r->nactive == 0) {
		return false;
	}
	return !r->planned || r->dirty ||
	       (r->params->tables.n == 0 && r->grown &&
		   recovering_served(r) - r->plan_at >= phase_min(r));
}

static struct recovering_tables tables_of(const struct recovering *r)
{
	return (struct recovering_tables){.n = r->nactive,
	    .d_max = r->d_max,
	    .k = r->k,
	    .j_max = (uint32_t)r->params->j_max,
	    .improve = r->params->improve};
}

double recovering_plan_steps(const void *state)
{
	const struct recovering *r = state;
	struct recovering_tables t = tables_of(r);

	return 2 * recovering_plan_cost(&t);
}

/* One row an arm of the plan: what is known, else what was seen, as it is in memory. To make tables
 * of it takes longer than to copy it, and this is done while decisions wait. */
static void put_row(const struct recovering *r, uint32_t slot, struct buf *out)
{
	const double *row = recovering_known(r, slot);

	if (row) {
		buf_put(out, row, r->d_max * sizeof(*row));
	} else if (r->params->tables.n) {
		for (uint32_t d = 0; d < r->d_max; d++) {
			buf_put_f64(out, 0);
		}
	} else {
		buf_put(out, &r->cell[(size_t)slot * r->d_max], r->d_max * sizeof(*r->cell));
	}
}

void recovering_plan_input(const void *state, struct buf *out)
{
	const struct recovering *r = state;
	bool known = r->params->tables.n;

	buf_reserve(out, HEAD_BYTES + r->nactive * (ARM_BYTES + r->d_max * sizeof(*r->cell)));
	buf_put_var(out, r->nactive);
	buf_put_var(out, r->d_max);
	buf_put_var(out, r->k);
	buf_put_var(out, (uint64_t)r->params->j_max);
	buf_put_u8(out, r->params->improve);
	buf_put_u8(out, r->planned && !known && !r->wide);
	buf_put_u8(out, !known);
	buf_put_f64(out, width_of(r, r->params->alpha));
	for (uint32_t i = 0; i < r->slots; i++) {
		if (r->arm[i].state == ARM_ACTIVE) {
			buf_put_var(out, i);
			buf_put_var(out, r->arm[i].period);
			buf_put_var(out, r->arm[i].offset);
			put_row(r, i, out);
		}
	}
}

/* ---- the plan, a function of bytes ---- */

struct making {
	struct recovering_tables t;
	bool present, means; /* is there a present plan; are there tables of means */
	double wide;
	uint32_t *slot, *period, *offset;
	double *u, *mean;
	struct rec_cell *row; /* of one arm */
};

static int make_init(struct making *m, struct rd *in)
{
	uint64_t n = rd_count(in, 3);
	uint64_t d_max = rd_var(in), k = rd_var(in), j_max = rd_var(in);

	m->t.improve = rd_u8(in);
	m->present = rd_u8(in);
	m->means = rd_u8(in);
	m->wide = rd_f64(in);
	if (in->rc || n < 1 || d_max < 1 || d_max > RECOVERING_D_MAX ||
	    n > rd_left(in) / d_max / 8) {
		return RC_CORRUPT;
	}
	m->t.n = (uint32_t)n;
	m->t.d_max = (uint32_t)d_max;
	m->t.k = (uint32_t)k;
	m->t.j_max = (uint32_t)j_max;
	m->slot = calloc(n, sizeof(*m->slot));
	m->period = calloc(n, sizeof(*m->period));
	m->offset = calloc(n, sizeof(*m->offset));
	m->u = calloc(n * d_max, sizeof(*m->u));
	m->mean = calloc(n * d_max, sizeof(*m->mean));
	m->row = calloc(d_max, sizeof(*m->row));
	m->t.r = m->u;
	return m->slot && m->period && m->offset && m->u && m->mean && m->row ? 0 : RC_MEMORY;
}

/* The row may stand anywhere in the bytes, so it is copied before it is looked at. */
static void make_row(struct making *m, uint32_t i, struct rd *in)
{
	size_t at = (size_t)i * m->t.d_max, each = m->means ? sizeof(*m->row) : sizeof(*m->u);
	const void *row = rd_bytes(in, m->t.d_max * each);

	if (row && m->means) {
		memcpy(m->row, row, m->t.d_max * each);
		index_cells(m->row, m->t.d_max, m->wide, m->u + at);
		index_cells(m->row, m->t.d_max, 0, m->mean + at);
	} else if (row) {
		memcpy(m->u + at, row, m->t.d_max * each);
	}
}

static int make_read(struct making *m, struct rd *in)
{
	for (uint32_t i = 0; i < m->t.n; i++) {
		m->slot[i] = (uint32_t)rd_var(in);
		m->period[i] = (uint32_t)rd_var(in);
		m->offset[i] = (uint32_t)rd_var(in);
		make_row(m, i, in);
	}
	return in->rc || recovering_tables_check(&m->t, NULL) ? RC_CORRUPT : 0;
}

static void put_plan(const struct making *m, const uint32_t *period, const uint32_t *offset,
    double value, double upper, struct buf *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->t.n; i++) {
		n += period[i] > 0;
	}
	buf_put_f64(out, value);
	buf_put_f64(out, upper);
	buf_put_var(out, n);
	for (uint32_t i = 0; i < m->t.n; i++) {
		if (period[i]) {
			buf_put_var(out, m->slot[i]);
			buf_put_var(out, period[i]);
			buf_put_var(out, offset[i]);
		}
	}
}

/* The planner is a heuristic: its plan for U can be worth less under U than the present plan, or
 * than the plan for the means. Without the last the policy could stay with a bad plan. A present
 * plan for more slots than there are now is no candidate: it is worth more than any that fits. */
static int choose_plan(const struct making *m, struct buf *out)
{
	struct recovering_plan bold = {.n = 0}, plain = {.n = 0};
	struct recovering_tables means = m->t;
	const uint32_t *period = m->period, *offset = m->offset;
	double best = m->present ? recovering_plan_worth(&m->t, m->period) : -1, x;
	int rc = recovering_plan_make(&m->t, &bold);

	means.r = m->mean;
	rc = rc || !m->means ? rc : recovering_plan_make(&means, &plain);
	if (rc == 0) {
		if (bold.value > best + CLEARLY) {
			best = bold.value;
			period = bold.period;
			offset = bold.offset;
		}
		x = m->means ? recovering_plan_worth(&m->t, plain.period) : -1;
		if (x > best + CLEARLY) {
			best = x;
			period = plain.period;
			offset = plain.offset;
		}
		put_plan(m, period, offset, best, bold.upper, out);
	}
	recovering_plan_release(&bold);
	recovering_plan_release(&plain);
	return rc;
}

int recovering_plan_answer(struct rd *in, struct buf *out)
{
	struct making m = {.slot = NULL};
	int rc = make_init(&m, in);

	rc = rc ? rc : make_read(&m, in);
	rc = rc ? rc : choose_plan(&m, out);
	free(m.slot);
	free(m.period);
	free(m.offset);
	free(m.u);
	free(m.mean);
	free(m.row);
	return rc;
}

/* ---- a phase begins ---- */

void recovering_plan_begin(void *state, bool applied)
{
	struct recovering *r = state;
	size_t cells = (size_t)r->slots * r->d_max;

	for (size_t i = 0; i < cells; i++) {
		r->cell[i].snap = r->cell[i].n;
	}
	r->plan_at = recovering_served(r);
	r->grown = false;
	r->dirty = false;
	r->shrunk = false;
	r->wide = r->wide && !applied;
	r->phases++;
}

/* Arms ascending, each place possible. */
static bool is_sound(const struct recovering *r, struct rd in, uint64_t n)
{
	uint64_t least = 0, slot, period, offset;

	for (uint64_t i = 0; i < n; i++) {
		slot = rd_var(&in);
		period = rd_var(&in);
		offset = rd_var(&in);
		if (in.rc || slot < least || slot >= r->slots || period < 1 ||
		    period > PERIOD_MAX || offset >= period) {
			return false;
		}
		least = slot + 1;
	}
	return in.rc == 0 && rd_left(&in) == 0;
}

int recovering_plan_apply(void *state, struct rd *in)
{
	struct recovering *r = state;
	double value = rd_f64(in), upper = rd_f64(in);
	uint64_t n = rd_count(in, 3);

	if (in->rc || !isfinite(value) || !isfinite(upper) || !is_sound(r, *in, n)) {
		return RC_CORRUPT;
	}
	for (uint32_t i = 0; i < r->slots; i++) {
		r->arm[i].period = 0;
		r->arm[i].offset = 0;
	}
	for (uint64_t i = 0; i < n; i++) {
		uint64_t slot = rd_var(in), period = rd_var(in), offset = rd_var(in);

		if (r->arm[slot].state == ARM_ACTIVE) { /* else it left meanwhile */
			r->arm[slot].period = (uint32_t)period;
			r->arm[slot].offset = (uint32_t)offset;
		}
	}
	r->planned = true;
	r->wide = r->shrunk;
	r->plan++;
	r->plan_subjects = 0;
	r->value = value;
	r->upper = upper;
	return 0;
}
