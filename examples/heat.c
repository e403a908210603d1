/* SPDX-License-Identifier: Apache-2.0 */
/* A solver as a client: solves the heat equation step by step, asks a running daemon for the
 * solver's parameter omega at each one and reports the iterations, which cheb_cb learns from.
 *
 *     heat URL [STEPS [CELLS]]
 *
 * Prints the iterations in all with the daemon's omegas, with omega = 1 and with the best fixed
 * omega of the grid. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "eval/sor_solve.h"

#define OMEGAS 20 /* 1.00, 1.05 .. 1.95 */
#define COST_MAX 10000

struct run {
	struct client *client;
	uint32_t steps, cells;
	unsigned long long name; /* of the experiment and of its decisions: new in each run */
};

static int call(struct run *r, const char *method, const char *path, json_t *body, json_t **ret)
{
	struct errinfo err = {.rc = 0};
	int rc = body ? client_call(r->client, method, path, body, ret, &err) : RC_MEMORY;

	json_decref(body);
	if (rc) {
		fprintf(stderr, "heat: %s %s: %s %s\n", method, path, err.pointer, err.text);
	}
	return rc;
}

/* Costs from 1 to COST_MAX, and the coefficient of the step as the context. */
static int create(struct run *r)
{
	json_t *arms = json_array(), *answer = NULL;
	char path[80];
	int rc;

	for (int i = 0; i < OMEGAS; i++) {
		json_array_append_new(arms, json_real((100 + 5 * i) / 100.0));
	}
	snprintf(path, sizeof(path), "/v1/experiments/heat-%llx", r->name);
	rc = call(r, "PUT", path,
	    json_pack("{s{sss{si}} so s[s] s{sisiss}}", "policy", "name", "cheb_cb", "params",
		"ctx_hi", 10, "arms", arms, "context", "coefficient", "reward", "lo", 1, "hi",
		COST_MAX, "goal", "minimise"),
	    &answer);
	json_decref(answer);
	return rc;
}

/* Asks for omega. The decision's id is ours, so a request that was sent twice counts once. */
static int ask(struct run *r, uint32_t step, double coefficient, double *ret_omega)
{
	json_t *answer = NULL;
	char path[80], id[64];
	int rc;

	snprintf(path, sizeof(path), "/v1/experiments/heat-%llx/decisions", r->name);
	snprintf(id, sizeof(id), "step-%" PRIu32, step);
	rc = call(r, "POST", path,
	    json_pack("{sss{sf}}", "id", id, "context", "coefficient", coefficient), &answer);
	if (rc == 0) {
		*ret_omega = strtod(json_string_value(json_object_get(answer, "arm")), NULL);
	}
	json_decref(answer);
	return rc;
}

static int report(struct run *r, uint32_t step, uint32_t iterations)
{
	json_t *answer = NULL;
	char path[80], id[64];
	int rc;

	snprintf(path, sizeof(path), "/v1/experiments/heat-%llx/rewards", r->name);
	snprintf(id, sizeof(id), "step-%" PRIu32, step);
	rc = call(r, "POST", path,
	    json_pack("{sssiss}", "decision", id, "reward", (int)(iterations ? iterations : 1),
		"key", id),
	    &answer);
	json_decref(answer);
	return rc;
}

/* The whole equation; omega 0: ask for it at each step. */
static int solve(struct run *r, double omega, uint64_t *ret)
{
	struct heat h;
	int rc = heat_init(&h, r->cells);

	*ret = 0;
	for (uint32_t step = 0; rc == 0 && step < r->steps; step++) {
		double now = omega;
		uint32_t n;

		rc = omega > 0 ? 0 : ask(r, step, heat_context(&h), &now);
		if (rc) {
			break;
		}
		n = heat_step(&h, now, COST_MAX);
		*ret += n;
		rc = omega > 0 ? 0 : report(r, step, n);
	}
	heat_release(&h);
	return rc;
}

int main(int argc, char **argv)
{
	struct run r = {.steps = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 300,
	    .cells = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 25};
	struct errinfo err = {.rc = 0};
	uint64_t bandit = 0, one = 0, best = UINT64_MAX, n = 0;
	double best_omega = 0;
	FILE *f = fopen("/dev/urandom", "rb");
	int rc;

	if (argc < 2 || r.steps == 0 || r.cells < 3 || r.cells > 400) {
		fprintf(stderr, "usage: heat URL [STEPS [CELLS]]\n");
		return 2;
	}
	if (!f || fread(&r.name, sizeof(r.name), 1, f) != 1 ||
	    client_new(argv[1], &r.client, &err)) {
		fprintf(stderr, "heat: %s\n", err.text);
		return 1;
	}
	rc = create(&r);
	rc = rc ? rc : solve(&r, 0, &bandit);
	for (int i = 0; rc == 0 && i < OMEGAS; i++) {
		double omega = (100 + 5 * i) / 100.0;

		rc = solve(&r, omega, &n);
		one = i ? one : n;
		if (n < best) {
			best = n;
			best_omega = omega;
		}
	}
	fclose(f);
	client_free(r.client);
	if (rc) {
		return 1;
	}
	printf("%" PRIu32 " steps of the heat equation, %" PRIu32 " cells a side; iterations:\n"
	       "asking the daemon  %" PRIu64 "\nomega = 1          %" PRIu64
	       "\nbest fixed, %.2f   %" PRIu64 "\n",
	    r.steps, r.cells, bandit, one, best_omega, best);
	return 0;
}
