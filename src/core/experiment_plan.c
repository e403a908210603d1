/* SPDX-License-Identifier: Apache-2.0 */
#include "core/experiment_plan.h"

#include <string.h>

#include "core/experiment_impl.h"

#define PLAN_BYTES_MAX ((size_t)256 << 20) /* of the input: tables of all arms */

bool experiment_plan_due(const struct experiment *e, uint64_t at_us)
{
	struct ask ask = {.slots = e->arms.active,
	    .n = e->arms.nactive,
	    .all = true,
	    .seq = e->seq + 1,
	    .at_us = at_us > e->at_us ? at_us : e->at_us,
	    .k = e->slots};

	return e->ops->plan_due && !e->planning && e->settings.state == RUN_RUNNING &&
	       e->ops->plan_due(e->state, &ask);
}

bool experiment_is_planning(const struct experiment *e)
{
	return e->planning;
}

double experiment_plan_cost(const struct experiment *e)
{
	return e->ops->plan_cost(e->state);
}

void experiment_plan_input(const struct experiment *e, struct buf *out)
{
	e->ops->plan_input(e->state, out);
}

int experiment_plan_now(const struct experiment *e, uint64_t at_us, struct arena *mem,
    struct event *ret_ev, struct errinfo *err)
{
	struct event ev = experiment_next(e, EVENT_PLAN, at_us);
	struct buf in, out;
	struct rd rd;
	void *copy = NULL;
	int rc;

	buf_init(&in, PLAN_BYTES_MAX);
	buf_init(&out, EVENT_BYTES_MAX);
	e->ops->plan_input(e->state, &in);
	rd_init(&rd, in.data, in.len);
	rc = in.rc ? in.rc : e->ops->plan_make(&rd, &out);
	rc = rc ? rc : out.rc;
	if (rc == 0) {
		copy = arena_alloc(mem, out.len);
		rc = copy ? 0 : RC_MEMORY;
	}
	if (copy) {
		memcpy(copy, out.data, out.len);
	}
	ev.plan = (struct event_plan){.op = PLAN_NOW, .bytes = copy, .n = out.len};
	buf_release(&in);
	buf_release(&out);
	if (rc) {
		return rc == RC_MEMORY
			   ? experiment_no_memory(err)
			   : err_set(err, RC_FAILED, "internal", "", "the plan could not be made");
	}
	*ret_ev = ev;
	return 0;
}

void experiment_plan_begin(const struct experiment *e, uint64_t at_us, struct event *ret_ev)
{
	*ret_ev = experiment_next(e, EVENT_PLAN, at_us);
	ret_ev->plan = (struct event_plan){.op = PLAN_BEGIN};
}

void experiment_plan_done(
    const struct experiment *e, uint64_t at_us, const void *bytes, size_t n, struct event *ret_ev)
{
	*ret_ev = experiment_next(e, EVENT_PLAN, at_us);
	ret_ev->plan = (struct event_plan){.op = PLAN_DONE, .bytes = bytes, .n = n};
}

void experiment_plan_show(
    const struct experiment *e, uint32_t *periods, uint32_t *offsets, struct plan_view *ret)
{
	e->ops->plan_show(e->state, periods, offsets, ret);
}
