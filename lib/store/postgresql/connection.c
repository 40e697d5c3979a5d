/* Connections to the server: how they are made, and queries that are waited for. */
#include "store/postgresql/internal.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"

/* A commit waits for a synchronous standby, however long: a limit would end it half way, and leave
 * it to chance whether it is there. A session whose client is gone must not stay for hours. */
const char connection_settings[] =
	"SET synchronous_commit = on; SET statement_timeout = 0; SET idle_session_timeout = 0;"
	"SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '2s';"
	"SET client_min_messages = warning; SET tcp_keepalives_idle = 5;"
	"SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3";

nsec_t boot_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (nsec_t)now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static void ignore_notice(void *userdata, const PGresult *result)
{
	(void)userdata;
	(void)result;
}

PGconn *connection_start(
	const struct postgresql *postgresql, const char *name, const PGconn *beside)
{
	/* the first is taken apart; what follows it counts more, unless it is NULL */
	const char *const keys[] = {"dbname", "application_name", "client_encoding",
		"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
		"host", "hostaddr", "port", "password", NULL};
	const char *const values[] = {postgresql->connect, name, "UTF8", "5", "2", "3", "10000",
		beside ? PQhost(beside) : NULL, beside ? PQhostaddr(beside) : NULL,
		beside ? PQport(beside) : NULL, postgresql->password, NULL};
	PGconn *connection = PQconnectStartParams(keys, values, 1);

	if (connection)
		PQsetNoticeReceiver(connection, ignore_notice, NULL);
	return connection;
}

void connection_fault(PGconn *connection, const PGresult *result, struct fault *fault)
{
	const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	CLEANUP(buf_deinit) struct buf why = BUF_NULL;

	if (!text)
		text = connection ? PQerrorMessage(connection) : "no memory";
	/* several lines, some of which begin with a tab */
	for (const char *at = text; *at; at++)
		if (*at == '\n' && at[1])
			buf_append_text(&why, at[1] == '\t' ? " " : "; ");
		else if (*at != '\n' && *at != '\t')
			buf_append_char(&why, *at);
	fault_set(fault, FAULT_STORE, "the database: %s", buf_text(&why));
}

static void wait_for(PGconn *connection, bool writable, nsec_t until_at)
{
	nsec_t left_ns = until_at - clock_monotonic();
	struct pollfd poll_fd = {
		.fd = PQsocket(connection), .events = (short)(POLLIN | (writable ? POLLOUT : 0))};

	if (left_ns > 0)
		poll(&poll_fd, 1, (int)((left_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC));
}

PGconn *connection_open(const struct postgresql *postgresql, const char *name, struct fault *reterr)
{
	PGconn *connection = connection_start(postgresql, name, NULL);
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	nsec_t until_at = clock_monotonic() + ANSWER_PATIENCE;
	PGresult *result;

	while (connection && PQstatus(connection) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
		status != PGRES_POLLING_FAILED && clock_monotonic() < until_at) {
		struct pollfd poll_fd = {.fd = PQsocket(connection),
			.events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};

		poll(&poll_fd, 1, (int)((until_at - clock_monotonic()) / NSEC_PER_MSEC + 1));
		status = PQconnectPoll(connection);
	}
	if (status != PGRES_POLLING_OK) {
		if (connection && PQstatus(connection) != CONNECTION_BAD)
			fault_set(reterr, FAULT_STORE, "the database does not answer");
		else
			connection_fault(connection, NULL, reterr);
		PQfinish(connection);
		return NULL;
	}
	PQsetnonblocking(connection, 1);
	result = connection_query(connection, connection_settings, 0, NULL, NULL, reterr);
	if (!result) {
		PQfinish(connection);
		return NULL;
	}
	PQclear(result);
	return connection;
}

void connection_close(struct postgresql *postgresql)
{
	PQfinish(postgresql->connection);
	postgresql->connection = NULL;
	for (size_t i = 0; i < postgresql->n_prepared; i++)
		free(postgresql->prepared[i].sql);
	postgresql->n_prepared = 0;
	postgresql->unflushed = false;
}

/* The next result, or NULL: there is none, or *RET_LATE. */
static PGresult *next_result(PGconn *connection, nsec_t until_at, bool *ret_late)
{
	while (PQflush(connection) == 1 || PQisBusy(connection)) {
		if (clock_monotonic() >= until_at) {
			*ret_late = true;
			return NULL;
		}
		wait_for(connection, PQflush(connection) == 1, until_at);
		if (!PQconsumeInput(connection))
			break;
	}
	return PQgetResult(connection);
}

PGresult *connection_query(PGconn *connection, const char *sql, int n,
	const char *const *parameters, char state[6], struct fault *reterr)
{
	nsec_t until_at = clock_monotonic() + ANSWER_PATIENCE;
	PGresult *result = NULL, *next;
	bool late = false;
	int sent = n > 0 ? PQsendQueryParams(connection, sql, n, NULL, parameters, NULL, NULL, 0)
			 : PQsendQuery(connection, sql);

	if (state)
		state[0] = '\0';
	while (sent && (next = next_result(connection, until_at, &late))) {
		PQclear(result);
		result = next;
	}
	if (late) {
		PQclear(result);
		fault_set(reterr, FAULT_STORE, "the database does not answer");
		return NULL;
	}
	if (result && (PQresultStatus(result) == PGRES_COMMAND_OK ||
			      PQresultStatus(result) == PGRES_TUPLES_OK))
		return result;
	if (state && result && PQresultErrorField(result, PG_DIAG_SQLSTATE))
		snprintf(state, 6, "%s", PQresultErrorField(result, PG_DIAG_SQLSTATE));
	connection_fault(connection, result, reterr);
	PQclear(result);
	return NULL;
}

void result_clear(PGresult **result)
{
	PQclear(*result);
}

int64_t result_number(const PGresult *result, int row, int column)
{
	int64_t number = 0;

	number_parse(slice_of(PQgetvalue(result, row, column)), INT64_MIN, INT64_MAX, &number);
	return number;
}
