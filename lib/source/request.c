/* See request.h. */
#include "source/request.h"

int request_cursor(
	const struct source *source, const char *text, struct cursor *ret, struct fault *reterr)
{
	struct cursor cursor = CURSOR_NULL;
	if (text && cursor_parse(&cursor, text))
		return fault_set(reterr, FAULT_STORE,
			"the state of source %s cannot be read: it was written by another "
			"version or is damaged",
			source->name);
	if (!text) {
		timestamp_parse_point(
			slice_of(source->options.start), clock_wall(), &cursor.started_time);
		cursor.exact = true;
	}
	*ret = cursor;
	return 0;
}

bool request_gathers(const struct source *source)
{
	const struct definition *definition = source->definition;
	return definition->records.order == ORDER_UNORDERED || definition->resume.newest ||
	       definition->fetches;
}

int request_write(const struct poll *poll, struct http_message *ret, struct fault *reterr)
{
	const struct source *source = poll->source;
	int r = poll->link ? source_may_request(source, poll->link, reterr) : 0;
	if (r) {
		/* a stored link to another origin is as good as lost */
		if (reterr && source->definition->n_errors_lost)
			reterr->status = source->definition->errors_lost[0];
		return r;
	}
	return source_request(source, &poll->request, poll->link, ret, reterr);
}

/* Some APIs have no page after the last one. */
static bool has_no_page(const struct poll *poll, const struct fault *fault)
{
	return poll->probing && !fault->passing && (fault->status == 404 || fault->status == 416);
}

int request_read(const struct poll *poll, struct http_response *response, const char *url,
	nsec_t now_time, struct page *page, struct fault *reterr)
{
	int r = page_outcome(poll->source, response, now_time, reterr);
	if (r && has_no_page(poll, reterr)) {
		*reterr = FAULT_NULL;
		page_empty(page, response);
		return 0;
	}
	return r ? r
		 : page_read(page, poll->source, response, url, poll->cursor.newest_time, reterr);
}

bool request_skew(const struct http_response *response, nsec_t *ret_skew_ns)
{
	if (response->server_time == NSEC_NONE)
		return false;
	nsec_t skew = response->server_time - clock_wall();
	bool large = skew > 2 * NSEC_PER_SEC || skew < -2 * NSEC_PER_SEC - response->elapsed_ns;
	*ret_skew_ns = large ? skew : 0;
	return true;
}

void request_classify(const struct poll *poll, bool stored, struct fault *fault)
{
	const struct definition *definition = poll->source->definition;
	if (fault->passing)
		return;
	if (stored && definition_lists_status(
			      definition->errors_lost, definition->n_errors_lost, fault->status))
		fault->class = FAULT_LOST;
	else if (definition_lists_status(
			 definition->errors_auth, definition->n_errors_auth, fault->status))
		fault->class = FAULT_AUTH;
}
