/* A provider definition of any text: it is refused with at least one finding at a line of the file,
 * or a source can be made of it and its requests can be written. */
#include "source/source.h"

#include <stdio.h>
#include <unistd.h>

#include "fuzz.h"

#define SOURCE "[source a]\nprovider = api\ntoken = t0ken\nregion = r1\n"

static char directory[] = "/dev/shm/fuzz_definition.XXXXXX";
static char path[64];

static void tidy(void)
{
	remove(path);
	rmdir(directory);
}

static void write_requests(const struct source *source)
{
	struct request_values values = {.source = source,
		.start_time = 1774746000 * NSEC_PER_SEC,
		.end_time = 1774749600 * NSEC_PER_SEC,
		.now_time = 1774749600 * NSEC_PER_SEC,
		.number = 1,
		.fetch_from = "\"f\""};
	for (int i = 0; i < 2; i++) {
		struct http_message message = HTTP_MESSAGE_NULL;
		struct fault fault = FAULT_NULL;
		int r = source_request(source, &values, NULL, &message, &fault);
		assert(r != 0 ? fault.text[0] != '\0' : message.url != NULL);
		http_message_deinit(&message);
		values.page = "{\"c\": 1}";
		values.resume = "\"r\"";
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const directories[] = {directory};
	static const struct definition_path where = {directories, 1};
	struct findings findings = FINDINGS_NULL;
	struct ini ini = INI_NULL;
	if (memmem(data, size, "${file:", 7) || memmem(data, size, "${cred", 6))
		return 0; /* files of this machine */
	if (!path[0]) {
		assert(mkdtemp(directory));
		snprintf(path, sizeof(path), "%s/api.conf", directory);
		atexit(tidy);
	}
	FILE *file = fopen(path, "w");
	assert(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
	assert(ini_read_text(&ini, "c", SOURCE, strlen(SOURCE), &findings) == 0);
	struct source *source = source_new(&ini.sections[0], &where, &findings);
	assert((source != NULL) == (findings.n_items == 0));
	if (source)
		write_requests(source);
	source_free(source);
	findings_deinit(&findings);
	ini_deinit(&ini);
	return 0;
}
