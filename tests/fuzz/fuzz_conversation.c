/* A recorded conversation of any text: it is refused with a finding, or each exchange is whole, and
 * matches its own request. */
#include "workbench/conversation.h"

#include "base/mem.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct findings findings = FINDINGS_NULL;
	struct slice text = {(const char *)data, size};
	struct conversation *conversation = conversation_parse("a", text, "api", &findings);
	assert((conversation == NULL) == (findings.n_items > 0));
	for (size_t i = 0; conversation && i < conversation->n_items; i++) {
		struct exchange *exchange = &conversation->items[i];
		struct http_message message = {.method = exchange->method,
			.url = exchange->url,
			.headers = exchange->headers,
			.body = exchange->body};
		assert(exchange->status >= 100 && exchange->method && exchange->url);
		conversation_matches(exchange, &message);
		assert(conversation_resembles(exchange, &message));
	}
	conversation_free(conversation);
	findings_deinit(&findings);
	return 0;
}
