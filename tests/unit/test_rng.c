/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/num.h"
#include "base/rng.h"
#include "test.h"

#define DRAWS 100000

static void check_philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
    uint32_t k1, const uint32_t want[4])
{
	uint32_t got[4];

	rng_philox((uint32_t[]){c0, c1, c2, c3}, (uint32_t[]){k0, k1}, got);
	ck_assert_mem_eq(got, want, sizeof(got));
}

START_TEST(philox_has_the_published_answers)
{
	check_philox(
	    0, 0, 0, 0, 0, 0, (uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
	check_philox(~0U, ~0U, ~0U, ~0U, ~0U, ~0U,
	    (uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
	check_philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
	    (uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}
END_TEST

START_TEST(a_word_is_a_function_of_key_seq_stream_and_index)
{
	uint64_t key = UINT64_C(0x1122334455667788), seq = UINT64_C(0x99aabbccddeeff00);
	struct rng r = rng_at(key, seq, RNG_ENV);
	uint32_t out[4];

	for (uint32_t block = 0; block < 5; block++) {
		rng_philox((uint32_t[]){0xddeeff00, 0x99aabbcc, RNG_ENV, block},
		    (uint32_t[]){0x55667788, 0x11223344}, out);
		ck_assert_uint_eq(rng_u64(&r), out[0] | (uint64_t)out[1] << 32);
		ck_assert_uint_eq(rng_u64(&r), out[2] | (uint64_t)out[3] << 32);
	}
	struct rng other = rng_at(key, seq, RNG_DRAW), again = rng_at(key, seq, RNG_ENV);

	r = rng_at(key, seq, RNG_ENV);
	ck_assert_uint_ne(rng_u64(&other), rng_u64(&r));
	rng_u64(&again);
	ck_assert_uint_eq(rng_u64(&again), rng_u64(&r));
}
END_TEST

START_TEST(every_machine_draws_the_same)
{
	struct rng r = rng_at(42, 7, RNG_TEST);
	uint64_t digest = 0;

	for (int i = 0; i < 1000; i++) {
		digest = test_mix(digest, rng_uniform(&r));
		digest = test_mix(digest, rng_normal(&r));
		digest = test_mix(digest, rng_gamma(&r, 0.01 * i + 0.1));
		digest = test_mix(digest, rng_beta(&r, 0.02 * i + 0.1, 1.5));
		digest = test_mix(digest, (double)rng_below(&r, (uint64_t)i + 1));
	}
	ck_assert_msg(digest == UINT64_C(0xaeb9fef368ccf1e3), "0x%016jx", (uintmax_t)digest);
}
END_TEST

START_TEST(uniforms_fill_the_interval_evenly)
{
	struct rng r = rng_at(1, 1, RNG_TEST);
	unsigned count[1000] = {0};

	for (int i = 0; i < DRAWS; i++) {
		double u = rng_uniform(&r);

		ck_assert(u >= 0 && u < 1);
		ck_assert_double_eq(u * 0x1p53, floor(u * 0x1p53));
		count[(int)(u * 1000)]++;
	}
	ck_assert_double_lt(fabs(test_chi_square_z(count, NULL, 1000, DRAWS)), TEST_Z_LIMIT);
}
END_TEST

START_TEST(first_words_of_successive_seqs_are_even_too)
{
	unsigned count[256] = {0};

	for (uint64_t seq = 0; seq < DRAWS; seq++) {
		struct rng r = rng_at(9, seq, RNG_DRAW);

		count[(int)(rng_uniform(&r) * 256)]++;
	}
	ck_assert_double_lt(fabs(test_chi_square_z(count, NULL, 256, DRAWS)), TEST_Z_LIMIT);
}
END_TEST

START_TEST(below_is_unbiased_for_awkward_bounds)
{
	static const uint64_t bounds[] = {1, 3, 7, 10, 97, 1000};
	struct rng r = rng_at(2, 2, RNG_TEST);

	for (size_t k = 0; k < sizeof(bounds) / sizeof(bounds[0]); k++) {
		unsigned count[1000] = {0};

		for (int i = 0; i < DRAWS; i++) {
			uint64_t v = rng_below(&r, bounds[k]);

			ck_assert_uint_lt(v, bounds[k]);
			count[v]++;
		}
		if (bounds[k] > 1) {
			double z = test_chi_square_z(count, NULL, bounds[k], DRAWS);

			ck_assert_double_lt(fabs(z), TEST_Z_LIMIT);
		}
	}
}
END_TEST

START_TEST(below_is_unbiased_where_a_remainder_would_not_be)
{
	/* n = 3 2^62: the remainder of 64 bits would hit the lower third twice as often. */
	struct rng r = rng_at(3, 3, RNG_TEST);
	uint64_t n = UINT64_C(3) << 62;
	unsigned count[3] = {0};

	for (int i = 0; i < DRAWS; i++) {
		count[rng_below(&r, n) >> 62]++;
	}
	ck_assert_double_lt(fabs(test_chi_square_z(count, NULL, 3, DRAWS)), TEST_Z_LIMIT);
}
END_TEST

START_TEST(normals_have_normal_cells_and_cost_one_word)
{
	struct rng r = rng_at(4, 4, RNG_TEST);
	unsigned count[200] = {0};

	for (int i = 0; i < DRAWS; i++) {
		double x = rng_normal(&r), p = 0.5 * erfc(-x * M_SQRT1_2);

		ck_assert(fabs(x) < 8.3);
		count[p >= 1 ? 199 : (int)(p * 200)]++;
	}
	ck_assert_uint_eq(r.next, DRAWS);
	ck_assert_double_lt(fabs(test_chi_square_z(count, NULL, 200, DRAWS)), TEST_Z_LIMIT);
}
END_TEST

static void check_moments(const struct num_welford *w, double mean, double variance, double kurt)
{
	double n = (double)w->n;

	ck_assert_double_lt(fabs(w->mean - mean) / sqrt(variance / n), TEST_Z_LIMIT);
	/* The variance of a sample variance is about (kurtosis - 1) variance^2 / n. */
	ck_assert_double_lt(
	    fabs(num_welford_variance(w) - variance) / (variance * sqrt((kurt - 1) / n)),
	    TEST_Z_LIMIT);
}

START_TEST(gammas_have_their_mean_and_variance)
{
	static const double shapes[] = {0.05, 0.5, 1, 1.5, 7, 300};
	struct rng r = rng_at(5, 5, RNG_TEST);

	for (size_t k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++) {
		struct num_welford w = {0};

		for (int i = 0; i < DRAWS; i++) {
			num_welford_add(&w, rng_gamma(&r, shapes[k]));
		}
		check_moments(&w, shapes[k], shapes[k], 3 + 6 / shapes[k]);
	}
}
END_TEST

START_TEST(gamma_one_is_exponential)
{
	struct rng r = rng_at(6, 6, RNG_TEST);
	unsigned count[100] = {0};

	for (int i = 0; i < DRAWS; i++) {
		count[(int)(-expm1(-rng_gamma(&r, 1)) * 100)]++;
	}
	ck_assert_double_lt(fabs(test_chi_square_z(count, NULL, 100, DRAWS)), TEST_Z_LIMIT);
}
END_TEST

START_TEST(betas_have_their_mean_and_variance)
{
	static const double ab[][2] = {
	    {0.05, 0.1}, {0.5, 0.5}, {1, 3}, {2, 5}, {800, 200}, {0.2, 9}};
	struct rng r = rng_at(7, 7, RNG_TEST);

	for (size_t k = 0; k < sizeof(ab) / sizeof(ab[0]); k++) {
		double a = ab[k][0], b = ab[k][1], s = a + b;
		double variance = a * b / (s * s * (s + 1));
		double kurt = 3 + 6 * ((a - b) * (a - b) * (s + 1) - a * b * (s + 2)) /
				      (a * b * (s + 2) * (s + 3));
		struct num_welford w = {0};

		for (int i = 0; i < DRAWS; i++) {
			num_welford_add(&w, rng_beta(&r, a, b));
		}
		check_moments(&w, a / s, variance, kurt);
	}
}
END_TEST

START_TEST(beta_one_one_is_uniform)
{
	struct rng r = rng_at(8, 8, RNG_TEST);
	unsigned count[100] = {0};

	for (int i = 0; i < DRAWS; i++) {
		count[(int)(rng_beta(&r, 1, 1) * 100)]++;
	}
	ck_assert_double_lt(fabs(test_chi_square_z(count, NULL, 100, DRAWS)), TEST_Z_LIMIT);
}
END_TEST

START_TEST(extreme_shapes_stay_in_range)
{
	static const double shapes[] = {1e-100, 1e-10, 0.999, 1, 1e10, 1e100};
	struct rng r = rng_at(10, 10, RNG_TEST);

	for (int i = 0; i < 36000; i++) {
		double a = shapes[i % 6], b = shapes[i / 6 % 6];
		double beta = rng_beta(&r, a, b), gamma = rng_gamma(&r, a);

		ck_assert(beta >= 0 && beta <= 1);
		ck_assert(gamma >= 0 && isfinite(gamma));
	}
}
END_TEST

RUN("rng", philox_has_the_published_answers, a_word_is_a_function_of_key_seq_stream_and_index,
    every_machine_draws_the_same, uniforms_fill_the_interval_evenly,
    first_words_of_successive_seqs_are_even_too, below_is_unbiased_for_awkward_bounds,
    below_is_unbiased_where_a_remainder_would_not_be, normals_have_normal_cells_and_cost_one_word,
    gammas_have_their_mean_and_variance, gamma_one_is_exponential,
    betas_have_their_mean_and_variance, beta_one_one_is_uniform, extreme_shapes_stay_in_range)
