/* See transport_check.h. Whether a certificate is the right one only the handshake shows; that the
 * file is there, can be read and holds one, is seen here. */
#include "net/transport_check.h"

#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/str.h"

#include "net/url.h"

#define FILE_MAX ((size_t)16 << 20)

/* PEM: a line that begins with `-----BEGIN` and ends with one of ENDS. */
static bool holds(struct slice text, const char *const *ends)
{
	struct slice line;
	while (str_next_part(&text, '\n', &line)) {
		char first[80];
		if (line.size >= sizeof(first))
			continue;
		memcpy(first, line.data, line.size);
		first[line.size] = '\0';
		for (size_t i = 0; str_starts(first, "-----BEGIN ") && ends[i]; i++)
			if (str_ends(first, ends[i]))
				return true;
	}
	return false;
}

/* Whether the file at KEY holds WHAT; a finding at KEY if not, unless it is only looked at. */
static bool check_file(const char *path, const char *const *ends, const char *what,
	const struct ini_section *section, const char *key, struct findings *findings)
{
	struct buf text CLEANUP(buf_deinit) = BUF_LIMITED(FILE_MAX);
	struct stat status;
	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
		findings_add_at(findings, section, key,
			"%s: %s is a directory; expected a file in PEM form", key, path);
		return false;
	}
	int r = file_read(&text, path);
	bool found = !r && holds(buf_slice(&text), ends);
	secret_wipe(text.data, text.size);
	if (r)
		findings_add_at(findings, section, key, "%s: %s: %s", key, path, strerror(-r));
	else if (!found && what)
		findings_add_at(findings, section, key, "%s: %s does not contain %s in PEM form",
			key, path, what);
	return found;
}

static void check_proxy(
	const char *proxy, const struct ini_section *section, struct findings *findings)
{
	static const char *const schemes[] = {"http://", "https://", "socks5h://", NULL};
	if (url_is_proxy(proxy, schemes))
		return;
	findings_add_at(findings, section, "proxy",
		"proxy: expected http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT%s",
		strchr(proxy, '@')
			? "; in a user and a password, write `/`, `?`, `#`, `@` and `:` as %2F, %3F, %23, %40 and %3A"
			: "");
}

void transport_check(const struct http_transport *transport, const struct ini_section *section,
	struct findings *findings)
{
	static const char *const certificates[] = {"CERTIFICATE-----", NULL};
	static const char *const keys[] = {"PRIVATE KEY-----", NULL};
	const char *cert = transport->client_cert;
	if (transport->ca_file)
		check_file(transport->ca_file, certificates, "a certificate", section, "ca_file",
			findings);
	bool good = cert && check_file(cert, certificates, "a certificate", section, "client_cert",
				    findings);
	if (transport->client_key)
		check_file(transport->client_key, keys, "a private key", section, "client_key",
			findings);
	if (transport->client_key && !cert)
		findings_add_at(findings, section, "client_key", "client_key needs client_cert");
	if (good && !transport->client_key &&
		!check_file(cert, keys, NULL, section, "client_cert", findings))
		findings_add_at(findings, section, "client_cert",
			"client_cert needs client_key: %s contains no private key", cert);
	if (transport->proxy)
		check_proxy(transport->proxy, section, findings);
}
