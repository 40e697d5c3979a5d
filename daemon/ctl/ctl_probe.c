/*
 * trawlctl probe: the source's next request, made once, and what the daemon would make of the
 * answer. Every decision is the daemon's own code (lib/source/request.h, poll.h); the state is only
 * read, without the lock, so a probe works beside a running daemon and changes nothing.
 */
#include "ctl/ctl_probe.h"

#include <ev.h>
#include <strings.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "net/auth/auth.h"
#include "net/client.h"
#include "net/outcome.h"
#include "source/request.h"
#include "source/newest.h"
#include "source/source_auth.h"
#include "store/cursors.h"
#include "store/occurrence.h"
#include "store/window.h"

#define GATHER_LIMIT (64u << 20)

struct session {
	struct probe probe;
	struct ev_loop *loop;
	struct http_client *client;
	struct auth *auth;
	struct store *store; /* NULL: there is no state */
	struct window *window;
	nsec_t skew_ns;
	bool clock_known;
};

/* Headers and query parameters whose template has a secret parameter in it, whatever their names.
 */
static void find_masked(
	struct probe *probe, const struct named_template *templates, size_t n_templates)
{
	const struct definition *definition = probe->source->definition;
	for (size_t i = 0; i < n_templates; i++)
		for (size_t j = 0; j < definition->n_parameters; j++)
			if (definition->parameters[j].secret &&
				template_uses(
					templates[i].template, definition->parameters[j].name))
				str_list_add(&probe->masked, templates[i].name);
}

static void find_all_masked(struct probe *probe)
{
	const struct definition *definition = probe->source->definition;
	const struct request_definition *requests[] = {&definition->first, &definition->next,
		&definition->resume_request, &definition->auth.login,
		definition->auth.caller ? &definition->auth.caller->login : NULL};
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && requests[i]; i++) {
		find_masked(probe, requests[i]->headers, requests[i]->n_headers);
		find_masked(probe, requests[i]->query, requests[i]->n_query);
	}
}

static bool is_known(const struct record *record, void *userdata)
{
	struct session *session = userdata;
	return session->window && window_has(session->window, &record->key);
}

/* As the intake tells new records from known ones; those that are new come to the front. */
static void drop_known(struct session *session, enum record_scope scope)
{
	struct probe *probe = &session->probe;
	struct records *records = &probe->records;
	struct idset met CLEANUP(idset_deinit) = IDSET_NULL;
	size_t n = 0;
	for (size_t i = 0; i < records->n_items; i++) {
		struct record *record = &records->items[i];
		bool known = false;
		unsigned nth = occurrence_count(&met, &record->key);
		occurrence_add(&met, &record->key);
		if (record->id_text.data)
			known = nth > 0 || is_known(record, session);
		else if (scope != RECORD_SCOPE_EXACT && session->window)
			known = nth < window_count(session->window, &record->key);
		if (!known)
			records->items[n++] = *record;
	}
	probe->n_known += records->n_items - n;
	records->n_items = n;
}

static struct clocks read_clocks(const struct session *session)
{
	nsec_t host_time = clock_wall();
	return (struct clocks){host_time,
		session->clock_known ? host_time + session->skew_ns : NSEC_NONE, NSEC_NONE};
}

static void classify(struct session *session)
{
	struct probe *probe = &session->probe;
	struct clocks now = read_clocks(session);
	request_classify(probe->poll, poll_is_stored(probe->poll), &probe->fault);
	source_auth_hint(probe->source, &probe->fault);
	if (probe->fault.class == FAULT_LOST)
		poll_lost(probe->poll, &now, &probe->lost_time);
}

/* The page's records in the order in which sinks would get them. */
static void take_records(struct probe *probe)
{
	struct page *page = &probe->page;
	if (!request_gathers(probe->source)) {
		probe->records.n_items = page->n_records;
		probe->records.items = mem_array(page->n_records, sizeof(struct record));
		if (page->n_records)
			memcpy(probe->records.items, page->records,
				page->n_records * sizeof(struct record));
		return;
	}
	/* gathering takes the page over, but for what is still to be shown */
	struct page left = *page;
	gather_add(&probe->gather, page);
	probe->records = gather_sorted(&probe->gather);
	page->n_elements = left.n_elements;
	page->n_excluded = left.n_excluded;
	memcpy(page->excluded, left.excluded, sizeof(left.excluded));
	page->n_without_id = left.n_without_id;
	page->n_without_time = left.n_without_time;
	page->total = left.total;
}

static void take_page(struct session *session)
{
	struct probe *probe = &session->probe;
	struct page *page = &probe->page;
	enum record_scope scope = poll_scope(probe->poll);
	size_t n_before = page->n_records;
	if (probe->source->definition->resume.newest)
		newest_drop_known(probe->poll, page, is_known, session);
	probe->n_known = n_before - page->n_records;
	struct clocks now = read_clocks(session);
	if (poll_page(
		    probe->poll, page, probe->message.url, &now, &probe->verdict, &probe->fault)) {
		classify(session);
		return;
	}
	probe->kept = probe->verdict != POLL_AGAIN && !probe->early &&
		      !(request_gathers(probe->source) && probe->verdict == POLL_MORE);
	take_records(probe);
	drop_known(session, scope);
}

/* --- a document that the page lists --- */

static void fetch_answered(struct http_response *response, void *userdata);

/* What the document needs next; when nothing does, the probe is over. */
static void fetch_next(struct session *session)
{
	struct probe *probe = &session->probe;
	struct http_message message CLEANUP(http_message_deinit) = HTTP_MESSAGE_NULL;
	struct http_transport transport;
	bool proves = fetch_proves(&probe->fetch);
	if (fetch_request(&probe->fetch, &message, &transport, &probe->fault) == 0) {
		probe->n_own_headers = message.headers.n_items;
		nsec_t now = clock_wall() + session->skew_ns;
		if (!proves || auth_apply(session->auth, &message, now, &probe->fault) == 0) {
			http_request_start(
				session->client, &message, &transport, fetch_answered, session);
			return;
		}
	}
	ev_break(session->loop, EVBREAK_ALL);
}

/* The first of the document's rows; the page's own records are what is listed. */
static void take_rows(struct probe *probe)
{
	struct records rows;
	bool ends;
	do {
		if (fetch_rows(&probe->fetch, &rows, &ends, &probe->fault))
			return;
	} while (!ends && !rows.n_items);
	probe->cut = !ends;
	probe->records.n_items = rows.n_items;
	probe->records.items = mem_array(rows.n_items, sizeof(struct record));
	if (rows.n_items)
		memcpy(probe->records.items, rows.items, rows.n_items * sizeof(struct record));
}

static void fetch_answered(struct http_response *response, void *userdata)
{
	struct session *session = userdata;
	struct probe *probe = &session->probe;
	struct fetch_document gone CLEANUP(fetch_document_deinit) = {0};
	nsec_t now = clock_wall() + session->skew_ns;
	if (fetch_answer(&probe->fetch, response, now, &gone, &probe->fault) == 0) {
		probe->gone = gone.label != NULL;
		if (!probe->gone && probe->fetch.need != FETCH_ROWS) {
			fetch_next(session);
			return;
		}
		if (!probe->gone)
			take_rows(probe);
	}
	ev_break(session->loop, EVBREAK_ALL);
}

static void begin_fetch(struct session *session)
{
	struct probe *probe = &session->probe;
	probe->listed = probe->records;
	probe->records = (struct records){NULL, 0};
	fetch_begin(&probe->fetch, probe->source, probe->listed, poll_cursor(probe->poll), is_known,
		session);
	if (probe->fetch.need == FETCH_NOTHING) {
		ev_break(session->loop, EVBREAK_ALL);
		return;
	}
	probe->document = mem_strdup(probe->fetch.documents[0].label);
	probe->fetching = true;
	fetch_next(session);
}

static void answered(struct http_response *response, void *userdata)
{
	struct session *session = userdata;
	struct probe *probe = &session->probe;
	session->clock_known = request_skew(response, &session->skew_ns);
	http_excerpt(buf_slice(&response->body), PROBE_TEXT, &probe->excerpt);
	probe->size = response->body.size;
	probe->status = response->status;
	if (request_read(probe->poll, response, probe->message.url, clock_wall() + session->skew_ns,
		    &probe->page, &probe->fault))
		classify(session);
	else
		take_page(session);
	if (probe->fault.class == FAULT_NONE && probe->verdict != POLL_AGAIN &&
		probe->source->definition->fetches)
		begin_fetch(session);
	else
		ev_break(session->loop, EVBREAK_ALL);
}

static void send_request(struct session *session)
{
	struct probe *probe = &session->probe;
	probe->proving = false;
	if (request_write(probe->poll, &probe->message, &probe->fault)) {
		classify(session);
		return;
	}
	probe->n_own_headers = probe->message.headers.n_items;
	if (auth_apply(session->auth, &probe->message, clock_wall(), &probe->fault))
		return;
	probe->asked = true;
	http_request_start(
		session->client, &probe->message, &probe->source->transport, answered, session);
}

static void prepared(const struct fault *fault, void *userdata)
{
	struct session *session = userdata;
	if (fault)
		session->probe.fault = *fault;
	else
		send_request(session);
	if (!session->probe.asked)
		ev_break(session->loop, EVBREAK_ALL);
}

static void see_request(const struct http_message *message, void *userdata)
{
	const struct session *session = userdata;
	if (session->probe.json)
		return;
	probe_show_request(&session->probe, message);
	fflush(stdout); /* the answer may take its time */
}

static void see_answer(const struct http_response *response, void *userdata)
{
	const struct session *session = userdata;
	if (!session->probe.json)
		probe_show_answer(&session->probe, response);
}

/* What poll_begin has to be told: the cursor in the state, or where the source begins. 0 or an exit
 * code. */
static int load_cursor(struct session *session, const struct config *config)
{
	struct probe *probe = &session->probe;
	struct fault fault = FAULT_NULL;
	char *stored CLEANUP_FREE = NULL;
	int r = 0;
	if (config->daemon.state == STATE_POSTGRESQL
			? store_is_held(config->daemon.state_directory)
			: ctl_has_state(config->daemon.state_directory)) {
		r = ctl_open_state(&session->store, config, STORE_READ, &fault);
		if (!r)
			r = cursors_get(session->store, probe->source->name, &stored, &fault);
	}
	if (!r && session->store) {
		session->window = window_new(session->store, probe->source->name);
		do
			r = window_load(session->window, NSEC_NONE, &fault);
		while (r == STORE_E_WAIT);
	}
	if (r)
		return ctl_store_failed(r, &fault);
	probe->has_cursor = stored != NULL;
	if (request_cursor(probe->poll, stored, &fault))
		return ctl_cursor_unreadable(probe->source->name);
	return 0;
}

/* The next request of the source. If its window starts only later (start = now, with a lag),
 * the last minute that can be requested is shown instead. */
static void begin(struct probe *probe)
{
	struct clocks now = {clock_wall(), NSEC_NONE, NSEC_NONE};
	if (poll_begin(probe->poll, &now))
		return;
	probe->early = true;
	struct cursor earlier CLEANUP(cursor_deinit) = CURSOR_NULL;
	cursor_copy(&earlier, poll_cursor(probe->poll));
	cursor_rewind(
		&earlier, now.host_time - probe->source->definition->resume.lag_ns - NSEC_PER_MIN);
	poll_set_cursor(probe->poll, &earlier);
	poll_begin(probe->poll, &now);
}

static int report(const struct probe *probe)
{
	if (probe->json)
		probe_print_json(probe);
	else if (probe->fault.class == FAULT_NONE)
		probe_show_page(probe);
	if (probe->fault.class == FAULT_NONE)
		return EX_OK;
	if (!probe->json && probe->size && !probe->fetching) {
		printf("\nbody, %zu bytes", probe->size);
		printf("%s\n  %s\n", probe->excerpt.size < probe->size ? ", starting with" : "",
			buf_text(&probe->excerpt));
	}
	fflush(stdout);
	fprintf(stderr, "trawlctl: source %s (%s): %s\n", probe->source->name,
		probe->source->location, probe->fault.text);
	if (probe->fault.class == FAULT_LOST)
		fputs("trawlctl: the API rejected the saved cursor; trawld will resume by time\n",
			stderr);
	return probe->fault.class == FAULT_CONFIG ? EX_CONFIG : EX_TEMPFAIL;
}

static int run(struct session *session)
{
	struct probe *probe = &session->probe;
	struct http_watch watch = {see_request, see_answer, session};
	struct id credential;
	session->loop = ev_loop_new(EVFLAG_AUTO);
	session->client = http_client_new(session->loop, "trawld/" TRAWLD_VERSION);
	http_client_watch(session->client, &watch);
	if (source_auth_new(
		    probe->source, session->client, &session->auth, &credential, &probe->fault))
		return report(probe);
	begin(probe);
	if (!probe->json)
		probe_show_cursor(probe);
	probe->proving = true;
	bool waits = auth_prepare(session->auth, prepared, session) != NULL;
	if (!waits)
		send_request(session);
	if (waits || probe->asked)
		ev_run(session->loop, 0);
	return report(probe);
}

static void session_deinit(struct session *session)
{
	struct probe *probe = &session->probe;
	free(probe->records.items);
	free(probe->listed.items);
	free(probe->document);
	fetch_deinit(&probe->fetch);
	gather_clear(&probe->gather);
	page_deinit(&probe->page);
	auth_free(session->auth);
	http_client_free(session->client);
	if (session->loop)
		ev_loop_destroy(session->loop);
	window_free(session->window);
	store_close(session->store);
	poll_free(probe->poll);
	http_message_deinit(&probe->message);
	buf_deinit(&probe->excerpt);
	str_list_deinit(&probe->masked);
}

/* False: --limit is not a number, which was printed. */
static bool read_limit(const struct ctl_arguments *arguments, size_t *ret)
{
	int64_t limit = arguments->all ? INT64_MAX : PROBE_RECORDS;
	const char *text = arguments->limit;
	if (text && number_parse(slice_of(text), 0, INT64_MAX, &limit) != 0) {
		fprintf(stderr, "trawlctl: probe: `%s` is not a number of records\n", text);
		return false;
	}
	*ret = (size_t)limit;
	return true;
}

int ctl_probe(const struct ctl_arguments *arguments)
{
	size_t limit;
	if (!read_limit(arguments, &limit))
		return EX_USAGE;
	struct setup *setup = ctl_setup(arguments);
	if (!setup)
		return EX_CONFIG;
	const struct source *source = setup_find_source(setup, arguments->name);
	int code;
	if (source) {
		struct session session = {.probe = {.setup = setup,
						  .source = source,
						  .limit = limit,
						  .json = arguments->json,
						  .fetch = FETCH_NULL,
						  .lost_time = NSEC_NONE}};
		session.probe.poll = poll_new(source);
		gather_init(&session.probe.gather, GATHER_LIMIT);
		find_all_masked(&session.probe);
		code = load_cursor(&session, setup->config);
		if (code == 0)
			code = run(&session);
		session_deinit(&session);
		if (code == 0 && !arguments->json && !arguments->adding)
			puts("Nothing was changed.");
	} else {
		code = ctl_unknown_source(arguments->name, setup->config, NULL, 0);
	}
	setup_free(setup);
	return code;
}
