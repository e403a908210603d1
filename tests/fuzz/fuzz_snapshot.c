/* SPDX-License-Identifier: Apache-2.0 */
/* Loading snapshots: any bytes are refused or give a state that saves to the same bytes and can
 * still decide. */
#include <string.h>

#include "base/hash.h"
#include "core/experiment.h"
#include "fuzz.h"
#include "policies/policies.h"

static void use(struct experiment *e)
{
	struct select_in in = {.id = NULL};
	struct arena mem;
	struct event ev;

	arena_init(&mem, (size_t)4 << 20);
	for (int i = 0; i < 3; i++) {
		if (experiment_select(e, &in, UINT64_MAX >> 1, &mem, &ev, NULL) == 0) {
			FUZZ_HOLDS(experiment_apply(e, &ev) == 0);
		}
	}
	arena_release(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct experiment *e;
	struct buf out;
	struct rd in;

	hash_init();
	rd_init(&in, data, size);
	if (experiment_load(&in, policy_find, &e) == 0) {
		buf_init(&out, (size_t)64 << 20);
		experiment_save(e, &out);
		FUZZ_HOLDS(out.len == size && memcmp(out.data, data, size) == 0);
		buf_release(&out);
		use(e);
		experiment_free(e);
	}
	return 0;
}
