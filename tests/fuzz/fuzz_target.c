/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a fixed target: any bytes are refused by their line, or give probabilities that are
 * some, and sum to about 1 where the log asks for them. */
#include <stdio.h>
#include <string.h>

#include "eval/target.h"
#include "fuzz.h"
#include "memory_file.h"

static void check(struct target *t)
{
	static const char *const arms[] = {"a", "b"};
	static const uint64_t positions[] = {0, 1};
	struct target_names names = {arms, 2, positions, 2};
	struct errinfo err = {.rc = 0};
	struct round r = {.index = 0};

	if (target_bind(t, &names, &err)) {
		FUZZ_HOLDS(err.rc && err.text[0]);
		return;
	}
	for (r.position = 0; r.position < 2; r.position++) {
		double one = target_prob(t, &r, 0), other = target_prob(t, &r, 1);
		double rest = target_missing(t, r.position), sum = one + other + rest;

		FUZZ_HOLDS(one >= 0 && other >= 0 && rest >= 0);
		FUZZ_HOLDS(sum >= 0.98 && sum <= 1.02);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = memory_file(data, size);
	struct errinfo err = {.rc = 0};
	struct target *t = NULL;
	char text[80];

	snprintf(text, sizeof(text), "@%s", path);
	if (target_parse(text, &t, &err)) {
		FUZZ_HOLDS(err.rc && err.code && err.text[0]);
		FUZZ_HOLDS(strncmp(err.pointer, path, strlen(path)) == 0);
		return 0;
	}
	check(t);
	target_free(t);
	return 0;
}
