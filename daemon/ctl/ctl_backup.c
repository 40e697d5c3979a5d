/* trawlctl backup: a copy of the state, beside a running trawld or without one. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "store/backup.h"
#include "store/owner.h"

int ctl_backup(const struct ctl_arguments *arguments)
{
	struct fault fault = FAULT_NULL;
	uint64_t size = 0;
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	const char *directory = config->daemon.state_directory;
	int code = 0;
	if (config->daemon.state == STATE_POSTGRESQL) {
		fputs("trawlctl: the state is in PostgreSQL: copy it with pg_dump or pg_basebackup (see trawld-ha(7))\n",
			stderr);
		code = EX_USAGE;
	} else if (!ctl_has_state(directory)) {
		fprintf(stderr, "trawlctl: there is no state in %s: nothing to copy\n", directory);
		code = EX_CANTCREAT;
	} else {
		char *former CLEANUP_FREE = NULL;
		int r = owner_check(directory, config->location, &former, &fault);
		if (!r)
			r = store_backup(directory, arguments->name, &size, &fault);
		code = r ? ctl_store_failed(r, &fault) : 0;
	}
	if (code == 0) {
		printf("backup of %s written to %s (%llu bytes)\n", directory, arguments->name,
			(unsigned long long)size);
		ctl_tell_dead_letters(directory);
	}
	config_free(config);
	return code;
}
