/* SPDX-License-Identifier: Apache-2.0 */
/* Files for what does not fit into memory: without a name, gone with the process. In $TMPDIR, else
 * in /var/tmp, for /tmp is memory on many machines. */
#ifndef BASE_SCRATCH_H
#define BASE_SCRATCH_H

#include <stdio.h>

FILE *scratch_file(void); /* to write and read; NULL, and errno, on failure */

#endif
