/* SPDX-License-Identifier: Apache-2.0 */
/* How fast logs are read: read_bench FILE... gives rounds and bytes a second for each. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"
#include "eval/log_read.h"

static int read_one(const char *path)
{
	struct errinfo err = {.rc = 0};
	struct log_arms *arms = NULL;
	struct log *l = NULL;
	struct round round;
	uint64_t start = clock_mono_us();
	double seconds, sum = 0;
	int rc = log_arms_new(&arms);

	rc = rc ? rc : log_open(path, NULL, arms, &l, &err);
	while (rc == 0 && (rc = log_next(l, &round, &err)) == 1) {
		sum += round.reward;
		rc = 0;
	}
	if (rc == 0) {
		const struct log_counts *c = log_counts(l);

		seconds = (double)(clock_mono_us() - start) / 1e6;
		printf("%-7s %10" PRIu64 " rounds %6" PRIu64 " refused %12.0f rounds/s %8.1f MB/s "
		       "sum %.0f  %s\n",
		    log_format(l), c->rounds, log_refused(c), (double)c->rounds / seconds,
		    (double)c->bytes / seconds / 1e6, sum, path);
	} else {
		fprintf(stderr, "read_bench: %s: %s\n", err.pointer, err.text);
	}
	log_close(l);
	log_arms_free(arms);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = hash_init();

	for (int i = 1; rc == 0 && i < argc; i++) {
		rc = read_one(argv[i]);
	}
	return rc != 0;
}
