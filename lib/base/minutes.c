/* See minutes.h. */
#include "base/minutes.h"

void minutes_add(struct minutes *minutes, nsec_t now_at, uint64_t n)
{
	int64_t minute = now_at / NSEC_PER_MIN;
	if (minute - minutes->minute >= MINUTES)
		minutes->minute = minute - MINUTES;
	while (minutes->minute < minute)
		minutes->counts[++minutes->minute % MINUTES] = 0;
	minutes->counts[minutes->minute % MINUTES] += n;
}

void minutes_read(const struct minutes *minutes, nsec_t now_at, uint64_t ret_counts[MINUTES])
{
	int64_t now = now_at / NSEC_PER_MIN;
	for (int64_t i = 0; i < MINUTES; i++) {
		int64_t minute = now - (MINUTES - 1) + i;
		bool kept = minute >= 0 && minute <= minutes->minute &&
			    minute > minutes->minute - MINUTES;
		ret_counts[i] = kept ? minutes->counts[minute % MINUTES] : 0;
	}
}
