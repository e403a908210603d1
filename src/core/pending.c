/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pending.h"

void pending_start(struct pending *p, const struct event_decision *d)
{
	*p = (struct pending){.flags = d->flags & DECISION_DEFER ? PENDING_DEFERRED : 0};
}

void pending_apply(struct pending *p, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;

	switch (ev->kind) {
	case EVENT_REWARD:
		if (f->status == FEEDBACK_PENDING) {
			p->held = f->learn;
			p->rewards++;
		}
		break;
	case EVENT_ACTIVATE:
		p->flags |= PENDING_ACTIVATED;
		break;
	case EVENT_VOID:
		p->flags |= PENDING_VOID;
		break;
	case EVENT_EXPIRY:
		p->flags |= PENDING_EXPIRED;
		break;
	default:
		return;
	}
	p->flags |= f->flags & FEEDBACK_LEARN ? PENDING_LEARNT : 0;
	p->flags |= f->flags & FEEDBACK_LOST ? PENDING_LOST : 0;
}

bool pending_is_open(const struct pending *p)
{
	return !(p->flags & (PENDING_VOID | PENDING_LEARNT | PENDING_EXPIRED));
}
