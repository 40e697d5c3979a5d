/* See ask.h. */
#include "source/ask.h"

int ask_place(
	const struct source *source, const char *text, struct place *ret, struct fault *reterr)
{
	struct place place = PLACE_NULL;
	if (text && place_parse(&place, text))
		return fault_set(reterr, FAULT_STORE,
			"the state of source %s cannot be read: it was written by another "
			"version or is damaged",
			source->name);
	if (!text) {
		timestamp_parse_point(
			slice_of(source->options.start), clock_wall(), &place.started_time);
		place.exact = true;
	}
	*ret = place;
	return 0;
}

bool ask_gathers(const struct source *source)
{
	const struct definition *definition = source->definition;
	return definition->records.order == ORDER_UNORDERED || definition->resume.newest ||
	       definition->fetches;
}

int ask_write(const struct poll *poll, struct http_message *ret, struct fault *reterr)
{
	const struct source *source = poll->source;
	int r = poll->link ? source_may_ask(source, poll->link, reterr) : 0;
	if (r) {
		/* a stored link to another origin is as good as lost */
		if (reterr && source->definition->n_errors_lost)
			reterr->status = source->definition->errors_lost[0];
		return r;
	}
	return source_request(source, &poll->ask, poll->link, ret, reterr);
}

/* Some APIs have no page after the last one. */
static bool has_no_page(const struct poll *poll, const struct fault *fault)
{
	return poll->probing && !fault->passing && (fault->status == 404 || fault->status == 416);
}

int ask_read(const struct poll *poll, struct http_response *response, const char *url,
	nsec_t now_time, struct page *page, struct fault *reterr)
{
	int r = page_outcome(poll->source, response, now_time, reterr);
	if (r && has_no_page(poll, reterr)) {
		*reterr = FAULT_NULL;
		page_empty(page, response);
		return 0;
	}
	return r ? r
		 : page_read(page, poll->source, response, url, poll->place.newest_time, reterr);
}

bool ask_skew(const struct http_response *response, nsec_t *ret_skew_ns)
{
	if (response->server_time == NSEC_NONE)
		return false;
	nsec_t skew = response->server_time - clock_wall();
	bool large = skew > 2 * NSEC_PER_SEC || skew < -2 * NSEC_PER_SEC - response->elapsed_ns;
	*ret_skew_ns = large ? skew : 0;
	return true;
}

void ask_classify(const struct poll *poll, bool stored, struct fault *fault)
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
