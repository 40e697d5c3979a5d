/*
 * Where a state is kept beside the SQLite file: nowhere (no backend), or on a server. Then the file
 * is a working copy, read and written as ever, and a transaction is one only after the server has
 * it: what it changes is taken from SQLite as a list of rows, undone, sent, and carried out in the
 * copy when the server has answered. So nobody reads what the server may still refuse, and nothing
 * is ever read from the server but at the beginning.
 *
 * A backend never blocks after load: step() does what can be done now, wants() says what to wait
 * for. It keeps its hold on the state (a lease) by itself; when it cannot, it is lost, for good.
 */
#ifndef TRAWLD_STORE_BACKEND_H
#define TRAWLD_STORE_BACKEND_H

#include "store/database.h"

#include "base/clock.h"
#include "base/slice.h"

enum backend_answer {
	BACKEND_IDLE, /* nothing was sent that has no answer yet */
	BACKEND_WAITS, /* sent, not answered: it may be there, or may never be */
	BACKEND_COMMITTED, /* told once */
	BACKEND_REFUSED, /* told once: it is not there, and will not be; may pass */
	BACKEND_LOST, /* another process holds the state, or may: the end */
};

/* What to wait for; FD -1: only the time. */
struct backend_wants {
	int fd;
	bool readable, writable;
	uint64_t socket; /* another one than before has another number, though perhaps the same FD
			  */
	nsec_t wake_at; /* NSEC_NONE: never */
};

enum backend_type { BACKEND_NULL, BACKEND_INTEGER, BACKEND_TEXT, BACKEND_BLOB };

struct backend_value {
	enum backend_type type;
	int64_t integer;
	struct slice bytes; /* of a text or blob */
};

struct backend_column {
	const char *name;
	enum backend_type type; /* as declared */
	bool key; /* part of the primary key */
};

struct backend_table {
	const char *name;
	const struct backend_column *columns;
	size_t n_columns;
};

enum backend_change_kind { BACKEND_INSERT, BACKEND_UPDATE, BACKEND_DELETE };

/* One row that changes. */
struct backend_row {
	const struct backend_table *table;
	enum backend_change_kind kind;
	const struct backend_value *values; /* a column each; of a row that goes, only its key */
	const bool *changed; /* BACKEND_UPDATE: these columns; the key never changes */
};

/* What a transaction changes. Stays valid until it is answered. */
struct backend_change;
typedef void (*backend_row_fn)(const struct backend_row *row, void *userdata);
/* The rows, in no particular order; may be asked for again. */
int backend_change_each(const struct backend_change *change, backend_row_fn each, void *userdata,
	struct fault *reterr);
/* It is all that the copy has, and replaces whatever is kept. */
bool backend_change_is_all(const struct backend_change *change);
/* The number of the last batch, once CHANGE is committed. */
int64_t backend_change_last_number(const struct backend_change *change);

struct store_backend;
struct backend_functions {
	/* Puts the rows that are kept into the empty tables of STORE (mirror.h); it may wait.
	 * *RET_LAST_NUMBER: of the last batch ever; *RET_FRESH: there were none, and those that
	 * STORE has by itself are still to be sent. */
	int (*load)(struct store_backend *backend, struct store *store, int64_t *ret_last_number,
		bool *ret_fresh, struct fault *reterr);
	/* Sends CHANGE; the answer before has come. What fails is an answer, too. */
	void (*send)(struct store_backend *backend, const struct backend_change *change);
	enum backend_answer (*answer)(struct store_backend *backend, struct fault *reterr);
	bool (*is_lost)(struct store_backend *backend, struct fault *reterr);
	void (*step)(struct store_backend *backend);
	void (*wants)(const struct store_backend *backend, struct backend_wants *ret);
	/* Is it sure that nobody else holds the state? Else nothing may leave this process, from
	 * then on, and the hold is lost with the next step. */
	bool (*may_deliver)(struct store_backend *backend);
};

struct store_backend {
	const struct backend_functions *functions;
	int format; /* the version of the schema of the rows that it keeps */
};

/* Puts a row into the copy; for load. */
int backend_put_row(struct store *store, const struct backend_row *row, struct fault *reterr);
/* The tables of the copy. */
const struct backend_table *backend_tables(const struct store *store, size_t *ret_n);
/* Calls EACH for the tables of this build's schema. 0 or STORE_E_*. */
int backend_each_table(void (*each)(const struct backend_table *table, void *userdata),
	void *userdata, struct fault *reterr);

/* Works until there is something to say (a socket, a time), or PATIENCE_NS is over. */
void backend_poll(struct store_backend *backend, nsec_t patience_ns);
/* Works until there is an answer, or PATIENCE_NS is over. */
enum backend_answer backend_wait(
	struct store_backend *backend, nsec_t patience_ns, struct fault *reterr);

#endif
