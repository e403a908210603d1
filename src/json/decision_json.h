/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions and rewards as JSON: the hot path. Answers are functions of the event alone (and of ids
 * that never change), so a stored answer is the same bytes again. */
#ifndef JSON_DECISION_JSON_H
#define JSON_DECISION_JSON_H

#include <jansson.h>

#include "base/arena.h"
#include "core/experiment.h"

/* The body of one decision. Texts are borrowed from o, lists come from mem. The fingerprint is left
 * to the caller: only what has an id or a key needs one (bind_fingerprint). */
int select_from_json(const json_t *o, const struct experiment *e, bool want_pmf, struct arena *mem,
    struct select_in *ret, struct errinfo *err);
/* {"decision","key"} and "reward", "rewards" or "label"; whether that form suits the decision is
 * the experiment's to say. */
int reward_from_json(const json_t *o, struct arena *mem, struct reward_in *ret,
    const char **ret_decision, struct errinfo *err);

/* Answers are written as text, without a tree in between: every string in them is an id or a time,
 * which needs no escaping. Each of these writes an object without its closing brace, so that the
 * caller may add members. Errors stay in out. */
void decision_write(const struct experiment *e, const struct event *ev, struct buf *out);
/* f: of the reward's event. */
void reward_write(const struct experiment *e, const char *decision, enum feedback_status status,
    const struct event_feedback *f, struct buf *out);

#endif
