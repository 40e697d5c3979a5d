/* What the whole configuration has to be for a state that several processes share: sources are
 * divided among shards, and no two processes write to one file. */
#include "setup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "sink/file/file_path.h"
#include "store/conninfo.h"

/* linux/magic.h does not have all of them */
static const struct {
	uint32_t type;
	const char *name;
} network_disks[] = {
	{0x6969, "NFS"},
	{0x517b, "SMB"},
	{0xfe534d42, "SMB"},
	{0xff534d42, "CIFS"},
	{0x00c36400, "Ceph"},
	{0x65735546, "FUSE"},
	{0x01021997, "9P"},
	{0x5346414f, "AFS"},
	{0x0bd00bd0, "Lustre"},
	{0x47504653, "GPFS"},
	{0x01161970, "GFS2"},
	{0x7461636f, "OCFS2"},
};

/* Of the directory before the first conversion of PATTERN, or the nearest above that is there;
 * NULL: it is a disk of this host, as far as is known. */
static const char *network_disk_of(const char *pattern)
{
	char *path CLEANUP_FREE = mem_strdup(pattern);
	struct statfs status;
	char *slash;
	path[strcspn(path, "%")] = '\0';
	do {
		slash = strrchr(path, '/');
		if (!slash)
			return NULL;
		slash[slash == path ? 1 : 0] = '\0';
	} while (access(path, F_OK) != 0 && slash != path);
	if (statfs(path, &status) != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(network_disks) / sizeof(network_disks[0]); i++)
		if ((uint32_t)status.f_type == network_disks[i].type)
			return network_disks[i].name;
	return NULL;
}

static void check_path(const struct cluster_options *cluster, const char *pattern,
	const struct ini_section *section, struct findings *findings)
{
	const char *disk = network_disk_of(pattern);
	if (disk && !file_path_has(pattern, "node"))
		findings_add_at(findings, section, "path",
			"path: %s is on a network file system (%s), where two nodes would write to one file; use a local disk, or add %%{node} to the path",
			pattern, disk);
	if (cluster->n_shards > 1 && !file_path_has(pattern, "shard") &&
		!file_path_has(pattern, "source"))
		findings_add_at(findings, section, "path",
			"path: with shards = %lld, two processes of a node would write to one file; add %%{shard} or %%{source} to the path",
			(long long)cluster->n_shards);
}

static void check_paths(const struct setup *setup, struct findings *findings)
{
	bool shared = setup->config->daemon.state == STATE_POSTGRESQL;
	for (size_t i = 0; i < setup->n_sinks; i++) {
		const struct setup_sink *sink = setup->sinks[i];
		const char *pattern = sink->kind->target ? sink->kind->target(sink->options) : NULL;
		const struct ini_section *section =
			ini_find(&setup->config->ini, "sink", sink->name);
		if (!pattern)
			continue;
		if (shared)
			check_path(&setup->config->cluster, pattern, section, findings);
		else if (file_path_has(pattern, "node") || file_path_has(pattern, "shard"))
			findings_add_at(findings, section, "path",
				"path: %%{node} and %%{shard} need `state = postgresql` in [daemon]");
	}
}

static void check_source(
	const struct config *config, const struct source *source, struct findings *findings)
{
	const struct ini_section *section =
		ini_find((struct ini *)&config->ini, "source", source->name);
	const char *text = source->options.shard;
	int64_t shard = config_shard(text);
	if (!text || !ini_section_find(section, "shard"))
		return;
	if (config->daemon.state != STATE_POSTGRESQL)
		findings_add_at(findings, section, "shard",
			"shard: has no effect without `state = postgresql` in [daemon]");
	else if (strcmp(text, "any") != 0 && (shard < 0 || shard >= config->cluster.n_shards))
		findings_add_at(findings, section, "shard",
			"shard = %s: expected any, or a number below the %lld of `shards` in [cluster]",
			text, (long long)config->cluster.n_shards);
}

static void check_connect(const struct config *config, struct findings *findings)
{
	const struct ini_section *section = ini_find((struct ini *)&config->ini, "cluster", NULL);
	struct fault fault = FAULT_NULL;
	if (section && config->cluster.connect &&
		conninfo_check(config->cluster.connect, &fault) != 0)
		findings_add_at(findings, section, "connect", "%s", fault.text);
}

void setup_check_cluster(const struct setup *setup, struct findings *findings)
{
	const struct config *config = setup->config;
	check_paths(setup, findings);
	for (size_t i = 0; i < setup->n_sources; i++)
		check_source(config, setup->sources[i], findings);
	if (config->daemon.state == STATE_POSTGRESQL)
		check_connect(config, findings);
}

static bool is_secret(const struct source *source, const struct ini_entry *entry)
{
	const struct definition *definition = source->definition;
	for (size_t i = 0; i < definition->n_parameters; i++)
		if (definition->parameters[i].secret &&
			strcmp(definition->parameters[i].name, entry->key) == 0)
			return true;
	return entry->secret;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What tells the credential of SOURCE from others, as it is written: with ${credential:NAME}, a new
 * token must not move a source to a shard that knows nothing of it. Without a credential: the name,
 * which all sources of an `each.KEY` share. */
static struct id group_of(const struct config *config, const struct source *source)
{
	const struct ini_section *section =
		ini_find((struct ini *)&config->ini, "source", source->name);
	struct str_list texts CLEANUP(str_list_deinit) = STR_LIST_NULL;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	for (size_t i = 0; i < section->n_entries; i++) {
		const struct ini_entry *entry = &section->entries[i];
		if (is_secret(source, entry))
			str_list_add(&texts, entry->written ? entry->written : entry->value);
	}
	if (texts.n_items == 0)
		return digest_id(slice_of(section->each_name ? section->each_name : section->name));
	qsort(texts.items, texts.n_items, sizeof(char *), compare_texts);
	for (size_t i = 0; i < texts.n_items; i++)
		buf_printf(&text, "%zu:%s", strlen(texts.items[i]), texts.items[i]);
	struct id id = digest_id(buf_slice(&text));
	secret_wipe(text.data, text.size);
	return id;
}

int64_t setup_shard_of(const struct setup *setup, const struct source *source, int64_t n_shards)
{
	int64_t shard = config_shard(source->options.shard);
	uint64_t number = 0;
	if (shard >= 0)
		return shard;
	struct id id = group_of(setup->config, source);
	for (size_t i = 0; i < sizeof(number); i++)
		number = number << 8 | id.bytes[i];
	return (int64_t)(number % (uint64_t)n_shards);
}
