/* SPDX-License-Identifier: Apache-2.0 */
/* Complete policy regret where repeated exposure changes an arm (Malik, Igoe, Li, Singh, ICML
 * 2023): arm 4 is the worst at first and by far the best at full exposure. Beside policies that do
 * not know of exposure, and with a wrong M. */
#include "cli/instances.h"
#include "cli/reproduce.h"

#define REO "{\"env\":\"tallying\",\"memory\":20," INSTANCE_EXPOSURE("1", "1")
#define SLOW "{\"env\":\"tallying\",\"memory\":200," INSTANCE_EXPOSURE("0.25", "4")
#define PLAY(env, policy)                                                                          \
	{                                                                                          \
		env, policy, 40000, 12, 0, 80                                                      \
	}
#define OURS REP_SPECIFICATION
#define TALLY(m) "tallying:horizon=40000,memory_bound=" m

int reproduce_tallying(struct rep *r, struct errinfo *err)
{
	static const struct rep_line lines[] = {
	    {"tallying, M = 20", PLAY(REO, TALLY("20")), 6, {554, 25, OURS, REP_EQUAL}},
	    {"tallying, M = 20: the bound of its guarantee", {0}, 6, {2615, 0, OURS, REP_AT_MOST}},
	    {"tallying, M = 20, anytime", PLAY(REO, "tallying:memory_bound=20"), 6,
		{425, 23, OURS, REP_EQUAL}},
	    {"ucb1", PLAY(REO, "ucb1"), 6, {4023, 1169, OURS, REP_EQUAL}},
	    {"exp3", PLAY(REO, "exp3"), 6, {0.18 * 40000, 0, OURS, REP_AT_LEAST}},
	    {"epsilon_greedy", PLAY(REO, "epsilon_greedy"), 6,
		{0.18 * 40000, 0, OURS, REP_AT_LEAST}},
	    {"m = 200: M = 200", PLAY(SLOW, TALLY("200")), 6, {924, 29, OURS, REP_EQUAL}},
	    {"m = 200: M = 400, too large", PLAY(SLOW, TALLY("400")), 6,
		{1415, 49, OURS, REP_EQUAL}},
	    {"m = 200: M = 100, too small", PLAY(SLOW, TALLY("100")), 6,
		{1921, 39, OURS, REP_EQUAL}},
	    {"m = 200: M = 0", PLAY(SLOW, TALLY("0")), 6, {12965, 93, OURS, REP_EQUAL}},
	};

	return rep_lines(r, lines, sizeof(lines) / sizeof(lines[0]), err);
}
