/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of an exported log: any bytes are refused with an error that can be sent, or give an event
 * that, written and read again, encodes to the same bytes. */
#include <string.h>

#include "base/hash.h"
#include "fuzz.h"
#include "json/bind.h"
#include "json/event_json.h"
#include "json/memory.h"
#include "policies/policies.h"

#define MEM_MAX ((size_t)16 << 20)

static struct experiment *experiment(void)
{
	static const struct spec_arm arms[] = {{"a", ""}, {"b", ""}};
	static const char *const features[] = {"h"};
	static struct experiment *e;
	struct experiment_spec spec = {.name = "home",
	    .policy = "uniform",
	    .arms = arms,
	    .narms = 2,
	    .slots = 1,
	    .seed = 1,
	    .hi = 1,
	    .features = features,
	    .nfeatures = 1,
	    .settings = {.label = ""}};

	if (!e) {
		hash_init();
		json_memory_init();
		FUZZ_HOLDS(experiment_new(&spec, &uniform_ops, 1, &e, NULL) == 0);
	}
	return e;
}

static bool is_utf8(const char *s)
{
	json_t *v = json_string(s);

	json_decref(v);
	return v != NULL;
}

static void must_come_back(
    const struct event *ev, const struct experiment *names, const struct experiment *e)
{
	json_t *o = event_to_json(names, ev);
	struct buf sent, got;
	struct arena mem;
	struct event back;

	arena_init(&mem, MEM_MAX);
	buf_init(&sent, EVENT_BYTES_MAX);
	buf_init(&got, EVENT_BYTES_MAX);
	FUZZ_HOLDS(o && event_from_json(o, e, &mem, &back, NULL) == 0);
	event_encode(ev, &sent);
	event_encode(&back, &got);
	FUZZ_HOLDS(sent.len == got.len && memcmp(sent.data, got.data, sent.len) == 0);
	FUZZ_HOLDS(back.seq == ev->seq);
	buf_release(&sent);
	buf_release(&got);
	arena_release(&mem);
	json_decref(o);
}

static void read_line(const json_t *o, const struct experiment *e)
{
	struct errinfo err = {.rc = 0};
	struct arena mem;
	struct experiment *made;
	struct event ev;

	arena_init(&mem, MEM_MAX);
	if (event_from_json(o, e, &mem, &ev, &err)) {
		FUZZ_HOLDS(err.rc && err.code && is_utf8(err.text) && is_utf8(err.pointer));
	} else if (e && ev.kind != EVENT_ARM) {
		must_come_back(&ev, e, e);
	} else if (!e && policy_find(ev.create.policy) &&
		   experiment_new(&ev.create, policy_find(ev.create.policy), 1, &made, NULL) == 0) {
		must_come_back(&ev, made, NULL);
		experiment_free(made);
	}
	arena_release(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct experiment *e = experiment();
	struct errinfo err = {.rc = 0};
	json_t *o;

	if (json_parse((const char *)data, size, &o, &err)) {
		FUZZ_HOLDS(err.rc && is_utf8(err.text));
		return 0;
	}
	FUZZ_HOLDS(bind_fingerprint(o) != 0);
	read_line(o, e);
	read_line(o, NULL);
	json_decref(o);
	return 0;
}
