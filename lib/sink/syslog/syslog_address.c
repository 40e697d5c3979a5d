/* See syslog_address.h. */
#include "sink/syslog/syslog_address.h"

#include <ctype.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"

struct scheme {
	const char *prefix;
	enum http_stream_kind kind;
	bool relp;
	const char *port;
};

static const struct scheme schemes[] = {
	{"udp://", HTTP_STREAM_UDP, false, "514"},
	{"tcp://", HTTP_STREAM_TCP, false, "514"},
	{"tls://", HTTP_STREAM_TLS, false, "6514"},
	{"relp://", HTTP_STREAM_TCP, true, "2514"},
	{"relps://", HTTP_STREAM_TLS, true, "2514"},
};

/* Bytes of the host at TEXT, 0 when it is none. */
static size_t host_size(const char *text)
{
	size_t size;

	if (*text == '[') {
		size = strspn(text + 1, "0123456789abcdefABCDEF:.");
		return size > 1 && text[size + 1] == ']' ? size + 2 : 0;
	}
	for (size = 0;
		isalnum((unsigned char)text[size]) || (text[size] && strchr("-._", text[size]));
		size++)
		;
	return size;
}

static int parse_host(struct syslog_address *ret, const struct scheme *scheme, const char *text,
	struct fault *err)
{
	size_t size = host_size(text);
	const char *port = scheme->port;
	int64_t number;

	if (size == 0 || (text[size] && text[size] != ':'))
		return fault_set(err, FAULT_CONFIG, "address: expected %shost or %shost:port",
			scheme->prefix, scheme->prefix);
	if (text[size] == ':')
		port = text + size + 1;
	if (number_parse(slice_of(port), 1, 65535, &number) != 0)
		return fault_set(
			err, FAULT_CONFIG, "address: the port is a number from 1 to 65535");
	*ret = (struct syslog_address){
		.kind = scheme->kind,
		.relp = scheme->relp,
		.target = mem_printf("%.*s:%s", (int)size, text, port),
	};
	return 0;
}

int syslog_address_parse(struct syslog_address *ret, const char *text, struct fault *reterr)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (str_starts(text, schemes[i].prefix))
			return parse_host(
				ret, &schemes[i], text + strlen(schemes[i].prefix), reterr);
	}
	if (!str_starts(text, "unix:/"))
		return fault_set(reterr, FAULT_CONFIG,
			"address: expected unix:/path, udp://, tcp://, tls://, relp:// or relps:// with host:port");
	text += strlen("unix:");
	if (str_starts(text, "//"))
		text += 2; /* unix:///dev/log */
	if (*text != '/' || strlen(text) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return fault_set(reterr, FAULT_CONFIG,
			"address: the path of a socket begins with / and has at most %zu bytes",
			sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	*ret = (struct syslog_address){.kind = HTTP_STREAM_UNIX, .target = mem_strdup(text)};
	return 0;
}

void syslog_address_deinit(struct syslog_address *address)
{
	free(address->target);
	*address = (struct syslog_address){0};
}
