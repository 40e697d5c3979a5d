/* How the daemon stands, as one JSON object: what /status serves and trawlctl status shows. */
#ifndef TRAWLD_DAEMON_STATUS_JSON_H
#define TRAWLD_DAEMON_STATUS_JSON_H

#include <jansson.h>

struct overview;

/*
 * A new reference, of the source and the sink called NAME only (NULL: of all), which then have a
 * member detail (status_detail.h):
 *   version, since, not_ready, sources [{name, provider, state, state_since, last_success,
 * waits_for, newest_record, lag_seconds, behind_seconds, records, duplicates, errors, next_poll_in,
 * position, target, total, collected_pages, collected_records, last_error, error_class,
 * failing_since, attempts, location, reused_ids, excluded, quarantined, untimed, late, vanished,
 * clock_skew, gaps, requests, rate}], sinks
 * [{name, type, state, last_success, acknowledged, pending_records, delivered, refused, last_error,
 * error_class, failing_since, attempts, next_try_in, location, retries, oldest_pending_age, rate}],
 * spool {bytes, limit}, kept {bytes, records, oldest, keep_seconds, limit, limited}, cluster {name,
 * node, shard, shards, since, lease_seconds, latency_seconds, synchronous_standbys, holders
 * [{shard, node, since}]} (null where the state is a file; node is null where no process holds the
 * shard)
 *
 * not_ready is the text of /readyz; gaps are those that nobody has acknowledged, also of earlier
 * runs; rate the new (of a sink: delivered) records of the last 60 minutes, the one under way last;
 * oldest_pending_age is of what waits in memory.
 *
 * Times are RFC 3339 in UTC with milliseconds, spans are seconds, counts are since the start of the
 * process. What is not known, does not apply, or (last_error) is over is null. States of a source:
 * waiting, up to date, waiting for budget, waiting for credential, requesting, collecting, fetching
 * documents, backing off, access denied, blocked, paused, stopped; of a sink: idle, delivering,
 * failing, paused.
 */
json_t *status_json(const struct overview *overview, const char *name);

#endif
