/* SPDX-License-Identifier: Apache-2.0 */
/* Groups come with the decisions that name them; here they go. */
#include "serve/api_impl.h"

int api_group_delete(struct api_call *c)
{
	struct engine_work *w = &c->a->work;
	struct engine_item *it;
	int rc = api_item(c, &it);

	if (rc) {
		return rc;
	}
	engine_begin(w, it);
	rc = engine_remove_group(w, c->param[1], c->rq->now_us, &c->err);
	api_wait(c, engine_commit(w));
	if (rc == 0) {
		c->rs->status = 204;
	}
	return rc;
}
