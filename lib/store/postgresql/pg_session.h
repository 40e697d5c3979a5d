/*
 * A connection for the commands of a person (move, reshard, status, requests): each call waits for
 * its answer as long as it takes, and its error is judged for an exit status. What a daemon does
 * with the database is in internal.h (connection.c): it waits 10 s at most, since a lease runs
 * meanwhile.
 */
#ifndef TRAWLD_STORE_PG_SESSION_H
#define TRAWLD_STORE_PG_SESSION_H

#include "conf/cluster_options.h"
#include "store/database.h"

struct pg_conn;
struct pg_rowset;
struct pg_session;

/* Connects, within 10 s for each host, as NAME (the application that others see). The names of
 * tables are those of the schema. 0, or STORE_E_FULL: not now. */
int pg_session_open(struct pg_session **ret, const struct cluster_options *options,
	const char *name, struct fault *reterr);
/* libpq's connection, which stays the session's. */
struct pg_conn *pg_session_connection(const struct pg_session *session);
/* Fills *RETERR for what libpq has answered (a PGresult; NULL: the connection is gone): 0 if that
 * was no error, else as pg_session_run. */
struct pg_result;
int pg_session_judge(
	struct pg_session *session, const struct pg_result *result, struct fault *reterr);
void pg_session_close(struct pg_session *session); /* NULL allowed */

/* Runs SQL, one statement with the N texts of VALUES (NULL: null). *RET (may be NULL) is to be
 * freed. 0, STORE_E_FULL: may pass; STORE_E_UNKNOWN: there are no such tables; else
 * STORE_E_UNUSABLE. */
int pg_session_run(struct pg_session *session, const char *sql, const char *const *values, size_t n,
	struct pg_rowset **ret, struct fault *reterr);

size_t pg_rowset_n(const struct pg_rowset *rows);
const char *pg_rowset_text(const struct pg_rowset *rows, size_t row, int column); /* or NULL */
int64_t pg_rowset_number(const struct pg_rowset *rows, size_t row, int column); /* 0 for null */
void pg_rowset_drop(struct pg_rowset **rows); /* for CLEANUP */

#endif
