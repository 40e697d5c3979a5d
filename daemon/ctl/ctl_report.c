/* trawlctl report: what was read in a span of time, what was not, and what that proves; see
 * report.h. Reads the state beside a running daemon. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/timestamp.h"
#include "ctl/report.h"

/* --- shared by the files of the report --- */

bool report_wants(const struct report *report, const char *source)
{
	return !report->source || strcmp(report->source, source) == 0;
}

/* --- the command --- */

static void init_model(struct report *report)
{
	char node[256] = "";
	gethostname(node, sizeof(node) - 1);
	report->unproven = json_array();
	report->model = json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "report", 1,
		"version", TRAWLD_VERSION, "node", json_value_text(node), "made",
		json_value_time(report->now_time), "from", json_value_time(report->from_time), "to",
		json_value_time(report->to_time), "source", json_value_text(report->source),
		"configuration", json_value_text(report->config->location));
	static const char *const unknown[] = {"counted_since", "last_batch", "archives"};
	static const char *const lists[] = {"sources", "sinks", "events"};
	for (size_t i = 0; i < 3; i++) {
		json_object_set_new(report->model, unknown[i], json_null());
		json_object_set_new(report->model, lists[i], json_array());
	}
	json_object_set_new(report->model, "state", json_false());
	json_object_set_new(report->model, "not_proven", report->unproven);
}

static void report_deinit(struct report *report)
{
	timelines_deinit(&report->timelines);
	json_decref(report->model);
	ctl_secrets_deinit(&report->secrets);
}

static int collect(struct report *report, const struct ctl_arguments *arguments)
{
	init_model(report);
	ctl_secrets_init(&report->secrets, report->config);
	int code = report_state(report);
	if (!code && report->source &&
		json_array_size(json_object_get(report->model, "sources")) == 0)
		return ctl_unknown_source(report->source, report->config, NULL, 0);
	if (!code)
		report_running(report);
	if (!code)
		code = report_dead_letters(report);
	if (!code)
		code = report_archives(report, arguments);
	if (!code)
		report_unproven(report, arguments->key != NULL);
	return code;
}

static int print(const struct report *report, const struct ctl_arguments *arguments)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	const char *form = arguments->format;
	if (strcmp(form, "json") == 0) {
		char *json CLEANUP_FREE =
			json_dumps(report->model, JSON_COMPACT | JSON_REAL_PRECISION(15));
		buf_append_text(&text, json);
	} else {
		report_print(report, form, &text);
	}
	secret_mask(&text);
	int code = arguments->key ? report_sign(&text, form, arguments->key) : 0;
	if (code)
		return code;
	fwrite(text.data, 1, text.size, stdout);
	if (text.data[text.size - 1] != '\n')
		putchar('\n');
	return 0;
}

static int usage(const char *why)
{
	fprintf(stderr, "trawlctl: report: %s\n", why);
	return EX_USAGE;
}

static int check(const struct ctl_arguments *arguments)
{
	if (!arguments->key || arguments->n_names != 1)
		return usage("--check needs the file with the report, and --key with public keys");
	return report_check(arguments->name, arguments->key);
}

int ctl_report(const struct ctl_arguments *arguments)
{
	struct report report CLEANUP(report_deinit) = {
		.source = arguments->source, .now_time = clock_wall()};
	if (arguments->check)
		return check(arguments);
	if (!arguments->from || !arguments->to)
		return usage("expected --from and --to");
	const char *form = arguments->format;
	if (!form ||
		(strcmp(form, "json") != 0 && strcmp(form, "md") != 0 && strcmp(form, "html") != 0))
		return usage("--format: expected json, md or html");
	if (ctl_read_time("--from", arguments->from, &report.from_time) ||
		ctl_read_time("--to", arguments->to, &report.to_time))
		return EX_USAGE;
	if (report.from_time == NSEC_NONE || report.to_time <= report.from_time)
		return usage("--from must be a time before --to");
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	report.config = config;
	int code = collect(&report, arguments);
	if (!code)
		code = print(&report, arguments);
	config_free(config);
	return code;
}
