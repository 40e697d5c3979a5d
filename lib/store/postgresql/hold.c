/*
 * The hold on a shard as a backend of the store. One thing at a time is under way in the one
 * connection: a commit, which also renews the lease, or a renewal. When the connection is lost, a
 * new one asks for the lease and the number of commits, which says what has become of the last one;
 * no answer is ever guessed. What cannot be cleared up before the lease is nearly over, or says
 * that somebody else was here, is the end of this process.
 */
#include "store/postgresql/internal.h"

#include <poll.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"

#define RETRY_AFTER (200 * NSEC_PER_MSEC) /* a connection that was refused */
/* A connection that does not come to be, and a question that is not answered, leave time for
 * another attempt. */
#define PATIENCE(lease_ns) ((lease_ns) / 6)

static struct postgresql *of(struct store_backend *backend)
{
	return (struct postgresql *)backend;
}

static void lose(struct postgresql *postgresql, const struct fault *why)
{
	if (postgresql->phase == PHASE_LOST)
		return;
	postgresql->lost = *why;
	postgresql->phase = PHASE_LOST;
	side_close(postgresql);
	connection_close(postgresql);
}

static void lose_to_another(struct postgresql *postgresql)
{
	struct fault fault;

	fault_set(&fault, FAULT_STORE,
		"shard %s of the cluster %s is no longer held by this process, or the database has gone back to an older state",
		postgresql->shard_text, postgresql->cluster);
	lose(postgresql, &fault);
}

static void lose_by_time(struct postgresql *postgresql)
{
	struct fault fault;

	fault_set(&fault, FAULT_STORE, "the lease of shard %s could not be renewed in time%s%s",
		postgresql->shard_text, postgresql->fault.text[0] ? ": " : "",
		postgresql->fault.text);
	lose(postgresql, &fault);
}

static void answer_with(struct postgresql *postgresql, enum backend_answer answer)
{
	postgresql->answer = answer;
	postgresql->answer_fault = postgresql->fault;
	postgresql->change = NULL;
	postgresql->in_doubt = false;
}

/* --- the connection is lost --- */

static void retry_later(struct postgresql *postgresql)
{
	connection_close(postgresql);
	postgresql->phase = PHASE_CONNECTING;
	postgresql->retry_at = clock_monotonic() + RETRY_AFTER;
}

static void reconnect(struct postgresql *postgresql)
{
	CLEANUP_FREE char *name = lease_session_name(postgresql);

	connection_close(postgresql);
	postgresql->phase = PHASE_CONNECTING;
	postgresql->polling = PGRES_POLLING_WRITING;
	postgresql->retry_at = clock_monotonic() + PATIENCE(postgresql->lease_ns);
	postgresql->connection = connection_start(postgresql, name, NULL);
	postgresql->n_sockets++;
	if (!postgresql->connection || PQstatus(postgresql->connection) == CONNECTION_BAD) {
		connection_fault(postgresql->connection, NULL, &postgresql->fault);
		retry_later(postgresql);
	}
}

static void broken(struct postgresql *postgresql)
{
	if (postgresql->phase == PHASE_PIPELINE && postgresql->committing) {
		postgresql->in_doubt = true;
		postgresql->n_in_doubt++;
		log_notice(NULL,
			"the connection to the database was lost during a commit; trawld reconnects and checks whether the commit was made");
	}
	if (postgresql->phase == PHASE_PIPELINE && !postgresql->committing)
		requests_settle(postgresql, false);
	side_close(postgresql);
	if (postgresql->connection)
		connection_fault(postgresql->connection, NULL, &postgresql->fault);
	reconnect(postgresql);
}

/* Ends the session before this one, which waits until its commit is over, and renews the lease. */
static void ask(struct postgresql *postgresql)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;

	buf_printf(&sql, "%s; ", connection_settings);
	lease_print_end(postgresql, &sql);
	lease_print_renew(postgresql, "", &sql);
	buf_append_text(&sql, " RETURNING version; LISTEN ");
	requests_print_channel(postgresql, &sql);
	postgresql->sent_boot = boot_clock();
	postgresql->phase = PHASE_RESOLVING;
	postgresql->retry_at = clock_monotonic() + 2 * PATIENCE(postgresql->lease_ns);
	PQsetnonblocking(postgresql->connection, 1);
	postgresql->unflushed = true;
	if (!PQsendQuery(postgresql->connection, buf_text(&sql)))
		broken(postgresql);
}

/* libpq is to be called only then. */
static bool can_go_on(const struct postgresql *postgresql)
{
	struct pollfd poll_fd = {.fd = PQsocket(postgresql->connection),
		.events = postgresql->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT};

	return poll(&poll_fd, 1, 0) != 0;
}

static void step_connecting(struct postgresql *postgresql)
{
	if (!postgresql->connection || !can_go_on(postgresql))
		return;
	postgresql->polling = PQconnectPoll(postgresql->connection);
	postgresql->n_sockets++; /* of the next host, perhaps */
	if (postgresql->polling == PGRES_POLLING_OK) {
		ask(postgresql);
	} else if (postgresql->polling == PGRES_POLLING_FAILED) {
		connection_fault(postgresql->connection, NULL, &postgresql->fault);
		retry_later(postgresql);
	}
}

/* The server has VERSION commits of this shard. */
static void resolve(struct postgresql *postgresql, int64_t version)
{
	lease_renewed(postgresql, postgresql->sent_boot);
	postgresql->renew_at = clock_monotonic() + RETRY_AFTER; /* requests may have come */
	postgresql->phase = PHASE_READY;
	if (version == postgresql->version)
		return; /* what was in doubt is not there, and is sent again */
	if (!postgresql->in_doubt || version != postgresql->version + 1) {
		lose_to_another(postgresql);
		return;
	}
	postgresql->version = version;
	answer_with(postgresql, BACKEND_COMMITTED);
}

static void step_resolving(struct postgresql *postgresql)
{
	int64_t version = -1;
	bool over = false;

	postgresql->unflushed = PQflush(postgresql->connection) == 1;
	PQconsumeInput(postgresql->connection);
	while (!over && !PQisBusy(postgresql->connection)) {
		CLEANUP(result_clear) PGresult *result = PQgetResult(postgresql->connection);

		over = !result;
		if (result && PQresultStatus(result) == PGRES_FATAL_ERROR) {
			connection_fault(postgresql->connection, result, &postgresql->fault);
			retry_later(postgresql);
			return;
		}
		/* the last one counts: before it comes that of the sessions */
		version = result && PQresultStatus(result) == PGRES_TUPLES_OK
				  ? PQntuples(result) > 0 &&
						    strcmp(PQfname(result, 0), "version") == 0
					    ? result_number(result, 0, 0)
					    : -1
				  : version;
	}
	if (!over)
		return;
	if (version < 0)
		lose_to_another(postgresql);
	else
		resolve(postgresql, version);
}

/* --- at work --- */

static void start_commit(struct postgresql *postgresql)
{
	struct fault fault = FAULT_NULL;

	postgresql->fault = FAULT_NULL;
	if (pipeline_commit(postgresql, &fault))
		return;
	if (fault.class == FAULT_NONE) {
		broken(postgresql);
		return;
	}
	/* the server has no COMMIT, and gets none */
	postgresql->fault = fault;
	answer_with(postgresql, BACKEND_REFUSED);
	reconnect(postgresql);
}

/* What else is in its transaction may fail, and with it the renewal. */
static void tell_renewal(struct postgresql *postgresql, bool renewed)
{
	if (postgresql->renewal_failed == !renewed)
		return;
	postgresql->renewal_failed = !renewed;
	if (renewed)
		log_notice(NULL, "the database accepts renewals of the lease again");
	else
		log_warning(NULL,
			"the database refused a renewal of the lease; trawld keeps trying, and does not take requests from other hosts meanwhile: %s",
			postgresql->fault.text);
}

static void finish_pipeline(struct postgresql *postgresql)
{
	bool renewed = !postgresql->committing && postgresql->sqlstate[0] == '\0';

	postgresql->phase = PHASE_READY;
	postgresql->latency_ns = clock_monotonic() - postgresql->sent_at;
	side_close(postgresql);
	if (!postgresql->committing)
		requests_settle(postgresql, renewed);
	if (strcmp(postgresql->sqlstate, "22012") == 0) {
		lose_to_another(postgresql);
		return;
	}
	if (postgresql->committing && postgresql->committed) {
		postgresql->version++;
		postgresql->n_committed++;
		postgresql->total_latency_ns += postgresql->latency_ns;
		lease_renewed(postgresql, postgresql->sent_boot);
		answer_with(postgresql, BACKEND_COMMITTED);
		if (!postgresql->astray)
			return;
		fault_set(&postgresql->fault, FAULT_STORE,
			"the database does not have a row that this process has written there");
		lose(postgresql, &postgresql->fault);
		return;
	}
	if (!postgresql->committing)
		tell_renewal(postgresql, renewed);
	if (renewed) {
		lease_renewed(postgresql, postgresql->sent_boot);
		return;
	}
	/* nothing has changed; the session stands in a transaction that has failed, and what it has
	 * prepared is not known */
	if (postgresql->committing)
		answer_with(postgresql, BACKEND_REFUSED);
	reconnect(postgresql);
}

static void step_pipeline(struct postgresql *postgresql)
{
	bool over;

	if (!pipeline_step(postgresql, &over))
		broken(postgresql);
	else if (over)
		finish_pipeline(postgresql);
}

/* Somebody asks something. */
static void hear(struct postgresql *postgresql)
{
	PGnotify *notify;

	while ((notify = PQnotifies(postgresql->connection))) {
		postgresql->renew_at = clock_monotonic();
		PQfreemem(notify);
	}
}

static void step_ready(struct postgresql *postgresql)
{
	if (!PQconsumeInput(postgresql->connection) ||
		PQstatus(postgresql->connection) != CONNECTION_OK) {
		broken(postgresql);
		return;
	}
	hear(postgresql);
	/* first: a shard that commits without a pause is to hear of requests, too */
	if (clock_monotonic() >= postgresql->renew_at) {
		postgresql->fault = FAULT_NULL;
		if (!pipeline_renew(postgresql))
			broken(postgresql);
	} else if (postgresql->change) {
		start_commit(postgresql);
	}
}

static void hold_step(struct store_backend *backend)
{
	struct postgresql *postgresql = of(backend);

	side_step(postgresql);
	if (postgresql->phase != PHASE_LOST &&
		(postgresql->silent || boot_clock() >= lease_until_boot(postgresql)))
		lose_by_time(postgresql);
	if ((postgresql->phase == PHASE_CONNECTING || postgresql->phase == PHASE_RESOLVING) &&
		clock_monotonic() >= postgresql->retry_at)
		reconnect(postgresql);
	switch (postgresql->phase) {
	case PHASE_READY:
		step_ready(postgresql);
		break;
	case PHASE_PIPELINE:
		step_pipeline(postgresql);
		break;
	case PHASE_CONNECTING:
		step_connecting(postgresql);
		break;
	case PHASE_RESOLVING:
		step_resolving(postgresql);
		break;
	case PHASE_LOST:
		break;
	}
}

/* --- the backend --- */

static void hold_send(struct store_backend *backend, const struct backend_change *change)
{
	struct postgresql *postgresql = of(backend);

	postgresql->change = change;
	postgresql->answer = BACKEND_IDLE;
	hold_step(backend);
}

static enum backend_answer hold_answer(struct store_backend *backend, struct fault *reterr)
{
	struct postgresql *postgresql = of(backend);
	enum backend_answer answer = postgresql->answer;

	if (answer != BACKEND_IDLE) {
		postgresql->answer = BACKEND_IDLE;
		*reterr = postgresql->answer_fault;
		return answer;
	}
	if (postgresql->phase == PHASE_LOST) {
		*reterr = postgresql->lost;
		postgresql->told = true;
		return BACKEND_LOST;
	}
	return postgresql->change ? BACKEND_WAITS : BACKEND_IDLE;
}

static bool hold_is_lost(struct store_backend *backend, struct fault *reterr)
{
	struct postgresql *postgresql = of(backend);

	if (postgresql->phase != PHASE_LOST || postgresql->answer != BACKEND_IDLE)
		return false;
	*reterr = postgresql->lost;
	postgresql->told = true;
	return true;
}

static void want_io(const struct postgresql *postgresql, struct backend_wants *ret)
{
	ret->fd = PQsocket(postgresql->connection);
	ret->socket = postgresql->n_sockets;
	if (postgresql->phase == PHASE_CONNECTING) {
		ret->readable = postgresql->polling == PGRES_POLLING_READING;
		ret->writable = postgresql->polling == PGRES_POLLING_WRITING;
	} else {
		ret->readable = true;
		ret->writable = postgresql->unflushed;
	}
}

static void hold_wants(const struct store_backend *backend, struct backend_wants *ret)
{
	const struct postgresql *postgresql = (const struct postgresql *)backend;
	nsec_t now_at = clock_monotonic();

	*ret = (struct backend_wants){.fd = -1, .wake_at = NSEC_NONE};
	if (postgresql->phase == PHASE_LOST) {
		ret->wake_at = postgresql->told ? NSEC_NONE : now_at;
		return;
	}
	if (postgresql->connection)
		want_io(postgresql, ret);
	ret->wake_at = now_at;
	if (!postgresql->silent)
		ret->wake_at += lease_until_boot(postgresql) - boot_clock();
	if (postgresql->phase == PHASE_PIPELINE && postgresql->committing &&
		side_wake_at(postgresql) < ret->wake_at)
		ret->wake_at = side_wake_at(postgresql);
	if (postgresql->phase == PHASE_READY && postgresql->renew_at < ret->wake_at)
		ret->wake_at = postgresql->renew_at;
	if (postgresql->phase == PHASE_READY && postgresql->change)
		ret->wake_at = now_at;
	if ((postgresql->phase == PHASE_CONNECTING || postgresql->phase == PHASE_RESOLVING) &&
		postgresql->retry_at < ret->wake_at)
		ret->wake_at = postgresql->retry_at;
}

/* Whoever is told no waits for the end of this process, so a renewal that is answered late does not
 * put it off. */
static bool hold_may_deliver(struct store_backend *backend)
{
	struct postgresql *postgresql = of(backend);

	if (postgresql->phase == PHASE_LOST || boot_clock() >= lease_until_boot(postgresql))
		postgresql->silent = true;
	return !postgresql->silent;
}

static const struct backend_functions hold_functions = {
	.load = load_rows,
	.send = hold_send,
	.answer = hold_answer,
	.is_lost = hold_is_lost,
	.step = hold_step,
	.wants = hold_wants,
	.may_deliver = hold_may_deliver,
};

void hold_begin(struct postgresql *postgresql)
{
	postgresql->backend.functions = &hold_functions;
	postgresql->phase = PHASE_READY;
}

void postgresql_status(const struct postgresql *postgresql, struct postgresql_status *ret)
{
	nsec_t left_ns = lease_until_boot(postgresql) - boot_clock();

	*ret = (struct postgresql_status){
		.shard = postgresql->held ? postgresql->shard : -1,
		.epoch = postgresql->epoch,
		.version = postgresql->version,
		.lease_left_ns = postgresql->held && left_ns > 0 ? left_ns : 0,
		.n_in_doubt = postgresql->n_in_doubt,
		.latency_ns = postgresql->latency_ns,
		.total_latency_ns = postgresql->total_latency_ns,
		.n_commits = postgresql->n_committed,
		.n_standbys = postgresql->n_standbys,
	};
}

void postgresql_say(struct postgresql *postgresql, const char *json)
{
	free(postgresql->said);
	postgresql->said = mem_strdup(json);
}
