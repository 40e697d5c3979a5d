/* A document's bytes: gzip or not, it is unpacked within its ceiling or refused; what is not gzip
 * comes out as it is. */
#include "source/gunzip.h"

#include "fuzz.h"

#define LIMIT (256u << 10)
#define STEP (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice body = fuzz_input(data, size);
	struct gunzip *gunzip = gunzip_new(body);
	struct fault fault = FAULT_NULL;
	struct buf out = BUF_NULL;
	bool end = false;
	int r = 0;
	while (!end && r == 0) {
		size_t before = out.size;
		r = gunzip_next(gunzip, LIMIT, &out, &end, &fault);
		assert(out.size - before <= STEP && out.size <= LIMIT + STEP);
	}
	assert(r == 0 || fault.class == FAULT_BODY || fault.class == FAULT_LIMIT);
	if (r == 0 && (size < 2 || data[0] != 0x1f || data[1] != 0x8b))
		assert(slice_equal(buf_slice(&out), body));
	gunzip_free(gunzip);
	buf_deinit(&out);
	return 0;
}
