/* SPDX-License-Identifier: Apache-2.0 */
/* Tsallis-INF, alpha = 1/2: Zimmert, Seldin, JMLR 22, 2021, algorithm 1.
 *
 *   p_i = 4 / (eta (L_i / s - x))^2, with x < min L / s such that they sum to 1
 *   eta = 2 / sqrt(t), of rv 4 / sqrt(t), for decision t
 *   iw       L_a += l / p_a
 *   rv       L_i += B_i + 1{i = a} (l - B_i) / p_i for all i, B_i = s/2 1{p_i >= eta^2}
 *   centred  L_a += (l - s/2) / p_a
 *
 * The loss is l = hi - r for a reward in [lo, hi]; of costs in [c, C] it is the cost less c. The
 * scale s is given, and then regret is bounded when l / s is in [0, 1], or is the mean of l, 1 at
 * least. A restricted ask is solved for its arms alone. Select O(K), about four passes; update
 * O(1), of rv O(K). */
#include <math.h>

#include "policies/policies.h"
#include "policies/tsallis.h"

static const struct param_desc tsallis_inf_params[] = {
    TSALLIS_PARAMS,
    {.name = NULL},
};

/* clang-format off */
const struct policy_ops tsallis_inf_ops = {
	.name = "tsallis_inf",
	.summary = "best of both worlds: small regret whether losses are random or hostile",
	.version = 1,
	.params = tsallis_inf_params,
	TSALLIS_HOOKS,
};
