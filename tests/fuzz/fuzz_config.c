/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: any bytes are refused with file and line, or give settings that, written as
 * --print-config writes them, are read back the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "memory_file.h"
#include "serve/config.h"

static void must_come_back(const struct config *c)
{
	struct errinfo err = {.rc = 0};
	char scratch[PARAM_TEXT_MAX], differ[512];
	struct config again;

	config_init(&again);
	for (const struct param_desc *d = config_table; d->name; d++) {
		FUZZ_HOLDS(
		    config_set(&again, d->name, param_format(d, c, scratch), "again", &err) == 0);
	}
	config_needs_restart(c, &again, differ);
	FUZZ_HOLDS(differ[0] == '\0');
	config_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = memory_file(data, size);
	struct errinfo err = {.rc = 0};
	struct config c;

	config_init(&c);
	if (config_read_file(&c, path, &err)) {
		FUZZ_HOLDS(err.rc && err.code && err.text[0]);
		FUZZ_HOLDS(strncmp(err.pointer, path, strlen(path)) == 0);
		FUZZ_HOLDS(err.pointer[strlen(path)] == ':');
	} else if (config_check(&c, &err)) {
		FUZZ_HOLDS(err.rc && err.code && err.text[0] && err.pointer[0]);
	} else {
		must_come_back(&c);
	}
	config_release(&c);
	return 0;
}
