/* See gap.h. */
#include "base/gap.h"

const char *gap_reason_to_string(enum gap_reason reason)
{
	static const char *const names[] = {
		[GAP_RETENTION] = "retention",
		[GAP_CAPPED] = "capped",
		[GAP_DOCUMENT] = "document",
		[GAP_NEWEST] = "newest",
		[GAP_LOST_CURSOR] = "lost-cursor",
		[GAP_SKIPPED] = "skipped",
		[GAP_CLOCK] = "clock",
	};

	return names[reason];
}
