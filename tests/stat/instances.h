/* SPDX-License-Identifier: Apache-2.0 */
/* The instances whose figures regret.c holds the policies to. */
#ifndef TESTS_STAT_INSTANCES_H
#define TESTS_STAT_INSTANCES_H

/* clang-format off */
/* K = 10, the best arm pays with probability 0.6, the others with 0.4. */
static const char bernoulli[] =
	"{\"env\":\"bernoulli\",\"means\":[0.6,0.4,0.4,0.4,0.4,0.4,0.4,0.4,0.4,0.4]}";

/* c (1 - exp(-d / tau)). */
static const char smooth[] =
	"{\"env\":\"recovering\",\"slots\":2,\"noise\":\"bernoulli\",\"tables\":["
	"[0.199079295236,0.354122406259,0.474870102533,0.568908502946,0.642145682826,0.699182855866],"
	"[0.263743963171,0.440536828706,0.55904463047,0.638482785604,0.691731773411,0.727425637368],"
	"[0.21260151707,0.364937160726,0.474090419121,0.552302146413,0.608343297872,0.648498537573],"
	"[0.340608016677,0.515482003319,0.605265301734,0.651361584144,0.675028204657,0.687179052778],"
	"[0.236081604172,0.379272335297,0.466121903911,0.518798830058,0.550749000826,0.570127758979],"
	"[0.316060279414,0.432332358382,0.475106465816,0.490842180556,0.4966310265,0.498760623912],"
	"[0.285398081256,0.36716600055,0.390592901658,0.3973048212,0.399227818346,0.399778766252],"
	"[0.259399415029,0.294505308333,0.299256374347,0.299899361212,0.299986380021,0.299998156736]"
	"]}";

/* Arms that have recovered all at once. */
static const char steps[] =
	"{\"env\":\"recovering\",\"slots\":2,\"noise\":\"bernoulli\",\"tables\":["
	"[0.5,0.5,0.5,0.5,0.5,1],"
	"[0.5,0.5,0.5,0.95,0.95,0.95],"
	"[0.4,0.4,0.9,0.9,0.9,0.9],"
	"[0.35,0.35,0.35,0.35,0.35,0.85],"
	"[0.45,0.45,0.45,0.45,0.45,0.45],"
	"[0.42,0.42,0.42,0.42,0.42,0.42]"
	"]}";

/* Arm 4 is the worst at first and by far the best at full exposure; memory 20. */
#define REO_LOSSES \
	"\"losses\":[{\"from\":0.30,\"to\":0.50,\"power\":1},{\"from\":0.33,\"to\":0.58,\"power\":1}," \
	"{\"from\":0.36,\"to\":0.66,\"power\":1},{\"from\":0.39,\"to\":0.74,\"power\":1}," \
	"{\"from\":0.9,\"to\":0.2,\"power\":1}]}"
static const char reo[] = "{\"env\":\"tallying\",\"memory\":20," REO_LOSSES;
static const char fading[] = "{\"env\":\"tallying\",\"memory\":20,\"decay\":0.9," REO_LOSSES;
/* Nothing is remembered. */
static const char forgetful[] =
	"{\"env\":\"tallying\",\"memory\":1,\"losses\":["
	"{\"from\":0.5,\"to\":0.5,\"power\":1},{\"from\":0.6,\"to\":0.6,\"power\":1},"
	"{\"from\":0.45,\"to\":0.45,\"power\":1},{\"from\":0.55,\"to\":0.55,\"power\":1},"
	"{\"from\":0.2,\"to\":0.2,\"power\":1}]}";

/* Loss .75 but for arm 0 on red, .35, and each shape's own arm: .25 on green, .55 on red. */
static const char shapes[] =
	"{\"env\":\"groups\",\"arms\":5,\"groups\":["
	"{\"name\":\"circle\",\"share\":0.5,\"set\":\"shape\"},"
	"{\"name\":\"square\",\"share\":0.3,\"set\":\"shape\"},"
	"{\"name\":\"triangle\",\"share\":0.2,\"set\":\"shape\"},"
	"{\"name\":\"green\",\"share\":0.6,\"set\":\"colour\"},"
	"{\"name\":\"red\",\"share\":0.4,\"set\":\"colour\"}],"
	"\"loss\":[[0.75,0.25,0.75,0.75,0.75],[0.35,0.55,0.75,0.75,0.75],"
	"[0.75,0.75,0.25,0.75,0.75],[0.35,0.75,0.55,0.75,0.75],"
	"[0.75,0.75,0.75,0.25,0.75],[0.35,0.75,0.75,0.55,0.75]]}";
/* clang-format on */

#endif
