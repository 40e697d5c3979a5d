/* The answer to a request for a token: the token where it is said to be, and how long it lives. */
#include "net/auth/auth_token.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pointer token = POINTER_NULL, expires = POINTER_NULL;
	struct fault fault = FAULT_NULL;
	struct buf text = BUF_NULL;
	json_t *root = json_loadb((const char *)data, size, 0, NULL);
	assert(pointer_parse(&token, SLICE("/session/token")) == 0);
	assert(pointer_parse(&expires, SLICE("/session/expires")) == 0);
	if (token_answer_pointer(root, &token, &text, &fault) == 0)
		assert(text.size > 0 && text.size <= 64 << 10);
	else
		assert(fault.text[0]);
	nsec_t now = 1774746000 * NSEC_PER_SEC;
	nsec_t life = token_answer_life(root, &expires, now, now + NSEC_PER_HOUR);
	nsec_t margin = token_answer_margin(life);
	assert(margin <= life / 2 + 1 || life <= 0);
	token_answer_wipe(root, &token);
	json_decref(root);
	buf_deinit(&text);
	pointer_deinit(&token);
	pointer_deinit(&expires);
	return 0;
}
