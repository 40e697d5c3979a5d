/* postgresql.h without libpq: a configuration that needs it is refused before (conninfo.h). */
#include "store/postgresql/postgresql.h"

int postgresql_open(
	struct postgresql **ret, const struct cluster_options *options, struct fault *reterr)
{
	(void)ret;
	(void)options;
	fault_set(reterr, FAULT_CONFIG, "this trawld was built without PostgreSQL");
	return STORE_E_UNUSABLE;
}

void postgresql_close(struct postgresql *postgresql)
{
	(void)postgresql;
}

int postgresql_acquire(struct postgresql *postgresql, struct store_backend **ret,
	int64_t *ret_shard, struct fault *reterr)
{
	(void)postgresql;
	(void)ret_shard;
	*ret = NULL;
	fault_set(reterr, FAULT_CONFIG, "this trawld was built without PostgreSQL");
	return STORE_E_UNUSABLE;
}

void postgresql_away_begin(struct postgresql *postgresql)
{
	(void)postgresql;
}

void postgresql_away_end(struct postgresql *postgresql)
{
	(void)postgresql;
}

int postgresql_fd(const struct postgresql *postgresql)
{
	(void)postgresql;
	return -1;
}

void postgresql_heard(struct postgresql *postgresql)
{
	(void)postgresql;
}

void postgresql_status(const struct postgresql *postgresql, struct postgresql_status *ret)
{
	(void)postgresql;
	*ret = (struct postgresql_status){.shard = -1};
}

void postgresql_say(struct postgresql *postgresql, const char *json)
{
	(void)postgresql;
	(void)json;
}

const struct postgresql_shard *postgresql_shards(const struct postgresql *postgresql, size_t *ret_n)
{
	(void)postgresql;
	*ret_n = 0;
	return NULL;
}

const struct postgresql_request *postgresql_request(const struct postgresql *postgresql)
{
	(void)postgresql;
	return NULL;
}

void postgresql_answer(struct postgresql *postgresql, const char *json)
{
	(void)postgresql;
	(void)json;
}

int postgresql_each_elsewhere(struct postgresql *postgresql,
	void (*each)(const char *source, int64_t shard, void *userdata), void *userdata,
	struct fault *reterr)
{
	(void)postgresql;
	(void)each;
	(void)userdata;
	(void)reterr;
	return 0;
}
