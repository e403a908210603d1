/* SPDX-License-Identifier: Apache-2.0 */
/* The instances whose figures regret.c holds the policies to. */
#ifndef TESTS_STAT_INSTANCES_H
#define TESTS_STAT_INSTANCES_H

#include "cli/instances.h"

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

/* Memory 20. */
static const char reo[] = "{\"env\":\"tallying\",\"memory\":20," INSTANCE_EXPOSURE("1", "1");
static const char fading[] = "{\"env\":\"tallying\",\"memory\":20,\"decay\":0.9," INSTANCE_EXPOSURE("1", "1");
/* Nothing is remembered. */
static const char forgetful[] =
	"{\"env\":\"tallying\",\"memory\":1,\"losses\":["
	"{\"from\":0.5,\"to\":0.5,\"power\":1},{\"from\":0.6,\"to\":0.6,\"power\":1},"
	"{\"from\":0.45,\"to\":0.45,\"power\":1},{\"from\":0.55,\"to\":0.55,\"power\":1},"
	"{\"from\":0.2,\"to\":0.2,\"power\":1}]}";

/* Systems that are really solved, of costs that are near each other and of ones that are not. */
static const char solves[] = "{\"env\":\"sor\",\"problem\":\"iid\",\"spread\":\"low\"}";
static const char varied_solves[] = "{\"env\":\"sor\",\"problem\":\"iid\",\"spread\":\"high\"}";

static const char shapes[] = INSTANCE_SHAPES;
/* clang-format on */

#endif
