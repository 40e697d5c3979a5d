/* trawlctl pause, resume: a running trawld does it and keeps it in its state; without one it is
 * written to the state for the next start. */
#include "ctl/ctl.h"

#include <ctype.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "ctl/ctl_ask.h"
#include "store/pause.h"

static void print_done(const char *kind, const char *name, bool paused, bool changed, bool disabled)
{
	if (changed)
		printf("%s %s: %s\n", kind, name, paused ? "paused" : "resumed");
	else
		printf("%s %s: %s\n", kind, name, paused ? "already paused" : "was not paused");
	if (!paused && disabled)
		printf("It is still not polled, because the configuration says enabled = no.\n");
}

static int ask_for(
	const struct config *config, const char *name, bool paused, bool sink, json_t **ret)
{
	json_t *request =
		json_pack("{s:s, s:s}", "command", paused ? "pause" : "resume", "name", name);
	return ctl_ask(config, sink ? NULL : name, request, ret);
}

/* In a cluster every shard has every sink, also one that this host does not know. */
static int ask(const struct config *config, const char *name, bool paused)
{
	json_t *answer = NULL;
	bool sink = false;
	for (size_t i = 0; i < config->n_sinks; i++)
		sink |= strcmp(config->sinks[i]->name, name) == 0;
	int code = ask_for(config, name, paused, sink, &answer);
	bool changed = !json_is_false(json_object_get(answer, "changed"));
	if (code == 0 && !sink && config->daemon.state == STATE_POSTGRESQL &&
		json_is_true(json_object_get(answer, "sink"))) {
		json_decref(answer);
		code = ask_for(config, name, paused, true, &answer);
		changed |= !json_is_false(json_object_get(answer, "changed"));
	}
	if (code == 0 && json_is_true(json_object_get(answer, "source")))
		print_done("source", name, paused, changed,
			json_is_true(json_object_get(answer, "disabled")));
	if (code == 0 && json_is_true(json_object_get(answer, "sink")))
		print_done("sink", name, paused, changed, false);
	const char *loss = json_string_value(json_object_get(answer, "loss"));
	if (code == 0 && loss && *loss)
		printf("%c%s.\n", toupper((unsigned char)*loss), loss + 1);
	json_decref(answer);
	return code;
}

/* The state has the sources and sinks that trawld was started with. */
static int unknown(const struct config *config, const char *name)
{
	char *hint CLEANUP_FREE = config_hint(config, name);
	fprintf(stderr, "trawlctl: the state has no source or sink `%s`%s\n", name, hint);
	return EX_USAGE;
}

struct found {
	enum pause_kind kind;
	const char *name;
	bool paused;
};

static void look(enum pause_kind kind, const char *name, nsec_t since_time, void *userdata)
{
	struct found *found = userdata;
	(void)since_time;
	found->paused |= kind == found->kind && strcmp(name, found->name) == 0;
}

static int pause_in(struct store *store, const struct config *config, const char *name, bool paused)
{
	static const char *const words[] = {[PAUSE_SOURCE] = "source", [PAUSE_SINK] = "sink"};
	struct fault fault = FAULT_NULL;
	char *by CLEANUP_FREE = ctl_user();
	bool any = false;
	for (int kind = PAUSE_SOURCE; kind <= PAUSE_SINK; kind++) {
		struct found found = {(enum pause_kind)kind, name, false};
		int r = pause_each(store, look, &found, &fault);
		if (!r)
			r = pause_set(store, found.kind, name, paused, by, &fault);
		if (!r)
			print_done(words[kind], name, paused, found.paused != paused, false);
		else if (r != STORE_E_UNKNOWN)
			return ctl_store_failed(r, &fault);
		any |= !r;
	}
	return any ? 0 : unknown(config, name);
}

static int pause_state(const struct config *config, const char *name, bool paused)
{
	struct store *store;
	int code = ctl_own_state(&store, config);
	if (code)
		return code;
	code = pause_in(store, config, name, paused);
	store_close(store);
	return code;
}

static int run(const struct ctl_arguments *arguments, bool paused)
{
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	int code = ctl_can_ask(config) ? ask(config, arguments->name, paused)
				       : pause_state(config, arguments->name, paused);
	config_free(config);
	return code;
}

int ctl_pause(const struct ctl_arguments *arguments)
{
	return run(arguments, true);
}

int ctl_resume(const struct ctl_arguments *arguments)
{
	return run(arguments, false);
}
