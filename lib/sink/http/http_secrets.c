/* See http_secrets.h. */
#include "sink/http/http_secrets.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/secret_name.h"
#include "net/url.h"

static void secrets_add(struct http_secrets *secrets, struct slice text)
{
	secrets->items =
		mem_resize(secrets->items, (secrets->n_items + 1) * sizeof(*secrets->items));
	secrets->items[secrets->n_items] = SECRET_NULL;
	secret_set(&secrets->items[secrets->n_items++], text);
}

static void secrets_add_password(struct http_secrets *secrets, const char *url)
{
	CLEANUP(buf_deinit) struct buf password = BUF_NULL;

	url_password(url, &password);
	if (password.size > 0)
		secrets_add(secrets, buf_slice(&password));
	secret_wipe(password.data, password.size);
}

/* A credential may be written out in the configuration: it is masked all the same, with its scheme
 * and without it. */
void http_secrets_init(
	struct http_secrets *ret, const struct option_pairs *headers, const char *proxy)
{
	*ret = (struct http_secrets){0};
	if (proxy)
		secrets_add_password(ret, proxy);
	for (size_t i = 0; i < headers->n_items; i++) {
		const char *value = headers->items[i].value;
		const char *blank = strchr(value, ' ');

		if (!headers->items[i].secret &&
			!secret_is_named_by(slice_of(headers->items[i].name)))
			continue;
		secrets_add(ret, slice_of(value));
		if (blank)
			secrets_add(ret, slice_of(blank + 1));
	}
}

void http_secrets_deinit(struct http_secrets *secrets)
{
	for (size_t i = 0; i < secrets->n_items; i++)
		secret_deinit(&secrets->items[i]);
	free(secrets->items);
	*secrets = (struct http_secrets){0};
}
