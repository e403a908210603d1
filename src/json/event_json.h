/* SPDX-License-Identifier: Apache-2.0 */
/* An event as one JSON object of the exported log, and back. A line says all there is in the event:
 * what was written and read again encodes to the same bytes. */
#ifndef JSON_EVENT_JSON_H
#define JSON_EVENT_JSON_H

#include <jansson.h>

#include "core/experiment.h"

#define EVENT_LINE_VERSION 1

/* e gives names and ids; it may be at a later state. NULL when out of memory. To be written with
 * JSON_REAL_PRECISION(17). */
json_t *event_to_json(const struct experiment *e, const struct event *ev);
/* e is the experiment before this event or at any later state; NULL for a creation alone. *ret
 * borrows from mem. What is accepted can be logged; whether it fits the state before it is for
 * experiment_apply() to say. RC_INVALID, RC_LIMIT, RC_MEMORY. */
int event_from_json(const json_t *o, const struct experiment *e, struct arena *mem,
    struct event *ret, struct errinfo *err);

#endif
