/* A TZif file of any bytes: it is refused, or offsets can be asked for at any time. */
#include "base/timezone.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t times[] = {
		-9223372036, -2000000000, -1, 0, 951782400, 1774746000, 4000000000, 9223372036};
	struct timezone_rules *rules;
	if (timezone_parse(&rules, fuzz_input(data, size)) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		timezone_offset(rules, times[i]);
		timezone_offset_at(rules, times[i]);
	}
	timezone_close(rules);
	return 0;
}
