/* What the status and the body of a response that may be an error mean. */
#include "source/page_internal.h"

#include "net/outcome.h"

static bool any_holds(const struct condition *conditions, size_t n, const struct slice *values)
{
	struct condition_any any = {0};
	for (size_t i = 0; i < n; i++)
		condition_any_add(&any, &conditions[i], condition_holds(&conditions[i], values[i]));
	return any.holds;
}

/* The API's own words go to WORDS. What it says decides in place of the status: it will pass
 * (FAULT_SERVER), or the credential has expired (FAULT_AUTH); FAULT_NONE: neither. */
static enum fault_class read_error(
	const struct source *source, struct slice body, struct buf *words)
{
	struct json_scan scan CLEANUP(json_scan_deinit) = JSON_SCAN_NULL;
	const struct definition *definition = source->definition;
	struct fault fault;
	if (!source->error_plan ||
		json_scanner_run(source->error_plan, json_skip_bom(body), &scan, &fault))
		return FAULT_NONE;
	if (source->error_message >= 0 && !is_nothing(scan.envelope[source->error_message]))
		json_decode(scan.envelope[source->error_message], words);
	if (any_holds(definition->errors_expired, definition->n_errors_expired,
		    &scan.envelope[source->error_expired]))
		return FAULT_AUTH;
	return any_holds(definition->errors_retry, definition->n_errors_retry,
		       &scan.envelope[source->error_retry])
		       ? FAULT_SERVER
		       : FAULT_NONE;
}

int page_outcome(const struct source *source, const struct http_response *response, nsec_t now_time,
	struct fault *reterr)
{
	struct buf words CLEANUP(buf_deinit) = BUF_NULL;
	enum fault_class said = FAULT_NONE;
	if (response->status >= 300)
		said = read_error(source, buf_slice(&response->body), &words);
	enum fault_class class = http_outcome(
		response, words.size ? buf_slice(&words) : SLICE_NULL, now_time, reterr);
	/* retrying a refused credential may lock it: a 401 is never taken as temporary */
	if (said == FAULT_NONE || response->fault.class != FAULT_NONE || response->status == 401)
		return class == FAULT_NONE ? 0 : -1;
	reterr->class = said;
	reterr->decided = true;
	return -1;
}
