/* See fault.h. */
#include "base/fault.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/secret.h"
#include "base/utf8.h"

static const char *const names[] = {
	[FAULT_NONE] = "none",
	[FAULT_CONFIG] = "config",
	[FAULT_NETWORK] = "network",
	[FAULT_TIMEOUT] = "timeout",
	[FAULT_THROTTLED] = "throttled",
	[FAULT_SERVER] = "server",
	[FAULT_AUTH] = "auth",
	[FAULT_LOST] = "lost",
	[FAULT_BODY] = "body",
	[FAULT_INCOMPLETE] = "incomplete",
	[FAULT_LIMIT] = "limit",
	[FAULT_LOOP] = "loop",
	[FAULT_ORIGIN] = "origin",
	[FAULT_REFUSED] = "refused",
	[FAULT_STORE] = "store",
	[FAULT_INTERNAL] = "internal",
};

const char *fault_class_to_string(enum fault_class class)
{
	return names[class];
}

bool fault_may_pass(enum fault_class class)
{
	return class == FAULT_NETWORK || class == FAULT_TIMEOUT || class == FAULT_THROTTLED ||
	       class == FAULT_SERVER || class == FAULT_BODY || class == FAULT_INCOMPLETE ||
	       class == FAULT_LOST;
}

/* More words follow an error, after a semicolon of our own: what a peer ended its sentence with
 * goes, but not what stands for omitted words. */
static size_t without_end(const char *text, size_t size)
{
	while (size && strchr(" ;,", text[size - 1]))
		size--;
	if (size > 1 && text[size - 1] == '.' && text[size - 2] != '.')
		size--;
	return size;
}

int fault_set(struct fault *fault, enum fault_class class, const char *format, ...)
{
	if (!fault)
		return -1;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	secret_mask_line(&text);
	size_t size = text.size;
	if (size >= sizeof(fault->text))
		size = utf8_cut(text.data, sizeof(fault->text) - 1);
	size = without_end(buf_text(&text), size);
	*fault = (struct fault){.class = class};
	memcpy(fault->text, buf_text(&text), size);
	fault->text[size] = '\0';
	return -1;
}
