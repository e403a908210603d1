/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/features.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define NAME_MAX_BYTES 512

int features_init(struct features *f, size_t dim)
{
	*f = (struct features){.dim = dim};
	if (dim) {
		f->x = calloc(dim, sizeof(*f->x));
	}
	return dim && !f->x ? RC_MEMORY : 0;
}

void features_release(struct features *f)
{
	free(f->x);
}

void features_clear(struct features *f)
{
	if (f->dim) {
		memset(f->x, 0, f->dim * sizeof(*f->x));
	}
}

void features_add(struct features *f, const char *space, size_t nspace, const char *name,
    size_t nname, double value)
{
	static const unsigned char key[HASH_KEY_BYTES] = "eval/features"; /* the same for ever */
	char text[NAME_MAX_BYTES];
	uint64_t h;
	double v;

	if (f->dim == 0) {
		return;
	}
	nspace = nspace < NAME_MAX_BYTES ? nspace : NAME_MAX_BYTES - 1;
	nname = nname < NAME_MAX_BYTES - 1 - nspace ? nname : NAME_MAX_BYTES - 1 - nspace;
	memcpy(text, space, nspace);
	text[nspace] = '^';
	memcpy(text + nspace + 1, name, nname);
	h = hash_keyed(key, text, nspace + 1 + nname);
	v = f->x[(h >> 1) % f->dim] + (h & 1 ? value : -value);
	if (isfinite(v)) {
		f->x[(h >> 1) % f->dim] = v;
	}
}

void features_give(const struct features *f, struct round *ret)
{
	ret->x = f->x;
	ret->dim = f->dim;
}
