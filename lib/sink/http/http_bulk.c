/*
 * Elasticsearch and OpenSearch: the _bulk API with `create`. The _id is made from source and record
 * ID, so a record that is sent again meets itself (409) and no document is there twice. Records
 * without an ID of their own may be equal and yet be two: theirs is the digest and the place in the
 * spool. The answer has one item for each record, in order.
 */
#include "sink/http/http_encoding.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/json_lookup.h"
#include "base/json_scanner.h"
#include "base/mem.h"
#include "base/number.h"
#include "net/outcome.h"
#include "net/url.h"

#define BULK_ID_MAX 512 /* bytes, the API's own limit */

/* The ID's own text only where it is all of the ID: the text of a compound ID, or of one with half
 * a surrogate pair, may be another one's, too. The key is never. */
static void bulk_id(const struct sink_record *record, struct buf *out)
{
	const struct batch_view *view = &record->view;
	char hex[33];
	struct id id;

	buf_append_text(out, record->batch->source);
	buf_append_char(out, ':');
	if (view->id.data && out->size + view->id.size <= BULK_ID_MAX) {
		id = digest_id(view->id);
		if (memcmp(&id, view->key, sizeof(id)) == 0) {
			buf_append_slice(out, view->id);
			return;
		}
	}
	digest_hex(view->key->bytes, sizeof(view->key->bytes), hex);
	buf_append_text(out, hex);
	if (!view->id.data)
		buf_printf(out, "-%" PRId64 "-%zu", record->batch->number, view->index);
}

static void bulk_write(const struct http_part *part, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf id = BUF_NULL;

	for (size_t i = 0; i < part->n_records; i++) {
		buf_clear(&id);
		bulk_id(&part->records[i], &id);
		buf_append_text(out, "{\"create\":{\"_id\":");
		json_encode(buf_slice(&id), out);
		buf_append_text(out, "}}\n");
		sink_record_print(&part->records[i], part->format, out);
		buf_append_char(out, '\n');
	}
}

/* Without an index in it every record would be refused, one by one. */
static void bulk_check(const struct http_options *options, const struct ini_section *section,
	struct findings *findings)
{
	const struct ini_entry *entry = ini_section_find(section, "url");
	CLEANUP_FREE char *path = NULL;
	struct url_parts parts;

	if (url_split(options->url, &parts) != 0)
		return;
	path = mem_strndup(parts.path.data, parts.path.size);
	if (entry && (!str_ends(path, "/_bulk") || strcmp(path, "/_bulk") == 0))
		findings_add_at(findings, section, "url",
			"url: encoding = elasticsearch: expected https://host:port/INDEX/_bulk");
}

/* --- the answer --- */

enum bulk_field {
	BULK_STATUS,
	BULK_TYPE,
	BULK_REASON,
	BULK_CAUSE_TYPE,
	BULK_CAUSE_REASON,
	BULK_CAUSE2_TYPE,
	BULK_CAUSE2_REASON,
	N_BULK_FIELDS
};

static const char *const bulk_fields[N_BULK_FIELDS] = {
	[BULK_STATUS] = "/create/status",
	[BULK_TYPE] = "/create/error/type",
	[BULK_REASON] = "/create/error/reason",
	[BULK_CAUSE_TYPE] = "/create/error/caused_by/type",
	[BULK_CAUSE_REASON] = "/create/error/caused_by/reason",
	[BULK_CAUSE2_TYPE] = "/create/error/caused_by/caused_by/type",
	[BULK_CAUSE2_REASON] = "/create/error/caused_by/caused_by/reason",
};

enum bulk_fate { BULK_TAKEN, BULK_LATER, BULK_REFUSED };

/* Errors of status 400 that speak of the index, whatever the record: REASON is a part of the words,
 * or NULL where the type says enough. */
static const struct {
	const char *type, *reason;
} bulk_own_troubles[] = {
	{"index_closed_exception", NULL},
	{"invalid_index_name_exception", NULL},
	{"index_not_found_exception", NULL},
	{"invalid_alias_name_exception", NULL},
	{"validation_exception", NULL}, /* the limit of shards */
	{"routing_missing_exception", NULL},
	{"illegal_argument_exception", "pipeline with id ["},
	{"illegal_argument_exception", "no write index is defined for alias ["},
	{"illegal_argument_exception", "has more than one ind"}, /* an alias */
	{"illegal_argument_exception", "maximum normal shards open"},
	{"illegal_argument_exception", "maximum shards open"},
	{"illegal_argument_exception", "number of documents in the "},
	{"illegal_argument_exception", "data stream ["},
};

static bool bulk_has(struct slice text, const char *words)
{
	return text.data && memmem(text.data, text.size, words, strlen(words));
}

static bool bulk_speaks_of_index(struct slice type, struct slice reason)
{
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;

	if (type.data)
		type = json_content(type, &scratch);
	for (size_t i = 0; i < sizeof(bulk_own_troubles) / sizeof(bulk_own_troubles[0]); i++) {
		if (slice_is(type, bulk_own_troubles[i].type) &&
			(!bulk_own_troubles[i].reason ||
				bulk_has(reason, bulk_own_troubles[i].reason)))
			return true;
	}
	return false;
}

/* 401, 403 and 404 are about the index and who may write, 403 also about a disk that is full: a
 * person or time cures them, no record is to blame. */
static enum bulk_fate bulk_fate(int64_t status, const struct slice *fields)
{
	if ((status >= 200 && status <= 299) || status == 409)
		return BULK_TAKEN;
	switch (status) {
	case 401:
	case 403:
	case 404:
	case 408:
	case 429:
		return BULK_LATER;
	case 400:
		return bulk_speaks_of_index(fields[BULK_TYPE], fields[BULK_REASON]) ? BULK_LATER
										    : BULK_REFUSED;
	default:
		return status >= 401 && status <= 499 ? BULK_REFUSED : BULK_LATER;
	}
}

/* The error, then what it was caused by: often that says which field it is. */
static void bulk_words(const struct slice *fields, int64_t status, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;

	buf_printf(out, "item status %" PRId64, status);
	for (int i = BULK_TYPE; i < N_BULK_FIELDS; i++) {
		bool causes = i == BULK_CAUSE_TYPE || i == BULK_CAUSE2_TYPE;

		if (!fields[i].data)
			continue;
		buf_append_text(out, causes ? "; caused by " : ": ");
		http_excerpt(json_content(fields[i], &scratch), 200, out);
	}
}

static int bulk_later(int64_t status, const char *words, struct fault *reterr)
{
	enum fault_class class = status == 429                    ? FAULT_THROTTLED
				 : status == 401 || status == 403 ? FAULT_AUTH
				 : status == 400 || status == 404 ? FAULT_CONFIG
								  : FAULT_SERVER;
	int r = fault_set(reterr, class, "%s", words);

	reterr->status = (int)status;
	if (class == FAULT_AUTH || class == FAULT_CONFIG)
		reterr->wait_ns = HTTP_PATIENCE;
	return r;
}

static int bulk_status(const struct http_part *part, size_t index, const struct slice *fields,
	struct fault *reterr)
{
	int64_t status;

	if (!fields[BULK_STATUS].data || number_parse(fields[BULK_STATUS], 100, 999, &status) != 0)
		return fault_set(reterr, FAULT_BODY,
			"the answer has no status for record %zu of %zu", index + 1,
			part->n_records);
	return 0;
}

static int bulk_item(
	struct http_part *part, size_t index, const struct slice *fields, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf words = BUF_NULL;
	size_t place = part->places[index];
	int64_t status;

	number_parse(fields[BULK_STATUS], 100, 999, &status);
	switch (bulk_fate(status, fields)) {
	case BULK_TAKEN:
		http_parts_take(part->parts, place);
		break;
	case BULK_LATER:
		bulk_words(fields, status, &words);
		return bulk_later(status, buf_text(&words), reterr);
	case BULK_REFUSED:
		bulk_words(fields, status, &words);
		http_parts_refuse(part->parts, place, buf_text(&words), NULL);
		break;
	}
	return 0;
}

/* An answer counts once all of it can be read. The first item that is to be sent again says why. */
static int bulk_items(struct http_part *part, const struct json_scan *scan, struct fault *reterr)
{
	int r = 0;

	for (size_t i = 0; i < part->n_records && !r; i++)
		r = bulk_status(part, i, &scan->fields[i * N_BULK_FIELDS], reterr);
	if (r)
		return r;
	for (size_t i = 0; i < part->n_records; i++) {
		struct fault fault = FAULT_NULL;
		int later = bulk_item(part, i, &scan->fields[i * N_BULK_FIELDS], &fault);

		if (later != 0 && !r) {
			r = later;
			*reterr = fault;
		}
	}
	return r;
}

static int bulk_judge(struct http_part *part, const struct json_scan *scan, struct fault *reterr)
{
	struct slice errors = scan->envelope[0];

	if (scan->array == JSON_SCAN_ARRAY_FOUND && scan->n_elements == part->n_records)
		return bulk_items(part, scan, reterr);
	/* a filter_path in the address may leave the items out where all went well */
	if (scan->array == JSON_SCAN_ARRAY_ABSENT && slice_is(errors, "false"))
		return 0;
	return fault_set(reterr, FAULT_BODY,
		"the answer does not say what became of each of %zu records", part->n_records);
}

static int bulk_read(
	struct http_part *part, const struct http_response *response, struct fault *reterr)
{
	struct pointer pointers[N_BULK_FIELDS + 2] = {0};
	const struct pointer *fields[N_BULK_FIELDS];
	const struct pointer *errors = &pointers[N_BULK_FIELDS];
	struct json_scanner_wanted wanted = {
		.records = &pointers[N_BULK_FIELDS + 1],
		.envelope = &errors,
		.n_envelope = 1,
		.fields = fields,
		.n_fields = N_BULK_FIELDS,
	};
	struct json_scan scan = JSON_SCAN_NULL;
	struct json_scanner *plan;
	int r;

	for (int i = 0; i < N_BULK_FIELDS; i++) {
		pointer_parse(&pointers[i], slice_of(bulk_fields[i]));
		fields[i] = &pointers[i];
	}
	pointer_parse(&pointers[N_BULK_FIELDS], SLICE("/errors"));
	pointer_parse(&pointers[N_BULK_FIELDS + 1], SLICE("/items"));
	plan = json_scanner_new(&wanted);
	r = json_scanner_run(plan, buf_slice(&response->body), &scan, reterr);
	if (!r)
		r = bulk_judge(part, &scan, reterr);
	json_scan_deinit(&scan);
	json_scanner_free(plan);
	for (int i = 0; i < N_BULK_FIELDS + 2; i++)
		pointer_deinit(&pointers[i]);
	return r;
}

/* An answer without items. */
static bool bulk_is_own_trouble(const struct http_response *response, const char **ret_advice)
{
	static const char *const texts[] = {"/error/type", "/error/reason"};
	struct slice values[2];

	(void)ret_advice;
	return json_lookup_once(texts, 2, buf_slice(&response->body), values, NULL) == 0 &&
	       bulk_speaks_of_index(values[0], values[1]);
}

const struct http_encoding http_bulk = {
	.name = "elasticsearch",
	.content_type = "application/x-ndjson",
	.check = bulk_check,
	.write = bulk_write,
	.read = bulk_read,
	.is_own_trouble = bulk_is_own_trouble,
};
