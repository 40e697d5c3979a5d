/*
 * trawlctl replay --file: records of files that a sink wrote, plain or compressed, go to one sink
 * once more. They are compared with their seals first. What is sent is a copy in the state
 * directory (store/replay_copy.h), so that it does not change meanwhile, and a restart continues.
 */
#include "ctl/ctl.h"
#include "ctl/ctl_replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/json_lookup.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "ctl/verification.h"
#include "sink/file/file_lines.h"
#include "source/page.h"
#include "store/replay_copy.h"

#define BATCH_RECORDS 1000
#define BATCH_BYTES ((size_t)1 << 20)

/* Of an envelope. */
enum { SOURCE, PROVIDER, ID, TIME, RECORD, N_MEMBERS };
static const char *const members[] = {"/source", "/provider", "/id", "/time", "/record"};

struct copying {
	const char *source, *provider; /* NULL: the lines are envelopes */
	const struct definition *definition; /* of the source; NULL: nothing is known of its records
					      */
	struct json_lookup *lookup; /* of members, or of its ID and time */
	struct replay_copy *copy; /* NULL: the lines are only read */
	struct batch *batch; /* that is being filled; NULL: none */
	uint64_t n_records;
	nsec_t now_time;
	struct buf scratch, id, texts[N_MEMBERS];
};

/* --- batches --- */

static int end_batch(struct copying *copying, struct fault *reterr)
{
	int r = copying->batch && copying->copy
			? replay_copy_add(copying->copy, copying->batch, reterr)
			: 0;
	batch_unref(copying->batch);
	copying->batch = NULL;
	return r;
}

static bool is_of(const struct batch *batch, const char *source, const char *provider)
{
	return batch && batch->n_records < BATCH_RECORDS && batch->body.size < BATCH_BYTES &&
	       strcmp(batch->source, source) == 0 && strcmp(batch->provider, provider) == 0;
}

static int add_record(struct copying *copying, const char *source, const char *provider,
	struct slice text, const struct id *key, struct slice id, nsec_t time, struct fault *reterr)
{
	int r = 0;
	if (!is_of(copying->batch, source, provider)) {
		r = end_batch(copying, reterr);
		copying->batch = batch_new(source, provider, copying->now_time);
	}
	if (!r)
		batch_add(copying->batch, text, key, id, time);
	copying->n_records++;
	return r;
}

/* --- lines --- */

/* The text of the string VALUE, in TEXT; NULL: it is none, or cannot be a name. */
static const char *name_of(struct slice value, struct buf *text)
{
	buf_clear(text);
	if (!value.data || json_kind_of(value) != JSON_KIND_STRING || json_decode(value, text) != 0)
		return NULL;
	if (text->size == 0 || strcspn(buf_text(text), " \t\n") != text->size)
		return NULL;
	return buf_text(text);
}

static int not_envelope(struct fault *reterr)
{
	return fault_set(reterr, FAULT_CONFIG,
		"not an envelope; expected {\"source\":...,\"provider\":...,\"id\":...,\"time\":...,\"record\":...} (for raw records, name their source with --source)");
}

static int add_envelope(struct copying *copying, struct slice line, struct fault *reterr)
{
	const struct slice *values;
	struct buf *texts = copying->texts;
	nsec_t time = NSEC_NONE;
	if (json_lookup_run(copying->lookup, line, &values, NULL) != 0)
		return not_envelope(reterr);
	const char *source = name_of(values[SOURCE], &texts[SOURCE]);
	const char *provider = name_of(values[PROVIDER], &texts[PROVIDER]);
	if (!source || !provider || !values[RECORD].data || !values[ID].data)
		return not_envelope(reterr);
	struct slice id = json_content(values[ID], &texts[ID]);
	if (values[TIME].data && json_kind_of(values[TIME]) == JSON_KIND_STRING)
		timestamp_parse_rfc3339(json_content(values[TIME], &texts[TIME]), &time);
	struct id key = digest_id(id);
	return add_record(copying, source, provider, values[RECORD], &key, id, time, reterr);
}

/* As the source reads them, as far as the record itself has them. */
static nsec_t time_of(struct copying *copying, const struct slice *values)
{
	const struct definition *definition = copying->definition;
	for (size_t i = 0; i < definition->n_records_time; i++) {
		nsec_t time;
		if (values[i].data &&
			timestamp_parse(definition->time_format,
				json_content(values[i], &copying->scratch), &time) == 0)
			return time;
	}
	return NSEC_NONE;
}

static int add_raw(struct copying *copying, struct slice line, struct fault *reterr)
{
	const struct definition *definition = copying->definition;
	const struct slice *values;
	struct id key = digest_id(line);
	nsec_t time = NSEC_NONE;
	bool has_id = false;
	if (json_lookup_run(copying->lookup, line, &values, NULL) != 0)
		return fault_set(reterr, FAULT_CONFIG, "not valid JSON");
	buf_clear(&copying->id);
	if (definition) {
		has_id = page_read_id(
			values, definition->n_records_id, &copying->id, &key, &copying->scratch);
		time = time_of(copying, values + definition->n_records_id);
	}
	return add_record(copying, copying->source, copying->provider, line, &key,
		has_id ? buf_slice(&copying->id) : SLICE_NULL, time, reterr);
}

static int copy_file(struct copying *copying, const char *path)
{
	struct fault fault = FAULT_NULL;
	struct file_lines *lines;
	struct slice line;
	bool ended;
	uint64_t number = 0;
	int r = file_lines_open(&lines, path);
	if (r)
		return verification_failed(path, r);
	int code = 0;
	while (code == 0 && (r = file_lines_next(lines, &line, &ended)) > 0) {
		number++;
		code = copying->source ? add_raw(copying, line, &fault)
				       : add_envelope(copying, line, &fault);
	}
	file_lines_close(lines);
	if (code == 0 && r < 0)
		return verification_failed(path, r);
	if (code)
		fprintf(stderr, "trawlctl: %s:%llu: %s; nothing is replayed\n", path,
			(unsigned long long)number, fault.text);
	return code ? (fault.class == FAULT_STORE ? EX_TEMPFAIL : EX_USAGE) : 0;
}

/* --- the copy --- */

static void prepare(struct copying *copying)
{
	const struct definition *definition = copying->definition;
	size_t n_ids = definition ? definition->n_records_id : 0;
	size_t n = n_ids + (definition ? definition->n_records_time : 0);
	const struct pointer **pointers CLEANUP_FREE = mem_array(n + 1, sizeof(*pointers));
	for (size_t i = 0; i < n; i++)
		pointers[i] = i < n_ids ? &definition->records_id[i]
					: &definition->records_time[i - n_ids];
	copying->lookup = copying->source ? json_lookup_new(pointers, n)
					  : json_lookup_parse(members, N_MEMBERS);
	copying->now_time = clock_wall();
}

static void copying_deinit(struct copying *copying)
{
	json_lookup_free(copying->lookup);
	batch_unref(copying->batch);
	buf_deinit(&copying->scratch);
	buf_deinit(&copying->id);
	for (size_t i = 0; i < N_MEMBERS; i++)
		buf_deinit(&copying->texts[i]);
}

static int copy_files(
	struct copying *copying, const struct str_list *files, char **ret_name, int64_t *ret_size)
{
	struct fault fault = FAULT_NULL;
	int code = 0;
	prepare(copying);
	for (size_t i = 0; i < files->n_items && code == 0; i++)
		code = copy_file(copying, files->items[i]);
	if (code)
		return code;
	if (end_batch(copying, &fault) == 0 &&
		(!copying->copy || replay_copy_end(copying->copy, ret_name, ret_size, &fault) == 0))
		return 0;
	fprintf(stderr, "trawlctl: %s\n", fault.text);
	return EX_TEMPFAIL;
}

/* --- seals --- */

/* In words what the seals say of the files. 0, or the exit code after it was said why they are not
 * replayed. */
static int compare_with_seals(
	const struct ctl_arguments *arguments, const struct str_list *files, const char **ret_words)
{
	const struct verification_request request = {
		.names = files->items, .n_names = (int)files->n_items, .key = arguments->key};
	struct verification verification CLEANUP(verification_deinit) = {0};
	int code = verification_run(&verification, &request, NULL);
	if (code)
		return code;
	const struct verify_report *report = &verification.report;
	*ret_words = report->n_sealed == 0                   ? "not sealed"
		     : report->n_sealed == report->n_records ? "as sealed"
							     : "partly sealed";
	if (verification.chains.n_items == 0 ||
		verification_result(&verification) != VERIFY_CHANGED)
		return 0;
	for (size_t i = 0; i < report->problems.n_items; i++)
		fprintf(stderr, "trawlctl: CHANGED: %s\n", report->problems.items[i]);
	*ret_words = "changed since they were sealed";
	if (arguments->force)
		return 0;
	fputs("trawlctl: the files are not as they were sealed: nothing is replayed (--force replays them all the same)\n",
		stderr);
	return VERIFY_CHANGED;
}

/* --- the command --- */

static void print_text(const struct copying *copying, const struct str_list *files,
	const char *words, struct buf *out)
{
	buf_printf(out, "%llu record%s of %s%s, %s", (unsigned long long)copying->n_records,
		str_plural(copying->n_records), files->items[0],
		files->n_items > 1 ? " and others" : "", words);
}

/* Where the raw records are of. 0, or EX_USAGE after what is wrong was printed. */
static int find_source(struct copying *copying, const struct config *config,
	const struct ctl_secrets *secrets, const char *name)
{
	if (!name)
		return 0;
	struct ini_section *section = ctl_find_source(config, name);
	const struct ini_entry *provider = section ? ini_section_find(section, "provider") : NULL;
	if (!provider)
		return ctl_unknown_source(name, config, NULL, 0);
	copying->source = name;
	copying->provider = provider->value;
	copying->definition = ctl_secrets_definition(secrets, config, name);
	return 0;
}

static int send(struct copying *copying, const struct config *config,
	const struct ctl_arguments *arguments, const struct str_list *files, const char *words)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	char *name CLEANUP_FREE = NULL;
	struct fault fault = FAULT_NULL;
	int64_t size = 0;
	if (!arguments->dry_run && replay_copy_new(&copying->copy, config->daemon.state_directory,
					   arguments->name, &fault) != 0) {
		fprintf(stderr, "trawlctl: %s\n", fault.text);
		return EX_TEMPFAIL;
	}
	int code = copy_files(copying, files, &name, &size);
	print_text(copying, files, words, &text);
	if (code == 0 && (arguments->dry_run || copying->n_records == 0)) {
		printf("sink %s: %s: %s\n", arguments->name,
			arguments->dry_run ? "would be replayed" : "nothing to replay",
			buf_text(&text));
	} else if (code == 0) {
		code = ctl_replay_begin(
			config->daemon.control, &(struct replay_request){.sink = arguments->name,
							.until = size,
							.n_records = copying->n_records,
							.text = buf_text(&text),
							.copy = name});
		replay_copy_free(copying->copy, code == 0);
		copying->copy = NULL;
		if (code == 0)
			code = ctl_replay_wait(config->daemon.control, arguments->name);
	}
	replay_copy_free(copying->copy, false);
	return code;
}

int ctl_replay_files(const struct config *config, const struct ctl_arguments *arguments)
{
	struct str_list files CLEANUP(str_list_deinit) = STR_LIST_NULL;
	struct copying copying = {0};
	struct ctl_secrets secrets;
	const char *words = "";
	str_list_add(&files, arguments->file);
	for (int i = 1; i < arguments->n_names; i++)
		str_list_add(&files, arguments->names[i]);
	ctl_secrets_init(&secrets, config);
	int code = find_source(&copying, config, &secrets, arguments->source);
	if (code == 0)
		code = compare_with_seals(arguments, &files, &words);
	if (code == 0)
		code = send(&copying, config, arguments, &files, words);
	copying_deinit(&copying);
	ctl_secrets_deinit(&secrets);
	return code;
}
