/* A definition and a conversation of any text, with a line of `====` between them: the polling
 * engine is played with what the API is said to answer, once as it was recorded and once with a
 * failure on the way. The play comes to an end, it is the same each time, and if it fails it says
 * why. */
#include "workbench/player.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz.h"

#define EXCHANGES_MAX 12

static char directory[] = "/dev/shm/fuzz_rehearsal.XXXXXX";
static char path[64];

static void tidy(void)
{
	remove(path);
	rmdir(directory);
}

static void nothing(enum log_level level, const struct log_subject *subject, struct slice text)
{
	(void)level;
	(void)subject;
	(void)text;
}

static void begin(void)
{
	assert(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/api.conf", directory);
	atexit(tidy);
	log_divert(nothing);
}

/* Text that names files of this machine, or a program to start. */
static bool is_harmful(struct slice text)
{
	static const char *const words[] = {"${file:", "${cred", "${env:", "command", "_file"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (memmem(text.data, text.size, words[i], strlen(words[i])))
			return true;
	return false;
}

static void write_definition(struct slice text)
{
	FILE *file = fopen(path, "w");

	assert(file && fwrite(text.data, 1, text.size, file) == text.size && fclose(file) == 0);
}

static struct played play(const struct source *source, const struct conversation *conversation,
	struct variation variation)
{
	struct played played = PLAYED_NULL;
	bool good = player_run(source, conversation, &variation, &played);

	assert(good == (played.error.size == 0));
	return played;
}

static void play_all(
	const struct source *source, const struct conversation *conversation, unsigned choice)
{
	struct variation none = {VARIATION_NONE, 0};
	struct variation other = {(enum variation_kind)(choice % N_VARIATIONS),
		choice / N_VARIATIONS % conversation->n_items};
	struct played first = play(source, conversation, none);
	struct played again = play(source, conversation, none);

	assert(first.records.n_items == again.records.n_items);
	if (first.error.size == 0 && variation_applies(&other, source, conversation)) {
		struct played failed = play(source, conversation, other);
		played_deinit(&failed);
	}
	played_deinit(&first);
	played_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char line[] = "\n====\n";
	static const char *const directories[] = {directory};
	static const struct definition_path where = {directories, 1};
	struct slice all = fuzz_input(data, size);
	const char *middle = size ? memmem(data, size, line, strlen(line)) : NULL;
	struct findings findings = FINDINGS_NULL;

	if (!middle || is_harmful(all))
		return 0;
	if (!path[0])
		begin();
	struct slice definition = {all.data, (size_t)(middle + 1 - all.data)};
	struct slice text = {middle + strlen(line), size - definition.size - strlen(line) + 1};
	write_definition(definition);
	struct conversation *conversation = conversation_parse("a", text, "api", &findings);
	if (conversation && conversation->n_items <= EXCHANGES_MAX) {
		struct source *source =
			source_new(&conversation->ini.sections[0], &where, &findings);
		if (source)
			play_all(source, conversation, data[size - 1]);
		source_free(source);
	}
	conversation_free(conversation);
	findings_deinit(&findings);
	return 0;
}
