/* See file_options.h. */
#include "sink/file/file_options.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/ed25519.h"
#include "net/url.h"
#include "sink/compressor.h"
#include "sink/file/file_path.h"

#define FILE_SIZE_MIN (64 << 10)

static void file_options_fault(const struct ini_section *section, const char *key, const char *text,
	struct findings *findings)
{
	const struct ini_entry *entry = ini_section_find(section, key);

	if (entry)
		findings_add(findings, entry->file, entry->line, "%s: %s", key, text);
}

static void file_options_check_seals(const struct file_options *options,
	const struct ini_section *section, struct findings *findings)
{
	const struct secret *text = &options->seal_key;
	struct ed25519 *key = NULL;
	char *origin = NULL;

	if (options->seal_ns > 0 && !ini_section_find(section, "seal_key"))
		file_options_fault(section, "seal",
			"needs seal_key, an Ed25519 private key in PEM form (`openssl genpkey -algorithm ed25519` makes one)",
			findings);
	if (options->seal_ns == 0 && text->text)
		file_options_fault(section, "seal_key",
			"has no effect without seal, which says how often a seal is made",
			findings);
	if (options->seal_ns == 0 && options->seal_to)
		file_options_fault(section, "seal_to",
			"has no effect without seal, which says how often a seal is made",
			findings);
	if (options->seal_ns == 0 && options->timestamp_url)
		file_options_fault(section, "timestamp_url",
			"has no effect without seal, which says how often a seal is made",
			findings);
	if (options->timestamp_url && url_origin(options->timestamp_url, &origin) != 0)
		file_options_fault(section, "timestamp_url",
			"expected the http:// or https:// URL of a time-stamping authority, without user and password",
			findings);
	free(origin);
	if (text->text && ed25519_private(&key, (struct slice){text->text, text->size}) != 0)
		file_options_fault(section, "seal_key",
			"expected an unencrypted Ed25519 private key in PEM form (`openssl genpkey -algorithm ed25519` makes one)",
			findings);
	ed25519_free(key);
}

void file_options_check(
	const void *data, const struct ini_section *section, struct findings *findings)
{
	const struct file_options *options = data;
	const struct ini_entry *entry = ini_section_find(section, "path");
	struct fault fault;

	file_options_check_seals(options, section, findings);
	if (!entry || !options->path)
		return;
	if (file_path_check(options->path, &fault) != 0) {
		findings_add(findings, entry->file, entry->line, "%s", fault.text);
		return;
	}
	if (options->keep > 0 && options->max_size == 0)
		file_options_fault(section, "keep",
			"counts the files that max_size has rotated, and max_size is not set",
			findings);
	if (options->compress != COMPRESSION_NONE && options->max_size == 0 &&
		!file_path_is_timed(options->path))
		file_options_fault(section, "compress",
			"no file is ever closed here: set max_size, or a path that changes with time",
			findings);
}

#define FILE_OPTION(member) offsetof(struct file_options, member)

const struct option file_option_rows[N_FILE_OPTION_ROWS] = {
	{
		.name = "path",
		.type = OPTION_STRING,
		.offset = FILE_OPTION(path),
		.flags = OPTION_REQUIRED | OPTION_PATH,
		.help = "the file; %{source}, %{provider}, in a cluster %{node} and %{shard}, and strftime conversions (UTC) allowed",
	},
	{
		.name = "mode",
		.type = OPTION_MODE,
		.offset = FILE_OPTION(mode),
		.default_text = "0640",
		.help = "of files that are made, whatever the umask",
	},
	{
		.name = "directory_mode",
		.type = OPTION_MODE,
		.offset = FILE_OPTION(directory_mode),
		.default_text = "0750",
		.help = "of directories that are made, whatever the umask",
	},
	{
		.name = "fsync",
		.type = OPTION_BOOL,
		.offset = FILE_OPTION(fsync),
		.default_text = "yes",
		.help = "no: exactly once across kill -9, but not across power loss",
	},
	{
		.name = "max_size",
		.type = OPTION_SIZE,
		.offset = FILE_OPTION(max_size),
		.min = FILE_SIZE_MIN,
		.max = INT64_MAX / 4,
		.help = "a file that would become longer is renamed to PATH.000001 and so on",
	},
	{
		.name = "keep",
		.type = OPTION_COUNT,
		.offset = FILE_OPTION(keep),
		.min = 1,
		.max = 1000000,
		.help = "of the files that max_size has rotated; default: all",
	},
	{
		.name = "compress",
		.type = OPTION_CHOICE,
		.offset = FILE_OPTION(compress),
		.default_text = "none",
		.choices = compression_names,
		.help = "of closed files: none, gzip or zstd",
	},
	{
		.name = "seal",
		.type = OPTION_DURATION,
		.offset = FILE_OPTION(seal_ns),
		.min = NSEC_PER_SEC,
		.max = NSEC_PER_DAY,
		.help = "how often what was written is sealed in PATH.seals; default: never",
	},
	{
		.name = "seal_key",
		.type = OPTION_SECRET,
		.offset = FILE_OPTION(seal_key),
		.help = "the Ed25519 private key, in PEM form, that seals are signed with",
	},
	{
		.name = "seal_to",
		.type = OPTION_STRING,
		.offset = FILE_OPTION(seal_to),
		.help = "another sink that gets each seal as a record",
	},
	{
		.name = "timestamp_url",
		.type = OPTION_STRING,
		.offset = FILE_OPTION(timestamp_url),
		.help = "an RFC 3161 time-stamping authority; its tokens go to PATH.tsr",
	},
};
