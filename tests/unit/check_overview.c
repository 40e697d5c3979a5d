/* trawld at one moment: the overview, its JSON and its metrics. */
#include "overview.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "conf/findings.h"
#include "daemon_fixture.h"
#include "metrics.h"
#include "status_json.h"

START_TEST(reasons)
{
	struct overview overview;
	struct buf text = BUF_NULL;
	daemon_open(SOURCE("a", "") SOURCE("b", "enabled = no\n") SINK("out"));
	overview_take(&overview, trawld);
	ck_assert_uint_eq(overview.n_sources, 2);
	ck_assert_uint_eq(overview.n_sinks, 1);
	overview_print_reasons(&overview, &text);
	ck_assert_str_eq(buf_text(&text), "source a has not succeeded yet\n");
	overview_deinit(&overview);
	trawld_stop(trawld);
	buf_clear(&text);
	overview_take(&overview, trawld);
	overview_print_reasons(&overview, &text);
	ck_assert_ptr_eq(strstr(buf_text(&text), "trawld is stopping\n"), buf_text(&text));
	overview_deinit(&overview);
	buf_deinit(&text);
}
END_TEST

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

START_TEST(as_json)
{
	struct overview overview CLEANUP(overview_deinit);
	daemon_open(SOURCE("a", "") SOURCE("b", "enabled = no\n") SINK("out"));
	overview_take(&overview, trawld);
	json_t *all = status_json(&overview, NULL);
	json_t *sources = json_object_get(all, "sources");
	ck_assert_uint_eq(json_array_size(sources), 2);
	ck_assert_str_eq(member(json_array_get(sources, 0), "state"), "waiting");
	ck_assert_str_eq(member(json_array_get(sources, 1), "state"), "paused");
	ck_assert_ptr_null(json_object_get(json_array_get(sources, 0), "detail"));
	ck_assert_str_eq(member(json_array_get(json_object_get(all, "sinks"), 0), "state"), "idle");
	json_decref(all);
	json_t *one = status_json(&overview, "out");
	ck_assert_uint_eq(json_array_size(json_object_get(one, "sources")), 0);
	json_t *sink = json_array_get(json_object_get(one, "sinks"), 0);
	json_t *routes = json_object_get(json_object_get(sink, "detail"), "sources");
	ck_assert_uint_eq(json_array_size(routes), 2);
	json_decref(one);
}
END_TEST

START_TEST(as_metrics)
{
	struct metrics metrics;
	struct findings findings = FINDINGS_NULL;
	struct fault fault;
	struct buf out = BUF_NULL;
	daemon_open(SOURCE("a", "") SOURCE("b", "enabled = no\n") SINK("out"));
	metrics_begin(&metrics, trawld, false);
	while (metrics_next(&metrics, &out))
		ck_assert(!metrics_stale(&metrics));
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "trawld_source_paused{source=\"a\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "trawld_source_paused{source=\"b\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "trawld_sink_up{sink=\"out\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "trawld_state_up 1\n"));
	/* after a reload, other sources: what is left would not fit */
	ck_assert_int_eq(trawld_reload(trawld, NULL, NULL, &findings, &fault), 0);
	ck_assert(metrics_stale(&metrics));
	metrics_end(&metrics);
	buf_deinit(&out);
}
END_TEST

DAEMON_MAIN("overview", reasons, as_json, as_metrics)
