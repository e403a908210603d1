/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of any format: any bytes are refused line by line or give rounds that hold what is promised
 * of a round. The first byte chooses the format, its highest
 * bit whether rounds may lack their propensity. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "eval/log_read.h"
#include "fuzz.h"

static void check(const struct round *r, bool unknown, const struct log_arms *arms)
{
	uint32_t n = log_arms_count(arms);

	FUZZ_HOLDS(r->arm < n && log_arms_id(arms, r->arm)[0]);
	FUZZ_HOLDS((r->propensity > 0 && r->propensity <= 1) || (unknown && r->propensity == 0));
	FUZZ_HOLDS(isfinite(r->reward) && r->weight >= 1 && isfinite(r->weight));
	for (size_t i = 0; i < r->neligible; i++) {
		FUZZ_HOLDS(r->eligible[i] < n);
	}
	for (size_t k = 0; k < r->nslots; k++) {
		struct round one = round_slot(r, k);

		FUZZ_HOLDS(one.neligible && one.position == k);
		check(&one, false, arms);
	}
	for (size_t i = 0; i < r->dim; i++) {
		FUZZ_HOLDS(isfinite(r->x[i]));
	}
}

static void on_refused(void *arg, const struct errinfo *err)
{
	FUZZ_HOLDS(err->rc && err->code && err->text[0] && err->pointer[0]);
	++*(uint64_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const formats[] = {"auto", "jsonl", "dsjson", "vw", "obd"};
	uint64_t heard = 0;
	struct log_options o = {
	    .refused = on_refused, .arg = &heard, .open_max = 4, .features = 4, .slates = true};
	struct log_arms *arms = NULL;
	struct errinfo err = {.rc = 0};
	struct log *l = NULL;
	struct round round;
	int rc;

	FUZZ_HOLDS(hash_init() == 0);
	if (size == 0 || log_arms_new(&arms)) {
		return 0;
	}
	o.format = formats[data[0] % 5];
	o.unknown = data[0] & 0x80;
	rc = log_open_bytes("log", data + 1, size - 1, &o, arms, &l, &err);
	FUZZ_HOLDS(rc == 0 || err.rc == rc);
	while (rc == 0 && (rc = log_next(l, &round, &err)) == 1) {
		check(&round, o.unknown, arms);
		rc = 0;
	}
	FUZZ_HOLDS(rc == 0 || err.rc == rc);
	FUZZ_HOLDS(!l || log_refused(log_counts(l)) == heard);
	log_close(l);
	log_arms_free(arms);
	return 0;
}
