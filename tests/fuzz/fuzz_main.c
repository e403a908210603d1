/* SPDX-License-Identifier: Apache-2.0 */
/* Without libFuzzer: every file of the corpus, every truncation of it, and some hundred mutations
 * of each from a fixed seed. The corpus is tests/fuzz/corpus/NAME, NAME as in fuzz_NAME. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "fuzz.h"

#define FILE_MAX ((size_t)1 << 20)
#define MUTATIONS 300
#define TRUNCATIONS 2000

static size_t read_file(const char *path, uint8_t *to)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	n = fread(to, 1, FILE_MAX, f);
	fclose(f);
	return n;
}

/* The input in a block of exactly its size, so that a sanitizer sees every byte beyond. */
static void run(const uint8_t *data, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);

	memcpy(exact, data, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

static void mutate(const uint8_t *data, size_t n, struct rng *rng)
{
	uint8_t *copy = malloc(n);

	memcpy(copy, data, n);
	for (uint64_t k = 1 + rng_below(rng, 4); k; k--) {
		copy[rng_below(rng, n)] = (uint8_t)rng_u64(rng);
	}
	run(copy, n);
	free(copy);
}

static void try_file(const char *path, size_t number)
{
	static uint8_t data[FILE_MAX];
	size_t n = read_file(path, data);
	struct rng rng = rng_at(1, number, RNG_TEST);

	run(data, n);
	for (size_t cut = 0; cut < n && cut < TRUNCATIONS; cut++) {
		run(data, cut);
	}
	for (int i = 0; n && i < MUTATIONS; i++) {
		mutate(data, n, &rng);
	}
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("SRCDIR"), *name = strstr(argv[0], "fuzz_");
	char dir[512], path[800];
	struct dirent **list;
	int n, files = 0;

	(void)argc;
	while (name && strstr(name + 5, "fuzz_")) {
		name = strstr(name + 5, "fuzz_");
	}
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".",
	    name ? name + 5 : "");
	n = scandir(dir, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
			try_file(path, (size_t)i);
			files++;
		}
		free(list[i]);
	}
	if (files == 0) {
		fprintf(stderr, "no corpus in %s\n", dir);
		return 1;
	}
	free(list);
	printf("%d files of the corpus\n", files);
	return 0;
}
