/* See syslog_options.h. */
#include "sink/syslog/syslog_options.h"

#include <stddef.h>

int syslog_target_init(struct syslog_target *target, const struct syslog_options *options,
	const char **ret_key, struct fault *reterr)
{
	unsigned severity = 0;
	int r;

	*ret_key = "address";
	r = syslog_address_parse(&target->address, options->address, reterr);
	if (r)
		return r;
	syslog_style_init(&target->style, options->hostname, options->app_name);
	target->style.rfc = (enum syslog_rfc)options->rfc;
	target->style.enterprise_id = options->enterprise_id;
	*ret_key = "facility";
	if (!syslog_facility_parse(slice_of(options->facility), &target->style.facility))
		return fault_set(reterr, FAULT_CONFIG,
			"facility = %s: not local0 to local7, auth, authpriv, audit, daemon, user or another name or number (0 to 23) of RFC 5424",
			options->facility ? options->facility : "");
	*ret_key = "severity";
	if (!syslog_severity_parse(slice_of(options->severity), true, &severity))
		return fault_set(reterr, FAULT_CONFIG,
			"severity = %s: not a number from 0 to 7 or one of " SYSLOG_SEVERITY_NAMES,
			options->severity ? options->severity : "");
	r = syslog_severity_new(&target->severity, options->severity_from, &options->severity_map,
		severity, ret_key, reterr);
	if (r)
		return r;
	*ret_key = options->ca_file       ? "ca_file"
		   : options->client_cert ? "client_cert"
					  : "client_key";
	if (target->address.kind != HTTP_STREAM_TLS &&
		(options->ca_file || options->client_cert || options->client_key))
		return fault_set(reterr, FAULT_CONFIG,
			"%s: only tls:// and relps:// addresses use certificates", *ret_key);
	return 0;
}

void syslog_target_deinit(struct syslog_target *target)
{
	syslog_address_deinit(&target->address);
	syslog_style_deinit(&target->style);
	syslog_severity_free(target->severity);
	*target = (struct syslog_target){0};
}

#define ROW(member_, name_, type_, ...)                                                            \
	{                                                                                          \
		.name = name_, .type = type_, .offset = offsetof(struct syslog_options, member_),  \
		__VA_ARGS__                                                                        \
	}

static const char *const rfcs[] = {"5424", "3164", NULL};
static const char *const framings[] = {"counted", "lines", NULL};

const struct option syslog_option_rows[SYSLOG_N_OPTIONS] = {
	ROW(address, "address", OPTION_STRING, .flags = OPTION_REQUIRED,
		.help = "unix:/dev/log, udp://, tcp://, tls://, relp:// or relps:// HOST:PORT"),
	ROW(rfc, "rfc", OPTION_CHOICE, .default_text = "5424", .choices = rfcs,
		.help = "form of a message"),
	ROW(framing, "framing", OPTION_CHOICE, .default_text = "counted", .choices = framings,
		.help = "of messages over TCP and TLS: octet counting, or one per line"),
	ROW(facility, "facility", OPTION_STRING, .default_text = "local0",
		.help = "name or number"),
	ROW(severity, "severity", OPTION_STRING, .default_text = "info",
		.help = "name or number, where severity_from says nothing else"),
	ROW(severity_from, "severity_from", OPTION_STRING,
		.help = "JSON Pointer to the value that severity_map looks at"),
	ROW(severity_map, "severity_map", OPTION_LIST, .help = "glob=severity, ...; first match"),
	ROW(hostname, "hostname", OPTION_STRING, .help = "HOSTNAME; default: this host's"),
	ROW(app_name, "app_name", OPTION_STRING, .default_text = "trawld", .help = "APP-NAME"),
	ROW(enterprise_id, "enterprise_id", OPTION_COUNT, .default_text = "32473", .min = 1,
		.max = UINT32_MAX,
		.help = "private enterprise number in the name of the structured data"),
	ROW(max_message, "max_message", OPTION_SIZE, .min = 2048, .max = (int64_t)1 << 30,
		.help = "a longer message is cut in a datagram, sent whole by RELP, else refused; default: 64KiB, 8KiB over tcp, tls and stream sockets"),
	ROW(ca_file, "ca_file", OPTION_STRING, .flags = OPTION_PATH,
		.help = "certificates to trust, not the system's"),
	ROW(client_cert, "client_cert", OPTION_STRING, .flags = OPTION_PATH,
		.help = "certificate to show, PEM"),
	ROW(client_key, "client_key", OPTION_STRING, .flags = OPTION_PATH,
		.help = "its private key, PEM"),
	ROW(client_key_password, "client_key_password", OPTION_SECRET,
		.help = "of a private key that is encrypted"),
	ROW(timeout_ns, "timeout", OPTION_DURATION, .default_text = "30s", .min = NSEC_PER_SEC,
		.max = NSEC_PER_HOUR,
		.help = "of connecting, and for a receiver that takes nothing"),
};
