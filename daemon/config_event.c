/* See config_event.h. */
#include "config_event.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "secret_entry.h"
#include "store/events.h"

/* A template is a part of a definition, without a secret in it. What is a secret only in part
 * counts without that part, if the masking knows it. */
static bool is_hidden(enum secret_entry secret)
{
	return secret == SECRET_ENTRY_READ || secret == SECRET_ENTRY_WRITTEN;
}

/* SHARED: only what is the same on all nodes of a cluster. */
static void print_sections(
	const struct setup *setup, const struct ini *ini, bool shared, struct buf *out)
{
	for (size_t i = 0; i < ini->n_sections; i++) {
		const struct ini_section *section = &ini->sections[i];
		if (shared && (strcmp(section->kind, "daemon") == 0 ||
				      strcmp(section->kind, "cluster") == 0))
			continue;
		buf_printf(out, "[%s %s]\n", section->kind, section->name ? section->name : "");
		for (size_t k = 0; k < section->n_entries; k++) {
			const struct ini_entry *entry = &section->entries[k];
			buf_printf(out, "%s=%s\n", entry->key,
				is_hidden(secret_entry(setup, section, entry)) ? "***"
									       : entry->value);
		}
	}
}

static void print_definitions(const struct setup *setup, struct buf *out)
{
	struct names seen = NAMES_NULL;
	for (size_t i = 0; i < setup->n_sources; i++) {
		const struct definition *definition = setup->sources[i]->definition;
		size_t n = seen.n_items;
		if (names_add(&seen, definition->name) < n)
			continue;
		buf_printf(out, "definition %s\n", definition->name);
		print_sections(setup, &definition->ini, false, out);
	}
	names_deinit(&seen);
}

/* Other secrets that were written into the file are known to the masking. */
static void print_digest(const struct setup *setup, bool shared, char ret[DIGEST_HEX_SIZE])
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	uint8_t digest[DIGEST_SIZE];
	print_sections(setup, &setup->config->ini, shared, &text);
	print_definitions(setup, &text);
	secret_mask(&text);
	digest_sha256(buf_slice(&text), digest);
	digest_hex(digest, sizeof(digest), ret);
}

void config_event_fingerprint(const struct setup *setup, char ret[DIGEST_HEX_SIZE])
{
	print_digest(setup, true, ret);
}

static char *describe(const struct setup *setup)
{
	char hex[DIGEST_HEX_SIZE];
	print_digest(setup, false, hex);
	return mem_printf("sha256 %s, %zu source%s, %zu sink%s", hex, setup->n_sources,
		str_plural(setup->n_sources), setup->n_sinks, str_plural(setup->n_sinks));
}

int config_event_compare(
	struct store *store, const struct setup *setup, char **ret, struct fault *reterr)
{
	char *before CLEANUP_FREE = NULL;
	int r = events_last(store, EVENT_CONFIGURATION, &before, reterr);
	*ret = NULL;
	if (r)
		return r;
	*ret = describe(setup);
	if (before && strcmp(before, *ret) == 0) {
		free(*ret);
		*ret = NULL;
	}
	return 0;
}
