/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of an experiment, for the files experiment*.c. */
#ifndef CORE_EXPERIMENT_IMPL_H
#define CORE_EXPERIMENT_IMPL_H

#include "core/experiment.h"

struct experiment {
	const struct policy_ops *ops;
	void *params, *state;
	char *name, *label;
	char **features;
	size_t nfeatures;
	uint64_t seed, fingerprint;
	double lo, hi;
	enum goal goal;
	struct settings settings; /* its label is ours */
	uint64_t seq, at_us, created_us, changed_seq, expired_ref;
	bool has_windows; /* settings ever had a window */
	struct totals totals;
	struct arms arms;
	struct history history;
};

/* An experiment without arms whose policy state is fresh (or absent: load brings its own). */
int experiment_start(const struct experiment_spec *spec, const struct policy_ops *ops,
    bool with_state, struct experiment **ret, struct errinfo *err);
struct policy_env experiment_env(const struct experiment *e);

#endif
