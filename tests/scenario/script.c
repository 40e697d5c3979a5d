/* See script.h. */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "step.h"

#define INCLUDE "include "

static _Noreturn void complain(const char *file, unsigned line, const char *what, const char *text)
{
	fprintf(stderr, "%s:%u: %s `%s`\n", file, line, what, text);
	exit(EXIT_FAILURE);
}

static char *replace(const char *text, const char *word, const char *by)
{
	struct buf out = BUF_NULL;
	for (const char *found; (found = strstr(text, word)); text = found + strlen(word)) {
		buf_append(&out, text, (size_t)(found - text));
		buf_append_text(&out, by);
	}
	buf_append_text(&out, text);
	return buf_take(&out);
}

/* `@FF@` is that byte. */
static void replace_bytes(char *text)
{
	char *to = text;
	while (*text) {
		unsigned byte;
		int size = 0;
		if (sscanf(text, "@%2X@%n", &byte, &size) == 1 && size == 4) {
			*to++ = (char)byte;
			text += size;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void include(
	struct script *script, const char *path, const char *name, const char *directory)
{
	char *other CLEANUP_FREE = mem_printf("%.*s%s", (int)(base_name(path) - path), path, name);
	script_read(script, other, directory);
}

static void add_step(struct script *script, const char *path, unsigned line, const char *text)
{
	const char *argument;
	const struct step_kind *kind = step_find(text, &argument);
	if (!kind)
		complain(base_name(path), line, "expected a step, got", text);
	script->steps =
		mem_grow(script->steps, script->n_steps, &script->capacity, sizeof(struct step));
	script->steps[script->n_steps++] = (struct step){
		.file = base_name(path),
		.line = line,
		.kind = kind,
		.argument = mem_strdup(argument),
	};
}

/* TEXT is one line below the last step, without its tab. */
static void add_to_block(struct step *step, const char *text)
{
	char *longer = mem_printf("%s%s\n", step->block ? step->block : "", text);
	free(step->block);
	step->block = longer;
}

/* An empty line is part of a block when the block goes on after it. */
static void read_lines(struct script *script, const char *path, char *text, const char *directory)
{
	unsigned number = 0, n_empty = 0;
	struct step *step = NULL;
	for (char *line = text, *end; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		number++;
		if (*line == '\0') {
			n_empty++;
			continue;
		}
		if (*line == '\t') {
			if (!step)
				complain(base_name(path), number, "no step above the block", line);
			for (; n_empty; n_empty--)
				add_to_block(step, "");
			add_to_block(step, line + 1);
			continue;
		}
		n_empty = 0;
		step = NULL;
		if (*line == '#')
			continue;
		if (str_starts(line, INCLUDE)) {
			include(script, path, line + strlen(INCLUDE), directory);
			continue;
		}
		add_step(script, path, number, line);
		step = &script->steps[script->n_steps - 1];
	}
}

void script_read(struct script *ret, const char *path, const char *directory)
{
	struct buf raw CLEANUP(buf_deinit) = BUF_NULL;
	int r = file_read(&raw, path);
	if (r) {
		fprintf(stderr, "%s: %s\n", path, strerror(-r));
		exit(EXIT_FAILURE);
	}
	char *text CLEANUP_FREE = replace(buf_text(&raw), "@DIR@", directory);
	replace_bytes(text);
	read_lines(ret, path, text, directory);
}
