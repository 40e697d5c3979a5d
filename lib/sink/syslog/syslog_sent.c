#include "sink/syslog/syslog_sent.h"

#include <string.h>

void syslog_sent_add(struct syslog_sent *sent)
{
	sent->items[sent->n_items].end = sent->n_written;
	sent->items[sent->n_items++].taken_at = NSEC_NONE;
}

void syslog_sent_taken(struct syslog_sent *sent, uint64_t end)
{
	for (size_t i = 0; i < sent->n_items && sent->items[i].end <= end; i++)
		if (sent->items[i].taken_at == NSEC_NONE)
			sent->items[i].taken_at = clock_monotonic();
}

nsec_t syslog_sent_first(const struct syslog_sent *sent)
{
	return sent->n_items > 0 ? sent->items[0].taken_at : NSEC_NONE;
}

void syslog_sent_shift(struct syslog_sent *sent)
{
	sent->n_items--;
	memmove(sent->items, sent->items + 1, sent->n_items * sizeof(sent->items[0]));
}
