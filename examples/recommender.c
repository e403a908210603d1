/* SPDX-License-Identifier: Apache-2.0 */
/* A minimal recommender: a front page of a few places, items that its users tire of, and a running
 * daemon that learns how long each item has to rest (the policy `recovering`, a schedule for each
 * user, what is learnt shared by all).
 *
 *     recommender URL [DAYS [USERS]]
 *
 * Every day each user comes once. Prints the clicks a day with the
 * daemon's pages, with items drawn evenly, and with the items that are liked best always first. */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cli/client.h"

#define ITEMS 12
#define PLACES 3
#define TOLD_MAX 500 /* users: the elements of one array */
#define REST_MAX 10
#define SEED 2026

/* What a user who has not seen it for long clicks with probability `appeal`; seen at the visit
 * before, it has lost the share `fatigue`, and gets back what is lost at `recovery` a visit. */
static const struct item {
	const char *name;
	double appeal, fatigue, recovery;
} items[ITEMS] = {{"late-film", 0.60, 0.90, 0.20}, {"cup-final", 0.55, 0.90, 0.15},
    {"new-album", 0.50, 0.80, 0.25}, {"quiz", 0.46, 0.70, 0.40}, {"recipe", 0.42, 0.60, 0.50},
    {"weather", 0.30, 0.05, 1.00}, {"comic", 0.38, 0.60, 0.60}, {"long-read", 0.35, 0.95, 0.15},
    {"podcast", 0.30, 0.80, 0.30}, {"crossword", 0.26, 0.30, 0.80}, {"horoscope", 0.18, 0.40, 0.60},
    {"archive", 0.12, 0.50, 0.40}};

struct user {
	uint32_t rest[ITEMS]; /* visits since it was shown; REST_MAX: long ago, or never */
};

struct run {
	struct client *client;
	uint32_t days, users;
	unsigned long long name; /* of the experiment: new in each run */
};

/* The items on one page. */
struct page {
	uint32_t item[PLACES], n;
};

static double liking(const struct item *it, uint32_t rest)
{
	return it->appeal * (1 - it->fatigue * pow(1 - it->recovery, rest - 1));
}

/* The user looks at the page; ret says what was clicked. The luck of a user, a day and an item is
 * the same whoever made the page. */
static uint32_t visit(struct user *u, uint32_t who, uint32_t day, const struct page *p, bool *ret)
{
	uint32_t clicks = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		struct rng luck = rng_at(SEED + p->item[i], (uint64_t)day << 32 | who, RNG_ENV);

		ret[i] = rng_uniform(&luck) < liking(&items[p->item[i]], u->rest[p->item[i]]);
		clicks += ret[i];
	}
	for (uint32_t i = 0; i < ITEMS; i++) {
		u->rest[i] += u->rest[i] < REST_MAX;
	}
	for (uint32_t i = 0; i < p->n; i++) {
		u->rest[p->item[i]] = 1;
	}
	return clicks;
}

static int call(struct run *r, const char *method, const char *what, json_t *body, json_t **ret)
{
	struct errinfo err = {.rc = 0};
	char path[80];
	int rc;

	snprintf(path, sizeof(path), "/v1/experiments/front-%llx%s", r->name, what);
	rc = body ? client_call(r->client, method, path, body, ret, &err) : RC_MEMORY;
	json_decref(body);
	if (rc) {
		fprintf(stderr, "recommender: %s %s: %s %s\n", method, path, err.pointer, err.text);
	}
	return rc;
}

static int create(struct run *r)
{
	json_t *arms = json_array(), *answer = NULL;
	int rc;

	for (int i = 0; i < ITEMS; i++) {
		json_array_append_new(arms, json_string(items[i].name));
	}
	rc = call(r, "PUT", "",
	    json_pack("{s{sss{sssi}} so si si}", "policy", "name", "recovering", "params", "scope",
		"subject", "d_max", REST_MAX, "arms", arms, "slots", PLACES, "seed", SEED),
	    &answer);
	json_decref(answer);
	return rc;
}

/* The pages of all users of a day, in one request. Ids are ours: a request that was sent twice
 * counts once. */
static int ask(struct run *r, uint32_t day, json_t **ret)
{
	json_t *all = json_array();

	for (uint32_t u = 0; u < r->users; u++) {
		char id[32], subject[16];

		snprintf(id, sizeof(id), "day-%" PRIu32 "-%" PRIu32, day, u);
		snprintf(subject, sizeof(subject), "user-%" PRIu32, u);
		json_array_append_new(all, json_pack("{ssss}", "id", id, "subject", subject));
	}
	return call(r, "POST", "/decisions", all, ret);
}

static int read_page(const json_t *decision, struct page *ret)
{
	const json_t *arms = json_object_get(decision, "arms"), *arm;
	size_t i;

	ret->n = 0;
	json_array_foreach (arms, i, arm) {
		const char *name = json_string_value(json_object_get(arm, "arm"));
		uint32_t k = 0;

		while (name && k < ITEMS && strcmp(items[k].name, name) != 0) {
			k++;
		}
		if (!name || k == ITEMS || ret->n == PLACES) {
			return RC_FAILED;
		}
		ret->item[ret->n++] = k;
	}
	return json_is_array(arms) ? 0 : RC_FAILED;
}

/* What one page earned: 1 for a click, 0 for each item that was passed over. */
static json_t *feedback(const json_t *decision, const struct page *p, const bool *clicked)
{
	json_t *rewards = json_object(), *id = json_object_get(decision, "id");

	for (uint32_t i = 0; i < p->n; i++) {
		json_object_set_new(rewards, items[p->item[i]].name, json_integer(clicked[i]));
	}
	return json_pack("{sOsosO}", "decision", id, "rewards", rewards, "key", id);
}

static int day_with_daemon(struct run *r, struct user *users, uint32_t day, uint64_t *clicks)
{
	json_t *pages = NULL, *told = json_array(), *answer = NULL;
	int rc = ask(r, day, &pages);

	for (uint32_t u = 0; rc == 0 && u < r->users; u++) {
		const json_t *decision = json_array_get(pages, u);
		bool clicked[PLACES];
		struct page p;

		rc = read_page(decision, &p);
		if (rc) {
			fprintf(stderr, "recommender: the answer is not a page\n");
			break;
		}
		*clicks += visit(&users[u], u, day, &p, clicked);
		if (p.n) { /* a page may be empty: before there is a plan, or while all rest */
			json_array_append_new(told, feedback(decision, &p, clicked));
		}
	}
	if (rc == 0 && json_array_size(told)) {
		rc = call(r, "POST", "/rewards", json_incref(told), &answer);
	}
	json_decref(answer);
	json_decref(pages);
	json_decref(told);
	return rc;
}

static struct page drawn_evenly(uint32_t who, uint32_t day)
{
	struct rng rng = rng_at(SEED, (uint64_t)day << 32 | who, RNG_TEST);
	struct page p = {.n = 0};

	while (p.n < PLACES) {
		uint32_t k = (uint32_t)rng_below(&rng, ITEMS), i = 0;

		while (i < p.n && p.item[i] != k) {
			i++;
		}
		p.item[p.n] = k;
		p.n += i == p.n;
	}
	return p;
}

static struct page best_first(void)
{
	struct page p = {.n = PLACES};
	bool taken[ITEMS] = {false};

	for (uint32_t i = 0; i < PLACES; i++) {
		uint32_t best = ITEMS;

		for (uint32_t k = 0; k < ITEMS; k++) {
			if (!taken[k] && (best == ITEMS || items[k].appeal > items[best].appeal)) {
				best = k;
			}
		}
		taken[best] = true;
		p.item[i] = best;
	}
	return p;
}

enum maker { DAEMON, EVENLY, BEST_FIRST, MAKERS };

/* All days by one maker of pages. ret: clicks in the first and in the last quarter, and in all. */
static int play(struct run *r, enum maker maker, uint64_t ret[3])
{
	struct user *users = calloc(r->users, sizeof(*users));
	int rc = users ? 0 : RC_MEMORY;

	memset(ret, 0, 3 * sizeof(*ret));
	for (uint32_t u = 0; rc == 0 && u < r->users; u++) {
		for (uint32_t i = 0; i < ITEMS; i++) {
			users[u].rest[i] = REST_MAX;
		}
	}
	for (uint32_t day = 0; rc == 0 && day < r->days; day++) {
		uint64_t clicks = 0;

		for (uint32_t u = 0; maker != DAEMON && u < r->users; u++) {
			struct page p = maker == EVENLY ? drawn_evenly(u, day) : best_first();
			bool clicked[PLACES];

			clicks += visit(&users[u], u, day, &p, clicked);
		}
		rc = maker == DAEMON ? day_with_daemon(r, users, day, &clicks) : 0;
		ret[0] += day < r->days / 4 ? clicks : 0;
		ret[1] += day >= r->days - r->days / 4 ? clicks : 0;
		ret[2] += clicks;
	}
	free(users);
	return rc;
}

int main(int argc, char **argv)
{
	static const char *const names[MAKERS] = {
	    "pages by the daemon", "items drawn evenly", "the best liked always first"};
	struct run r = {.days = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 400,
	    .users = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 40};
	struct errinfo err = {.rc = 0};
	uint64_t clicks[MAKERS][3];
	FILE *f = fopen("/dev/urandom", "rb");
	int rc = 0;

	if (argc < 2 || r.days < 4 || r.users == 0 || r.users > TOLD_MAX) {
		fprintf(stderr, "usage: recommender URL [DAYS [USERS]]\n");
		return 2;
	}
	if (!f || fread(&r.name, sizeof(r.name), 1, f) != 1 ||
	    client_new(argv[1], &r.client, &err)) {
		fprintf(stderr, "recommender: %s\n", err.text);
		return 1;
	}
	rc = create(&r);
	for (int i = 0; rc == 0 && i < MAKERS; i++) {
		rc = play(&r, (enum maker)i, clicks[i]);
	}
	fclose(f);
	client_free(r.client);
	if (rc) {
		return 1;
	}
	printf("%" PRIu32 " users, %" PRIu32 " days, %d of %d items a page; clicks in 100 visits:\n"
	       "%-28s  first quarter  last quarter  all days\n",
	    r.users, r.days, PLACES, ITEMS, "");
	for (int i = 0; i < MAKERS; i++) {
		double quarter = (double)(r.days / 4) * r.users / 100;

		printf("%-28s  %13.1f  %12.1f  %8.1f\n", names[i], (double)clicks[i][0] / quarter,
		    (double)clicks[i][1] / quarter, (double)clicks[i][2] * 100 / r.days / r.users);
	}
	return 0;
}
