/* SPDX-License-Identifier: Apache-2.0 */
/* A tournament: the largest of one double per slot, and where it is, while any slot changes in
 * O(log n). Eight children a node; 9.2 bytes per slot reserved. */
#ifndef CORE_MAXTREE_H
#define CORE_MAXTREE_H

#include <stddef.h>

struct maxtree;

int maxtree_new(struct maxtree **ret); /* RC_MEMORY */
void maxtree_free(struct maxtree *t);  /* NULL is fine */
/* Room for `slots`, never less than before: below that no call can fail. RC_MEMORY or RC_LIMIT
 * (SLOTS_MAX), and the tree is as it was. */
int maxtree_reserve(struct maxtree *t, size_t slots);
size_t maxtree_bytes(size_t slots);    /* reserved by the above, at most */
void maxtree_clear(struct maxtree *t); /* every slot absent, in constant time */

/* The value of a reserved slot, not NaN; -inf: absent. The first use of a slot far above all
 * earlier ones also costs the distance. */
void maxtree_set(struct maxtree *t, size_t slot, double value);
double maxtree_value(const struct maxtree *t, size_t slot); /* -inf when never set */
double maxtree_max(const struct maxtree *t);                /* -inf when all are absent */
size_t maxtree_top(
    const struct maxtree *t); /* the first slot that has the maximum; one is present */

#endif
