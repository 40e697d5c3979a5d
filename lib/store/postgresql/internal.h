/* What the files of this folder share. */
#ifndef TRAWLD_STORE_POSTGRESQL_INTERNAL_H
#define TRAWLD_STORE_POSTGRESQL_INTERNAL_H

#include <libpq-fe.h>

#include "store/postgresql/postgresql.h"

#include "base/buf.h"

#define UUID_SIZE 37
#define N_PARAMETERS 40 /* of a statement, at most */
#define ANSWER_PATIENCE (10 * NSEC_PER_SEC) /* of a query that is waited for */

enum phase {
	PHASE_READY, /* connected, nothing is under way */
	PHASE_PIPELINE, /* statements are under way */
	PHASE_CONNECTING, /* the connection was lost */
	PHASE_RESOLVING, /* connected again: what has become of the lease and of the commit? */
	PHASE_LOST,
};

struct prepared {
	char *sql;
	char name[16];
};

/* The connection that renews the lease beside a long commit. */
struct side {
	PGconn *connection; /* NULL: none */
	PostgresPollingStatusType polling;
	bool asked; /* no answer yet */
	nsec_t sent_boot, retry_at;
};

struct away;

struct postgresql {
	struct store_backend backend; /* first */
	char *cluster, *connect, *password, *schema, *node;
	char process[24];
	int64_t n_shards, wanted_shard;
	nsec_t lease_ns;
	bool require_synchronous;
	PGconn *connection; /* NULL: none */

	/* the lease */
	bool held;
	int64_t shard;
	char shard_text[24];
	char holder[UUID_SIZE]; /* of this holding: the fencing token, with the version */
	int64_t epoch, version, last_number;
	nsec_t until_boot; /* lease_until_boot(), but for what is renewed while the loop is away */
	nsec_t renew_at; /* monotonic, as those that follow */
	nsec_t retry_at; /* PHASE_CONNECTING, PHASE_RESOLVING: a new connection is made */
	uint64_t n_sockets; /* at most so many were made */
	struct fault lost;
	bool silent; /* somebody was told that nothing may be sent: it stays so */
	struct away *away; /* NULL: the loop is at work */

	/* what is under way */
	enum phase phase;
	bool told; /* PHASE_LOST: to whom it matters */
	struct side side;
	PostgresPollingStatusType polling; /* PHASE_CONNECTING */
	bool unflushed;
	bool committing; /* the pipeline is CHANGE; else a renewal */
	nsec_t sent_boot; /* before the first byte of it was */
	nsec_t moved_boot; /* the last sign of life of a commit */
	uint64_t n_acknowledged; /* bytes, by the peer's TCP: the same */
	bool renewal_failed; /* the last one, and the log says so */
	bool still_said; /* that there has been no such sign for long */
	bool committed; /* the server has said so */
	bool astray; /* a row was not there */
	char sqlstate[6]; /* of its first error */
	struct fault fault;
	struct prepared *prepared; /* in this connection */
	size_t n_prepared, prepared_capacity;

	const struct backend_change *change; /* to be sent, or sent and not answered */
	bool in_doubt; /* it was sent, and the connection was lost */
	enum backend_answer answer; /* to be told; BACKEND_IDLE: none */
	struct fault answer_fault;
	uint64_t n_in_doubt;
	char *said; /* for the table nodes; NULL: nothing */

	struct postgresql_shard *around; /* all shards, as they were at the last renewal */
	size_t n_around;
	int64_t n_standbys; /* synchronous ones; -1: not known */
	nsec_t sent_at, latency_ns,
		total_latency_ns; /* of what was answered last; of all commits */
	uint64_t n_committed;

	struct postgresql_request request; /* in hand; its ID "": none */
	bool request_sure; /* the server has said that it is taken */
	char *request_answer; /* NULL: none yet */
	bool request_answering; /* the answer is under way */
};

/* --- connection.c: what a daemon, whose lease runs, does with the server. Commands of a person
 * wait as long as it takes (pg_session.h). --- */

nsec_t boot_clock(void);
/* Begins a connection under the name NAME of the session. BESIDE (may be NULL): to the same server,
 * whose name is not looked up again. */
PGconn *connection_start(
	const struct postgresql *postgresql, const char *name, const PGconn *beside);
/* The same, and waits. NULL: *RETERR says why. */
PGconn *connection_open(
	const struct postgresql *postgresql, const char *name, struct fault *reterr);
/* What each session has to set. */
extern const char connection_settings[];
void connection_close(struct postgresql *postgresql);
/* What the connection, or RESULT (may be NULL), complains of, in one line. */
void connection_fault(PGconn *connection, const PGresult *result, struct fault *fault);
/* Runs SQL (with parameters: one statement) and waits for its last result. NULL: *RETERR says why;
 * STATE (may be NULL) is then its SQLSTATE. */
PGresult *connection_query(PGconn *connection, const char *sql, int n,
	const char *const *parameters, char state[6], struct fault *reterr);
void result_clear(PGresult **result);
int64_t result_number(const PGresult *result, int row, int column);

/* --- tables.c --- */

/* Makes what is missing of tables and of the cluster's rows. 0 or STORE_E_*. */
int tables_make(struct postgresql *postgresql, struct fault *reterr);

/* --- lease.c --- */

/* Printed SQL: ends sessions of earlier holders of the shard; renews the lease, and sets MORE ("a =
 * 1, "). */
void lease_print_end(const struct postgresql *postgresql, struct buf *sql);
void lease_print_renew(const struct postgresql *postgresql, const char *more, struct buf *sql);
/* The lease was renewed by what was sent at SENT_BOOT. */
void lease_renewed(struct postgresql *postgresql, nsec_t sent_boot);
/* Of CLOCK_BOOTTIME: from then on nothing may leave this process. */
nsec_t lease_until_boot(const struct postgresql *postgresql);
void lease_release(struct postgresql *postgresql);
char *lease_session_name(const struct postgresql *postgresql);

/* --- load.c --- */

int load_rows(struct store_backend *backend, struct store *store, int64_t *ret_last_number,
	bool *ret_fresh, struct fault *reterr);

/* --- around.c --- */

/* In a renewal: asks. */
bool around_send(struct postgresql *postgresql);
/* Was RESULT the answer? */
bool around_take_result(struct postgresql *postgresql, const PGresult *result);
void around_deinit(struct postgresql *postgresql);

/* --- side.c --- */

/* The commit goes on: a row was sent, or answered. */
void side_moved(struct postgresql *postgresql);
/* Begins, continues or ends a renewal beside a commit that takes long. */
void side_step(struct postgresql *postgresql);
nsec_t side_wake_at(const struct postgresql *postgresql);
void side_close(struct postgresql *postgresql);

/* --- away.c --- */

/* The connection that away_begin takes over: made before a lease is taken, since that may take long
 * as well. NULL: *RETERR says why. */
PGconn *away_connect(const struct postgresql *postgresql, struct fault *reterr);
void away_begin(struct postgresql *postgresql, PGconn *connection);

/* Before the last renewal that succeeded since the loop is away; 0: there was none. */
nsec_t away_sent_boot(const struct postgresql *postgresql);

/* --- pipeline.c --- */

/* Sends CHANGE, or a renewal. false: the connection is broken; of a commit, or *RETERR is set: a
 * row could not be read here, so the server does not get all of it. */
bool pipeline_commit(struct postgresql *postgresql, struct fault *reterr);
bool pipeline_renew(struct postgresql *postgresql);
/* Writes and reads what can be. *RET_OVER: everything is answered. false: the connection is broken.
 */
bool pipeline_step(struct postgresql *postgresql, bool *ret_over);

/* --- requests.c --- */

/* The name of the channel that wakes the holder. */
void requests_print_channel(const struct postgresql *postgresql, struct buf *out);
/* In a renewal: sends the answer that there is, or takes a request if none is in hand. */
bool requests_send(struct postgresql *postgresql);
/* Was RESULT one of them? */
bool requests_take_result(struct postgresql *postgresql, const PGresult *result);
/* The renewal is over; DONE: the server has made all of it. */
void requests_settle(struct postgresql *postgresql, bool done);
void requests_drop(struct postgresql *postgresql);

/* --- hold.c --- */

/* The lease was taken: the connection works for the backend from now on. */
void hold_begin(struct postgresql *postgresql);

#endif
