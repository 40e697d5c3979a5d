/* What the status and the body of a response that may be an error mean. */
#include "source/page_internal.h"

#include "net/outcome.h"

/* The API's own words go to WORDS; true: it says that it will pass. */
static bool read_error(const struct source *source, struct slice body, struct buf *words)
{
	struct json_scan scan CLEANUP(json_scan_deinit) = JSON_SCAN_NULL;
	const struct definition *definition = source->definition;
	struct fault fault;
	if (!source->error_plan ||
		json_scanner_run(source->error_plan, json_skip_bom(body), &scan, &fault))
		return false;
	if (source->error_message >= 0 && !is_nothing(scan.envelope[source->error_message]))
		json_decode(scan.envelope[source->error_message], words);
	struct condition_any any = {0};
	for (size_t i = 0; i < definition->n_errors_retry; i++)
		condition_any_add(&any, &definition->errors_retry[i],
			condition_holds(&definition->errors_retry[i],
				scan.envelope[source->error_retry + (int)i]));
	return any.holds;
}

int page_outcome(const struct source *source, const struct http_response *response, nsec_t now_time,
	struct fault *reterr)
{
	struct buf words CLEANUP(buf_deinit) = BUF_NULL;
	bool passing =
		response->status >= 300 && read_error(source, buf_slice(&response->body), &words);
	int r = (int)http_outcome(
		response, words.size ? buf_slice(&words) : SLICE_NULL, now_time, reterr);
	/* an attempt with a refused credential may lock it: that is never only tried again */
	if (!passing || response->fault.class != FAULT_NONE || response->status == 401)
		return r;
	reterr->class = FAULT_SERVER;
	reterr->passing = true;
	return FAULT_SERVER;
}
