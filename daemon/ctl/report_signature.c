/*
 * See report.h. JSON is wrapped as a seal is: {"body":"...","signature":"...","key":"..."}, so that
 * what is signed are the bytes of the body. The other forms end with a comment of one line, and
 * everything before it is signed.
 */
#include "ctl/report.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "ctl/verify.h"

#define SIGNATURE_BEGIN "<!-- trawld-report-signature ed25519 "
#define SIGNATURE_END " -->\n"
#define REPORT_MAX ((size_t)1 << 30)

static int read_key(struct ed25519 **ret, const char *path)
{
	struct buf text CLEANUP(buf_deinit) = BUF_LIMITED((size_t)1 << 20);
	int r = file_read(&text, path);
	if (r) {
		fprintf(stderr, "trawlctl: %s: %s\n", path, strerror(-r));
		return EX_TEMPFAIL;
	}
	r = ed25519_private(ret, buf_slice(&text));
	explicit_bzero(text.data, text.size);
	if (!r)
		return 0;
	fprintf(stderr,
		"trawlctl: %s is not an Ed25519 private key in PEM form (`openssl genpkey -algorithm ed25519` makes one)\n",
		path);
	return EX_USAGE;
}

int report_sign(struct buf *text, const char *form, const char *path)
{
	struct buf signature CLEANUP(buf_deinit) = BUF_NULL, base64 CLEANUP(buf_deinit) = BUF_NULL;
	struct ed25519 *key;
	int code = read_key(&key, path);
	if (code)
		return code;
	int r = ed25519_sign(key, buf_slice(text), &signature);
	encode_base64(buf_slice(&signature), &base64);
	if (!r && strcmp(form, "json") == 0) {
		struct buf wrapped = BUF_NULL;
		buf_append_text(&wrapped, "{\"body\":");
		json_encode(buf_slice(text), &wrapped);
		buf_printf(&wrapped, ",\"signature\":\"%s\",\"key\":\"%s\"}\n", buf_text(&base64),
			ed25519_fingerprint(key));
		buf_deinit(text);
		*text = wrapped;
	} else if (!r) {
		buf_printf(text, SIGNATURE_BEGIN "%s %s" SIGNATURE_END, ed25519_fingerprint(key),
			buf_text(&base64));
	}
	ed25519_free(key);
	if (!r)
		return 0;
	fputs("trawlctl: OpenSSL cannot sign\n", stderr);
	return EX_SOFTWARE;
}

/* --- check --- */

/* What is signed, and its signature. False: TEXT has none. */
static bool find_json(struct slice text, struct buf *ret_body, struct buf *ret_signature)
{
	json_t *root = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *body = json_object_get(root, "body");
	const char *signature = json_string_value(json_object_get(root, "signature"));
	bool found = json_is_string(body) && signature &&
		     decode_base64(slice_of(signature), ret_signature) == 0;
	if (found)
		buf_append(ret_body, json_string_value(body), json_string_length(body));
	json_decref(root);
	return found;
}

static bool find_comment(struct slice text, struct buf *ret_body, struct buf *ret_signature)
{
	const size_t end = sizeof(SIGNATURE_END) - 1, begin = sizeof(SIGNATURE_BEGIN) - 1;
	if (text.size < end || memcmp(text.data + text.size - end, SIGNATURE_END, end) != 0)
		return false;
	size_t at = text.size - 1;
	while (at > 0 && text.data[at - 1] != '\n')
		at--;
	struct slice line = {text.data + at, text.size - end - at};
	if (line.size < begin || memcmp(line.data, SIGNATURE_BEGIN, begin) != 0)
		return false;
	const char *blank = memrchr(line.data, ' ', line.size);
	struct slice base64 = {blank + 1, (size_t)(line.data + line.size - blank - 1)};
	buf_append(ret_body, text.data, at);
	return decode_base64(base64, ret_signature) == 0;
}

static const struct ed25519 *find_key(
	const struct verify_keys *keys, struct slice body, struct slice signature)
{
	for (size_t i = 0; i < keys->n_items; i++)
		if (ed25519_verify(keys->items[i], body, signature))
			return keys->items[i];
	return NULL;
}

int report_check(const char *path, const char *keys_path)
{
	struct buf text CLEANUP(buf_deinit) = BUF_LIMITED(REPORT_MAX);
	struct buf body CLEANUP(buf_deinit) = BUF_NULL, signature CLEANUP(buf_deinit) = BUF_NULL;
	struct verify_keys keys CLEANUP(verify_keys_deinit) = {0};
	int code = verify_keys_read(&keys, keys_path);
	int r = code ? 0 : file_read(&text, path);
	if (r) {
		fprintf(stderr, "trawlctl: %s: %s\n", path, strerror(-r));
		return EX_TEMPFAIL;
	}
	if (code)
		return code;
	if (!find_comment(buf_slice(&text), &body, &signature) &&
		!find_json(buf_slice(&text), &body, &signature)) {
		printf("%s: not signed, or its end was changed\n", path);
		return 1;
	}
	const struct ed25519 *key = find_key(&keys, buf_slice(&body), buf_slice(&signature));
	if (!key) {
		printf("%s: changed, or not signed with a given key\n", path);
		return 1;
	}
	printf("%s: unchanged, signed with the key %s\n", path, ed25519_fingerprint(key));
	return 0;
}
