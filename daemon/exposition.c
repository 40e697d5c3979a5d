/* See exposition.h. */
#include "exposition.h"

#include <math.h>

static const char *const type_names[] = {"counter", "gauge", "histogram"};

void histogram_add(struct histogram *histogram, double value)
{
	size_t i = 0;
	while (i < histogram->n_bounds && value > histogram->bounds[i])
		i++;
	histogram->counts[i]++;
	histogram->sum += value;
}

static void add_escaped(struct buf *out, const char *text, bool quotes)
{
	for (;;) {
		size_t n = strcspn(text, quotes ? "\n\\\"" : "\n\\");
		buf_append(out, text, n);
		text += n;
		if (!*text)
			return;
		buf_append_char(out, '\\');
		buf_append_char(out, *text == '\n' ? 'n' : *text);
		text++;
	}
}

static void add_integer(struct buf *out, int64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	do
		digits[--at] = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		buf_append_char(out, '-');
	buf_append(out, digits + at, sizeof(digits) - at);
}

/* The shortest of two spellings that reads back as the same value. */
static void add_number(struct buf *out, double value)
{
	if (isinf(value))
		buf_append_text(out, value > 0 ? "+Inf" : "-Inf");
	else if (value == floor(value) && fabs(value) < 1e15)
		add_integer(out, (int64_t)value);
	else
		buf_printf(out, "%.15g", value);
}

void exposition_family(struct exposition *exposition, const char *name, enum exposition_type type,
	const char *help)
{
	bool total = type == EXPOSITION_COUNTER && !exposition->openmetrics;
	struct buf *out = exposition->out;
	exposition->name = name;
	exposition->type = type;
	buf_printf(out, "# HELP %s%s ", name, total ? "_total" : "");
	add_escaped(out, help, exposition->openmetrics);
	buf_printf(out, "\n# TYPE %s%s %s\n", name, total ? "_total" : "", type_names[type]);
}

/* LE: the bound of a bucket, NAN for none. */
static void add_sample(struct exposition *exposition, const char *suffix, const char *const *labels,
	double le, double value)
{
	struct buf *out = exposition->out;
	const char *between = "{";
	buf_append_text(out, exposition->name);
	buf_append_text(out, suffix);
	for (; labels && labels[0]; labels += 2) {
		buf_append_text(out, between);
		buf_append_text(out, labels[0]);
		buf_append_text(out, "=\"");
		add_escaped(out, labels[1], true);
		buf_append_char(out, '"');
		between = ",";
	}
	if (!isnan(le)) {
		buf_append_text(out, between);
		buf_append_text(out, "le=\"");
		add_number(out, le);
		buf_append_text(out, !isinf(le) && le == floor(le) ? ".0\"" : "\"");
		between = ",";
	}
	buf_append_text(out, *between == ',' ? "} " : " ");
	add_number(out, value);
	buf_append_char(out, '\n');
}

void exposition_sample(struct exposition *exposition, const char *const *labels, double value)
{
	if (!isnan(value))
		add_sample(exposition, exposition->type == EXPOSITION_COUNTER ? "_total" : "",
			labels, NAN, value);
}

void exposition_histogram(
	struct exposition *exposition, const char *const *labels, const struct histogram *histogram)
{
	uint64_t n = 0;
	for (size_t i = 0; i <= histogram->n_bounds; i++) {
		n += histogram->counts[i];
		add_sample(exposition, "_bucket", labels,
			i < histogram->n_bounds ? histogram->bounds[i] : (double)INFINITY,
			(double)n);
	}
	add_sample(exposition, "_sum", labels, NAN, histogram->sum);
	add_sample(exposition, "_count", labels, NAN, (double)n);
}

void exposition_end(struct exposition *exposition)
{
	if (exposition->openmetrics)
		buf_append_text(exposition->out, "# EOF\n");
}

bool exposition_wants_openmetrics(const char *accept)
{
	return accept && strcasestr(accept, "application/openmetrics-text");
}
