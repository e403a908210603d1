/* SPDX-License-Identifier: Apache-2.0 */
/* Instances of the specifications that `bandit reproduce` and tests/stat both play. */
#ifndef CLI_INSTANCES_H
#define CLI_INSTANCES_H

/* clang-format off */
/* Arm 4 is the worst at first and by far the best at full exposure; p and q: how slowly. */
#define INSTANCE_EXPOSURE(p, q) \
	"\"losses\":[{\"from\":0.30,\"to\":0.50,\"power\":" p "},{\"from\":0.33,\"to\":0.58,\"power\":" p "}," \
	"{\"from\":0.36,\"to\":0.66,\"power\":" p "},{\"from\":0.39,\"to\":0.74,\"power\":" p "}," \
	"{\"from\":0.9,\"to\":0.2,\"power\":" q "}]}"

/* Loss .75 but for arm 0 on red, .35, and each shape's own arm: .25 on green, .55 on red. */
#define INSTANCE_SHAPES \
	"{\"env\":\"groups\",\"arms\":5,\"groups\":[" \
	"{\"name\":\"circle\",\"share\":0.5,\"set\":\"shape\"}," \
	"{\"name\":\"square\",\"share\":0.3,\"set\":\"shape\"}," \
	"{\"name\":\"triangle\",\"share\":0.2,\"set\":\"shape\"}," \
	"{\"name\":\"green\",\"share\":0.6,\"set\":\"colour\"}," \
	"{\"name\":\"red\",\"share\":0.4,\"set\":\"colour\"}]," \
	"\"loss\":[[0.75,0.25,0.75,0.75,0.75],[0.35,0.55,0.75,0.75,0.75]," \
	"[0.75,0.75,0.25,0.75,0.75],[0.35,0.75,0.55,0.75,0.75]," \
	"[0.75,0.75,0.75,0.25,0.75],[0.35,0.75,0.75,0.55,0.75]]}"

/* Arms whose means are drawn anew for each run; and so many of them, with so many decisions. */
#define INSTANCE_STREAM(arms, shape) \
	"{\"env\":\"stream\",\"arms\":" arms ",\"shape\":\"" shape "\"}"
#define INSTANCE_ONE_PASS(arms, horizon, mode) \
	"streaming:horizon=" horizon ",arms_expected=" arms ",mode=" mode
/* clang-format on */

#endif
