/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: long computations of a policy that enter its state by events of their own. */
#ifndef CORE_EXPERIMENT_PLAN_H
#define CORE_EXPERIMENT_PLAN_H

#include "core/experiment.h"

/* Does the policy want its plan made anew? Asked before each decision; when it does, a PLAN event
 * comes first: experiment_plan_now() while experiment_plan_cost() is below PLAN_AT_ONCE, else
 * experiment_plan_begin(), whose input is what experiment_plan_input() gave just before it,
 * and later experiment_plan_done() with what ops->plan_make() made of it. A begun plan whose
 * result was lost is begun again. */
bool experiment_plan_due(const struct experiment *e, uint64_t at_us);
bool experiment_is_planning(const struct experiment *e);
double experiment_plan_cost(const struct experiment *e);
void experiment_plan_input(const struct experiment *e, struct buf *out);
int experiment_plan_now(const struct experiment *e, uint64_t at_us, struct arena *mem,
    struct event *ret_ev, struct errinfo *err);
void experiment_plan_begin(const struct experiment *e, uint64_t at_us, struct event *ret_ev);
void experiment_plan_done(
    const struct experiment *e, uint64_t at_us, const void *bytes, size_t n, struct event *ret_ev);
/* Room for all slots; ops->plan_show must be there. */
void experiment_plan_show(
    const struct experiment *e, uint32_t *periods, uint32_t *offsets, struct plan_view *ret);

#endif
