/*
 * The kind command: a program prints the credential, which another kind uses. So the keys of a role
 * that lives for an hour, or the token of a login that only a vendor's own program can make, need
 * nobody who renews a file.
 *
 * What it prints is the secret itself, or a JSON object with the keys of that kind; members may
 * have the names that programs in use give them. It is run without a shell and without the source's
 * parameters as arguments of its own.
 */
#include "net/auth/auth_token.h"

#include <errno.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"
#include "base/timer.h"

#include "net/client_internal.h"
#include "net/outcome.h"

#define OUTPUT_MAX ((size_t)64 * 1024)
#define TIMEOUT_DEFAULT NSEC_PER_MIN
#define KEYS_MAX 16

struct command {
	struct auth_token token;
	const char *type; /* of INNER */
	const char
		*text_key; /* that gets an output that is no JSON object; NULL: it has to be one */
	struct option_pair settings[KEYS_MAX]; /* of INNER, as configured */
	size_t n_settings;
	struct str_list argv;
	nsec_t life_ns;
	struct child child;
	ev_timer timer; /* it takes too long */
	bool late, large;
	struct buf output, complaint; /* the complaint: its last line */
	struct auth *inner; /* NULL: it has not run yet */
};

/* What a program's JSON calls the keys of the kinds. */
static const struct {
	const char *key;
	const char *names[4];
} members[] = {
	{"token", {"token", "access_token", "accessToken"}},
	{"value", {"value"}},
	{"user", {"user"}},
	{"password", {"password"}},
	{"access_key", {"access_key", "AccessKeyId"}},
	{"secret_key", {"secret_key", "SecretAccessKey"}},
	{"security_token", {"security_token", "SessionToken"}},
};
static const char *const expiries[] = {
	"/expires", "/expires_in", "/expires_on", "/Expiration", "/expiration"};

#define N_MEMBERS (sizeof(members) / sizeof(members[0]))
#define N_EXPIRIES (sizeof(expiries) / sizeof(expiries[0]))

static const struct {
	const char *type, *text_key;
} kinds[] = {{"bearer", "token"}, {"header", "value"}, {"basic", "password"}, {"sigv4", NULL},
	{"huawei_aksk", NULL}};

/* --- what it printed --- */

static json_t *find_member(json_t *root, size_t member)
{
	json_t *value = NULL;

	for (size_t i = 0; !value && i < 4 && members[member].names[i]; i++)
		value = json_object_get(root, members[member].names[i]);
	return value;
}

static void wipe_tree(json_t *root)
{
	for (size_t i = 0; i < N_MEMBERS; i++) {
		json_t *value = find_member(root, i);

		if (json_is_string(value))
			secret_wipe((char *)json_string_value(value), json_string_length(value));
	}
}

static nsec_t read_life(const struct command *command, json_t *root)
{
	nsec_t life_ns = command->life_ns;

	for (size_t i = 0; i < N_EXPIRIES; i++) {
		struct pointer pointer = POINTER_NULL;

		(void)pointer_parse(&pointer, slice_of(expiries[i]));
		if (pointer_find(&pointer, root)) {
			life_ns = token_answer_life(root, &pointer, NSEC_NONE, clock_wall());
			i = N_EXPIRIES;
		}
		pointer_deinit(&pointer);
	}
	return life_ns;
}

static int make_inner(struct command *command, const struct option_pair *settings, size_t n,
	struct auth **ret, struct fault *reterr)
{
	struct auth_setup setup = {.type = command->type, .settings = settings, .n_settings = n};

	return auth_new(ret, &setup, reterr);
}

/* Makes INNER again, from what is configured and what was printed. */
static int make_credential(
	struct command *command, json_t *root, struct slice text, struct fault *reterr)
{
	struct option_pair settings[KEYS_MAX + N_MEMBERS];
	struct fault why = FAULT_NULL;
	size_t n = command->n_settings;
	struct auth *inner = NULL;
	int r;

	memcpy(settings, command->settings, n * sizeof(settings[0]));
	for (size_t i = 0; i < N_MEMBERS; i++) {
		const struct auth_kind_info *info = auth_kind_find(command->type);
		json_t *value = find_member(root, i);

		if (json_is_string(value) && auth_kind_takes(info, members[i].key))
			settings[n++] = (struct option_pair){.name = (char *)members[i].key,
				.value = (char *)json_string_value(value)};
	}
	if (!root)
		settings[n++] = (struct option_pair){
			.name = (char *)command->text_key, .value = (char *)text.data};
	r = make_inner(command, settings, n, &inner, &why);
	if (r)
		return fault_set(
			reterr, FAULT_BODY, "what it printed cannot be used: %s", why.text);
	auth_free(command->inner);
	command->inner = inner;
	return 0;
}

static int read_output(struct command *command, struct token_answer *ret, struct fault *reterr)
{
	struct slice text = str_trim(buf_slice(&command->output));
	CLEANUP(auth_wipe) struct buf copy = BUF_NULL;
	json_t *root = NULL;
	int r;

	buf_append_slice(&copy, text);
	if (text.size > 0 && text.data[0] == '{')
		root = json_loadb(text.data, text.size, 0, NULL);
	if (text.size == 0)
		r = fault_set(reterr, FAULT_BODY, "it printed nothing");
	else if (text.data[0] == '{' ? !json_is_object(root) : !command->text_key)
		r = fault_set(reterr, FAULT_BODY, "what it printed is not a JSON object");
	else
		r = make_credential(command, root, slice_of(buf_text(&copy)), reterr);
	buf_append_slice(&ret->token, text);
	ret->life_ns = root ? read_life(command, root) : command->life_ns;
	wipe_tree(root);
	json_decref(root);
	return r;
}

/* --- the program --- */

static void on_line(struct slice line, bool cut, void *userdata)
{
	struct command *command = userdata;

	command->large |= cut || command->output.size + line.size > OUTPUT_MAX;
	if (command->large)
		return;
	buf_append_slice(&command->output, line);
	buf_append_char(&command->output, '\n');
}

static void on_complaint(struct slice line, bool cut, void *userdata)
{
	struct command *command = userdata;

	(void)cut;
	if (str_trim(line).size == 0)
		return;
	buf_clear(&command->complaint);
	buf_append_slice(&command->complaint, str_trim(line));
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct command *command = timer->data;

	(void)loop;
	(void)events;
	command->late = true;
	child_kill(&command->child);
}

/* Its own words may hold what it printed: that is masked in them. */
static void tell_end(struct command *command, const char *text, struct fault *fault)
{
	struct slice output = str_trim(buf_slice(&command->output));
	CLEANUP(buf_deinit) struct buf words = BUF_NULL;

	if (output.size > 0)
		secret_register(output);
	http_excerpt(buf_slice(&command->complaint), 300, &words);
	if (command->late)
		fault_set(fault, FAULT_TIMEOUT, "it did not end within timeout and was killed");
	else
		fault_set(fault, FAULT_SERVER, "it %s%s%s", text, words.size ? ": " : "",
			buf_text(&words));
	if (output.size > 0)
		secret_unregister(output);
}

static void on_end(const char *text, void *userdata)
{
	struct command *command = userdata;
	struct token_answer answered = {0};
	struct fault fault = FAULT_NULL;

	ev_timer_stop(command->child.loop, &command->timer);
	if (command->late || !command->child.succeeded)
		tell_end(command, text, &fault);
	else if (command->large)
		fault_set(&fault, FAULT_LIMIT, "it printed more than 64 KiB");
	else
		(void)read_output(command, &answered, &fault);
	auth_wipe(&command->output);
	buf_deinit(&command->complaint);
	auth_token_answer(&command->token, &answered, fault.class ? &fault : NULL);
	auth_wipe(&answered.token); /* a waiter may have freed COMMAND */
}

static int command_run(struct auth_token *self, struct fault *reterr)
{
	struct command *command = (struct command *)self;
	const struct str_list environment = STR_LIST_NULL;
	nsec_t timeout_ns = self->transport.timeout_ns;
	int r;

	command->late = command->large = false;
	command->child.loop = http_client_loop(self->client);
	child_init(&command->child);
	if (!self->origin)
		self->origin = mem_strdup(command->argv.items[0]);
	r = child_start(&command->child, command->argv.items, &environment, reterr);
	if (r)
		return r;
	close(command->child.in); /* it sees the end of its input at once */
	command->child.in = -1;
	timer_start(command->child.loop, &command->timer,
		timeout_ns > 0 ? timeout_ns : TIMEOUT_DEFAULT);
	return 0;
}

/* --- the contract --- */

static void command_destroy(struct auth *auth)
{
	struct command *command = (struct command *)auth;

	if (command->child.pid) {
		ev_timer_stop(command->child.loop, &command->timer);
		child_stop(&command->child, false);
	}
	for (size_t i = 0; i < command->n_settings; i++) {
		free(command->settings[i].name);
		free(command->settings[i].value);
	}
	str_list_deinit(&command->argv);
	auth_wipe(&command->output);
	buf_deinit(&command->complaint);
	auth_free(command->inner);
	auth_token_deinit(&command->token);
	free(command);
}

static int read_kind(struct command *command, const struct auth_setup *setup, struct fault *reterr)
{
	struct slice type = auth_setting(setup, "for");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (type.size ? slice_is(type, kinds[i].type) : i == 0) {
			command->type = kinds[i].type;
			command->text_key = kinds[i].text_key;
			return 0;
		}
	return fault_set(reterr, FAULT_CONFIG,
		"auth key `for`: expected bearer, header, basic, sigv4 or huawei_aksk");
}

static int read_program(
	struct command *command, const struct auth_setup *setup, struct fault *reterr)
{
	struct slice life = auth_setting(setup, "life");
	char *line CLEANUP_FREE = mem_strndup(
		auth_setting(setup, "command").data, auth_setting(setup, "command").size);

	if (!child_split(line, &command->argv))
		return fault_set(reterr, FAULT_CONFIG, "auth key `command`: a quote does not end");
	if (command->argv.n_items == 0 || command->argv.items[0][0] != '/')
		return fault_set(reterr, FAULT_CONFIG,
			"auth key `command` must begin with the absolute path of a program");
	if (access(command->argv.items[0], X_OK) != 0)
		return fault_set(reterr, FAULT_CONFIG, "auth key `command`: cannot run %s: %s",
			command->argv.items[0], strerror(errno));
	command->life_ns = NSEC_PER_HOUR;
	if (life.size && number_parse_duration(life, 10 * NSEC_PER_SEC, 365 * NSEC_PER_DAY,
				 &command->life_ns) != 0)
		return fault_set(reterr, FAULT_CONFIG,
			"auth key `life`: expected a duration from 10s to 365d, such as 15m");
	return 0;
}

/* The configured keys of INNER; that they fit is tried with the others made up. */
static int read_settings(
	struct command *command, const struct auth_setup *setup, struct fault *reterr)
{
	const struct auth_kind_info *info = auth_kind_find(command->type);
	struct option_pair settings[2 * KEYS_MAX];
	struct auth *trial = NULL;
	size_t n;
	int r;

	for (size_t i = 0; i < setup->n_settings; i++) {
		const struct option_pair *pair = &setup->settings[i];

		if (strcmp(pair->name, "command") == 0 || strcmp(pair->name, "for") == 0 ||
			strcmp(pair->name, "life") == 0)
			continue;
		if (!auth_kind_takes(info, pair->name))
			return fault_set(reterr, FAULT_CONFIG,
				"auth type `command` with for = %s does not take `%s`",
				command->type, pair->name);
		command->settings[command->n_settings++] = (struct option_pair){
			.name = mem_strdup(pair->name), .value = mem_strdup(pair->value)};
	}
	n = command->n_settings;
	memcpy(settings, command->settings, n * sizeof(settings[0]));
	for (size_t i = 0; i < N_MEMBERS; i++)
		if (auth_kind_takes(info, members[i].key) &&
			strcmp(members[i].key, "security_token") != 0)
			settings[n++] = (struct option_pair){
				.name = (char *)members[i].key, .value = (char *)"x"};
	r = make_inner(command, settings, n, &trial, reterr);
	auth_free(trial);
	return r;
}

static const struct auth_token_source command_source = {.run = command_run};

static int command_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	struct command *command = MEM_NEW(struct command);
	int r = auth_token_init(&command->token, setup, &command_source, "", reterr);

	command->child = (struct child){
		.printed = on_line,
		.complained = on_complaint,
		.ended = on_end,
		.userdata = command,
		.line_max = OUTPUT_MAX,
		.secret = true,
	};
	ev_init(&command->timer, on_timeout);
	command->timer.data = command;
	if (!r)
		r = read_kind(command, setup, reterr);
	if (!r)
		r = read_program(command, setup, reterr);
	if (!r)
		r = read_settings(command, setup, reterr);
	if (r) {
		command_destroy(&command->token.auth);
		return r;
	}
	*ret = &command->token.auth;
	return 0;
}

static int command_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr)
{
	struct command *command = (struct command *)auth;

	if (!command->inner)
		return fault_set(
			reterr, FAULT_AUTH, "the program has not printed a credential yet");
	return auth_apply(command->inner, message, now_time, reterr);
}

static const char *const keys[] = {"command", "for", "life", "provider", "service", "region",
	"name", "user", "access_key", "project_id", "domain_id", NULL};
static const char *const required[] = {"command", NULL};

const struct auth_kind auth_command = {
	.info = {.type = "command", .keys = keys, .required = required},
	.create = command_create,
	.destroy = command_destroy,
	.prepare = auth_token_prepare,
	.apply = command_apply,
	.reject = auth_token_reject,
	.join = auth_token_join,
};
