/* An answer with any status, headers and body: what it means, how long to wait (HTTP dates and
 * Retry-After among them), and a text for people without control characters. The first two bytes
 * are the status, then one header a line up to an empty one. */
#include "base/timestamp.h"
#include "net/outcome.h"

#include "fuzz.h"

static void read_headers(struct slice *rest, struct http_response *response)
{
	for (struct slice line = fuzz_line(rest); line.size; line = fuzz_line(rest)) {
		const char *colon = memchr(line.data, ':', line.size);
		if (!colon)
			continue;
		size_t name_size = (size_t)(colon - line.data);
		char *name = fuzz_text((struct slice){line.data, name_size});
		struct slice value = {colon + 1, line.size - name_size - 1};
		http_headers_add(&response->headers, name, value);
		if (strcmp(name, "Date") == 0)
			(void)timestamp_parse_http(value, &response->server_time);
		free(name);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size);
	struct http_response response = {.server_time = NSEC_NONE};
	struct fault fault = FAULT_NULL;
	response.status = (int)(fuzz_byte(&rest) << 8);
	response.status |= (int)fuzz_byte(&rest);
	read_headers(&rest, &response);
	buf_append_slice(&response.body, rest);
	if (http_outcome(&response, SLICE_NULL, 1774746000 * NSEC_PER_SEC, &fault) != FAULT_NONE) {
		assert(fault.class != FAULT_NONE && fault.text[0]);
		assert(fault.wait_ns >= 0 && fault.wait_ns <= NSEC_PER_DAY);
		for (const char *at = fault.text; *at; at++)
			assert((unsigned char)*at >= 0x20 && *at != 0x7f);
	}
	http_headers_deinit(&response.headers);
	buf_deinit(&response.body);
	return 0;
}
