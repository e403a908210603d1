/* SPDX-License-Identifier: Apache-2.0 */
/* Whole logs, as bandit import reads them: any lines are refused with an error that can be told, or
 * fold into an experiment that is saved and loaded alike. With another first byte than '{' each
 * decision is asked for again as well, as bandit verify does. */
#include <string.h>

#include "base/hash.h"
#include "core/replay.h"
#include "fuzz.h"
#include "json/bind.h"
#include "json/event_json.h"
#include "json/memory.h"
#include "policies/policies.h"

#define MEM_MAX ((size_t)16 << 20)
#define STATE_MAX ((size_t)64 << 20)

static void must_be_sound(const struct experiment *e)
{
	struct experiment *again;
	struct buf one, other;
	struct rd in;

	buf_init(&one, STATE_MAX);
	buf_init(&other, STATE_MAX);
	experiment_save(e, &one);
	rd_init(&in, one.data, one.len);
	FUZZ_HOLDS(one.rc || experiment_load(&in, policy_find, &again) == 0);
	if (!one.rc) {
		experiment_save(again, &other);
		FUZZ_HOLDS(one.len == other.len && memcmp(one.data, other.data, one.len) == 0);
		experiment_free(again);
	}
	buf_release(&one);
	buf_release(&other);
}

static int take_line(struct replay *r, struct arena *mem, const char *text, size_t n)
{
	struct errinfo err = {.rc = 0};
	struct event ev;
	json_t *o;
	int rc = json_parse(text, n, &o, &err);

	if (rc) {
		FUZZ_HOLDS(err.rc && err.text[0]);
		return rc;
	}
	rc = event_from_json(o, r->e, mem, &ev, &err);
	FUZZ_HOLDS(rc == 0 || (err.rc && err.code));
	if (rc == 0 && (ev.kind == EVENT_CREATE) == !r->e && ev.seq == r->report.events + 1) {
		rc = replay_event(r, &ev, &err);
		FUZZ_HOLDS(rc != RC_CORRUPT || r->report.text[0]);
	}
	arena_reset(mem);
	json_decref(o);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct replay_options o = {.find = policy_find, .derive = size && data[0] != '{'};
	const char *p = (const char *)data, *end = p + size;
	struct replay r;
	struct arena mem;
	int rc = 0;

	FUZZ_HOLDS(hash_init() == 0);
	json_memory_init();
	if (o.derive) {
		p++;
	}
	arena_init(&mem, MEM_MAX);
	replay_init(&r, &o);
	while (rc == 0 && p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);

		rc = n ? take_line(&r, &mem, p, n) : 0;
		p += n + 1;
	}
	if (r.e) {
		must_be_sound(r.e);
	}
	replay_release(&r);
	arena_release(&mem);
	return 0;
}
