/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target is one function that must survive any bytes. Built with --enable-fuzzers it is
 * driven by libFuzzer (make fuzz); in make check fuzz_main.c gives it the files of its corpus and
 * small mutations of them. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the bytes are; ends the program. */
#define FUZZ_HOLDS(claim)                                                                          \
	do {                                                                                       \
		if (!(claim)) {                                                                    \
			__builtin_trap();                                                          \
		}                                                                                  \
	} while (0)

#endif
