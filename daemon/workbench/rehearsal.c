/* See rehearsal.h. */
#include "workbench/rehearsal.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "workbench/player.h"

#define SUFFIX ".conversation"

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int rehearsal_files(const struct definition *definition, struct str_list *ret_paths)
{
	if (!definition->file)
		return 0;
	size_t size = strlen(definition->file) - strlen(".conf");
	char *folder CLEANUP_FREE = mem_strndup(definition->file, size);
	DIR *directory = opendir(folder);
	struct dirent *entry;
	int error = directory ? 0 : errno;
	while (directory && (errno = 0, entry = readdir(directory))) {
		char *path CLEANUP_FREE = mem_printf("%s/%s", folder, entry->d_name);
		if (str_ends(entry->d_name, SUFFIX))
			str_list_add(ret_paths, path);
	}
	if (directory) {
		error = errno;
		closedir(directory);
	}
	if (ret_paths->n_items)
		qsort(ret_paths->items, ret_paths->n_items, sizeof(char *), compare_text);
	return error == ENOENT ? 0 : -error;
}

/* A private key for one run, in PEM. */
static char *make_key(const char *kind)
{
	EVP_PKEY *key = strcmp(kind, "rsa") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	BIO *memory = BIO_new(BIO_s_mem());
	char *data, *text = NULL;
	if (key && memory && PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL)) {
		long size = BIO_get_mem_data(memory, &data);

		text = mem_strndup(data, (size_t)size);
	}
	BIO_free(memory);
	EVP_PKEY_free(key);
	return text ? text : mem_strdup("");
}

/* A key that is in no file: conversations can be published. */
static void fill_keys_in(struct ini_section *section)
{
	static char *keys[2];
	static const char *const kinds[] = {"rsa", "ec"};
	for (size_t i = 0; i < section->n_entries; i++)
		for (size_t j = 0; j < 2; j++) {
			char *variable CLEANUP_FREE = mem_printf("${key:%s}", kinds[j]);
			if (strcmp(section->entries[i].value, variable) != 0)
				continue;
			if (!keys[j])
				keys[j] = make_key(kinds[j]);
			free(section->entries[i].value);
			section->entries[i].value = mem_strdup(keys[j]);
		}
}

static void report(const struct conversation *conversation, const struct variation *variation,
	const struct played *played, struct rehearsal *counts)
{
	counts->n_failed++;
	printf("%s:%u: ", conversation->path, played->line);
	if (variation->kind != VARIATION_NONE)
		printf("%s (line %u): ", variation_to_string(variation->kind),
			conversation->items[variation->at].line);
	puts(buf_text(&played->error));
}

/* The texts of LIST; freed by the caller, not the texts. */
static char **texts_of(const struct str_list *list, bool sort)
{
	char **texts = mem_array(list->n_items + 1, sizeof(*texts));

	memcpy(texts, list->items, list->n_items * sizeof(*texts));
	if (sort)
		qsort(texts, list->n_items, sizeof(*texts), compare_text);
	return texts;
}

/* Each record once: in the same order, but where windows differ the order of arrival may, too. */
static void compare(const struct str_list *recorded, struct played *played, bool sort)
{
	char **texts = texts_of(recorded, sort), **own = texts_of(&played->records, sort);
	size_t n = recorded->n_items, n_own = played->records.n_items, at = 0;

	while (at < n && at < n_own && strcmp(texts[at], own[at]) == 0)
		at++;
	if (n != n_own)
		buf_printf(&played->error, "%zu record%s as recorded, but now %zu", n,
			str_plural(n), n_own);
	else if (at < n)
		buf_printf(
			&played->error, "expected the record\n  %s\ngot\n  %s", texts[at], own[at]);
	free(texts);
	free(own);
}

static void play_variations(const struct source *source, const struct conversation *conversation,
	const struct str_list *recorded, struct rehearsal *counts)
{
	for (size_t at = 0; at < conversation->n_items; at++)
		for (int kind = VARIATION_NONE + 1; kind < N_VARIATIONS; kind++) {
			struct variation variation = {(enum variation_kind)kind, at};
			struct played played CLEANUP(played_deinit) = PLAYED_NULL;
			if (!variation_applies(&variation, source, conversation))
				continue;
			counts->n_derived++;
			if (player_run(source, conversation, &variation, &played))
				compare(recorded, &played, variation.kind == VARIATION_LOST);
			played.line = played.line ? played.line : conversation->items[at].line;
			if (played.error.size)
				report(conversation, &variation, &played, counts);
		}
}

static void play(const struct source *source, const struct conversation *conversation,
	struct rehearsal *counts)
{
	struct variation none = {VARIATION_NONE, 0};
	struct played played CLEANUP(played_deinit) = PLAYED_NULL;
	if (player_run(source, conversation, &none, &played))
		play_variations(source, conversation, &played.records, counts);
	else
		report(conversation, &none, &played, counts);
}

void rehearsal_run(const struct definition *definition, const struct definition_path *path,
	const char *file, struct rehearsal *counts)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct conversation *conversation = conversation_read(file, definition->name, &findings);
	struct ini_section *section = conversation ? &conversation->ini.sections[0] : NULL;
	counts->n_conversations++;
	if (section)
		fill_keys_in(section);
	struct source *source = section ? source_new(section, path, &findings) : NULL;
	if (source)
		play(source, conversation, counts);
	if (findings.n_items) {
		counts->n_failed++;
		findings_print(&findings, stdout);
	}
	source_free(source);
	conversation_free(conversation);
}
