/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/round_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scratch.h"

#define BUFFER_BYTES ((size_t)256 << 10)

/* Then follow the features and the eligible arms. */
struct head {
	uint64_t index, at_us;
	double propensity, reward, weight;
	uint32_t position, arm, neligible, dim;
};

struct round_file {
	FILE *f;
	double *x;
	uint32_t *eligible;
	size_t x_cap, eligible_cap;
};

static int failed(struct errinfo *err)
{
	return err_set(err, RC_IO, "temporary_file", "",
	    "the rounds cannot be kept in an unnamed file of TMPDIR or /var/tmp: %s",
	    strerror(errno));
}

int round_file_new(struct round_file **ret, struct errinfo *err)
{
	struct round_file *r = calloc(1, sizeof(*r));

	if (!r) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	r->f = scratch_file();
	if (!r->f) {
		free(r);
		return failed(err);
	}
	setvbuf(r->f, NULL, _IOFBF, BUFFER_BYTES);
	*ret = r;
	return 0;
}

void round_file_free(struct round_file *f)
{
	if (f) {
		fclose(f->f);
		free(f->x);
		free(f->eligible);
		free(f);
	}
}

static bool put(struct round_file *f, const void *data, size_t size, size_t n)
{
	return n == 0 || fwrite(data, size, n, f->f) == n;
}

int round_file_add(struct round_file *f, const struct round *round, struct errinfo *err)
{
	const struct head h = {.index = round->index,
	    .at_us = round->at_us,
	    .propensity = round->propensity,
	    .reward = round->reward,
	    .weight = round->weight,
	    .position = round->position,
	    .arm = round->arm,
	    .neligible = (uint32_t)round->neligible,
	    .dim = (uint32_t)round->dim};
	bool ok = put(f, &h, sizeof(h), 1) && put(f, round->x, sizeof(*round->x), round->dim) &&
		  put(f, round->eligible, sizeof(*round->eligible), round->neligible);

	return ok ? 0 : failed(err);
}

int round_file_rewind(struct round_file *f, struct errinfo *err)
{
	return fflush(f->f) == 0 && fseek(f->f, 0, SEEK_SET) == 0 ? 0 : failed(err);
}

static int get(
    struct round_file *f, void **buffer, size_t *cap, size_t size, size_t n, struct errinfo *err)
{
	void *grown = n > *cap ? realloc(*buffer, n * size) : *buffer;

	if (n > *cap && !grown) {
		return err_set(err, RC_MEMORY, "out_of_memory", "", "out of memory");
	}
	*cap = n > *cap ? n : *cap;
	*buffer = grown;
	return n == 0 || fread(grown, size, n, f->f) == n ? 0 : failed(err);
}

int round_file_next(struct round_file *f, struct round *ret, struct errinfo *err)
{
	void *x = f->x, *eligible = f->eligible;
	struct head h;
	int rc;

	if (fread(&h, sizeof(h), 1, f->f) != 1) {
		return ferror(f->f) ? failed(err) : 0;
	}
	rc = get(f, &x, &f->x_cap, sizeof(*f->x), h.dim, err);
	f->x = x;
	rc = rc ? rc : get(f, &eligible, &f->eligible_cap, sizeof(*f->eligible), h.neligible, err);
	f->eligible = eligible;
	*ret = (struct round){.index = h.index,
	    .at_us = h.at_us,
	    .position = h.position,
	    .arm = h.arm,
	    .propensity = h.propensity,
	    .reward = h.reward,
	    .eligible = f->eligible,
	    .neligible = h.neligible,
	    .x = f->x,
	    .dim = h.dim,
	    .weight = h.weight,
	    .has_reward = true};
	return rc ? rc : 1;
}
