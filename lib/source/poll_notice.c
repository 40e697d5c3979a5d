/* What a poll has to tell people about an API, in words. */
#include "base/timestamp.h"
#include "source/poll_internal.h"

void poll_notice_print(const struct poll *poll, unsigned notice, struct buf *out)
{
	const struct definition *definition = definition_of(poll);
	switch (notice) {
	case POLL_NOTICE_SIZE:
		buf_printf(out,
			"pages hold %lld elements, requested were %lld: the API sets the size of its pages; reading on until an empty page or a size seen twice shows the end (page_size = %lld avoids this)",
			(long long)poll->cursor.page_cut, (long long)definition->page.size,
			(long long)poll->cursor.page_cut);
		break;
	case POLL_NOTICE_UNEVEN:
		buf_append_text(out,
			"pages that are not the last hold different numbers of elements: a short page does not show the end of a list here, only an empty one does");
		break;
	case POLL_NOTICE_FULL:
		buf_printf(out,
			"a page of exactly %lld elements has no %s at `%s`: it is taken for the last one; if there are more, check page.%s, or set page.more to what shows it",
			(long long)definition->page.size, definition->page.url ? "URL" : "cursor",
			definition->page.url ? definition->page.url : definition->page.cursor,
			definition->page.url ? "url" : "cursor");
		break;
	case POLL_NOTICE_ADOPTED:
		buf_append_text(out,
			"its cursor was stored when the definition had another way to resume: continuing by time, from ");
		if (poll->adopted_time == NSEC_NONE)
			buf_append_text(out, "where the source began");
		else
			timestamp_print_rfc3339(poll->adopted_time, 0, out);
		buf_printf(out,
			"%s (if records come later than that, use `trawlctl rewind %s --to TIME`)",
			poll->adopted_time == NSEC_NONE ? "" : " less `overlap`",
			poll->source->name);
		break;
	case POLL_NOTICE_IDS:
		buf_append_text(out,
			"`id` in the definition has changed: what was delivered is known by the old IDs, so the records that the overlap reads again are delivered once more");
		break;
	case POLL_NOTICE_PLACE:
		buf_printf(out,
			"`endpoint` or a parameter has changed: polling continues from the old time or cursor, and a record whose ID was delivered before counts as a duplicate (if this is another account or project, give it a source of its own with another name; if it now covers more, use `trawlctl rewind %s --to TIME`)",
			poll->source->name);
		break;
	case POLL_NOTICE_TOTAL:
		buf_printf(out,
			"the total at `%s` is smaller than the number of elements received: it does not count the elements of the window and is ignored (remove page.total)",
			definition->page_total.text);
		break;
	case POLL_NOTICE_WATERMARK:
		buf_append_text(out, "the watermark ");
		timestamp_print_rfc3339(poll->pulled.end_time, 0, out);
		buf_append_text(
			out, " lies in the future, a clock was wrong: it is pulled back to ");
		timestamp_print_rfc3339(poll->pulled.start_time, 0, out);
		buf_append_text(out, ", from where everything is requested again");
		break;
	case POLL_NOTICE_DOUBT:
		buf_append_text(out, "the watermark ");
		timestamp_print_rfc3339(poll->cursor.watermark_time, 0, out);
		buf_append_text(out,
			" lies in the future by the clocks of this host and the API, which seem to be slow; requesting what follows it (if they are right, use `trawlctl rewind`)");
		break;
	}
}
