/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's command line: from all the places that settings may stand in to one struct config.
 */
#ifndef SERVE_OPTIONS_H
#define SERVE_OPTIONS_H

#include "serve/config.h"

enum options_ask { OPTIONS_RUN, OPTIONS_CHECK, OPTIONS_PRINT, OPTIONS_HELP, OPTIONS_VERSION };

/* Reads files, environment and options into c, which config_init() has filled, and checks it. May
 * be called again with the same arguments: to read the files anew. One thread. */
int options_read(
    int argc, char **argv, struct config *c, enum options_ask *ret, struct errinfo *err);
/* Prints what was asked for. */
void options_tell(enum options_ask ask, const struct config *c);

#endif
