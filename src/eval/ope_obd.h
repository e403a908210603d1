/* SPDX-License-Identifier: Apache-2.0 */
/* A log of the Open Bandit Dataset as rounds: item_id is the arm, position the position. */
#ifndef EVAL_OPE_OBD_H
#define EVAL_OPE_OBD_H

#include "eval/ope.h"

struct ope_obd;

/* Errors of read_obd_open. */
int ope_obd_open(const char *path, struct ope_obd **ret, struct errinfo *err);
void ope_obd_close(struct ope_obd *l); /* NULL is fine */
/* Fills arg and the functions of ret but refused. */
void ope_obd_log(struct ope_obd *l, struct ope_log *ret);

#endif
