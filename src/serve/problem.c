/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_S 1

/* clang-format off */
const struct problem problem_table[] = {
	{"invalid_json", 400, "The body is not JSON",
	 "The text could not be parsed. The detail names line and column. Send UTF-8 without a byte order mark, at most 32 levels deep."},
	{"duplicate_field", 400, "A field appears twice",
	 "An object names the same member more than once, so it is unclear which one is meant. Send it once."},
	{"unknown_field", 422, "A field is not known",
	 "The pointer names a member that this request does not have. It may be misspelt, or belong to another route."},
	{"fixed_field", 422, "A field cannot be changed",
	 "The pointer names a member that is set when the experiment is created. Create another experiment for another value."},
	{"missing_field", 422, "A field is missing",
	 "The pointer names a member that this request needs."},
	{"wrong_type", 422, "A field has the wrong type",
	 "The pointer names the member; the detail says what it must be."},
	{"out_of_range", 422, "A value is out of range",
	 "The pointer names the member; the detail says the range."},
	{"invalid_id", 422, "An id is not valid",
	 "Ids are 1 to 128 of A-Z a-z 0-9 . _ : -"},
	{"reserved_id", 422, "The id is reserved",
	 "Ids that begin with d: are made by the engine. Choose another form for your own."},
	{"too_many", 422, "A limit was reached",
	 "The detail names the limit. Limits are listed in the manual."},
	{"bad_parameter", 400, "A query parameter is not valid",
	 "The pointer names the parameter; the detail says what it must be."},
	{"bad_cursor", 400, "The cursor is not valid",
	 "Use the cursor of the last answer as it was, or none to start again."},
	{"bad_framing", 400, "The request is not sound HTTP",
	 "Headers that contradict each other are refused, because a proxy might read them otherwise."},
	{"unauthorised", 401, "A token is needed",
	 "Send Authorization: Bearer with a token that is valid now."},
	{"forbidden", 403, "The token does not allow this",
	 "The route needs a scope that the token lacks."},
	{"unknown_route", 404, "There is nothing here",
	 "No route has this path. GET /openapi.json lists them all."},
	{"unknown_experiment", 404, "No such experiment",
	 "Create it with PUT /v1/experiments/{e}, or look at the list."},
	{"unknown_arm", 422, "No such arm",
	 "The pointer names the id. GET .../arms lists the arms."},
	{"unknown_group", 422, "No such group",
	 "The experiment takes only the groups that it was created with (auto_groups: false)."},
	{"group_not_found", 404, "No such group",
	 "A group is there from the first decision that names it until it is removed. GET .../stats lists them."},
	{"arm_not_found", 404, "No such arm",
	 "GET .../arms lists the arms."},
	{"unknown_decision", 404, "No such decision",
	 "The id was never given out by this experiment. Ids made by the engine carry a check, so a truncated one is noticed."},
	{"no_plan", 404, "The policy makes no plan", "Only recovering does."},
	{"no_king", 409, "There is no king", "No arm has passed its test yet, so none can be tested again."},
	{"unknown_policy", 422, "No such policy",
	 "GET /v1/policies lists the policies and their parameters."},
	{"unsupported_feedback", 422, "This policy does not take such feedback",
	 "One arm per decision takes a reward, a slate rewards by arm, a forecast a label."},
	{"not_supported", 422, "The policy cannot do that",
	 "GET /v1/policies says what each policy can do; the pointer names the field that asks for more."},
	{"method_not_allowed", 405, "The method does not fit",
	 "The header Allow lists the methods of this path."},
	{"unknown_method", 501, "The method is not known", "Use GET, HEAD, PUT, POST, PATCH or DELETE."},
	{"not_acceptable", 406, "No form of the answer is acceptable",
	 "The header Accept excludes everything this route can send."},
	{"unsupported_media_type", 415, "The media type does not fit",
	 "Send application/json; decisions and rewards also as application/x-ndjson, changes as application/merge-patch+json; never compressed."},
	{"experiment_exists", 409, "The experiment exists with another body",
	 "Names are unique. Change settings by PATCH, or choose another name."},
	{"decision_conflict", 409, "The id was used with another body",
	 "A retry must send what it sent before. Another decision needs another id."},
	{"key_conflict", 409, "The key was used with another body",
	 "A retry must send what it sent before. Another reward needs another key."},
	{"arm_exists", 409, "The arm exists",
	 "Ids of arms are unique within an experiment, retired ones included."},
	{"arm_retired", 409, "The arm is retired", "A retired arm stays retired. Add it under another id."},
	{"experiment_paused", 409, "The experiment is paused",
	 "It decides again when its state is set to running. Rewards are taken meanwhile."},
	{"experiment_archived", 409, "The experiment is archived", "It can be read, and not changed."},
	{"no_eligible_arm", 422, "No arm is left to choose from",
	 "The experiment has no active arm, or eligible and exclude leave none. The engine never guesses."},
	{"decision_void", 409, "The decision was made void", "It was not shown, so nothing can be learnt from it."},
	{"decision_not_deferred", 409, "The decision was not deferred",
	 "Only a decision made with \"defer\": true is activated."},
	{"decision_closed", 409, "The decision is closed",
	 "It was learnt from, or its window has closed."},
	{"events_pruned", 410, "The events are gone",
	 "The log was pruned. The detail names the seq at which it begins; without after it is read from there."},
	{"precondition_failed", 412, "The experiment has changed",
	 "If-Match names another revision. Read it again, then decide."},
	{"body_too_large", 413, "The body is too large", "The detail names the limit. Split the batch."},
	{"rate_limited", 429, "Too many requests", "Slow down; Retry-After says when to come again."},
	{"overloaded", 503, "The daemon is busy", "The queue to the disk is full. Retry with the same id or key."},
	{"storage_full", 503, "The disk is nearly full",
	 "Nothing is written until there is room; reads go on. It heals by itself."},
	{"storage_failed", 503, "The store failed",
	 "A commit failed, so nothing more is acknowledged until the daemon is started again and has recovered. Retry then, with the same id or key."},
	{"draining", 503, "The daemon is stopping", "Retry with the same id or key."},
	{"out_of_memory", 503, "Out of memory", "Retry later with the same id or key."},
	{"internal", 500, "An error of ours", "The log has a line with the request id."},
	{NULL, 0, NULL, NULL},
};
/* clang-format on */

const struct problem *problem_find(const char *code)
{
	const struct problem *p = problem_table;

	while (p->code && (!code || strcmp(p->code, code) != 0)) {
		p++;
	}
	return p->code ? p : p - 1;
}

/* Cuts a text off where it is no longer UTF-8: it may quote what a client sent, shortened. */
static void keep_utf8(char *text)
{
	size_t n = strlen(text);
	json_t *s;

	while (n && !(s = json_stringn(text, n))) {
		n--;
	}
	if (n) {
		json_decref(s);
	}
	text[n] = '\0';
}

json_t *problem_json(const struct errinfo *err, const char *request_id)
{
	const struct problem *p = problem_find(err->code);
	struct errinfo clean = *err;
	char type[64];
	json_t *o;

	keep_utf8(clean.text);
	keep_utf8(clean.pointer);
	snprintf(type, sizeof(type), "/problems/%s", p->code);
	o = json_pack("{ss ss si ss ss}", "type", type, "title", p->title, "status", p->status,
	    "detail", clean.text[0] ? clean.text : p->title, "code", p->code);
	if (o && clean.pointer[0]) {
		json_object_set_new(o, "pointer", json_string(clean.pointer));
	}
	if (o && request_id) {
		json_object_set_new(o, "request_id", json_string(request_id));
	}
	return o;
}

void problem_reply(const struct errinfo *err, const char *request_id, struct http_response *rs)
{
	const struct problem *p = problem_find(err->code);
	json_t *o = problem_json(err, request_id);

	rs->status = p->status;
	rs->content_type = "application/problem+json";
	rs->body = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
	json_decref(o);
	if (!rs->body) { /* no memory for an explanation: the status alone */
		rs->content_type = NULL;
	}
	rs->body_len = rs->body ? strlen(rs->body) : 0;
	if (p->status == 503 || p->status == 429) {
		http_response_header(rs, "Retry-After", "%d", RETRY_AFTER_S);
	}
}

bool problem_page(const char *code, struct http_response *rs)
{
	const struct problem *p = problem_find(code);
	struct buf page;

	if (strcmp(p->code, code) != 0) {
		return false;
	}
	buf_init(&page, 4096);
	buf_printf(&page, "%s (%d)\n\n%s\n\n%s\n", p->code, p->status, p->title, p->help);
	rs->status = 200;
	rs->content_type = "text/plain; charset=utf-8";
	rs->body = (char *)buf_take(&page, &rs->body_len);
	return true;
}
