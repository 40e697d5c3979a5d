/* See span.h. No clock, no state: the same arguments give the same span. */
#include "source/span.h"

#define RETENTION_MARGIN (60 * NSEC_PER_SEC) /* the request takes time, too */

nsec_t span_floor(nsec_t time, nsec_t step)
{
	if (step <= 1)
		return time;
	nsec_t rest = time % step;
	return rest < 0 ? time - rest - step : time - rest;
}

nsec_t span_ceil(nsec_t time, nsec_t step)
{
	nsec_t floor = span_floor(time, step);
	return floor == time ? time : floor + step;
}

nsec_t span_oldest(const struct span_rules *rules, nsec_t now_time)
{
	return rules->retention_ns ? now_time - rules->retention_ns + RETENTION_MARGIN : NSEC_NONE;
}

bool span_of_poll(const struct span_rules *rules, nsec_t started_time, nsec_t watermark_time,
	nsec_t late_time, nsec_t oldest_time, struct span *ret, struct span *ret_gap)
{
	nsec_t first = started_time != NSEC_NONE ? started_time : SPAN_EARLIEST;
	nsec_t done = watermark_time != NSEC_NONE ? watermark_time : first;
	nsec_t start = watermark_time != NSEC_NONE ? watermark_time - rules->overlap_ns : first;
	nsec_t end = late_time - rules->lag_ns;
	if (start < first)
		start = first;
	ret_gap->start_time = ret_gap->end_time = NSEC_NONE;
	if (done < oldest_time && watermark_time != NSEC_NONE)
		*ret_gap = (struct span){done, oldest_time};
	start = start < oldest_time ? oldest_time : start;
	done = done < oldest_time ? oldest_time : done;
	if (end <= done)
		return false;
	*ret = (struct span){start, end};
	return true;
}

struct span span_slice(
	const struct span *poll, nsec_t start_time, nsec_t span_max_ns, nsec_t align_ns)
{
	struct span slice = {start_time, poll->end_time};
	if (slice.end_time - slice.start_time > span_max_ns)
		slice.end_time = slice.start_time + span_max_ns;
	if (align_ns > 0 && slice.end_time > span_floor(start_time, align_ns) + align_ns)
		slice.end_time = span_floor(start_time, align_ns) + align_ns;
	return slice;
}

nsec_t span_next(const struct span *done, nsec_t overlap_ns, nsec_t step)
{
	nsec_t half = (done->end_time - done->start_time) / 2;
	return done->end_time - span_floor(overlap_ns < half ? overlap_ns : half, step);
}
