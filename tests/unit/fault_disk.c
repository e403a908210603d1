/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fault_disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fault.h"

#define SECTOR 512

pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
struct vfile fault_files[FAULT_FILES];
static uint64_t calls[FAULT_OPS], all_calls, fail_at[FAULT_OPS], cut_at, random_state;
static bool happened, cut;

static void *need(void *p)
{
	if (!p) {
		abort();
	}
	return p;
}

static uint64_t draw(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* ---- images ---- */

static void image_resize(struct image *m, size_t len)
{
	if (len > m->cap) {
		m->cap = len * 2;
		m->data = need(__real_realloc(m->data, m->cap));
	}
	if (len > m->len) {
		memset(m->data + m->len, 0, len - m->len);
	}
	m->len = len;
}

static void image_write(struct image *m, size_t at, const void *p, size_t n)
{
	if (at + n > m->len) {
		image_resize(m, at + n);
	}
	memcpy(m->data + at, p, n);
}

static void change_add(struct vfile *f, bool truncate, size_t at, const void *p, size_t n)
{
	struct change *c = need(__real_malloc(sizeof(*c) + n));

	*c = (struct change){.truncate = truncate, .at = at, .len = n};
	if (n) {
		memcpy(c->bytes, p, n);
	}
	*f->end = c;
	f->end = &c->next;
}

static void change_apply(struct vfile *f, const struct change *c)
{
	if (c->truncate) {
		image_resize(&f->disk, c->at);
	} else {
		image_write(&f->disk, c->at, c->bytes, c->len);
	}
}

/* Some of the sectors a write touches. */
static void change_tear(struct vfile *f, const struct change *c)
{
	for (size_t done = 0; done < c->len;) {
		size_t n = SECTOR - (c->at + done) % SECTOR;

		n = n < c->len - done ? n : c->len - done;
		if (draw() % 2) {
			image_write(&f->disk, c->at + done, c->bytes + done, n);
		}
		done += n;
	}
}

/* mode 0: all are dropped, 1: all are kept, 2 and 3: each has its own fate. */
static void changes_settle(struct vfile *f, unsigned mode)
{
	while (f->first) {
		struct change *c = f->first;
		unsigned fate = mode < 2 ? mode : (unsigned)(draw() % 3);

		f->first = c->next;
		if (fate == 1) {
			change_apply(f, c);
		} else if (fate == 2 && !c->truncate) {
			change_tear(f, c);
		}
		free(c);
	}
	f->end = &f->first;
}

void fault_forget(struct vfile *f)
{
	changes_settle(f, 0);
	free(f->now.data);
	free(f->disk.data);
	for (int i = 0; i < FAULT_REGIONS; i++) {
		free(f->region[i]);
	}
	*f = (struct vfile){.end = &f->first};
}

struct vfile *fault_find(const char *name)
{
	for (int i = 0; i < FAULT_FILES; i++) {
		if (strcmp(fault_files[i].name, name) == 0 && !fault_files[i].deleted) {
			return &fault_files[i];
		}
	}
	return NULL;
}

/* A name that is on its way out makes way. */
struct vfile *fault_create(const char *name)
{
	for (int i = 0; i < FAULT_FILES; i++) {
		if (fault_files[i].deleted && strcmp(fault_files[i].name, name) == 0) {
			fault_forget(&fault_files[i]);
		}
	}
	for (int i = 0; i < FAULT_FILES; i++) {
		if (!fault_files[i].name[0]) {
			fault_files[i].end = &fault_files[i].first;
			snprintf(fault_files[i].name, sizeof(fault_files[i].name), "%s", name);
			return &fault_files[i];
		}
	}
	abort();
}

/* ---- faults ---- */

/* Called with the lock. What SQLite is told. */
int fault_count(enum fault_op op, struct vfile *f)
{
	static const int error[FAULT_OPS] = {
	    SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_DELETE};

	all_calls++;
	calls[op]++;
	f->last_call = all_calls;
	if (cut_at && all_calls >= cut_at) {
		cut = true;
	}
	if (!cut && calls[op] == fail_at[op]) {
		happened = true;
		return error[op];
	}
	return cut ? SQLITE_IOERR : SQLITE_OK;
}

void fault_vfs_fail(enum fault_op op, uint64_t n)
{
	pthread_mutex_lock(&fault_lock);
	happened = false;
	fail_at[op] = n ? calls[op] + n : 0;
	pthread_mutex_unlock(&fault_lock);
}

bool fault_vfs_happened(void)
{
	return happened;
}

void fault_vfs_cut(uint64_t n)
{
	pthread_mutex_lock(&fault_lock);
	cut_at = n ? all_calls + n : 0;
	pthread_mutex_unlock(&fault_lock);
}

bool fault_vfs_is_cut(void)
{
	return cut;
}

uint64_t fault_vfs_calls(void)
{
	return all_calls;
}

uint64_t fault_vfs_last_call(const char *suffix)
{
	for (int i = 0; i < FAULT_FILES; i++) {
		size_t n = strlen(fault_files[i].name), m = strlen(suffix);

		if (n >= m && m && strcmp(fault_files[i].name + n - m, suffix) == 0) {
			return fault_files[i].last_call;
		}
	}
	return 0;
}

void fault_vfs_power_on(uint64_t seed)
{
	random_state = seed;
	for (int i = 0; i < FAULT_FILES; i++) {
		struct vfile *f = &fault_files[i];

		if (!f->name[0]) {
			continue;
		}
		changes_settle(f, (unsigned)(draw() % 4));
		if (f->deleted ? draw() % 2 : !f->on_disk && draw() % 2) {
			fault_forget(f);
			continue;
		}
		f->deleted = false;
		f->on_disk = true;
		image_resize(&f->now, 0);
		image_write(
		    &f->now, 0, f->disk.data ? f->disk.data : (unsigned char *)"", f->disk.len);
		for (int r = 0; r < FAULT_REGIONS; r++) {
			free(f->region[r]);
			f->region[r] = NULL;
		}
		memset(f->shared, 0, sizeof(f->shared));
		memset(f->exclusive, 0, sizeof(f->exclusive));
	}
	cut = false;
	cut_at = 0;
}

void fault_vfs_reset(void)
{
	for (int i = 0; i < FAULT_FILES; i++) {
		if (fault_files[i].name[0]) {
			fault_forget(&fault_files[i]);
		}
	}
	memset(fail_at, 0, sizeof(fail_at));
	cut = false;
	cut_at = 0;
}

void fault_write(struct vfile *f, size_t at, const void *p, size_t n)
{
	change_add(f, false, at, p, n);
	image_write(&f->now, at, p, n);
}

void fault_truncate(struct vfile *f, size_t len)
{
	change_add(f, true, len, NULL, 0);
	image_resize(&f->now, len);
}

void fault_sync(struct vfile *f)
{
	changes_settle(f, 1);
}

void fault_sync_directory(void)
{
	for (int i = 0; i < FAULT_FILES; i++) {
		struct vfile *f = &fault_files[i];

		f->on_disk = f->name[0] != '\0';
		if (f->deleted) {
			fault_forget(f);
		}
	}
}

bool fault_has_power(void)
{
	return !cut;
}
