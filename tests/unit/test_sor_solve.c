/* SPDX-License-Identifier: Apache-2.0 */
/* The solvers that a bandit tunes: iteration counts that two other programs agree on. */
#include <check.h>
#include <math.h>

#include "eval/sor_solve.h"
#include "test.h"

#define POINTS 10
#define OMEGAS 20
#define TOL 1e-8
#define ALMOST 1e-12
#define PI 3.14159265358979323846

static uint32_t sweeps(double c, double omega)
{
	struct grid_matrix a = {.points = POINTS, .diagonal = 4 + c, .side = 1};
	double b[POINTS * POINTS], x[POINTS * POINTS] = {0};

	for (int i = 0; i < POINTS * POINTS; i++) {
		b[i] = 1;
	}
	return sor_solve(&a, b, x, omega, TOL, 10000);
}

/* Young's theory of a consistently ordered matrix: the spectral radius of a Jacobi step, the best
 * omega, and the spectral radius of a sweep. */
static double jacobi_radius(double c)
{
	return 4 * cos(PI / (POINTS + 1)) / (4 + c);
}

static double best_omega(double c)
{
	return sor_best_omega(
	    &(struct grid_matrix){.points = POINTS, .diagonal = 4 + c, .side = 1});
}

static double sweep_radius(double c, double omega)
{
	double x = omega * jacobi_radius(c), root;

	if (omega >= best_omega(c)) {
		return omega - 1;
	}
	root = (x + sqrt(x * x - 4 * (omega - 1))) / 2;
	return root * root;
}

/* At most so many sweeps, for a solve that is slower than the theory's limit by tau. */
static double most_sweeps(double c, double omega, double tau)
{
	double rho = sweep_radius(c, omega);

	return 1 + log(TOL) / log(rho + tau * (1 - rho));
}

START_TEST(sweeps_stay_below_the_bound_of_theory)
{
	static const double shift[] = {-0.15, 0, 0.45};
	static const double omega[] = {1.0, 1.3, 1.6, 1.9};
	static const double bound[] = {281.784877, 145.072098, 48.763736, 221.920188};

	for (int i = 0; i < 4; i++) {
		ck_assert_double_eq_tol(most_sweeps(0, omega[i], 0.2), bound[i], 5e-7);
	}
	for (int c = 0; c < 3; c++) {
		for (int i = 0; i < OMEGAS; i++) {
			double at = 1 + 0.05 * i;

			ck_assert_double_le(sweeps(shift[c], at), most_sweeps(shift[c], at, 0.2));
		}
	}
}
END_TEST

START_TEST(sweeps_are_counted_as_elsewhere)
{
	static const double shift[] = {-0.15, 0, 0.45};
	static const double best[] = {1.853594150354, 1.560387921275, 1.327919232252};
	static const uint32_t at_best[] = {147, 41, 23};
	static const uint32_t want[][OMEGAS] = {
	    {2927, 2648, 2394, 2163, 1950, 1755, 1574, 1407, 1252, 1107, 971, 844, 724, 611, 503,
		398, 293, 166, 189, 392},
	    {223, 201, 181, 162, 145, 130, 115, 101, 88, 75, 62, 46, 43, 48, 58, 70, 89, 122, 187,
		383},
	    {64, 57, 51, 45, 39, 34, 28, 24, 25, 27, 30, 35, 42, 49, 55, 71, 89, 122, 185, 379},
	};

	for (int c = 0; c < 3; c++) {
		for (int i = 0; i < OMEGAS; i++) {
			ck_assert_uint_eq(sweeps(shift[c], 1 + 0.05 * i), want[c][i]);
		}
		ck_assert_double_eq_tol(best_omega(shift[c]), best[c], ALMOST);
		ck_assert_uint_eq(sweeps(shift[c], best[c]), at_best[c]);
	}
	ck_assert_uint_eq(sweeps(-0.15, 1.999999), 10000); /* the cap */
}
END_TEST

START_TEST(together_they_take_as_many_sweeps)
{
	struct grid_matrix a = {.points = POINTS, .side = 1};
	struct rng rng = rng_at(9, 0, RNG_TEST);
	double b[POINTS * POINTS], work[SOR_EACH_MAX * (POINTS + 2) * (POINTS + 2)];
	double omega[SOR_EACH_MAX];
	uint32_t sweeps[SOR_EACH_MAX];

	for (int c = 0; c < 40; c++) {
		a.diagonal = 3.85 + 0.6 * rng_uniform(&rng);
		for (int i = 0; i < POINTS * POINTS; i++) {
			b[i] = rng_normal(&rng);
		}
		for (int j = 0; j < SOR_EACH_MAX; j++) {
			omega[j] = 1 + rng_uniform(&rng);
		}
		sor_solve_each(&a, b, SOR_EACH_MAX, omega, TOL, 500, work, sweeps);
		for (int j = 0; j < SOR_EACH_MAX; j++) {
			double x[POINTS * POINTS] = {0};

			ck_assert_uint_eq(sweeps[j], sor_solve(&a, b, x, omega[j], TOL, 500));
		}
	}
}
END_TEST

static uint32_t heat_total(double omega)
{
	struct heat h;
	uint32_t total = 0;

	ck_assert_int_eq(heat_init(&h, 25), 0);
	for (int i = 0; i < 300; i++) {
		total += heat_step(&h, omega, 10000);
	}
	heat_release(&h);
	return total;
}

START_TEST(heat_takes_as_many_steps_as_elsewhere)
{
	ck_assert_uint_eq(heat_total(0), 1353);
	ck_assert_uint_eq(heat_total(1), 595);
	ck_assert_uint_eq(heat_total(1.5), 1128);
}
END_TEST

RUN("sor_solve", sweeps_stay_below_the_bound_of_theory, sweeps_are_counted_as_elsewhere,
    together_they_take_as_many_sweeps, heat_takes_as_many_steps_as_elsewhere)
