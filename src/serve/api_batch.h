/* SPDX-License-Identifier: Apache-2.0 */
/* One object, an array, or NDJSON lines: the same handler for each item, one answer per item. */
#ifndef SERVE_API_BATCH_H
#define SERVE_API_BATCH_H

#include "serve/api_impl.h"

/* One item through both halves of its work. `seen` is what the first half found. */
struct api_item_work {
	json_t *in;    /* NULL: err says why the line is not JSON */
	json_t *out;   /* the members of the single answer */
	int status;    /* the HTTP status it would have had alone */
	bool alone;    /* not one of a batch */
	bool replayed; /* the answer repeats an older one */
	struct errinfo err;
	void *bound; /* from api.mem, made by prepare */
};

struct api_batch_ops {
	/* Binds and looks up; may read the log. Holds no lock. */
	int (*prepare)(struct api_call *c, struct engine_item *it, struct api_item_work *w);
	/* Under the experiment's lock: records and renders. */
	int (*perform)(struct api_call *c, struct engine_item *it, struct api_item_work *w);
	void (*finish)(
	    struct api_call *c, struct api_item_work *w); /* gives back what prepare took */
};

/* Reads the request's body, runs every item, answers. */
int api_batch(struct api_call *c, const struct api_batch_ops *ops);

#endif
