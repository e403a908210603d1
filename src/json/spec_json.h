/* SPDX-License-Identifier: Apache-2.0 */
/* Experiments, arms, settings and policies as JSON: what PUT and PATCH take, what GET gives. */
#ifndef JSON_SPEC_JSON_H
#define JSON_SPEC_JSON_H

#include <jansson.h>

#include "base/arena.h"
#include "core/experiment.h"

/* The body of PUT /v1/experiments/{name}. Lists come from mem, texts are borrowed from o. Without a
 * seed *ret_has_seed is false and the caller chooses one. The policy is known by name only: its
 * parameters are checked when the experiment is made. */
int spec_from_json(const json_t *o, const char *name, struct arena *mem,
    struct experiment_spec *ret, bool *ret_has_seed, struct errinfo *err);
/* A policy alone: {"name","params"}, "name" or "name:key=value,key=value". */
int policy_from_json(const json_t *v, const char *pointer, struct arena *mem,
    struct experiment_spec *ret, struct errinfo *err);
int policy_from_text(
    const char *text, struct arena *mem, struct experiment_spec *ret, struct errinfo *err);
/* Arms: one, or an array of them; each an id, a number or {"id","label"}. */
int arms_from_json(const json_t *v, const char *pointer, size_t max, struct arena *mem,
    struct spec_arm **ret, size_t *ret_n, struct errinfo *err);
/* Arms that join others: an object may have "between", two ids. */
int new_arms_from_json(const json_t *v, size_t max, struct arena *mem, struct spec_arm **ret,
    struct between **ret_between, size_t *ret_n, struct errinfo *err);
/* The members of "params"; their names and texts are borrowed, ret_n begins at 0. */
int params_from_json(const json_t *o, struct arena *mem, const struct spec_param **ret,
    size_t *ret_n, struct errinfo *err);
/* RFC 7396 onto *s, untouched on failure; what cannot change is "fixed_field". Texts are borrowed.
 */
int settings_patch_json(
    const json_t *patch, struct arena *mem, struct settings *s, struct errinfo *err);
/* {"state":"active"|"paused"}. */
int arm_patch_json(const json_t *patch, enum arm_state *ret, struct errinfo *err);

/* [1, 2] or rows of equal length, [[1, 2], [3, 4]]; the numbers are in mem. */
int list_from_json(const json_t *a, const char *pointer, struct arena *mem, struct param_list *ret,
    struct errinfo *err);

/* New documents; NULL when out of memory. */
json_t *list_to_json(const struct param_list *list);
json_t *experiment_to_json(const struct experiment *e);
json_t *policy_to_json(const struct policy_ops *ops, const void *params);
json_t *policies_to_json(void);

#endif
