/*
 * What a person asks of the holder of a shard, from whatever host, is a row of the table requests.
 * The holder takes one at a time, in a transaction that also proves its lease, and writes the
 * answer beside it. A request that another holder had taken and not answered is told as such
 * (AGAIN): only the state can say whether it was carried out.
 */
#include "store/postgresql/internal.h"

#include "base/cleanup.h"
#include "base/mem.h"

void requests_print_channel(const struct postgresql *postgresql, struct buf *out)
{
	buf_printf(out, "\"trawld_%s_%s\"", postgresql->cluster, postgresql->shard_text);
}

static bool send_answer(struct postgresql *postgresql)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	const char *values[] = {postgresql->request.id, postgresql->request_answer};

	buf_printf(&sql,
		"UPDATE %s.requests SET answer = $2, answered = clock_timestamp()"
		" WHERE id = $1::uuid AND answer IS NULL",
		postgresql->schema);
	return PQsendQueryParams(
		postgresql->connection, buf_text(&sql), 2, NULL, values, NULL, NULL, 0);
}

/* One that this holder has taken, and that is not in hand, was lost with a connection before
 * anybody saw it. */
static bool send_take(struct postgresql *postgresql)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;

	buf_printf(&sql,
		"UPDATE %s.requests SET taken = '%s',"
		" n_taken = n_taken + (taken IS DISTINCT FROM '%s'::uuid)::int WHERE id ="
		" (SELECT id FROM %s.requests WHERE cluster = '%s' AND shard = %s AND answer IS NULL"
		" AND expires > clock_timestamp() ORDER BY created, id LIMIT 1 FOR UPDATE SKIP LOCKED)"
		" RETURNING id AS request_id, asked_by, request, (n_taken > 1)::int",
		postgresql->schema, postgresql->holder, postgresql->holder, postgresql->schema,
		postgresql->cluster, postgresql->shard_text);
	return PQsendQueryParams(
		postgresql->connection, buf_text(&sql), 0, NULL, NULL, NULL, NULL, 0);
}

bool requests_send(struct postgresql *postgresql)
{
	postgresql->request_answering = postgresql->request_answer != NULL;
	if (postgresql->request_answering)
		return send_answer(postgresql);
	return *postgresql->request.id || send_take(postgresql);
}

bool requests_take_result(struct postgresql *postgresql, const PGresult *result)
{
	struct postgresql_request *request = &postgresql->request;

	if (PQnfields(result) == 0 || strcmp(PQfname(result, 0), "request_id") != 0)
		return false;
	if (PQntuples(result) == 0)
		return true;
	snprintf(request->id, sizeof(request->id), "%s", PQgetvalue(result, 0, 0));
	request->by = mem_strdup(PQgetvalue(result, 0, 1));
	request->text = mem_strdup(PQgetvalue(result, 0, 2));
	request->again = result_number(result, 0, 3) != 0;
	return true;
}

void requests_drop(struct postgresql *postgresql)
{
	free(postgresql->request.by);
	free(postgresql->request.text);
	free(postgresql->request_answer);
	postgresql->request = (struct postgresql_request){0};
	postgresql->request_answer = NULL;
	postgresql->request_answering = postgresql->request_sure = false;
}

void requests_settle(struct postgresql *postgresql, bool done)
{
	if (!done) {
		/* it was not taken after all; or it was, and is taken once more */
		if (!postgresql->request_sure)
			requests_drop(postgresql);
		postgresql->request_answering = false;
		return;
	}
	if (postgresql->request_answering) {
		requests_drop(postgresql);
		postgresql->renew_at = clock_monotonic(); /* perhaps there is another one */
	} else if (*postgresql->request.id) {
		postgresql->request_sure = true;
	}
}

const struct postgresql_request *postgresql_request(const struct postgresql *postgresql)
{
	return postgresql->request_sure && !postgresql->request_answer ? &postgresql->request
								       : NULL;
}

void postgresql_answer(struct postgresql *postgresql, const char *json)
{
	postgresql->request_answer = mem_strdup(json);
	postgresql->renew_at = clock_monotonic();
}
