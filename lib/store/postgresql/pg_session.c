/* See pg_session.h. */
#include "store/postgresql/pg_session.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/slice.h"
#include "base/str.h"

#define CONNECT_TIMEOUT "10"
#define N_PARAMETERS 12

struct pg_session {
	PGconn *connection;
	char *where; /* for messages */
};

struct pg_rowset {
	PGresult *result;
};

/* The first line that libpq has for it, without its own prefix. */
static struct slice first_line(const char *text)
{
	static const char *const prefixes[] = {"ERROR:  ", "FATAL:  "};
	for (size_t i = 0; i < 2; i++)
		if (str_starts(text, prefixes[i]))
			text += strlen(prefixes[i]);
	return (struct slice){text, strcspn(text, "\n")};
}

static void ignore(void *userdata, const char *message)
{
	(void)userdata;
	(void)message;
}

/* What is committed must be durable, whatever the server's default is: a file of SQLite is given up
 * for it. */
static int configure(struct pg_session *session, const char *schema, struct fault *reterr)
{
	char *sql CLEANUP_FREE = mem_printf("SET search_path = %s", schema);
	int r = pg_session_run(session, "SET synchronous_commit = on", NULL, 0, NULL, reterr);
	return r ? r : pg_session_run(session, sql, NULL, 0, NULL, reterr);
}

int pg_session_open(struct pg_session **ret, const struct cluster_options *options,
	const char *name, struct fault *reterr)
{
	const char *keywords[N_PARAMETERS] = {"connect_timeout", "dbname", "password",
		"application_name", "client_encoding", NULL};
	const char *values[N_PARAMETERS] = {
		CONNECT_TIMEOUT, options->connect, options->password.text, name, "UTF8", NULL};
	struct pg_session *session = MEM_NEW(struct pg_session);
	session->where = mem_printf("the database of the cluster %s", options->name);
	session->connection = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(session->connection) != CONNECTION_OK) {
		struct slice why = first_line(PQerrorMessage(session->connection));
		fault_set(reterr, FAULT_NETWORK, "cannot connect to %s: %.*s", session->where,
			(int)why.size, why.data);
		pg_session_close(session);
		return STORE_E_FULL;
	}
	PQsetNoticeProcessor(session->connection, ignore, NULL);
	int r = configure(session, options->schema, reterr);
	if (r) {
		pg_session_close(session);
		return r;
	}
	*ret = session;
	return 0;
}

void pg_session_close(struct pg_session *session)
{
	if (!session)
		return;
	PQfinish(session->connection);
	free(session->where);
	free(session);
}

/* By the class of the SQLSTATE: connection, resources, operator's intervention, locks. */
static int outcome_of(const char *state)
{
	static const char *const passing[] = {"08", "53", "57", "55", "40"};
	if (!state || !*state)
		return STORE_E_FULL; /* the connection is gone */
	if (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0)
		return STORE_E_UNKNOWN;
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (str_starts(state, passing[i]))
			return STORE_E_FULL;
	return STORE_E_UNUSABLE;
}

struct pg_conn *pg_session_connection(const struct pg_session *session)
{
	return session->connection;
}

int pg_session_judge(
	struct pg_session *session, const struct pg_result *result, struct fault *reterr)
{
	ExecStatusType status = PQresultStatus(result);
	switch (result ? status : PGRES_FATAL_ERROR) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE:
	case PGRES_COPY_IN:
		return 0;
	default:
		break;
	}
	int r = outcome_of(result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL);
	struct slice why = first_line(result ? PQresultErrorMessage(result) : "");
	if (why.size == 0)
		why = first_line(PQerrorMessage(session->connection));
	if (r == STORE_E_UNKNOWN)
		fault_set(reterr, FAULT_STORE,
			"%s has no tables of trawld yet; they are made when a trawld with `state = postgresql` starts",
			session->where);
	else
		fault_set(reterr, FAULT_STORE, "%s: %.*s", session->where, (int)why.size, why.data);
	return r;
}

int pg_session_run(struct pg_session *session, const char *sql, const char *const *values, size_t n,
	struct pg_rowset **ret, struct fault *reterr)
{
	PGresult *result =
		PQexecParams(session->connection, sql, (int)n, NULL, values, NULL, NULL, 0);
	int r = pg_session_judge(session, result, reterr);
	if (r || !ret) {
		PQclear(result);
		return r;
	}
	*ret = MEM_NEW(struct pg_rowset);
	(*ret)->result = result;
	return 0;
}

size_t pg_rowset_n(const struct pg_rowset *rows)
{
	return (size_t)PQntuples(rows->result);
}

const char *pg_rowset_text(const struct pg_rowset *rows, size_t row, int column)
{
	return PQgetisnull(rows->result, (int)row, column)
		       ? NULL
		       : PQgetvalue(rows->result, (int)row, column);
}

int64_t pg_rowset_number(const struct pg_rowset *rows, size_t row, int column)
{
	const char *text = pg_rowset_text(rows, row, column);
	return text ? strtoll(text, NULL, 10) : 0;
}

void pg_rowset_drop(struct pg_rowset **rows)
{
	if (!*rows)
		return;
	PQclear((*rows)->result);
	free(*rows);
}
