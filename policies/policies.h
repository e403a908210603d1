/* SPDX-License-Identifier: Apache-2.0 */
/* Every policy there is. A new one is a line here and a line in table.c. */
#ifndef POLICIES_POLICIES_H
#define POLICIES_POLICIES_H

#include "core/policy.h"

extern const struct policy_ops uniform_ops;
extern const struct policy_ops epsilon_greedy_ops;
extern const struct policy_ops thompson_ops;
extern const struct policy_ops ucb1_ops;
extern const struct policy_ops ucb_tuned_ops;
extern const struct policy_ops ucb_v_ops;
extern const struct policy_ops kl_ucb_ops;
extern const struct policy_ops moss_ops;
extern const struct policy_ops ucb1_flad_ops;
extern const struct policy_ops exp3_flad_ops;
extern const struct policy_ops exp3_ops;
extern const struct policy_ops exp3_ix_ops;
extern const struct policy_ops groupwise_ops;
extern const struct policy_ops recovering_ops;
extern const struct policy_ops tallying_ops;
extern const struct policy_ops tsallis_inf_ops;
extern const struct policy_ops tsallis_bins_ops;
extern const struct policy_ops cheb_cb_ops;
extern const struct policy_ops streaming_ops;

/* All policies, ending with NULL, in the order of the manual. */
extern const struct policy_ops *const policy_table[];

/* NULL when there is no policy of that name. */
const struct policy_ops *policy_find(const char *name);

#endif
