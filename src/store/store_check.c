/* SPDX-License-Identifier: Apache-2.0 */
/* Damage that leaves every body intact: keys that are gone, too many or changed, logs that lost
 * their end. */
#include "store/care.h"
#include "store/store_impl.h"

/* Two sets of keys are compared by a sum over their members, which needs no order and no memory,
 * and is read at the speed of a scan. */
struct key_sum {
	uint64_t sum, n;
};

static void add(struct key_sum *s, int64_t key, uint64_t seq)
{
	uint64_t h = (uint64_t)key * UINT64_C(0x9e3779b97f4a7c15) + seq;

	h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
	s->sum += h ^ (h >> 31);
	s->n++;
}

struct key_check {
	struct store_reader *r;
	struct errinfo *err;
	uint32_t experiment;
	struct key_sum want, have;
	bool begun, found;
	uint64_t base; /* what is left of events up to here does not count */
	int64_t key;   /* the last one that was read, and its seq */
	uint64_t seq;
};

/* In the arena that the event is in. */
static int64_t *keys_of(struct key_check *c, const struct event *ev, size_t *ret_n)
{
	int64_t *keys = arena_array(&c->r->scratch, record_nkeys(ev), sizeof(*keys));

	if (keys) {
		*ret_n = record_nkeys(ev);
		record_keys(c->r->key, ev, keys);
	}
	return keys;
}

static int add_event(void *arg, const struct event *ev)
{
	struct key_check *c = arg;
	size_t n = 0;
	int64_t *keys = keys_of(c, ev, &n);

	for (size_t i = 0; i < n; i++) {
		add(&c->want, keys[i], ev->seq);
	}
	return keys ? 0 : RC_MEMORY;
}

/* Out of order, a key is there and yet not found. */
static int add_key(void *arg, int64_t key, uint64_t seq)
{
	struct key_check *c = arg;

	if (c->begun && (key < c->key || (key == c->key && seq <= c->seq))) {
		return err_set(c->err, RC_CORRUPT, "corrupt", "",
		    "experiment %u: the keys of event %llu are out of order", c->experiment,
		    (unsigned long long)seq);
	}
	c->begun = true;
	c->key = key;
	c->seq = seq;
	if (seq > c->base) {
		add(&c->have, key, seq);
	}
	return 0;
}

static int see_key(void *arg, int64_t key, uint64_t seq)
{
	struct key_check *c = arg;

	(void)key;
	c->found = c->found || seq == c->seq;
	return c->found;
}

static int look_up(void *arg, const struct event *ev)
{
	struct key_check *c = arg;
	size_t n = 0;
	int64_t *keys = keys_of(c, ev, &n);

	c->seq = ev->seq;
	for (size_t i = 0; i < n; i++) {
		int rc;

		c->found = false;
		rc = c->r->ops->keys(c->r->db, c->experiment, keys[i], keys[i], see_key, c);
		if (!rc && !c->found) {
			rc = err_set(c->err, RC_CORRUPT, "corrupt", "",
			    "experiment %u, event %llu: it cannot be found by its key",
			    c->experiment, (unsigned long long)ev->seq);
		}
		if (rc) {
			return rc;
		}
	}
	return keys ? 0 : RC_MEMORY;
}

static int each_event(struct key_check *c, store_decoded_fn *fn)
{
	if (c->experiment == STORE_REGISTRY) {
		return 0; /* has no keys, and its bodies are no events */
	}
	return store_read_events(
	    c->r, c->experiment, c->base, STORE_SEQ_MAX, SIZE_MAX, &c->r->scratch, fn, c, c->err);
}

static int compare(struct key_check *c)
{
	int rc = each_event(c, add_event);

	if (!rc) {
		rc = c->r->ops->keys(c->r->db, c->experiment, INT64_MIN, INT64_MAX, add_key, c);
	}
	if (rc || (c->want.sum == c->have.sum && c->want.n == c->have.n)) {
		return rc;
	}
	rc = each_event(c, look_up);
	return rc ? rc
		  : err_set(c->err, RC_CORRUPT, "corrupt", "",
			"experiment %u: a key names an event that has another", c->experiment);
}

int store_check_keys(struct store_reader *r, uint32_t experiment, struct errinfo *err)
{
	struct key_check c = {.r = r, .err = err, .experiment = experiment};
	int rc = store_reader_begin(r);

	if (!rc) {
		rc = store_base_seq(r, experiment, &c.base);
		rc = rc ? rc : compare(&c);
		store_reader_end(r);
	}
	return store_reader_fail(r, rc, err);
}

int store_read_tails(struct store_reader *r, store_tail_fn *fn, void *arg, struct errinfo *err)
{
	return store_reader_fail(r, r->ops->tails(r->db, fn, arg), err);
}

static int add_tail(void *arg, uint32_t experiment, uint64_t last_seq)
{
	(void)experiment;
	*(uint64_t *)arg += last_seq;
	return 0;
}

int store_check_tails(struct store_reader *r, struct errinfo *err)
{
	struct record_log log;
	uint64_t events = 0;
	int rc = store_reader_begin(r);

	if (rc) {
		return store_reader_fail(r, rc, err);
	}
	rc = record_log_get(r->ops, r->db, &log);
	if (!rc) {
		rc = r->ops->tails(r->db, add_tail, &events);
	}
	if (!rc && events != log.events) {
		rc = err_set(err, RC_CORRUPT, "corrupt", "",
		    "the logs hold %llu events instead of %llu", (unsigned long long)events,
		    (unsigned long long)log.events);
	}
	store_reader_end(r);
	return store_reader_fail(r, rc, err);
}
