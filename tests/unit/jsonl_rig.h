/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of our own log, in the very shape that is written. */
#ifndef TESTS_UNIT_JSONL_RIG_H
#define TESTS_UNIT_JSONL_RIG_H

#define OURS(seq)                                                                                  \
	"{\"v\":1,\"experiment\":\"e\",\"seq\":" #seq                                              \
	",\"at\":\"2026-02-28T23:59:59.000007Z\",\"kind\":"
#define DECISION(seq, rest)                                                                        \
	OURS(seq)                                                                                  \
	"\"decision\",\"decision\":\"d" #seq                                                       \
	"\",\"arms\":[{\"arm\":\"a\",\"propensity\":0.25}]" rest "}\n"
#define REWARD(seq, ref, rest)                                                                     \
	OURS(seq)                                                                                  \
	"\"reward\",\"decision\":\"d" #ref "\",\"ref\":" #ref                                      \
	",\"arm\":\"a\",\"propensity\":0.25,\"reward\":2.0,\"status\":\"learnt\"" rest "}\n"
#define NEVER ",\"expires_at\":null"

#endif
