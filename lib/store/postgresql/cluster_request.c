/* See cluster_request.h. The connection may be lost at any time (a failover): each statement can be
 * sent once more, since a request has its ID before it is written. */
#include "store/postgresql/cluster_request.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/postgresql/pg_session.h"

#define LOOK_EVERY (50 * NSEC_PER_MSEC)
#define KEPT "interval '1 day'" /* for whoever wants to see what was asked */

struct asking {
	struct pg_session *session; /* NULL: not connected */
	const struct cluster_options *options;
	const struct cluster_question *question;
	struct cluster_answers *answers;
	nsec_t until_at;
	bool sent;
};

static void add_shard(struct cluster_answers *answers, int64_t shard)
{
	struct cluster_answer *item;

	answers->items =
		mem_resize(answers->items, (answers->n_items + 1) * sizeof(struct cluster_answer));
	item = &answers->items[answers->n_items++];
	*item = (struct cluster_answer){.shard = shard};
	random_uuid(item->id);
}

/* A source that has a cursor is where its cursor is; any other may be anywhere. */
static int choose_shards(struct asking *asking, struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	const char *values[] = {asking->options->name, asking->question->source};
	int r = pg_session_run(asking->session,
		"SELECT s.shard, o.name IS NOT NULL FROM shards s LEFT JOIN sources o"
		" ON o.cluster = s.cluster AND o.shard = s.shard AND o.cursor IS NOT NULL"
		" AND o.name = convert_to($2, 'UTF8') WHERE s.cluster = $1 AND s.shard <"
		" (SELECT shards FROM clusters WHERE name = $1) ORDER BY o.name IS NULL, s.shard",
		values, 2, &rows, reterr);

	if (r)
		return r;
	if (pg_rowset_n(rows) == 0) {
		fault_set(reterr, FAULT_CONFIG,
			"the database has no cluster %s yet; a trawld with `state = postgresql` makes it when it starts",
			asking->options->name);
		return STORE_E_UNKNOWN;
	}
	asking->answers->sure = strcmp(pg_rowset_text(rows, 0, 1), "t") == 0;
	for (size_t i = 0; i < pg_rowset_n(rows) && !(asking->answers->sure && i > 0); i++)
		add_shard(asking->answers, pg_rowset_number(rows, i, 0));
	return 0;
}

static int write_one(struct asking *asking, const struct cluster_answer *item, struct fault *reterr)
{
	const struct cluster_question *question = asking->question;
	char *shard CLEANUP_FREE = mem_printf("%lld", (long long)item->shard);
	nsec_t left_ns = asking->until_at - clock_monotonic();
	char *left CLEANUP_FREE = mem_printf("%lld", (long long)(left_ns / NSEC_PER_MSEC));
	char *channel CLEANUP_FREE = mem_printf("trawld_%s_%s", asking->options->name, shard);
	const char *values[] = {
		item->id, asking->options->name, shard, left, question->by, question->text};
	int r = pg_session_run(asking->session,
		"INSERT INTO requests(id, cluster, shard, expires, asked_by, request) VALUES($1, $2,"
		" $3::int, clock_timestamp() + $4::bigint * interval '1 millisecond', $5, $6)"
		" ON CONFLICT DO NOTHING",
		values, 6, NULL, reterr);

	return r ? r
		 : pg_session_run(asking->session, "SELECT pg_notify($1, '')",
			   (const char *[]){channel}, 1, NULL, reterr);
}

static int write_all(struct asking *asking, struct fault *reterr)
{
	int r = pg_session_run(asking->session,
		"DELETE FROM requests WHERE cluster = $1 AND created < clock_timestamp() - " KEPT,
		(const char *[]){asking->options->name}, 1, NULL, reterr);

	if (!r && asking->answers->n_items == 0)
		r = choose_shards(asking, reterr);
	for (size_t i = 0; i < asking->answers->n_items && !r; i++)
		r = write_one(asking, &asking->answers->items[i], reterr);
	asking->sent = !r;
	return r;
}

static int look_at(struct asking *asking, struct cluster_answer *item, struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	const char *values[] = {item->id};
	int r = pg_session_run(asking->session,
		"SELECT r.answer, (r.taken IS NOT NULL)::int, CASE WHEN s.holder IS NOT NULL"
		" AND s.expires > clock_timestamp() THEN s.node END FROM requests r JOIN shards s"
		" USING (cluster, shard) WHERE r.id = $1",
		values, 1, &rows, reterr);

	if (r || pg_rowset_n(rows) == 0)
		return r;
	item->text = mem_strdup(pg_rowset_text(rows, 0, 0));
	item->taken = pg_rowset_number(rows, 0, 1) != 0;
	free(item->node);
	item->node = mem_strdup(pg_rowset_text(rows, 0, 2));
	return 0;
}

static int look(struct asking *asking, size_t *ret_n_open, struct fault *reterr)
{
	int r = 0;

	*ret_n_open = 0;
	for (size_t i = 0; i < asking->answers->n_items && !r; i++) {
		struct cluster_answer *item = &asking->answers->items[i];

		if (!item->text)
			r = look_at(asking, item, reterr);
		*ret_n_open += !item->text;
	}
	return r;
}

/* What nobody has taken is not carried out later, when nobody expects it any more. */
static int withdraw(struct asking *asking, struct fault *reterr)
{
	size_t n_open;
	int r = 0;

	for (size_t i = 0; i < asking->answers->n_items && !r; i++)
		if (!asking->answers->items[i].text)
			r = pg_session_run(asking->session,
				"UPDATE requests SET expires = '-infinity' WHERE id = $1"
				" AND taken IS NULL",
				(const char *[]){asking->answers->items[i].id}, 1, NULL, reterr);
	return r ? r : look(asking, &n_open, reterr);
}

static int step(struct asking *asking, size_t *ret_n_open, struct fault *reterr)
{
	int r = asking->session
			? 0
			: pg_session_open(&asking->session, asking->options, "trawlctl", reterr);

	*ret_n_open = 1;
	if (!r && !asking->sent)
		r = write_all(asking, reterr);
	return r ? r : look(asking, ret_n_open, reterr);
}

static int ask(struct asking *asking, struct fault *reterr)
{
	size_t n_open;
	int r;

	for (;;) {
		r = step(asking, &n_open, reterr);
		if (r) {
			pg_session_close(asking->session);
			asking->session = NULL;
		}
		if ((r && (r != STORE_E_FULL || asking->answers->n_items == 0)) || n_open == 0 ||
			clock_monotonic() >= asking->until_at)
			break;
		nanosleep(&(struct timespec){.tv_nsec = r ? NSEC_PER_SEC / 2 : LOOK_EVERY}, NULL);
	}
	return r || n_open == 0 ? r : withdraw(asking, reterr);
}

int cluster_ask(struct cluster_answers *ret, const struct cluster_options *options,
	const struct cluster_question *question, struct fault *reterr)
{
	struct asking asking = {
		.options = options,
		.question = question,
		.answers = ret,
		.until_at = clock_monotonic() + question->patience_ns,
	};
	struct fault fault = FAULT_NULL;
	int r;

	*ret = (struct cluster_answers){0};
	r = ask(&asking, &fault);
	pg_session_close(asking.session);
	if (!r)
		return 0;
	/* a row that was written has expired by now, or is about to */
	fault_set(reterr, fault.class, "%s%s", fault.text,
		ret->n_items > 0 ? "; it is not known whether the request was carried out"
				 : "; nothing was asked");
	cluster_answers_deinit(ret);
	return r;
}

void cluster_answers_deinit(struct cluster_answers *answers)
{
	for (size_t i = 0; i < answers->n_items; i++) {
		free(answers->items[i].node);
		free(answers->items[i].text);
	}
	free(answers->items);
	*answers = (struct cluster_answers){0};
}
