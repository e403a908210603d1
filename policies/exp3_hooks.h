/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies of this family have alike in their tables. */
#ifndef POLICIES_EXP3_HOOKS_H
#define POLICIES_EXP3_HOOKS_H

#include "policies/exp3_impl.h"

/* clang-format off */
#define EXP3_HOOKS \
	.params_size = sizeof(struct exp3_params), \
	.check = exp3_check, \
	.slots = exp3_slots, \
	.destroy = exp3_destroy, \
	.reserve = exp3_reserve, \
	.arm_add = exp3_arm_add, \
	.arm_set = exp3_arm_set, \
	.pmf = exp3_pmf, \
	.pulled = exp3_pulled, \
	.update = exp3_update, \
	.serialise = exp3_serialise, \
	.describe = exp3_describe
/* clang-format on */

#endif
