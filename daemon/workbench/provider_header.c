/* See workbench/provider_header.h. */
#include "workbench/provider_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

#define EXAMPLE "Example"
#define INDENT "#   "

/* The lines of FIELD, the first without the field's name: LINE is called for each. */
static bool each_line(const char *file, const char *field,
	void (*line_fn)(const char *line, struct buf *out), struct buf *out)
{
	FILE *stream = fopen(file, "re");
	char *line CLEANUP_FREE = NULL;
	size_t capacity = 0, size = strlen(field);
	bool inside = false, found = false;
	while (stream && getline(&line, &capacity, stream) > 0 && line[0] == '#') {
		bool begins = str_starts(line, "# ") && str_starts(line + 2, field) &&
			      line[2 + size] == ':';
		line[strcspn(line, "\r\n")] = '\0';
		if (begins) {
			line_fn(line + 2 + size + 1, out);
			inside = found = true;
		} else if (inside && (str_starts(line, INDENT) || strcmp(line, "#") == 0)) {
			line_fn(line[1] ? line + strlen(INDENT) : "", out);
		} else {
			inside = false;
		}
	}
	if (stream)
		fclose(stream);
	return found;
}

static void join_line(const char *line, struct buf *out)
{
	struct slice text = str_trim(slice_of(line));
	if (out->size && text.size)
		buf_append_char(out, ' ');
	buf_append_slice(out, text);
}

bool provider_header_field(const char *file, const char *field, struct buf *out)
{
	return file && each_line(file, field, join_line, out);
}

static void copy_line(const char *line, struct buf *out)
{
	if (out->size || *line) /* nothing follows the word */
		buf_printf(out, "%s\n", line);
}

bool provider_header_example(const char *file, struct buf *out)
{
	bool found = file && each_line(file, EXAMPLE, copy_line, out);
	while (out->size > 1 && out->data[out->size - 1] == '\n' &&
		out->data[out->size - 2] == '\n')
		out->data[--out->size] = '\0';
	return found;
}
