/* See syslog_format.h. */
#include "sink/syslog/syslog_format.h"

#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/timestamp.h"

#define N_FACILITIES 24
#define N_SEVERITIES 8
#define HOSTNAME_MAX 255 /* RFC 5424 section 6 */
#define APP_NAME_MAX 48
#define MSGID_MAX 32
#define TAG_MAX 32 /* RFC 3164 section 4.1.3 */
#define NAME_PARAM_MAX 80 /* of values of the structured data, escaped */
#define ID_PARAM_MAX 480 /* what is longer is still in the record */

struct name {
	const char *text;
	unsigned number;
};

static const struct name facilities[] = {
	{"kern", 0},
	{"user", 1},
	{"mail", 2},
	{"daemon", 3},
	{"auth", 4},
	{"security", 4},
	{"syslog", 5},
	{"lpr", 6},
	{"news", 7},
	{"uucp", 8},
	{"cron", 9},
	{"authpriv", 10},
	{"ftp", 11},
	{"ntp", 12},
	{"audit", 13},
	{"alert", 14},
	{"clock", 15},
	{"local0", 16},
	{"local1", 17},
	{"local2", 18},
	{"local3", 19},
	{"local4", 20},
	{"local5", 21},
	{"local6", 22},
	{"local7", 23},
};

static const struct name severities[] = {
	{"emerg", 0},
	{"emergency", 0},
	{"panic", 0},
	{"alert", 1},
	{"crit", 2},
	{"critical", 2},
	{"err", 3},
	{"error", 3},
	{"warning", 4},
	{"warn", 4},
	{"notice", 5},
	{"info", 6},
	{"informational", 6},
	{"debug", 7},
};

static bool name_find(const struct name *names, size_t n, struct slice text, unsigned *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(names[i].text) == text.size &&
			strncasecmp(names[i].text, text.data, text.size) == 0) {
			*ret = names[i].number;
			return true;
		}
	}
	return false;
}

static bool number_below(struct slice text, unsigned end, unsigned *ret)
{
	int64_t number;

	if (number_parse(text, 0, end - 1, &number) != 0)
		return false;
	*ret = (unsigned)number;
	return true;
}

bool syslog_facility_parse(struct slice text, unsigned *ret)
{
	return number_below(text, N_FACILITIES, ret) ||
	       name_find(facilities, sizeof(facilities) / sizeof(facilities[0]), text, ret);
}

bool syslog_severity_parse(struct slice text, bool numbers, unsigned *ret)
{
	return (numbers && number_below(text, N_SEVERITIES, ret)) ||
	       name_find(severities, sizeof(severities) / sizeof(severities[0]), text, ret);
}

/* --- names in the header: printable ASCII without blanks --- */

static char *clean(struct slice text, size_t max, const char *refused)
{
	struct buf out = BUF_NULL;

	for (size_t i = 0; i < text.size && out.size < max; i++) {
		char c = text.data[i];

		buf_append_char(&out, c > ' ' && c < 0x7f && !strchr(refused, c) ? c : '_');
	}
	if (out.size == 0)
		buf_append_char(&out, '-');
	return buf_take(&out);
}

void syslog_style_init(struct syslog_style *style, const char *hostname, const char *app_name)
{
	char own[HOSTNAME_MAX + 1] = "";

	if (!hostname && gethostname(own, sizeof(own) - 1) != 0)
		own[0] = '\0';
	*style = (struct syslog_style){
		.hostname = clean(slice_of(hostname ? hostname : own), HOSTNAME_MAX, ""),
		.app_name = clean(slice_of(app_name), APP_NAME_MAX, ""),
		.enterprise_id = SYSLOG_ENTERPRISE_ID,
	};
}

void syslog_style_deinit(struct syslog_style *style)
{
	free(style->hostname);
	free(style->app_name);
	*style = (struct syslog_style){0};
}

/* --- structured data --- */

/* RFC 5424 section 6.3.3. Control characters and bytes that are no UTF-8 in the way that receivers
 * write them: #012. */
static void append_param(struct buf *out, const char *name, struct slice value, size_t max)
{
	const char *end = value.data + value.size;
	size_t stop;

	buf_printf(out, " %s=\"", name);
	stop = out->size + max;
	for (const char *p = value.data; p < end && out->size < stop;) {
		size_t size = utf8_size(p, (size_t)(end - p));
		unsigned char c = (unsigned char)*p;

		if (size == 0 || c < 0x20 || c == 0x7f) {
			buf_printf(out, "#%03o", c);
			p++;
			continue;
		}
		if (c == '"' || c == '\\' || c == ']')
			buf_append_char(out, '\\');
		buf_append(out, p, size);
		p += size;
	}
	buf_append_char(out, '"');
}

static void append_header_5424(const struct syslog_style *style, unsigned priority,
	const struct sink_record *record, bool cut, struct buf *out)
{
	char *id = clean(slice_of(record->batch->source), MSGID_MAX, "");
	char scratch[33];

	buf_printf(out, "<%u>1 ", priority);
	if (record->view.time == NSEC_NONE)
		buf_append_char(out, '-');
	else
		timestamp_print_rfc3339(record->view.time, 6, out);
	buf_printf(out, " %s %s - %s [trawld@%lld", style->hostname, style->app_name, id,
		(long long)style->enterprise_id);
	append_param(out, "source", slice_of(record->batch->source), NAME_PARAM_MAX);
	append_param(out, "provider", slice_of(record->batch->provider), NAME_PARAM_MAX);
	append_param(out, "id", batch_id_text(&record->view, scratch), ID_PARAM_MAX);
	buf_append_text(out, cut ? " truncated=\"true\"] " : "] ");
	free(id);
}

/* The time is this host's local time, as all of this form is. */
static void append_header_3164(const struct syslog_style *style, unsigned priority,
	const struct sink_record *record, nsec_t now_time, struct buf *out)
{
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	nsec_t time = record->view.time == NSEC_NONE ? now_time : record->view.time;
	time_t seconds = (time_t)(time / NSEC_PER_SEC - (time % NSEC_PER_SEC < 0));
	char *source = clean(slice_of(record->batch->source), TAG_MAX, "[]:");
	struct tm tm = {0};

	localtime_r(&seconds, &tm);
	buf_printf(out, "<%u>%s %2d %02d:%02d:%02d %s %s[%s]: ", priority, months[tm.tm_mon],
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, style->hostname, style->app_name,
		source);
	free(source);
}

/* --- the text --- */

/* JSON has control characters in strings only, where \u00XX says the same. */
static void append_plain(struct buf *out, size_t from)
{
	struct buf text = BUF_NULL;

	for (size_t i = from; i < out->size; i++) {
		unsigned char c = (unsigned char)out->data[i];

		if (c >= 0x20 && c != 0x7f) {
			if (text.data)
				buf_append_char(&text, (char)c);
			continue;
		}
		if (!text.data)
			buf_append(&text, out->data + from, i - from);
		buf_printf(&text, "\\u%04x", c);
	}
	if (text.data) {
		out->size = from;
		buf_append_slice(out, buf_slice(&text));
	}
	buf_deinit(&text);
}

static void append_header(const struct syslog_style *style, unsigned priority,
	const struct sink_record *record, nsec_t now_time, bool cut, struct buf *out)
{
	if (style->rfc == SYSLOG_RFC3164)
		append_header_3164(style, priority, record, now_time, out);
	else
		append_header_5424(style, priority, record, cut, out);
}

bool syslog_format(const struct syslog_style *style, unsigned severity,
	const struct sink_record *record, nsec_t now_time, size_t limit, struct buf *out)
{
	unsigned priority = style->facility * N_SEVERITIES + severity;
	size_t start = out->size, text, end;
	struct buf whole = BUF_NULL;

	append_header(style, priority, record, now_time, false, out);
	text = out->size;
	sink_record_print(record, style->format, out);
	if (style->plain || style->rfc == SYSLOG_RFC3164)
		append_plain(out, text);
	if (limit == 0 || out->size - start <= limit)
		return false;
	buf_append(&whole, out->data + text, out->size - text);
	out->size = start;
	append_header(style, priority, record, now_time, true, out);
	end = limit > out->size - start ? limit - (out->size - start) : 0;
	buf_append(out, whole.data, utf8_cut(whole.data, end));
	buf_deinit(&whole);
	return true;
}
