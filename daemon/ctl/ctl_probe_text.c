/* See ctl/ctl_probe.h: a probe for people. Nothing is printed here that did not go through the
 * masking.
 */
#include "ctl/ctl_probe.h"

#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_remove.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "base/secret_name.h"
#include "mask.h"
#include "cursor_text.h"
#include "net/outcome.h"
#include "pipeline/selection.h"

/* Headers of a response that tell something about the response, the rate limit or the cursor. */
static const char *const answer_headers[] = {"Content-Type", "Content-Encoding", "Date",
	"Retry-After", "Link", "Location", "WWW-Authenticate", NULL};

static void print_time(const char *before, nsec_t time, const char *after)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	cursor_describe_time(time, &text);
	printf("%s%s%s", before, buf_text(&text), after);
}

void probe_show_cursor(const struct probe *probe)
{
	const struct request_values *request = poll_request(probe->poll);
	size_t n_gaps;
	const struct poll_gap *gaps = poll_gaps(probe->poll, &n_gaps);
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	printf("source %s (%s), provider %s\n", probe->source->name, probe->source->location,
		probe->source->options.provider);
	cursor_describe(poll_cursor(probe->poll), 2, &text);
	if (probe->early)
		puts("Nothing is due yet; showing the most recent minute that the API can return.");
	else if (probe->has_cursor)
		printf("Continuing from the saved cursor:\n%s", buf_text(&text));
	else
		printf("No saved cursor: starting from start = %s\n", probe->source->options.start);
	if (request->end_time != NSEC_NONE) {
		print_time("  window          ", request->start_time, " to ");
		print_time("", request->end_time, "\n");
	}
	for (size_t i = 0; i < n_gaps; i++) {
		print_time("  gap             ", gaps[i].span.start_time, " to ");
		print_time("", gaps[i].span.end_time, "");
		printf(" (%s)\n", gap_reason_to_string(gaps[i].reason));
	}
}

/* --- the request --- */

static bool is_plain(const char *name)
{
	size_t size = strlen(name);
	return strcasecmp(name, "Host") == 0 ||
	       (size > 5 && strcasecmp(name + size - 5, "-Date") == 0) ||
	       (size > 3 && strcasecmp(name + size - 3, "-Id") == 0);
}

static bool is_masked(const struct probe *probe, const char *name)
{
	for (size_t i = 0; i < probe->masked.n_items; i++)
		if (strcasecmp(probe->masked.items[i], name) == 0)
			return true;
	return secret_is_named_by(slice_of(name));
}

static void print_header(const char *name, const char *value, bool masked)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	mask_plain(slice_of(name), &text);
	buf_append_text(&text, ": ");
	if (masked)
		buf_append_text(&text, "***");
	else
		mask_url(slice_of(value), &text);
	printf("  %s\n", buf_text(&text));
}

/* Query parameters that hold a secret parameter: masked by their name, whatever it is. */
static void mask_parameters(const struct probe *probe, struct buf *url)
{
	for (size_t i = 0; i < probe->masked.n_items; i++) {
		const char *name = probe->masked.items[i];
		size_t size = strlen(name);
		for (size_t at = 1; at + size < url->size; at++) {
			const char *text = url->data + at;
			if (!strchr("?&", text[-1]) || strncmp(text, name, size) != 0 ||
				text[size] != '=')
				continue;
			struct buf masked = BUF_NULL;
			const char *value = text + size + 1;
			buf_append(&masked, url->data, (size_t)(value - url->data));
			buf_append_text(&masked, "***");
			buf_append_text(&masked, value + strcspn(value, "&#"));
			buf_deinit(url);
			*url = masked;
		}
	}
}

void probe_mask_url(const struct probe *probe, const char *url, struct buf *out)
{
	mask_url(slice_of(url), out);
	mask_parameters(probe, out);
}

static void print_body(struct slice body)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	mask_body(body, &text);
	bool cut = text.size > PROBE_TEXT;
	printf("  body, %zu bytes: %.*s%s\n", body.size, cut ? PROBE_TEXT : (int)text.size,
		buf_text(&text), cut ? " ..." : "");
}

void probe_show_request(const struct probe *probe, const struct http_message *message)
{
	struct buf url CLEANUP(buf_deinit) = BUF_NULL;
	const struct http_headers *headers = &message->headers;
	probe_mask_url(probe, message->url, &url);
	printf("\n%s\n  %s %s\n",
		probe->proving    ? "request for a token"
		: probe->fetching ? "request for a document"
				  : "request",
		message->method, buf_text(&url));
	for (size_t i = 0; i < headers->n_items; i++) {
		const char *name = headers->items[i].name;
		bool proof = !probe->proving && i >= probe->n_own_headers && !is_plain(name);
		print_header(name, headers->items[i].value, proof || is_masked(probe, name));
	}
	if (message->has_body)
		print_body(buf_slice(&message->body));
}

/* --- the response --- */

static bool is_shown(const struct probe *probe, const char *name)
{
	const struct definition *definition = probe->source->definition;
	size_t size = strlen(name);
	for (size_t i = 0; answer_headers[i]; i++)
		if (strcasecmp(answer_headers[i], name) == 0)
			return true;
	if (strcasestr(name, "ratelimit") || strcasestr(name, "rate-limit") ||
		(size >= 10 && strcasecmp(name + size - 10, "request-id") == 0))
		return true;
	const struct cursor_definition *cursors[] = {
		&definition->page_cursor, &definition->resume_cursor};
	for (size_t i = 0; i < 2; i++)
		if (cursors[i]->header && strcasecmp(cursors[i]->header, name) == 0)
			return true;
	return false;
}

void probe_show_answer(const struct probe *probe, const struct http_response *response)
{
	struct buf elapsed CLEANUP(buf_deinit) = BUF_NULL;
	timestamp_print_duration(
		response->elapsed_ns - response->elapsed_ns % NSEC_PER_MSEC, &elapsed);
	const char *after =
		response->elapsed_ns < NSEC_PER_MSEC ? "less than 1ms" : buf_text(&elapsed);
	if (response->status == 0) {
		printf("\nno response after %s\n", after);
		return;
	}
	printf("\nresponse: status %d, %zu bytes", response->status, response->body.size);
	if (response->wire_size != response->body.size)
		printf(" (%llu on the wire)", (unsigned long long)response->wire_size);
	printf(", after %s\n", after);
	for (size_t i = 0; i < response->headers.n_items; i++) {
		const struct http_header *header = &response->headers.items[i];
		if (is_shown(probe, header->name))
			print_header(header->name, header->value, is_masked(probe, header->name));
	}
}

/* --- what is made of it --- */

static void print_record(struct slice text)
{
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	struct buf masked CLEANUP(buf_deinit) = BUF_NULL;
	json_minify(text, &line);
	mask_plain(buf_slice(&line), &masked);
	printf("  %s\n", buf_text(&masked));
}

static void print_more(size_t n, size_t n_shown)
{
	if (n > n_shown)
		printf("  ... and %zu more\n", n - n_shown);
}

static void print_some(const struct probe *probe, const struct records *records)
{
	size_t n = records->n_items;
	for (size_t i = 0; i < n && i < probe->limit; i++)
		print_record(records->items[i].text);
	print_more(n, probe->limit);
}

/* The rows of the one document that was fetched. */
static void print_document(const struct probe *probe)
{
	struct buf label CLEANUP(buf_deinit) = BUF_NULL;
	if (!probe->source->definition->fetches)
		return;
	if (!probe->document) {
		puts("\nNo document had to be fetched.");
		return;
	}
	mask_plain(slice_of(probe->document), &label);
	if (probe->gone) {
		printf("\ndocument %s is listed, but it is no longer there: its records would be a gap\n",
			buf_text(&label));
		return;
	}
	printf("\ndocument %s: %s%zu record%s\n", buf_text(&label), probe->cut ? "more than " : "",
		probe->records.n_items, str_plural(probe->records.n_items));
	print_some(probe, &probe->records);
}

static void print_records(const struct probe *probe)
{
	const struct definition *definition = probe->source->definition;
	const struct records *records = definition->fetches ? &probe->listed : &probe->records;
	size_t n = records->n_items;
	printf("\n%s: %zu of %zu in the response (%zu excluded, %zu duplicate%s)\n",
		definition->fetches ? "new documents" : "new records", n, probe->page.n_elements,
		probe->page.n_excluded, probe->n_known, str_plural(probe->n_known));
	print_some(probe, records);
	if (probe->page.n_without_id)
		printf("records without the ID that the definition names: %zu (identified by a digest of their text)\n",
			probe->page.n_without_id);
	if (probe->page.n_without_time)
		printf("records without a readable time: %zu\n", probe->page.n_without_time);
	size_t n_excluded =
		probe->page.n_excluded < PAGE_EXCLUDED ? probe->page.n_excluded : PAGE_EXCLUDED;
	if (n_excluded)
		puts("\nexcluded by the definition, no sink gets these:");
	for (size_t i = 0; i < n_excluded; i++)
		print_record(probe->page.excluded[i]);
	print_more(probe->page.n_excluded, n_excluded);
}

/* What a sink would make of the records. */
struct sink_view {
	struct selection *selection;
	struct json_remove *remove;
};

static void sink_view_deinit(struct sink_view *view)
{
	selection_free(view->selection);
	json_remove_free(view->remove);
}

static bool sink_view_init(struct sink_view *view, const struct sink_common_options *common)
{
	struct fault fault = FAULT_NULL;
	return selection_new(&view->selection, &common->include, &common->exclude, &fault) == 0 &&
	       json_remove_new(&view->remove, &common->remove, &fault) == 0;
}

static void print_wanted(const struct probe *probe, const struct setup_sink *sink)
{
	struct sink_view view CLEANUP(sink_view_deinit) = {0};
	size_t n = 0;
	if (sink_view_init(&view, &sink->common))
		for (size_t i = 0; i < probe->records.n_items; i++)
			n += selection_wants(view.selection, probe->records.items[i].text);
	printf(" %s would get %zu", sink->name, n);
}

/* The records of which a sink gets a part only, as it gets them. */
static void print_cut(const struct probe *probe, const struct setup_sink *sink)
{
	struct sink_view view CLEANUP(sink_view_deinit) = {0};
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	size_t n = 0;
	if (sink->common.remove.n_items == 0 || !sink_view_init(&view, &sink->common))
		return;
	for (size_t i = 0; i < probe->records.n_items; i++) {
		struct slice record = probe->records.items[i].text;
		buf_clear(&text);
		if (!selection_wants(view.selection, record) ||
			!json_remove_run(view.remove, record, &text))
			continue;
		if (n == 0)
			printf("\nwithout what %s removes:\n", sink->name);
		if (n++ < probe->limit)
			print_record(buf_slice(&text));
	}
	print_more(n, probe->limit);
}

static void print_sinks(const struct probe *probe)
{
	struct str_list names CLEANUP(str_list_deinit) = STR_LIST_NULL;
	setup_route(probe->setup, probe->source, &names);
	printf("\nsinks:");
	for (size_t i = 0; i < names.n_items; i++) {
		const struct setup_sink *sink = setup_find_sink(probe->setup, names.items[i]);
		if (sink) {
			fputs(i ? "," : "", stdout);
			print_wanted(probe, sink);
		}
	}
	putchar('\n');
	for (size_t i = 0; i < names.n_items; i++) {
		const struct setup_sink *sink = setup_find_sink(probe->setup, names.items[i]);
		if (sink)
			print_cut(probe, sink);
	}
}

static void print_kept(const struct probe *probe)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (!probe->kept) {
		printf("\nThe cursor would not change%s.\n",
			probe->early ? ": the source itself would not make this request"
			: probe->verdict == POLL_AGAIN
				? ": the response does not contain the entire window, which would be requested again in halves"
				: " until the last page of the window has been read");
		return;
	}
	cursor_describe(poll_cursor(probe->poll), 2, &text);
	printf("\nThe cursor that would be stored with these records:\n%s", buf_text(&text));
}

void probe_show_page(const struct probe *probe)
{
	print_records(probe);
	print_document(probe);
	print_sinks(probe);
	print_kept(probe);
	if (!probe->early)
		puts(probe->verdict == POLL_CAUGHT_UP
				? "No more pages: trawld would now wait for the poll interval."
				: "More pages follow: trawld would request the next one at once.");
}
