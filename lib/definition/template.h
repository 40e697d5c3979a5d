/*
 * Texts with variables: `https://x/${region}?from=${window.start:epoch_ms}`. A variable is
 * `NAME`, alternatives `A|B` (the first that has a value), a time shift `window.start-1ms`, and a
 * format after a colon: for times a timestamp format, for parameters `list` (comma separated to a
 * JSON array of strings), `numbers`, `json` (the value is JSON text), `bool`. `$${` writes a
 * literal `${`, `$$${` a `$` before a variable.
 *
 * A variable without a value makes the whole text absent: the member, query parameter or header is
 * left out.
 */
#ifndef TRAWLD_DEFINITION_TEMPLATE_H
#define TRAWLD_DEFINITION_TEMPLATE_H

#include "base/buf.h"
#include "base/clock.h"

enum template_kind {
	TEMPLATE_ABSENT, /* no value (yet) */
	TEMPLATE_TEXT,
	TEMPLATE_JSON, /* text is JSON: a number, or a cursor kept as its own JSON text */
	TEMPLATE_TIME,
};

struct template_value {
	enum template_kind kind;
	struct slice text;
	nsec_t time;
};

typedef struct template_value (*template_lookup_fn)(const char *name, void *userdata);

/* What a name stands for, asked when a template is parsed: TEMPLATE_ABSENT means no such variable.
 */
typedef enum template_kind (*template_known_fn)(const char *name, void *userdata);

struct template;

enum {
	TEMPLATE_E_SYNTAX = 1, /* *RETERR says what, caller frees */
	TEMPLATE_E_ABSENT, /* rendering: a variable has no value */
	TEMPLATE_E_VALUE, /* rendering: a parameter's value does not fit its format (not JSON, no
			     number) */
};

int template_parse(struct template **ret, const char *text, template_known_fn known, void *userdata,
	char **reterr);
void template_free(struct template *template);

/* The coarsest unit in which the template writes times: 1 s for epoch_s and patterns without
 * fraction, else 1 ms; 0: no time in it. */
nsec_t template_time_step(const struct template *template);
/* Does it write a parameter as JSON: :list, :numbers, :json? */
bool template_prints_json(const struct template *template);
bool template_uses(const struct template *template, const char *name);

/* As it is: headers, auth settings. */
int template_render(const struct template *template, template_lookup_fn lookup, void *userdata,
	struct buf *out);
/* Values percent-encoded, but for a variable at the very start (a parameter that holds the origin).
 */
int template_render_url(const struct template *template, template_lookup_fn lookup, void *userdata,
	struct buf *out);

/* A JSON document whose strings (values) are templates. A string that is exactly one variable with
 * a JSON value becomes that value. A member without a value is left out; an object or array that
 * loses its last member this way is left out, too. */
struct json_template;

int json_template_parse(struct json_template **ret, const char *text, template_known_fn known,
	void *userdata, char **reterr);
void json_template_free(struct json_template *template);
nsec_t json_template_time_step(const struct json_template *template);
bool json_template_uses(const struct json_template *template, const char *name);
/* 0 or TEMPLATE_E_VALUE; a document that lost everything is `{}`. */
int json_template_render(const struct json_template *template, template_lookup_fn lookup,
	void *userdata, struct buf *out);

#endif
