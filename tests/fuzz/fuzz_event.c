/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding stored events: any bytes are refused or give an event that encodes to the same bytes. */
#include <string.h>

#include "core/event.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena mem;
	struct event ev;
	struct buf out;

	arena_init(&mem, (size_t)4 << 20);
	buf_init(&out, EVENT_BYTES_MAX);
	if (event_decode(data, size, 7, &mem, &ev) == 0) {
		event_encode(&ev, &out);
		FUZZ_HOLDS(out.rc == 0 && out.len == size && memcmp(out.data, data, size) == 0);
	}
	buf_release(&out);
	arena_release(&mem);
	return 0;
}
