/* See fetch.h. */
#include "source/fetch.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "net/outcome.h"
#include "net/url.h"

#define RUN_ROWS 1000
#define RUN_BYTES ((size_t)1 << 20)
#define LINKS_REFUSED 3 /* then it is no matter of a link that was too old */
#define GONE_KEPT 65536 /* then it is told anew */
#define DONE_KEPT 65536 /* then they are read again, and their rows are duplicates */
#define DOCUMENT_TIMEOUT (15 * NSEC_PER_MIN)

static const struct definition *definition_of(const struct fetch *fetch)
{
	return fetch->source->definition;
}

/* Does what is listed say when a document has changed? */
static bool has_versions(const struct definition *definition)
{
	bool has_from = false;
	for (size_t i = 0; i < definition->n_records_id; i++)
		has_from |=
			strcmp(definition->records_id[i].text, definition->fetch_from.text) == 0;
	return has_from && definition->n_records_id > 1;
}

void fetch_document_deinit(struct fetch_document *document)
{
	free(document->from);
	free(document->label);
	*document = (struct fetch_document){0};
}

static void drop_link(struct fetch *fetch)
{
	if (!fetch->link)
		return;
	secret_unregister(slice_of(fetch->link));
	secret_wipe(fetch->link, strlen(fetch->link));
	free(fetch->link);
	fetch->link = NULL;
}

/* Nothing of the document's body is left; what was handed out of it stays counted. */
static void drop_body(struct fetch *fetch)
{
	drop_link(fetch);
	gunzip_free(fetch->gunzip);
	fetch->gunzip = NULL;
	buf_deinit(&fetch->body);
	rows_deinit(&fetch->rows);
	fetch->next = SLICE_NULL;
	fetch->row = 0;
	fetch->decoded = false;
}

void fetch_clear(struct fetch *fetch)
{
	drop_body(fetch);
	for (size_t i = 0; i < fetch->n_documents; i++)
		fetch_document_deinit(&fetch->documents[i]);
	free(fetch->documents);
	cursor_deinit(&fetch->cursor);
	buf_deinit(&fetch->texts);
	buf_deinit(&fetch->bad_time);
	free(fetch->records);
	*fetch = (struct fetch){.done = fetch->done, .gone = fetch->gone};
}

void fetch_deinit(struct fetch *fetch)
{
	fetch_clear(fetch);
	idset_deinit(&fetch->done);
	idset_deinit(&fetch->gone);
}

static char *take_text(struct slice text)
{
	return mem_strndup(text.data, text.size);
}

static int read_from(const struct source *source, const struct record *record,
	struct fetch_document *ret, struct fault *reterr)
{
	struct json_scan scan CLEANUP(json_scan_deinit) = JSON_SCAN_NULL;
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	struct buf label CLEANUP(buf_deinit) = BUF_NULL;
	int r = json_scanner_run(source->fetch_plan, record->text, &scan, reterr);
	if (r)
		return r;
	struct slice value = scan.envelope[0];
	if (!value.data || json_kind_of(value) == JSON_KIND_NULL)
		return fault_set(reterr, FAULT_BODY,
			"the response is rejected: a listed document has nothing at `%s` ([fetch] from)",
			source->definition->fetch.from);
	struct slice from = json_content(value, &scratch);
	struct slice name = record->id_text.data ? record->id_text : from;
	buf_append_slice(&label, name);
	*ret = (struct fetch_document){
		.key = digest_id(from),
		.version = has_versions(source->definition) ? record->key : digest_id(from),
		.listed = digest_id(record->text),
		.from = take_text(from),
		.label = buf_take(&label),
		.time = record->time,
	};
	return 0;
}

int fetch_check(const struct source *source, const struct page *page, struct fault *reterr)
{
	for (size_t i = 0; i < page->n_records; i++) {
		struct fetch_document document CLEANUP(fetch_document_deinit) = {0};
		int r = read_from(source, &page->records[i], &document, reterr);
		if (r)
			return r;
	}
	return 0;
}

static void cursor_hex(const struct fetch_document *document, char hex[33])
{
	digest_hex(&document->key, sizeof(document->key), hex);
}

static bool is_known(const struct fetch *fetch, struct id key)
{
	struct record probe = {.key = key, .id_text = SLICE("x")};
	return fetch->known(&probe, fetch->userdata);
}

/* Is DOCUMENT the one that the cursor is in the middle of? */
static bool is_begun(const struct fetch *fetch, const struct fetch_document *document)
{
	char hex[33];
	cursor_hex(document, hex);
	return fetch->cursor.document && strcmp(hex, fetch->cursor.document) == 0;
}

/* It comes first: the cursor knows only one. */
static void resume_first(struct fetch *fetch, bool listed)
{
	struct id key;
	for (size_t i = 0; i < fetch->n_documents; i++) {
		if (!is_begun(fetch, &fetch->documents[i]))
			continue;
		struct fetch_document document = fetch->documents[i];
		memmove(fetch->documents + 1, fetch->documents, i * sizeof(document));
		fetch->documents[0] = document;
		return;
	}
	fetch->vanished = !listed && fetch->cursor.document &&
			  !(digest_parse_hex(slice_of(fetch->cursor.document), &key, sizeof(key)) &&
				  is_known(fetch, key));
	cursor_set(&fetch->cursor.document, SLICE_NULL);
}

/* A path alone is one of the API. */
static char *whole_link(const struct fetch *fetch, struct slice text)
{
	bool path = text.size > 0 && text.data[0] == '/' && !(text.size > 1 && text.data[1] == '/');
	const char *origin = path ? fetch->source->origin : "";
	const char *port = str_starts(origin, "https://") ? ":443" : ":80";
	size_t size = strlen(origin) - (str_ends(origin, port) ? strlen(port) : 0);
	return mem_printf("%.*s%.*s", (int)size, origin, (int)text.size, text.data);
}

/* What the last row of N of a document with versions is known by. */
static struct id rows_key(const struct fetch *fetch, int64_t n)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	buf_printf(&text, "%s:%lld rows", fetch->documents[fetch->at].from, (long long)n);
	return digest_id(buf_slice(&text));
}

/* The body is read from its beginning. */
static void rewind_body(struct fetch *fetch)
{
	gunzip_free(fetch->gunzip);
	fetch->gunzip = gunzip_new(buf_slice(&fetch->body));
	rows_deinit(&fetch->rows);
	rows_init(&fetch->rows, &definition_of(fetch)->rows);
	fetch->next = SLICE_NULL;
	fetch->row = 0;
	fetch->decoded = false;
}

/* Begins the document at fetch->at; the rows of it that were accepted already are those that the
 * cursor counts. */
static void begin_document(struct fetch *fetch)
{
	char hex[33];
	drop_body(fetch);
	if (fetch->at == fetch->n_documents) {
		fetch->need = FETCH_NOTHING;
		return;
	}
	cursor_hex(&fetch->documents[fetch->at], hex);
	if (!fetch->cursor.document || strcmp(fetch->cursor.document, hex) != 0) {
		cursor_set(&fetch->cursor.document, slice_of(hex));
		fetch->cursor.rows = 0;
		fetch->n_refused = 0;
	}
	fetch->need =
		pointer_is_set(&definition_of(fetch)->fetch_link) ? FETCH_LINK : FETCH_DOCUMENT;
	if (!definition_of(fetch)->link_request.method)
		fetch->link = whole_link(fetch, slice_of(fetch->documents[fetch->at].from));
}

void fetch_begin(struct fetch *fetch, const struct source *source, struct records records,
	const struct cursor *cursor, fetch_known_fn known, void *userdata)
{
	*fetch = (struct fetch){
		.source = source,
		.cursor = CURSOR_NULL,
		.done = fetch->done,
		.gone = fetch->gone,
		.known = known,
		.userdata = userdata,
	};
	cursor_copy(&fetch->cursor, cursor);
	fetch->documents = mem_array(records.n_items, sizeof(struct fetch_document));
	struct idset listed CLEANUP(idset_deinit) = IDSET_NULL;
	bool begun_listed = false;
	for (size_t i = 0; i < records.n_items; i++) {
		struct fetch_document *document = &fetch->documents[fetch->n_documents];
		struct fault fault;
		*document = (struct fetch_document){0};
		if (read_from(source, &records.items[i], document, &fault))
			continue; /* fetch_check would have refused its page */
		begun_listed |= is_begun(fetch, document);
		if (idset_has(&listed, &document->version) ||
			idset_has(&fetch->done, &document->version) ||
			is_known(fetch, document->key)) {
			fetch_document_deinit(document);
			continue;
		}
		idset_add(&listed, &document->version);
		fetch->n_documents++;
	}
	resume_first(fetch, begun_listed);
	begin_document(fetch);
}

static bool origin_allowed(const struct fetch *fetch, const char *origin)
{
	const struct str_list *globs = &definition_of(fetch)->fetch_origins;
	for (size_t i = 0; i < globs->n_items; i++)
		if (str_glob(globs->items[i], slice_of(origin)))
			return true;
	return str_list_has(&fetch->source->origins, origin);
}

static int check_link(const struct fetch *fetch, struct fault *reterr)
{
	const struct source *source = fetch->source;
	char *origin CLEANUP_FREE = NULL;
	if (definition_of(fetch)->fetch.auth)
		return source_may_request(source, fetch->link, reterr);
	if (url_origin(fetch->link, &origin))
		return fault_set(reterr, FAULT_ORIGIN,
			"the link to document %s is not an http or https URL",
			fetch->documents[fetch->at].label);
	if (!origin_allowed(fetch, origin))
		return fault_set(reterr, FAULT_ORIGIN,
			"the link to document %s leads to %s, where documents of this API are not expected: not followed (allow_origins = %s would allow it)",
			fetch->documents[fetch->at].label, origin, origin);
	if (url_is_in_clear(fetch->link) && !source->options.insecure_http)
		return fault_set(reterr, FAULT_ORIGIN,
			"the link to document %s is not https: not followed (insecure_http = yes would allow it)",
			fetch->documents[fetch->at].label);
	return 0;
}

bool fetch_proves(const struct fetch *fetch)
{
	return fetch->need == FETCH_LINK || definition_of(fetch)->fetch.auth;
}

int fetch_request(struct fetch *fetch, struct http_message *ret,
	struct http_transport *ret_transport, struct fault *reterr)
{
	const struct fetch_document *document = &fetch->documents[fetch->at];
	*ret_transport = fetch->source->transport;
	if (fetch->need == FETCH_LINK)
		return source_link_request(fetch->source, document->from, ret, reterr);
	int r = fetch->link ? check_link(fetch, reterr)
			    : source_link_request(fetch->source, document->from, ret, reterr);
	if (r) {
		begin_document(fetch);
		return r;
	}
	if (!definition_of(fetch)->fetch.auth) {
		/* another host: it gets nothing that proves who requests it */
		ret_transport->client_cert = ret_transport->client_key = NULL;
		ret_transport->origin = NULL;
	}
	ret_transport->max_body = (size_t)definition_of(fetch)->fetch.max_size;
	ret_transport->max_body_key = "fetch.max_size";
	if (ret_transport->timeout_ns < DOCUMENT_TIMEOUT)
		ret_transport->timeout_ns = DOCUMENT_TIMEOUT;
	if (fetch->link) {
		ret->method = mem_strdup("GET");
		ret->url = mem_strdup(fetch->link);
	}
	return 0;
}

static int take_link(
	struct fetch *fetch, struct http_response *response, nsec_t now_time, struct fault *reterr)
{
	struct json_scan scan CLEANUP(json_scan_deinit) = JSON_SCAN_NULL;
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	int r = page_outcome(fetch->source, response, now_time, reterr);
	if (r)
		return r;
	r = json_scanner_run(
		fetch->source->link_plan, json_skip_bom(buf_slice(&response->body)), &scan, reterr);
	if (r)
		return r;
	struct slice value = scan.envelope[0];
	if (!value.data || json_kind_of(value) != JSON_KIND_STRING)
		return fault_set(reterr, FAULT_BODY,
			"the answer has no address of document %s at `%s` ([fetch] link)",
			fetch->documents[fetch->at].label, definition_of(fetch)->fetch.link);
	fetch->link = whole_link(fetch, json_content(value, &scratch));
	secret_register(slice_of(fetch->link));
	fetch->need = FETCH_DOCUMENT;
	return 0;
}

static void next_document(struct fetch *fetch)
{
	fetch->at++;
	begin_document(fetch);
}

static int take_document(struct fetch *fetch, struct http_response *response, nsec_t now_time,
	struct fetch_document *ret_gone, struct fault *reterr)
{
	struct fetch_document *document = &fetch->documents[fetch->at];
	const struct definition *definition = definition_of(fetch);
	bool whole = response->fault.class == FAULT_NONE;
	if (whole && definition_lists_status(
			     definition->fetch_gone, definition->n_fetch_gone, response->status)) {
		*ret_gone = *document;
		*document = (struct fetch_document){0};
		if (fetch->gone.n_ids >= GONE_KEPT)
			idset_clear(&fetch->gone);
		ret_gone->told = !idset_add(&fetch->gone, &ret_gone->listed);
		next_document(fetch);
		return 0;
	}
	bool proves = definition->fetch.auth;
	/* a link that was too old is requested again at once */
	if (whole && !proves && (response->status == 401 || response->status == 403)) {
		if (++fetch->n_refused < LINKS_REFUSED)
			return 0;
		fetch->n_refused = 0;
		return fault_set(reterr, FAULT_SERVER,
			"document %s: %d fresh links in a row were refused with HTTP %d",
			document->label, LINKS_REFUSED, response->status);
	}
	if (whole && !proves && response->status >= 300)
		buf_clear(&response->body); /* may repeat parts of the link */
	if (proves ? page_outcome(fetch->source, response, now_time, reterr) != 0
		   : http_outcome(response, SLICE_NULL, now_time, reterr) != FAULT_NONE)
		return -1;
	fetch->body = response->body;
	response->body = BUF_NULL;
	rewind_body(fetch);
	fetch->counting = has_versions(definition) && !fetch->source->row_plan;
	fetch->n_counted = 0;
	fetch->need = FETCH_ROWS;
	return 0;
}

int fetch_answer(struct fetch *fetch, struct http_response *response, nsec_t now_time,
	struct fetch_document *ret_gone, struct fault *reterr)
{
	size_t at = fetch->at;
	enum fetch_need requested = fetch->need;
	int r = requested == FETCH_LINK
			? take_link(fetch, response, now_time, reterr)
			: take_document(fetch, response, now_time, ret_gone, reterr);
	if (r || (fetch->need == requested && fetch->at == at))
		begin_document(fetch);
	return r;
}

/* The next row; false at the document's end. */
static int next_row(struct fetch *fetch, struct slice *ret, bool *ret_has, struct fault *reterr)
{
	uint64_t limit = definition_of(fetch)->fetch.max_size;
	if (fetch->next.data) {
		*ret = fetch->next;
		fetch->next = SLICE_NULL;
		*ret_has = true;
		return 0;
	}
	for (;;) {
		*ret_has = rows_next(&fetch->rows, fetch->decoded, ret);
		if (*ret_has || fetch->decoded)
			return 0;
		int r = gunzip_next(
			fetch->gunzip, limit, rows_room(&fetch->rows), &fetch->decoded, reterr);
		if (!r && fetch->decoded)
			r = rows_complete(&fetch->rows, reterr);
		if (r)
			return r;
	}
}

/* A row is known by its ID, or by its number in the document. */
static void identify(struct fetch *fetch, struct slice text, struct buf *ret, struct id *ret_key)
{
	struct json_scan scan CLEANUP(json_scan_deinit) = JSON_SCAN_NULL;
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	const struct json_scanner *plan = fetch->source->row_plan;
	struct fault fault;
	if (plan && json_scanner_run(plan, text, &scan, &fault) == 0 &&
		page_read_id(
			scan.envelope, definition_of(fetch)->n_fetch_id, ret, ret_key, &scratch))
		return;
	buf_printf(ret, "%s:%lld", fetch->documents[fetch->at].label, (long long)fetch->row);
	*ret_key = digest_id(buf_slice(ret));
}

/* Texts may still move while they grow: offsets stand in for addresses until the run is whole. */
static void add_record(struct fetch *fetch, size_t n, struct slice row)
{
	const struct fetch_document *document = &fetch->documents[fetch->at];
	struct record record = {.time = document->time};
	struct buf id CLEANUP(buf_deinit) = BUF_NULL;
	fetch->records = mem_grow(fetch->records, n, &fetch->capacity, sizeof(struct record));
	record.text.data = (const char *)fetch->texts.size;
	struct slice bad = rows_record(&fetch->rows, row, &fetch->texts, &record.time);
	if (bad.data && fetch->n_without_time++ == 0)
		buf_append_slice(&fetch->bad_time, bad);
	record.text.size = fetch->texts.size - (size_t)record.text.data;
	identify(fetch,
		(struct slice){
			buf_text(&fetch->texts) + (size_t)record.text.data, record.text.size},
		&id, &record.key);
	record.id_text = (struct slice){(const char *)fetch->texts.size, id.size};
	buf_append_slice(&fetch->texts, buf_slice(&id));
	fetch->records[n] = record;
}

static void settle(struct fetch *fetch, size_t n, bool ends)
{
	const char *texts = buf_text(&fetch->texts);
	for (size_t i = 0; i < n; i++) {
		struct record *record = &fetch->records[i];
		record->text.data = texts + (size_t)record->text.data;
		record->id_text.data = texts + (size_t)record->id_text.data;
	}
	if (ends && n && !fetch->source->row_plan)
		fetch->records[n - 1].key = has_versions(definition_of(fetch))
						    ? rows_key(fetch, fetch->row)
						    : fetch->documents[fetch->at].key;
}

/* Some rows more, until the last one: what was accepted of an earlier version is not new. */
static int count_rows(struct fetch *fetch, struct fault *reterr)
{
	struct slice row;
	bool has = true;
	size_t size = 0;
	for (size_t n = 0; n < RUN_ROWS && size < RUN_BYTES; n++) {
		int r = next_row(fetch, &row, &has, reterr);
		if (r)
			return r;
		if (!has)
			break;
		size += row.size;
		if (is_known(fetch, rows_key(fetch, ++fetch->row)))
			fetch->n_counted = fetch->row;
	}
	if (has)
		return 0;
	if (fetch->n_counted > fetch->cursor.rows)
		fetch->cursor.rows = fetch->n_counted;
	fetch->counting = false;
	rewind_body(fetch);
	return 0;
}

int fetch_rows(struct fetch *fetch, struct records *ret, bool *ret_ends, struct fault *reterr)
{
	struct slice row;
	bool has = true;
	size_t n = 0;
	buf_clear(&fetch->texts);
	buf_clear(&fetch->bad_time);
	fetch->n_without_time = 0;
	if (fetch->counting) {
		*ret = (struct records){NULL, 0};
		*ret_ends = false;
		int r = count_rows(fetch, reterr);
		if (r)
			begin_document(fetch);
		return r;
	}
	for (;;) {
		int r = next_row(fetch, &row, &has, reterr);
		if (r) {
			begin_document(fetch);
			return r;
		}
		if (!has)
			break;
		if (n == RUN_ROWS || fetch->texts.size >= RUN_BYTES) {
			fetch->next = row; /* lives until rows_room, which is not needed before it
					      is taken */
			break;
		}
		if (fetch->row >= fetch->cursor.rows)
			add_record(fetch, n++, row);
		fetch->row++;
	}
	*ret_ends = !has;
	if (*ret_ends && (fetch->row == 0 || fetch->source->row_plan ||
				 has_versions(definition_of(fetch)))) {
		if (fetch->done.n_ids >= DONE_KEPT)
			idset_clear(&fetch->done);
		idset_add(&fetch->done, &fetch->documents[fetch->at].version);
	}
	settle(fetch, n, *ret_ends);
	*ret = (struct records){fetch->records, n};
	if (fetch->row > fetch->cursor.rows)
		fetch->cursor.rows = fetch->row;
	if (*ret_ends)
		next_document(fetch);
	return 0;
}
