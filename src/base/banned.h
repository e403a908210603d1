/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that cannot be used safely become compile errors. Included before every source
 * of ours by AM_CPPFLAGS. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* What the system headers declare inline must be seen before the names are poisoned. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Macros where clang meets _FORTIFY_SOURCE, and it will not poison a macro. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets rand srand drand48
#pragma GCC poison gmtime localtime asctime ctime mktemp tmpnam atoi atol atof

#endif
