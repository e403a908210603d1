/* SPDX-License-Identifier: Apache-2.0 */
/* Weights where the log does not say how likely it did what it did. */
#include "eval/ope_impl.h"

static bool is_asked(const struct run *u, const struct estimator *est, unsigned flags)
{
	bool asked = false;

	for (size_t i = 0; i < u->n; i++) {
		asked = asked || est[i].kind->flags & flags;
	}
	return asked;
}

int ope_check_unknown(const struct run *u, const struct estimator *est, struct errinfo *err)
{
	for (size_t i = 0; u->s.unknown && i < u->n; i++) {
		if (!(est[i].kind->flags & (EST_BALANCED | EST_MODEL_ALONE))) {
			return err_set(err, RC_INVALID, "unknown", "",
			    "%s needs propensities, and %.0f of %.0f rounds have none: balanced "
			    "and sn-balanced estimate weights without",
			    est[i].text, (double)u->s.unknown, (double)u->s.used);
		}
	}
	return 0;
}

static void add_round(struct run *u, const struct round *r)
{
	balance_add(u->balance, r, r->arm, r->weight, false);
	for (size_t i = 0; i < (r->neligible ? r->neligible : u->names.narms); i++) {
		uint32_t arm = r->neligible ? r->eligible[i] : (uint32_t)i;

		balance_add(
		    u->balance, r, arm, r->weight * target_prob(u->o->target, r, arm), true);
	}
}

int ope_balance(struct run *u, const struct estimator *est, struct errinfo *err)
{
	struct round r;
	int rc;

	if (!is_asked(u, est, EST_BALANCED)) {
		return 0;
	}
	rc = balance_new(
	    u->names.narms, u->names.npositions, u->dim, u->o->model.folds, &u->balance, err);
	for (int pass = 0; rc == 0; pass++) {
		rc = u->log->rewind(u->log->arg, err);
		rc = rc ? rc : 1;
		while (rc == 1 && (rc = ope_next_round(u, false, &r, err)) == 1) {
			add_round(u, &r);
		}
		if (rc == 0 && balance_step(u->balance)) {
			return 0;
		}
		if (rc == 0 && pass + 1 == BALANCE_PASSES_MAX) {
			rc = err_set(err, RC_FAILED, "unsettled", "",
			    "the classifier did not settle in %d passes", BALANCE_PASSES_MAX);
		}
	}
	return rc;
}
