/* Answers of a RELP receiver, in pieces of any size: never more is confirmed than was sent, and the
 * window holds. The first byte is how many messages are sent, the second the size of the pieces. */
#include "sink/syslog/relp.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size);
	unsigned n_messages = fuzz_byte(&rest);
	size_t piece = fuzz_byte(&rest) % 64 + 1, n_sent = 0, n_confirmed = 0;
	struct relp relp = {0};
	struct fault fault = FAULT_NULL;
	struct buf out = BUF_NULL;
	int r = 0;
	relp_begin(&relp, &out);
	while (rest.size && r == 0) {
		struct slice bytes = {rest.data, rest.size < piece ? rest.size : piece};
		rest.data += bytes.size;
		rest.size -= bytes.size;
		r = relp_receive(&relp, bytes, &n_confirmed, &fault);
		assert(r == 0 || fault.text[0]);
		assert(n_confirmed <= n_sent && relp.n_outstanding <= RELP_WINDOW);
		for (; r == 0 && n_sent < n_messages && relp_has_room(&relp); n_sent++)
			relp_send(&relp, SLICE("message"), &out);
	}
	relp_deinit(&relp);
	buf_deinit(&out);
	return 0;
}
