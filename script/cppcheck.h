/* SPDX-License-Identifier: Apache-2.0 */
/* For cppcheck alone, which does not read the system's headers: what loops of utlist.h do. */
#define DL_FOREACH(head, el) for (el = head; el; el = el->next)
#define DL_FOREACH_SAFE(head, el, tmp) for (el = head; el && (tmp = el->next, 1); el = tmp)
#define LL_FOREACH(head, el) for (el = head; el; el = el->next)
