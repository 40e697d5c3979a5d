/* See json_value.h. */
#include "base/json_value.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/timestamp.h"

json_t *json_value_text(const char *text)
{
	struct buf encoded CLEANUP(buf_deinit) = BUF_NULL;
	if (!text)
		return json_null();
	json_encode(slice_of(text), &encoded);
	json_t *value = json_loadb(encoded.data, encoded.size, JSON_DECODE_ANY, NULL);
	return value ? value : json_null();
}

json_t *json_value_time(nsec_t time)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (time == NSEC_NONE)
		return json_null();
	timestamp_print_rfc3339(time, 3, &text);
	return json_string(buf_text(&text));
}

json_t *json_value_seconds(nsec_t span_ns)
{
	return json_real((double)(span_ns / NSEC_PER_MSEC) / 1000.);
}
