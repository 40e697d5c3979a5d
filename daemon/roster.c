/* See roster.h. */
#include "roster.h"

#include "base/mem.h"
#include "conf/config.h"
#include "pipeline/sink.h"

static const char *value_of(const struct ini_section *section, const char *key, const char *absent)
{
	const struct ini_entry *entry = ini_section_find(section, key);
	return entry ? entry->value : absent;
}

/* The seals of a file sink with seal_to are records of a source of their own, which has one sink.
 */
static void add_seals(struct roster *roster, const struct ini_section *sink)
{
	const char *to = value_of(sink, "seal_to", NULL);
	size_t n = roster->configuration.n_sources;
	if (!to)
		return;
	roster->names[roster->n_names] = mem_printf("%s" SINK_SEALS_SUFFIX, sink->name);
	str_list_add(&roster->lists[n], to);
	roster->sources[n] =
		(struct routes_source){roster->names[roster->n_names], "now", &roster->lists[n]};
	roster->n_names++;
	roster->configuration.n_sources++;
}

void roster_init(struct roster *ret, const struct config *config,
	bool (*has)(const char *source, void *userdata), void *userdata)
{
	size_t n = config->n_sources + config->n_sinks, n_sources = 0;
	*ret = (struct roster){
		.sources = mem_array(n, sizeof(*ret->sources)),
		.sinks = mem_array(config->n_sinks, sizeof(*ret->sinks)),
		.lists = mem_array(n, sizeof(*ret->lists)),
		.names = mem_array(config->n_sinks, sizeof(*ret->names)),
	};
	for (size_t i = 0; i < config->n_sources; i++) {
		const struct ini_section *section = config->sources[i];
		if (has && !has(section->name, userdata))
			continue;
		struct str_list *list = &ret->lists[n_sources];
		str_list_split(list, slice_of(value_of(section, "sinks", "")), ',');
		ret->sources[n_sources++] = (struct routes_source){
			section->name, value_of(section, "start", "-1h"), list};
	}
	for (size_t i = 0; i < config->n_sinks; i++)
		ret->sinks[i] = (struct routes_sink){
			config->sinks[i]->name, value_of(config->sinks[i], "type", "")};
	ret->configuration =
		(struct routes_configuration){ret->sources, n_sources, ret->sinks, config->n_sinks};
	for (size_t i = 0; i < config->n_sinks; i++)
		add_seals(ret, config->sinks[i]);
}

void roster_deinit(struct roster *roster)
{
	for (size_t i = 0; i < roster->configuration.n_sources; i++)
		str_list_deinit(&roster->lists[i]);
	for (size_t i = 0; i < roster->n_names; i++)
		free(roster->names[i]);
	free(roster->names);
	free(roster->lists);
	free(roster->sources);
	free(roster->sinks);
	*roster = (struct roster){0};
}

/* The `sinks` that does not list it, if that is the cause. */
static const struct ini_section *cause_of(
	const struct config *config, const struct routes_stranded *stranded)
{
	for (size_t i = 0; stranded->configured && i < config->n_sources; i++)
		if (strcmp(config->sources[i]->name, stranded->source) == 0)
			return config->sources[i];
	return NULL;
}

void roster_explain(const struct config *config, const struct routes_stranded *stranded, bool works,
	struct findings *findings)
{
	const struct ini_section *section = cause_of(config, stranded);
	const struct ini_entry *entry = section ? ini_section_find(section, "sinks") : NULL;
	unsigned long long n = stranded->n_records, others = stranded->n_sources - 1;
	const char *const *advice =
		(const char *const[]){works ? "Wait until it has them, bring" : "Bring",
			works ? "Wait until the sink has them, list" : "List"};
	struct buf cause = BUF_NULL;
	if (!stranded->configured)
		buf_printf(&cause, "[sink %s] is not configured. %s it back", stranded->sink,
			advice[0]);
	else if (others == 0)
		buf_printf(&cause, "`sinks` of source %s does not list it. %s it again",
			stranded->source, advice[1]);
	else
		buf_printf(&cause,
			"`sinks` of source %s and %llu other%s does not list it. %s it again",
			stranded->source, others, str_plural(others), advice[1]);
	findings_add(findings, entry ? entry->file : NULL, entry ? entry->line : 0,
		"sink %s: %llu record%s wait%s for it, but %s, drop what waits with `trawlctl drop-sink %s`, or give it to the sink's new name with `trawlctl rename-sink %s NEW`",
		stranded->sink, n, str_plural(n), n == 1 ? "s" : "", buf_text(&cause),
		stranded->sink, stranded->sink);
	buf_deinit(&cause);
}
