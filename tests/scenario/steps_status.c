/* Steps that ask the running daemon through its control socket, as trawlctl does. The exchange
 * takes turns of the daemon's loop but no time. */
#include "step.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "pattern.h"

static int connection = -1;
static struct buf received;

static void send_line(const char *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", world_directory);
	if (connection >= 0)
		close(connection);
	buf_clear(&received);
	connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(connection, (struct sockaddr *)&address, sizeof(address)) ||
		dprintf(connection, "%s\n", line) < 0)
		world_fail("a control socket", "%s: %s", address.sun_path, strerror(errno));
}

/* The answer without its line feed when it is whole, else NULL. */
static const char *answer(void)
{
	char *room = buf_reserve(&received, 65536);
	ssize_t n = connection < 0 ? 0 : read(connection, room, 65536);
	if (n == 0)
		world_fail("an answer from the control socket", "its end");
	if (n > 0)
		received.size += (size_t)n;
	buf_append_text(&received, "");
	if (received.size == 0 || received.data[received.size - 1] != '\n')
		return NULL;
	received.data[received.size - 1] = '\0';
	close(connection);
	connection = -1;
	return received.data;
}

static enum step_result control(const struct step *step)
{
	send_line(step->argument);
	return STEP_TURN;
}

/* The command's own time may have to pass first, as for a poll. */
static enum step_result expect_control(const struct step *step)
{
	if (!world->entered) {
		world->entered = true;
		return STEP_AGAIN;
	}
	const char *line = answer();
	if (!line && step_waits(NSEC_PER_SEC))
		return STEP_WAIT;
	if (!line)
		world_fail(step->argument, "no answer");
	if (!pattern_is_in(step->argument, line))
		world_fail(step->argument, "%s", line);
	return STEP_DONE;
}

/* The member KEY of the object named NAME in the list LIST of the status. */
static json_t *find(json_t *root, const char *list, const char *name, const char *key)
{
	json_t *entry, *items = json_object_get(json_object_get(root, "status"), list);
	size_t i;
	json_array_foreach(items, i, entry)
	{
		const char *own = json_string_value(json_object_get(entry, "name"));
		if (own && strcmp(own, name) == 0)
			return json_object_get(entry, key);
	}
	return NULL;
}

static void compare(
	const char *line, const char *list, const char *name, const char *key, const char *expected)
{
	json_t *root = json_loads(line, 0, NULL), *value = find(root, list, name, key);
	char *text CLEANUP_FREE = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	const char *got = json_is_string(value) ? json_string_value(value) : text;
	if (!got)
		world_fail(key, "no such member of %s %s", list, name);
	if (!pattern_matches(expected, got))
		world_fail(expected, "%s = %s", key, got);
	json_decref(root);
}

/* Takes the next word off *REST. */
static char *word(const char **rest)
{
	size_t size = strcspn(*rest, " ");
	char *text = mem_strndup(*rest, size);
	*rest += size + ((*rest)[size] == ' ');
	return text;
}

/* KEY NULL: the next word. */
static enum step_result expect(const struct step *step, const char *list, const char *key)
{
	const char *rest = step->argument;
	if (!world->entered) {
		world->entered = true;
		send_line("{\"command\":\"status\"}");
		return STEP_AGAIN;
	}
	const char *line = answer();
	if (!line)
		return STEP_AGAIN;
	char *name CLEANUP_FREE = word(&rest);
	char *own_key CLEANUP_FREE = key ? mem_strdup(key) : word(&rest);
	compare(line, list, name, own_key, rest);
	return STEP_DONE;
}

static enum step_result expect_state(const struct step *step)
{
	return expect(step, "sources", "state");
}

static enum step_result expect_source(const struct step *step)
{
	return expect(step, "sources", NULL);
}

static enum step_result expect_sink(const struct step *step)
{
	return expect(step, "sinks", NULL);
}

const struct step_kind steps_status[] = {
	{"control", control},
	{"expect control", expect_control},
	{"expect state", expect_state},
	{"expect source", expect_source},
	{"expect sink", expect_sink},
	{NULL, NULL},
};
