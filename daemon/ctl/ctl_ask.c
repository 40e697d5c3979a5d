/*
 * Where a command for a running trawld goes: to the control socket of this host, or, in a cluster,
 * through the database to the holder of the source's shard, or to the holders of all shards. What
 * they answer is made one answer.
 */
#include "ctl/ctl_ask.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "ctl/ctl.h"
#include "ctl/ctl_control.h"
#include "store/postgresql/cluster_request.h"

/* A takeover, and then some time for the work. */
#define PATIENCE(lease_ns) (2 * (lease_ns) + 30 * NSEC_PER_SEC)

bool ctl_can_ask(const struct config *config)
{
	const char *control = config->daemon.control;
	return config->daemon.state == STATE_POSTGRESQL ||
	       (strcmp(control, "off") != 0 && ctl_control_answers(control));
}

/* --- several answers --- */

static void add_member(json_t *all, const char *name, json_t *value)
{
	json_t *there = json_object_get(all, name);
	if (json_is_integer(there) && json_is_integer(value))
		json_integer_set(there, json_integer_value(there) + json_integer_value(value));
	else if (json_is_array(there) && json_is_array(value))
		json_array_extend(there, value);
	else if (!there || !json_is_true(there))
		json_object_set(all, name, value);
}

static void add_answer(json_t *all, const json_t *answer)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)answer, name, value) add_member(all, name, value);
}

struct verdict {
	json_t *all; /* what those say that have done it */
	size_t n_done;
	int code; /* of the first that refused; 0: none */
	bool silent; /* some have not answered */
	char *unknown; /* there is no such source, as some shard says */
};

static void fail(struct verdict *verdict, int code)
{
	if (!verdict->code)
		verdict->code = code;
}

static void print_silence(const struct cluster_answer *item, const char *patience)
{
	long long shard = (long long)item->shard;
	if (item->taken)
		fprintf(stderr,
			"trawlctl: shard %lld: the request was taken, but not answered within %s: whether it was carried out is not known, and it may still be\n",
			shard, patience);
	else if (item->node)
		fprintf(stderr,
			"trawlctl: shard %lld: node %s holds it, and did not take the request within %s: nothing was done\n",
			shard, item->node, patience);
	else
		fprintf(stderr,
			"trawlctl: shard %lld: no process holds it (`trawlctl cluster status`), and none took it within %s: nothing was done\n",
			shard, patience);
}

/* NAMED: the source may be in any shard, so those that do not know it need not do anything. */
static void judge(struct verdict *verdict, const struct cluster_answer *item, bool named,
	const char *patience)
{
	json_t *answer = item->text ? json_loads(item->text, 0, NULL) : NULL;
	const char *error = json_string_value(json_object_get(answer, "error"));
	int code = (int)json_integer_value(json_object_get(answer, "code"));
	if (!answer) {
		print_silence(item, patience);
		verdict->silent = true;
	} else if (json_is_true(json_object_get(answer, "ok"))) {
		add_answer(verdict->all, answer);
		verdict->n_done++;
	} else if (named && json_is_true(json_object_get(answer, "unknown"))) {
		free(verdict->unknown);
		verdict->unknown = mem_strdup(error);
	} else {
		fprintf(stderr, "trawlctl: shard %lld: %s\n", (long long)item->shard,
			error ? error : "unexpected answer from trawld");
		fail(verdict, code > 0 && code < 256 ? code : EX_SOFTWARE);
		add_answer(verdict->all, answer); /* a retry_in */
	}
	json_decref(answer);
}

static int judge_all(
	const struct cluster_answers *answers, bool named, nsec_t patience_ns, json_t **ret)
{
	struct verdict verdict = {.all = json_object()};
	struct buf patience CLEANUP(buf_deinit) = BUF_NULL;
	timestamp_print_duration(patience_ns, &patience);
	for (size_t i = 0; i < answers->n_items; i++)
		judge(&verdict, &answers->items[i], named, buf_text(&patience));
	bool sink = json_is_true(json_object_get(verdict.all, "sink"));
	/* another shard has the source, so those that do not answer need not; a sink is in all */
	if (verdict.silent && (!named || !verdict.n_done || answers->sure || sink))
		fail(&verdict, EX_TEMPFAIL);
	if (!verdict.n_done && !verdict.code && verdict.unknown) {
		fprintf(stderr, "trawlctl: %s\n", verdict.unknown);
		fail(&verdict, EX_USAGE);
	}
	free(verdict.unknown);
	*ret = verdict.all;
	return verdict.code;
}

/* --- asking --- */

static char *who(void)
{
	char *user CLEANUP_FREE = ctl_user();
	char host[256] = "";
	gethostname(host, sizeof(host) - 1);
	return mem_printf("%s@%s", user, host);
}

static int ask_cluster(
	const struct config *config, const char *source, const json_t *request, json_t **ret)
{
	char *text CLEANUP_FREE = json_dumps(request, JSON_COMPACT);
	char *by CLEANUP_FREE = who();
	struct cluster_answers answers;
	struct fault fault = FAULT_NULL;
	const struct cluster_question question = {
		.source = source,
		.text = text,
		.by = by,
		.patience_ns = PATIENCE(config->cluster.lease_ns),
	};
	int r = cluster_ask(&answers, &config->cluster, &question, &fault);
	if (r) {
		fprintf(stderr, "trawlctl: %s\n", fault.text);
		return r == STORE_E_FULL ? EX_TEMPFAIL : EX_CONFIG;
	}
	int code = judge_all(&answers, source != NULL, question.patience_ns, ret);
	cluster_answers_deinit(&answers);
	return code;
}

int ctl_ask(const struct config *config, const char *source, json_t *request, json_t **ret)
{
	*ret = NULL;
	if (!request) {
		fputs("trawlctl: the name is not valid UTF-8\n", stderr);
		return EX_USAGE;
	}
	if (config->daemon.state != STATE_POSTGRESQL)
		return ctl_control_ask(config->daemon.control, request, 0, ret);
	int code = ask_cluster(config, source, request, ret);
	json_decref(request);
	return code;
}

int ctl_ask_running(const struct ctl_arguments *arguments, json_t *request, json_t **ret)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct config *config;
	int code = EX_CONFIG;
	*ret = NULL;
	if (!ctl_control_is_known(arguments)) {
		json_decref(request);
		return EX_CONFIG;
	}
	/* the daemon may have a configuration that is faulty by now */
	config_load(&config, arguments->path, &findings);
	if (config->daemon.state == STATE_POSTGRESQL && !config->cluster.connect)
		findings_print(&findings, stderr);
	else if (config->daemon.state != STATE_POSTGRESQL &&
		 strcmp(config->daemon.control, "off") == 0)
		ctl_control_tell_off(arguments);
	else {
		code = ctl_ask(config, arguments->name, request, ret);
		request = NULL;
	}
	json_decref(request);
	config_free(config);
	return code;
}
