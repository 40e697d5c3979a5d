/* See http_secrets.h. */
#include "sink/http/http_secrets.h"

#include <string.h>

#include "base/mem.h"
#include "base/secret_name.h"

static void secrets_add(struct http_secrets *secrets, struct slice text)
{
	secrets->items =
		mem_resize(secrets->items, (secrets->n_items + 1) * sizeof(*secrets->items));
	secrets->items[secrets->n_items] = SECRET_NULL;
	secret_set(&secrets->items[secrets->n_items++], text);
}

/* A credential may be written out in the configuration: it is masked all the same, with its scheme
 * and without it. */
void http_secrets_init(struct http_secrets *ret, const struct option_pairs *headers)
{
	*ret = (struct http_secrets){0};
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
