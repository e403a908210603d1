/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "policies/policies.h"

const struct policy_ops *const policy_table[] = {
    &uniform_ops,
    &epsilon_greedy_ops,
    &thompson_ops,
    &ucb1_ops,
    &ucb_tuned_ops,
    &ucb_v_ops,
    &kl_ucb_ops,
    &moss_ops,
    &ucb1_flad_ops,
    &exp3_flad_ops,
    &exp3_ops,
    &exp3_ix_ops,
    &groupwise_ops,
    &recovering_ops,
    &tallying_ops,
    &tsallis_inf_ops,
    &tsallis_bins_ops,
    &cheb_cb_ops,
    &streaming_ops,
    NULL,
};

const struct policy_ops *policy_find(const char *name)
{
	for (const struct policy_ops *const *p = policy_table; *p; p++) {
		if (strcmp((*p)->name, name) == 0) {
			return *p;
		}
	}
	return NULL;
}
