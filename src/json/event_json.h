/* SPDX-License-Identifier: Apache-2.0 */
/* An event as one JSON object of the exported log. */
#ifndef JSON_EVENT_JSON_H
#define JSON_EVENT_JSON_H

#include <jansson.h>

#include "core/experiment.h"

/* e gives names and ids; it may be at a later state. NULL when out of memory. */
json_t *event_to_json(const struct experiment *e, const struct event *ev);

#endif
