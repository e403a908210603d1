/* SPDX-License-Identifier: Apache-2.0 */
/* Rankings of candidates that were valued at several places: by mean, and by what each place says
 * of their order, whatever the size of its numbers. Pure functions. value has a row a place:
 * value[place * n + candidate]; the larger the better; finite. */
#ifndef EVAL_RANK_H
#define EVAL_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANK_MAX 32        /* candidates */
#define RANK_KEMENY_MAX 10 /* of them in an exact Kemeny ranking: 2^n n steps */

/* Orders are of candidates, the best first; what is equal stays in the order it was given. */
void rank_by(const double *score, size_t n, uint32_t *ret_order);
/* Points: a candidate gets one for each that it beats at a place, half a one where they tie. */
void rank_borda(const double *value, size_t places, size_t n, double *ret_points);
/* The order that disagrees with the fewest pairs at the places (Kemeny 1959), by a dynamic program
 * over subsets; of several such orders the first one, candidates taken as numbers. n is at most
 * RANK_KEMENY_MAX. Returns the disagreements; a pair that ties somewhere counts half there. */
double rank_kemeny(const double *value, size_t places, size_t n, uint32_t *ret_order);
/* The same count for a given order. */
double rank_distance(const double *value, size_t places, size_t n, const uint32_t *order);
/* At how many places is a before b? Ties are halves. */
double rank_wins(const double *value, size_t places, size_t n, uint32_t a, uint32_t b);

#endif
