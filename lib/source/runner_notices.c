/* What a source tells once: how its API behaves, and times that cannot be read. */
#include "source/runner_internal.h"

#include "base/cleanup.h"
#include "net/outcome.h"

#define EXAMPLE_SIZE 100
#define UNTIMED_MIN 10 /* some records may have no time */

void runner_tell_notices(struct runner *runner)
{
	unsigned fresh = poll_take_notices(runner->poll) & ~runner->told;
	for (unsigned i = 0; i < POLL_N_NOTICES; i++) {
		struct buf text CLEANUP(buf_deinit) = BUF_NULL;
		if (!(fresh & 1u << i))
			continue;
		poll_notice_print(runner->poll, 1u << i, &text);
		log_warning(&runner->source->subject, "%s", buf_text(&text));
	}
	/* a watermark may go wrong again */
	runner->told |= fresh & ~(unsigned)POLL_NOTICE_WATERMARK;
}

void runner_note_times(
	struct runner *runner, size_t n_records, size_t n_untimed, struct slice example)
{
	const struct definition *definition = runner->source->definition;
	bool rows = runner->task == RUNNER_TASK_DOCUMENT;
	const char *section = rows ? "fetch" : "records";
	const char *time = rows ? definition->fetch.time : definition->records.time;
	const char *format = rows ? definition->fetch.time_format : definition->records.time_format;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	runner->n_timed += n_untimed < n_records ? n_records - n_untimed : 0;
	runner->status.n_untimed += n_untimed;
	bool none = runner->n_timed == 0 && runner->status.n_untimed >= UNTIMED_MIN;
	if (n_untimed == 0 || runner->told & RUNNER_TOLD_UNTIMED || !(example.data || none))
		return;
	runner->told |= RUNNER_TOLD_UNTIMED;
	if (!example.data) {
		log_warning(&runner->source->subject,
			"none of %llu records has a time at `%s`: records are forwarded without a time (check time in [%s])",
			(unsigned long long)runner->status.n_untimed, time, section);
		return;
	}
	http_excerpt(example, EXAMPLE_SIZE, &text);
	log_warning(&runner->source->subject,
		"the time %s at `%s` cannot be read as %s: records with such times are forwarded without a time, or with the time of an earlier record (check time, time_format and time_zone in [%s])",
		buf_text(&text), time, format, section);
}
