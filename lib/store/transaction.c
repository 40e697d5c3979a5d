/*
 * The one way in which the state changes. Without a backend a transaction is SQLite's. With one,
 * its changes are taken from SQLite and undone, and are carried out when the backend has answered:
 * until then the copy is what it was, for everybody.
 */
#include "store/store_internal.h"

/* How long a transaction waits for the one before it: as for another program's lock. */
#define PATIENCE (250 * NSEC_PER_MSEC)
/* A change by a command or a reload is not left in doubt: longer than that, the process ends and
 * the next one reads what there is. */
#define PATIENCE_END (10 * NSEC_PER_SEC)

static void undo(struct store *store)
{
	mirror_stop(store);
	/* after some errors SQLite has rolled back by itself */
	if (!sqlite3_get_autocommit(store->db))
		statement_run(store, STATEMENT_ROLLBACK, NULL);
}

/* Nothing is written any more: this process cannot know what the next one finds. */
static int lost(struct store *store, struct fault *fault)
{
	if (!store->lost)
		store->lost_fault = *fault;
	store->lost = true;
	*fault = store->lost_fault;
	return STORE_E_LOST;
}

int transaction_begin(struct store *store, struct fault *reterr)
{
	int r = 0;

	if (store->lost) {
		if (reterr)
			*reterr = store->lost_fault;
		return STORE_E_LOST;
	}
	if (store->change)
		r = commit_await(store, PATIENCE, reterr);
	if (r == STORE_E_WAIT) {
		fault_set(reterr, FAULT_STORE,
			"the database has not yet answered the previous commit; nothing was changed");
		r = STORE_E_FULL;
	}
	if (!r)
		r = statement_run(store, STATEMENT_WRITE, reterr);
	if (r || !store->backend)
		return r;
	r = mirror_begin(store, reterr);
	if (r)
		undo(store);
	return r;
}

int transaction_send(struct store *store, int r, struct fault *reterr)
{
	struct store_backend *backend = store->backend;

	if (!r && backend)
		r = mirror_take(store, &store->change, reterr);
	else if (!r)
		r = statement_run(store, STATEMENT_COMMIT, reterr);
	if (r || backend)
		undo(store);
	if (r || !backend || !store->change)
		return r;
	backend->functions->send(backend, store->change);
	return STORE_E_WAIT;
}

static int settle(struct store *store, struct fault *reterr)
{
	int r = mirror_apply(store, store->change, reterr);

	backend_change_free(store->change);
	store->change = NULL;
	/* the backend has it, the copy has not: the next process begins with another copy */
	return r ? lost(store, reterr) : 0;
}

int transaction_answer(struct store *store, nsec_t patience_ns, struct fault *reterr)
{
	struct fault fault = FAULT_NULL;
	int r = STORE_E_WAIT;

	switch (store->lost ? BACKEND_LOST : backend_wait(store->backend, patience_ns, &fault)) {
	case BACKEND_WAITS:
		break;
	case BACKEND_COMMITTED:
		r = settle(store, &fault);
		break;
	case BACKEND_REFUSED:
		backend_change_free(store->change);
		store->change = NULL;
		r = STORE_E_FULL;
		break;
	case BACKEND_IDLE:
	case BACKEND_LOST:
		r = lost(store, &fault);
		break;
	}
	if (r && reterr)
		*reterr = fault;
	return r;
}

static int finish(struct store *store, int r, nsec_t patience_ns, struct fault *reterr)
{
	struct fault fault = FAULT_NULL;

	if (r == STORE_E_WAIT)
		r = transaction_answer(store, patience_ns, reterr);
	if (r != STORE_E_WAIT)
		return r;
	fault_set(&fault, FAULT_STORE, "the database has not answered for 10 s");
	r = lost(store, &fault);
	if (reterr)
		*reterr = fault;
	return r;
}

int transaction_end(struct store *store, int r, struct fault *reterr)
{
	return finish(store, transaction_send(store, r, reterr), PATIENCE_END, reterr);
}

int transaction_send_all(struct store *store, struct fault *reterr)
{
	store->change = mirror_all(store, store->last_number);
	store->backend->functions->send(store->backend, store->change);
	/* nothing else can be done before it is there, and it may be any size */
	return finish(store, STORE_E_WAIT, NSEC_PER_DAY, reterr);
}

int store_check_hold(struct store *store, struct fault *reterr)
{
	struct fault fault = FAULT_NULL;

	if (!store->lost &&
		(!store->backend || !store->backend->functions->is_lost(store->backend, &fault)))
		return 0;
	lost(store, &fault);
	*reterr = fault;
	return STORE_E_LOST;
}

bool store_may_deliver(const struct store *store)
{
	return !store->backend ||
	       (!store->lost && store->backend->functions->may_deliver(store->backend));
}

struct store_backend *store_backend(const struct store *store)
{
	return store->backend;
}
