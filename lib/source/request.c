/* See request.h. */
#include "source/request.h"

#include "base/cleanup.h"

int request_cursor(struct poll *poll, const char *text, struct fault *reterr)
{
	const struct source *source = poll_source(poll);
	struct cursor cursor CLEANUP(cursor_deinit) = CURSOR_NULL;
	if (text && cursor_parse(&cursor, text))
		return fault_set(reterr, FAULT_STORE,
			"the state of source %s cannot be read: it was written by another version or is damaged",
			source->name);
	if (!text) {
		timestamp_parse_point(
			slice_of(source->options.start), clock_wall(), &cursor.started_time);
		cursor.exact = true;
	}
	poll_set_cursor(poll, &cursor);
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
	const struct source *source = poll_source(poll);
	const char *link = poll_link(poll);
	int r = link ? source_may_request(source, link, reterr) : 0;
	if (r) {
		/* a stored link to another origin is as good as lost */
		if (reterr && source->definition->n_errors_lost)
			reterr->status = source->definition->errors_lost[0];
		return r;
	}
	return source_request(source, poll_request(poll), link, ret, reterr);
}

/* Some APIs have no page after the last one. */
static bool has_no_page(const struct poll *poll, const struct fault *fault)
{
	return poll_is_probing(poll) && !fault->decided &&
	       (fault->status == 404 || fault->status == 416);
}

int request_read(const struct poll *poll, struct http_response *response, const char *url,
	nsec_t now_time, struct page *page, struct fault *reterr)
{
	int r = page_outcome(poll_source(poll), response, now_time, reterr);
	if (r && has_no_page(poll, reterr)) {
		*reterr = FAULT_NULL;
		page_empty(page, response);
		return 0;
	}
	return r ? r
		 : page_read(page, poll_source(poll), response, url, poll_cursor(poll)->newest_time,
			   reterr);
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
	const struct definition *definition = poll_source(poll)->definition;
	if (fault->decided)
		return;
	if (stored && definition_lists_status(
			      definition->errors_lost, definition->n_errors_lost, fault->status))
		fault->class = FAULT_LOST;
	else if (definition_lists_status(
			 definition->errors_auth, definition->n_errors_auth, fault->status))
		fault->class = FAULT_AUTH;
}
