/* See moved.h. */
#include "store/moved.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/store_internal.h"

int moved_get(struct store *store, char **ret, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store, "SELECT moved_to FROM moved", &statement, reterr);

	*ret = NULL;
	if (!r)
		r = statement_step(store, statement, &row, reterr);
	if (!r && row)
		*ret = mem_strdup((const char *)sqlite3_column_text(statement, 0));
	return r;
}

static int put(struct store *store, const char *to, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	int r = statement_exec(store, "DELETE FROM moved", reterr);

	if (!r && to)
		r = statement_prepare(
			store, "INSERT INTO moved(id, moved_to) VALUES(1, ?1)", &statement, reterr);
	if (r || !to)
		return r;
	statement_bind_text(statement, 1, to);
	return statement_finish(store, statement, reterr);
}

int moved_set(struct store *store, const char *to, struct fault *reterr)
{
	int r = transaction_begin(store, reterr);

	return r ? r : transaction_end(store, put(store, to, reterr), reterr);
}

int moved_check(struct store *store, struct fault *reterr)
{
	CLEANUP_FREE char *to = NULL;
	int r = moved_get(store, &to, reterr);

	if (r || !to)
		return r;
	if (str_starts(to, MOVED_UNDER_WAY))
		fault_set(reterr, FAULT_STORE,
			"%s is %s, which was interrupted: run the same `trawlctl state move` again, or `trawlctl state move --to` with the other place to take it back",
			store->path, to);
	else
		fault_set(reterr, FAULT_STORE,
			"%s was moved to %s: set `state` in [daemon] accordingly (`trawlctl state move` moves it back)",
			store->path, to);
	return STORE_E_UNUSABLE;
}
