/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pending.h"

size_t pending_bytes(const struct pending *p)
{
	return offsetof(struct pending, done) + (p->npicks + 7) / 8;
}

void pending_start(struct pending *p, const struct event_decision *d)
{
	*p = (struct pending){.flags = d->flags & DECISION_DEFER ? PENDING_DEFERRED : 0};
	if (d->flags & DECISION_SLATE) {
		p->npicks = (uint32_t)d->npicks;
		p->flags |= d->npicks ? 0 : PENDING_EMPTY;
	}
}

bool pending_is_done(const struct pending *p, uint32_t index)
{
	return p->done[index / 8] & (1 << (index % 8));
}

static void apply_slate(struct pending *p, const struct event_feedback *f)
{
	for (size_t i = 0; i < f->narms; i++) {
		const struct feedback_arm *a = &f->arms[i];

		if (a->flags & FEEDBACK_LEARN) {
			p->done[a->index / 8] |= (uint8_t)(1 << (a->index % 8));
		}
		p->flags |= a->flags & FEEDBACK_LOST ? PENDING_LOST : 0;
	}
	p->flags |= f->flags & FEEDBACK_CLOSE ? PENDING_LEARNT : 0;
}

void pending_apply(struct pending *p, const struct event *ev)
{
	const struct event_feedback *f = &ev->feedback;

	switch (ev->kind) {
	case EVENT_REWARD:
		if (f->status == FEEDBACK_PENDING && !(f->flags & FEEDBACK_SLATE)) {
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
	if (f->flags & FEEDBACK_SLATE) {
		apply_slate(p, f);
	}
	p->flags |= f->flags & FEEDBACK_LEARN ? PENDING_LEARNT : 0;
	p->flags |= f->flags & FEEDBACK_LOST ? PENDING_LOST : 0;
}

bool pending_is_open(const struct pending *p)
{
	return !(p->flags & (PENDING_VOID | PENDING_LEARNT | PENDING_EXPIRED | PENDING_EMPTY));
}
