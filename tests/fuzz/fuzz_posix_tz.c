/* The rule at the end of a TZif file: whatever is accepted gives offsets that a rule can have. */
#include "base/posix_tz.h"

#include "fuzz.h"

#define OFFSET_MAX (200 * 3600)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t times[] = {INT64_MIN / 2, -5000000000, -1, 0, 951782400, 1774746000,
		4000000000, INT64_C(1) << 40};
	struct posix_tz rule;
	if (posix_tz_parse(&rule, fuzz_input(data, size)) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int64_t offset = posix_tz_offset_at(&rule, times[i]);
		assert(offset == rule.standard_s || (rule.has_summer && offset == rule.summer_s));
		assert(offset < OFFSET_MAX && offset > -OFFSET_MAX);
	}
	return 0;
}
