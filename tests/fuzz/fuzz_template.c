/* Texts with variables, plain and as JSON documents. What a JSON template writes is JSON, and what
 * a URL template writes has no blank or control character that was not in its text. */
#include "definition/template.h"

#include <jansson.h>

#include "fuzz.h"

static enum template_kind known(const char *name, void *userdata)
{
	(void)userdata;
	if (strncmp(name, "window.", 7) == 0 || strcmp(name, "now") == 0)
		return TEMPLATE_TIME;
	if (strcmp(name, "page.cursor") == 0 || strcmp(name, "page.size") == 0)
		return TEMPLATE_JSON;
	return strcmp(name, "a") == 0 || strcmp(name, "list") == 0 || strcmp(name, "none") == 0
		       ? TEMPLATE_TEXT
		       : TEMPLATE_ABSENT;
}

static struct template_value lookup(const char *name, void *userdata)
{
	struct template_value value = {.kind = known(name, userdata)};
	if (value.kind == TEMPLATE_TIME)
		value.time = 1774746000 * NSEC_PER_SEC + 123456789;
	else if (value.kind == TEMPLATE_JSON)
		value.text = SLICE("{\"k\": [1.50, \"\\u0041\"]}");
	else if (strcmp(name, "list") == 0)
		value.text = SLICE("1, \"two\", 3");
	else if (strcmp(name, "a") == 0)
		value.text = SLICE("\"x\" &\n/\x7f\xff");
	else
		value.kind = TEMPLATE_ABSENT;
	return value;
}

static void plain(const char *text)
{
	struct template *template = NULL;
	struct buf out = BUF_NULL;
	char *error = NULL;
	if (template_parse(&template, text, known, NULL, &error) == 0) {
		template_time_step(template);
		template_uses(template, "now");
		template_render(template, lookup, NULL, &out);
		template_render_url(template, lookup, NULL, &out);
		template_free(template);
	} else {
		assert(error && *error);
	}
	free(error);
	buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(fuzz_input(data, size)), *error = NULL;
	struct json_template *template = NULL;
	struct buf out = BUF_NULL;
	plain(text);
	if (json_template_parse(&template, text, known, NULL, &error) == 0) {
		if (json_template_render(template, lookup, NULL, &out) == 0) {
			json_t *value = json_loadb(
				out.data, out.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
			assert(value);
			json_decref(value);
		}
		json_template_free(template);
	} else {
		assert(error && *error);
	}
	free(error);
	buf_deinit(&out);
	free(text);
	return 0;
}
