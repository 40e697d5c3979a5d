/* See source_auth.h. Rendered values are wiped as soon as the credential has its own copy. */
#include "source/source_auth.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"

/* The [auth] settings that have a value; KEY gets all of them as text. */
static size_t render_settings(
	const struct source *source, struct option_pair *settings, struct buf *key)
{
	struct definition *definition = source->definition;
	size_t n = 0;
	for (size_t i = 0; i < definition->n_auth_settings; i++) {
		const struct named_template *setting = &definition->auth_settings[i];
		struct buf value = BUF_NULL;
		if (template_render(setting->template, definition_value, definition, &value) == 0) {
			buf_printf(key, "%s=%s\n", setting->name, buf_text(&value));
			settings[n].name = setting->name;
			settings[n++].value = buf_take(&value);
		}
		buf_deinit(&value);
	}
	return n;
}

int source_auth_new(const struct source *source, struct http_client *client, struct auth **ret,
	struct id *ret_credential, struct fault *reterr)
{
	const struct definition *definition = source->definition;
	struct buf key CLEANUP(buf_deinit) = BUF_NULL;
	struct option_pair *settings CLEANUP_FREE =
		mem_array(definition->n_auth_settings, sizeof(struct option_pair));
	buf_printf(&key, "%s\n", source->origin);
	size_t n = render_settings(source, settings, &key);
	struct auth_setup setup = {
		.type = definition->auth_type,
		.settings = settings,
		.n_settings = n,
		.client = client,
		.transport = source->transport,
		.login_render = definition->login.method ? source_login_request : NULL,
		.login_userdata = (void *)source,
		.token_from = definition->login_token,
		.expires_from = definition->login_expires,
	};
	setup.transport.origin = NULL;
	int r = auth_new(ret, &setup, reterr);
	*ret_credential = digest_id(buf_slice(&key));
	for (size_t i = 0; i < n; i++) {
		secret_wipe(settings[i].value, strlen(settings[i].value));
		free(settings[i].value);
	}
	secret_wipe(key.data, key.size);
	return r;
}
