/* Reading the answer to a request for a token: see auth_token.h. Pure; what is kept is the
 * caller's. */
#include "net/auth/auth_token.h"

#include "base/cleanup.h"
#include "base/number.h"
#include "base/timestamp.h"

#define TOKEN_SIZE_MAX ((size_t)64 * 1024)
#define LIFE_DEFAULT_NS (NSEC_PER_HOUR)
#define LIFE_MIN_NS (NSEC_PER_SEC)
#define LIFE_MAX_NS (365 * NSEC_PER_DAY)
#define EPOCH_FROM INT64_C(1000000000) /* as seconds that would be 31 years of life */

static const char *last_slash(const struct pointer *pointer)
{
	return strrchr(pointer->text, '/');
}

int token_answer_pointer(
	json_t *root, const struct pointer *pointer, struct buf *ret, struct fault *reterr)
{
	json_t *value = pointer_find(pointer, root);
	struct slice text;

	if (!json_is_string(value))
		return fault_set(reterr, FAULT_BODY, "there is no string at %s",
			pointer->text[0] ? pointer->text : "the top");
	text = (struct slice){json_string_value(value), json_string_length(value)};
	if (text.size == 0 || text.size > TOKEN_SIZE_MAX)
		return fault_set(reterr, FAULT_BODY, "the token at %s is %s", pointer->text,
			text.size == 0 ? "empty" : "larger than 64 KiB");
	buf_append_slice(ret, text);
	return 0;
}

void token_answer_wipe(json_t *root, const struct pointer *pointer)
{
	json_t *value = root ? pointer_find(pointer, root) : NULL;

	if (json_is_string(value))
		secret_wipe((char *)json_string_value(value), json_string_length(value));
}

/* Whole seconds; 0: none. */
static int64_t read_number(const json_t *value)
{
	struct slice text;
	int64_t seconds = 0;

	if (json_is_integer(value))
		return json_integer_value(value);
	if (json_is_real(value)) {
		double real = json_real_value(value);

		return real > 0 && real < 1e12 ? (int64_t)real : 0;
	}
	if (!json_is_string(value))
		return 0;
	text = (struct slice){json_string_value(value), json_string_length(value)};
	return number_parse(text, 0, INT64_C(1000000000000), &seconds) == 0 ? seconds : 0;
}

static nsec_t read_time(const json_t *value)
{
	nsec_t time = NSEC_NONE;

	if (json_is_string(value))
		(void)timestamp_parse_rfc3339(
			(struct slice){json_string_value(value), json_string_length(value)}, &time);
	return time;
}

static nsec_t read_issued(json_t *root, const struct pointer *expires)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct pointer issued = POINTER_NULL;
	nsec_t time = NSEC_NONE;

	buf_append(&text, expires->text, (size_t)(last_slash(expires) - expires->text));
	buf_append_text(&text, "/issued_at");
	if (pointer_parse(&issued, buf_slice(&text)) == 0)
		time = read_time(pointer_find(&issued, root));
	pointer_deinit(&issued);
	return time;
}

static nsec_t clamp(nsec_t life_ns)
{
	if (life_ns < LIFE_MIN_NS)
		return LIFE_MIN_NS;
	return life_ns > LIFE_MAX_NS ? LIFE_MAX_NS : life_ns;
}

nsec_t token_answer_life(
	json_t *root, const struct pointer *expires, nsec_t server_time, nsec_t now_time)
{
	json_t *value = root && pointer_is_set(expires) ? pointer_find(expires, root) : NULL;
	int64_t number = read_number(value);
	nsec_t time = read_time(value);
	nsec_t issued;

	if (number > 0 && number <= EPOCH_FROM)
		return clamp(
			number > LIFE_MAX_NS / NSEC_PER_SEC ? LIFE_MAX_NS : number * NSEC_PER_SEC);
	if (number > EPOCH_FROM && number < INT64_C(9000000000))
		time = number * NSEC_PER_SEC;
	if (time == NSEC_NONE || time < 0)
		return LIFE_DEFAULT_NS;
	issued = last_slash(expires) ? read_issued(root, expires) : NSEC_NONE;
	if (server_time != NSEC_NONE && (issued == NSEC_NONE || server_time > issued) &&
		server_time < time)
		issued = server_time;
	return clamp(time - (issued >= 0 ? issued : now_time));
}

nsec_t token_answer_margin(nsec_t life_ns)
{
	nsec_t margin = life_ns / 20 > 30 * NSEC_PER_MIN ? life_ns / 20 : 30 * NSEC_PER_MIN;

	return margin > life_ns / 2 ? life_ns / 2 : margin;
}

int token_answer_oauth2(struct auth_token *self, const struct http_response *response,
	struct token_answer *ret, struct fault *reterr)
{
	struct slice body = buf_slice(&response->body);
	json_t *root = json_loadb(body.data, body.size, 0, NULL);
	struct pointer token = POINTER_NULL;
	struct pointer expires = POINTER_NULL;
	int r;

	(void)self;
	if (!root)
		return fault_set(reterr, FAULT_BODY, "the answer is not JSON");
	(void)pointer_parse(&token, SLICE("/access_token"));
	(void)pointer_parse(&expires, SLICE("/expires_in"));
	r = token_answer_pointer(root, &token, &ret->token, reterr);
	ret->life_ns = token_answer_life(root, &expires, response->server_time, clock_wall());
	token_answer_wipe(root, &token);
	json_decref(root);
	pointer_deinit(&token);
	pointer_deinit(&expires);
	return r;
}
