/* See control_requests.h. */
#include "control_requests.h"

#include <ev.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "cluster.h"
#include "control_internal.h"
#include "store/events.h"
#include "store/postgresql/postgresql.h"
#include "parts.h"
#include "trawld.h"

#define LOOK_BACK NSEC_PER_DAY /* for events of a request that was taken before */

struct control_requests {
	struct control_caller caller;
	ev_prepare prepare;
	char *by; /* of the one that waits for a poll */
};

/* --- was it carried out? --- */

/* ATOMIC: its event is committed with all that it does. The others are the work of a process: what
 * one of them had begun ended with it. */
static const struct {
	const char *name;
	bool atomic;
} commands[] = {
	{"pause", true},
	{"resume", true},
	{"rewind", true},
	{"acknowledge-gaps", true},
	{"poll", false},
	{"skip", false},
	{"refill", false},
	{"dead-letters-resend", false},
	{"dead-letters-discard", false},
};

struct search {
	const char *id;
	size_t n_found;
};

static void look_at_event(const char *line, void *userdata)
{
	struct search *search = userdata;
	search->n_found += strstr(line, search->id) != NULL;
}

/* Of a name that is a source and a sink, both are paused, each with an event. */
static size_t events_of(const struct parts *parts, const json_t *request, bool *ret_source)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	bool sink = name && setup_find_sink(parts->setup, name);
	*ret_source = pollers_find(&parts->pollers, name) != NULL;
	return *ret_source && sink ? 2 : 1;
}

/* NULL: it was not carried out. */
static json_t *carried_out(
	const struct parts *parts, const struct postgresql_request *asked, const json_t *request)
{
	struct search search = {.id = asked->id};
	struct fault fault = FAULT_NULL;
	bool source;
	size_t n_events = events_of(parts, request, &source);
	if (events_each(parts->store, clock_wall() - LOOK_BACK, look_at_event, &search, &fault))
		return control_refusal(EX_TEMPFAIL, fault.text);
	if (search.n_found < n_events)
		return NULL;
	return json_pack("{s:b, s:b, s:b, s:s}", "ok", 1, "source", source, "sink",
		n_events == 2 || !source, "text",
		"It was carried out by a process that ended before it could say more.\n");
}

/* --- carrying it out --- */

static void answer(struct control_requests *requests, json_t *value)
{
	struct trawld *trawld = requests->caller.trawld;
	char *text CLEANUP_FREE = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(value);
	free(requests->by);
	requests->by = NULL;
	requests->caller.by = NULL;
	control_wait_end(&requests->caller.wait);
	postgresql_answer(cluster_database(trawld), text ? text : "{\"ok\":false,\"code\":70}");
}

static json_t *refuse_unknown(void)
{
	return control_refusal(EX_USAGE,
		"the process that holds the shard does not know this request: it may be another version of trawld");
}

/* NULL: the answer comes later. */
static json_t *begin(struct control_requests *requests, const struct postgresql_request *asked)
{
	json_t *request = json_loads(asked->text, JSON_REJECT_DUPLICATES, NULL);
	const char *command = json_string_value(json_object_get(request, "command"));
	size_t n = sizeof(commands) / sizeof(commands[0]), i = 0;
	json_t *value = NULL;
	while (i < n && (!command || strcmp(command, commands[i].name) != 0))
		i++;
	if (i == n)
		value = refuse_unknown();
	else if (trawld_is_stopping(requests->caller.trawld))
		value = control_refusal(EX_TEMPFAIL, "trawld is stopping");
	else if (asked->again && !commands[i].atomic)
		value = control_refusal(EX_TEMPFAIL,
			"the process that held the shard ended while it worked on this; what it had begun ended with it (run the command again)");
	else if (asked->again)
		value = carried_out(requests->caller.parts, asked, request);
	json_decref(request);
	if (value || i == n)
		return value;
	requests->by = mem_printf("%s (request %s)", asked->by, asked->id);
	requests->caller.by = requests->by;
	return control_command(&requests->caller, slice_of(asked->text));
}

/* Requests are carried out one after the other, and a backlog may take hours. NULL: it waits. */
static json_t *wait_over(struct control_requests *requests)
{
	json_t *value = control_wait_over(&requests->caller);
	if (value || clock_monotonic() - requests->caller.wait.begun_at < CONTROL_WAIT_MAX)
		return value;
	return control_refusal(
		EX_TEMPFAIL, "the poll continues; `trawlctl status` shows how far it is");
}

static void look(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	struct control_requests *requests = prepare->data;
	const struct postgresql_request *asked =
		postgresql_request(cluster_database(requests->caller.trawld));
	json_t *value;
	(void)loop;
	(void)events;
	if (!asked)
		return;
	value = requests->caller.wait.poller ? wait_over(requests) : begin(requests, asked);
	if (value)
		answer(requests, value);
}

struct control_requests *control_requests_new(struct trawld *trawld)
{
	if (!cluster_database(trawld))
		return NULL;
	struct control_requests *requests = MEM_NEW(struct control_requests);
	requests->caller.trawld = trawld;
	requests->caller.parts = trawld_parts(trawld);
	ev_prepare_init(&requests->prepare, look);
	requests->prepare.data = requests;
	/* before it is asked what the connection waits for */
	ev_set_priority(&requests->prepare, EV_MAXPRI);
	ev_prepare_start(requests->caller.parts->loop, &requests->prepare);
	return requests;
}

void control_requests_free(struct control_requests *requests)
{
	if (!requests)
		return;
	if (requests->caller.wait.poller)
		answer(requests, control_refusal(EX_TEMPFAIL, "trawld is stopping"));
	ev_prepare_stop(requests->caller.parts->loop, &requests->prepare);
	free(requests->by);
	free(requests);
}

void control_requests_forget(struct control_requests *requests, const struct poller *poller)
{
	if (requests && requests->caller.wait.poller == poller)
		answer(requests, control_refusal(EX_TEMPFAIL,
					 "a reload changed or removed the source meanwhile"));
}
