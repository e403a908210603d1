/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's parameters: those of the creation, and those that a change may bring. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/experiment_impl.h"

/* The list becomes the experiment's own. */
static int set_list(struct experiment *e, const struct param_desc *d, const struct param_list *list,
    const char *pointer, struct errinfo *err)
{
	struct param_list mine = *list;
	double *v;
	int rc = param_set_list(d, e->params, list, pointer, err);

	if (rc) {
		return rc;
	}
	v = malloc(list->n * sizeof(*v));
	if (v) {
		memcpy(v, list->v, list->n * sizeof(*v));
	} else {
		mine = (struct param_list){.n = 0};
	}
	mine.v = v;
	param_set_list(d, e->params, &mine, pointer, err);
	return v ? 0 : RC_MEMORY;
}

void experiment_free_lists(struct experiment *e)
{
	for (const struct param_desc *d = e->ops->params; e->params && d && d->name; d++) {
		if (d->type == PARAM_LIST) {
			free((void *)param_get_list(d, e->params)->v);
		}
	}
}

/* The policy's own check, which points into its parameters. */
static int check_params(const struct experiment *e, const void *params, struct errinfo *err)
{
	struct errinfo own = {.rc = 0};
	char pointer[sizeof(own.pointer) + 16];
	int rc = e->ops->check ? e->ops->check(params, &own) : 0;

	if (rc && err) {
		snprintf(pointer, sizeof(pointer), "/policy/params%s", own.pointer);
		err_set(err, rc, own.code, pointer, "%s", own.text);
	}
	return rc;
}

static int set_value(const struct param_desc *d, void *params, const struct spec_param *p,
    const char *pointer, struct errinfo *err)
{
	if (p->text) {
		return param_set_text(d, params, p->text, pointer, err);
	}
	if (d->type == PARAM_BOOL && (p->number == 0 || p->number == 1)) {
		return param_set_bool(d, params, p->number != 0, pointer, err);
	}
	return param_set_number(d, params, p->number, pointer, err);
}

int experiment_set_params(
    struct experiment *e, const struct experiment_spec *spec, struct errinfo *err)
{
	char pointer[sizeof(err->pointer)];
	int rc = 0;

	param_defaults(e->ops->params, e->params);
	for (size_t i = 0; rc == 0 && i < spec->nparams; i++) {
		const struct spec_param *p = &spec->params[i];
		const struct param_desc *d = param_find(e->ops->params, p->name);

		snprintf(pointer, sizeof(pointer), "/policy/params/%s", p->name);
		if (!d) {
			return err_set(err, RC_INVALID, "unknown_field", pointer,
			    "policy %s has no parameter %s", e->ops->name, p->name);
		}
		if (p->list.n && d->type == PARAM_LIST && param_get_list(d, e->params)->n) {
			rc = err_set(
			    err, RC_INVALID, "duplicate_field", pointer, "%s twice", d->name);
		} else if (p->list.n) {
			rc = set_list(e, d, &p->list, pointer, err);
		} else {
			rc = set_value(d, e->params, p, pointer, err);
		}
	}
	return rc ? rc : check_params(e, e->params, err);
}

/* ---- changes ---- */

static int fixed(const char *pointer, const char *name, struct errinfo *err)
{
	return err_set(err, RC_INVALID, "fixed_field", pointer, "%s is fixed at creation", name);
}

static int check_slots(const struct experiment *e, uint32_t slots, struct errinfo *err)
{
	if (!e->ops->change || !(e->traits & POLICY_SLATE)) {
		return fixed("/slots", "slots", err);
	}
	return slots <= SLATE_MAX ? 0
				  : err_set(err, RC_INVALID, "out_of_range", "/slots",
					"slots must lie in 1..%d", SLATE_MAX);
}

int experiment_check_policy(
    const struct experiment *e, const struct settings *s, struct errinfo *err)
{
	char pointer[sizeof(err->pointer)];
	int rc = s->slots && s->slots != e->slots ? check_slots(e, s->slots, err) : 0;

	if (e->other) {
		memcpy(e->other, e->params, e->ops->params_size);
	}
	for (size_t i = 0; rc == 0 && i < s->nparams; i++) {
		const struct spec_param *p = &s->params[i];
		const struct param_desc *d = param_find(e->ops->params, p->name);

		snprintf(pointer, sizeof(pointer), "/policy/params/%s", p->name);
		if (!d) {
			return err_set(err, RC_INVALID, "unknown_field", pointer,
			    "policy %s has no parameter %s", e->ops->name, p->name);
		}
		if (!e->other || p->list.n || !(d->flags & PARAM_CHANGE)) {
			return fixed(pointer, p->name, err);
		}
		rc = set_value(d, e->other, p, pointer, err);
	}
	return rc || !e->other ? rc : check_params(e, e->other, err);
}

bool experiment_keeps_policy(const struct experiment *e, const struct settings *s)
{
	return (s->slots == 0 || s->slots == e->slots) &&
	       (s->nparams == 0 || memcmp(e->other, e->params, e->ops->params_size) == 0);
}

int experiment_reserve_policy(struct experiment *e, const struct settings *s)
{
	if (!s->slots && !s->nparams) {
		return 0;
	}
	if (experiment_check_policy(e, s, NULL)) {
		return RC_LIMIT; /* not an event of ours */
	}
	return experiment_keeps_policy(e, s)
		   ? 0
		   : e->ops->reserve_change(e->state, e->other, s->slots ? s->slots : e->slots);
}

void experiment_change_policy(struct experiment *e, const struct settings *s)
{
	unsigned char *now = e->params, *then = e->other;

	if (experiment_keeps_policy(e, s)) {
		return;
	}
	for (size_t i = 0; i < e->ops->params_size; i++) { /* in place: the state points there */
		unsigned char byte = now[i];

		now[i] = then[i];
		then[i] = byte;
	}
	e->slots = s->slots ? s->slots : e->slots;
	e->ops->change(e->state, e->other, e->slots);
}
