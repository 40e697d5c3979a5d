/* The keys of a syslog sink and what they mean together: where to, in which form, how severe. */
#ifndef TRAWLD_SINK_SYSLOG_OPTIONS_H
#define TRAWLD_SINK_SYSLOG_OPTIONS_H

#include "conf/option.h"
#include "sink/syslog/syslog_address.h"
#include "sink/syslog/syslog_format.h"
#include "sink/syslog/syslog_severity.h"

enum syslog_framing { SYSLOG_COUNTED, SYSLOG_LINES };

struct syslog_options {
	char *address;
	int rfc; /* enum syslog_rfc */
	int framing; /* enum syslog_framing */
	char *facility;
	char *severity;
	char *severity_from;
	struct str_list severity_map;
	char *hostname;
	char *app_name;
	int64_t enterprise_id;
	uint64_t max_message; /* 0: by transport */
	char *ca_file;
	char *client_cert;
	char *client_key;
	struct secret client_key_password;
	nsec_t timeout_ns;
};

#define SYSLOG_N_OPTIONS 16
extern const struct option syslog_option_rows[SYSLOG_N_OPTIONS];

struct syslog_target {
	struct syslog_address address;
	struct syslog_style style;
	struct syslog_severity *severity;
};

/* Strings of OPTIONS are copied. 0, or FAULT_CONFIG with the key at fault in *RET_KEY; to be
 * deinitialised in both cases. */
int syslog_target_init(struct syslog_target *target, const struct syslog_options *options,
	const char **ret_key, struct fault *reterr);
void syslog_target_deinit(struct syslog_target *target);

#endif
