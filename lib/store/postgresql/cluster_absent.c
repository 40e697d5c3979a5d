/* cluster_view.h and move.h for a trawld that was built without libpq: a configuration that needs
 * it is refused before (conninfo.h). */
#include "store/postgresql/move.h"

#include "store/conninfo.h"
#include "store/postgresql/cluster_request.h"

int cluster_ask(struct cluster_answers *ret, const struct cluster_options *options,
	const struct cluster_question *question, struct fault *reterr)
{
	(void)question;
	*ret = (struct cluster_answers){0};
	conninfo_check(options->connect, reterr);
	return STORE_E_UNUSABLE;
}

void cluster_answers_deinit(struct cluster_answers *answers)
{
	*answers = (struct cluster_answers){0};
}

int cluster_look(
	struct cluster_view *ret, const struct cluster_options *options, struct fault *reterr)
{
	*ret = (struct cluster_view){0};
	conninfo_check(options->connect, reterr);
	return STORE_E_UNUSABLE;
}

void cluster_view_deinit(struct cluster_view *view)
{
	*view = (struct cluster_view){0};
}

int cluster_reshard(struct cluster_result *ret, const struct cluster_options *options,
	const struct cluster_plan *plan, struct fault *reterr)
{
	(void)plan;
	*ret = (struct cluster_result){0};
	conninfo_check(options->connect, reterr);
	return STORE_E_UNUSABLE;
}

int move_to_postgresql(const struct move *move, struct move_result *ret, struct fault *reterr)
{
	*ret = (struct move_result){0};
	conninfo_check(move->cluster->connect, reterr);
	return STORE_E_UNUSABLE;
}

int move_to_sqlite(const struct move *move, struct move_result *ret, struct fault *reterr)
{
	return move_to_postgresql(move, ret, reterr);
}
