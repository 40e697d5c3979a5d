/* Private keys of RFC 7515, appendices A.2 (RSA) and A.3 (P-256), from tests/keys. */
#ifndef TRAWLD_TESTS_KEY_FIXTURE_H
#define TRAWLD_TESTS_KEY_FIXTURE_H

#include "check_unit.h"
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#ifndef KEY_DIRECTORY /* where the tests are: beside this file */
#define KEY_DIRECTORY __FILE__
#endif

static inline char *key_text(const char *name)
{
	const char *slash = strrchr(KEY_DIRECTORY, '/');
	char *path = mem_printf(
		"%.*s/../keys/%s.pem", (int)(slash - KEY_DIRECTORY), KEY_DIRECTORY, name);
	FILE *file = fopen(path, "r");
	char *text = mem_alloc(8192);
	size_t size;

	ck_assert_msg(file != NULL, "%s", path);
	size = fread(text, 1, 8191, file);
	text[size] = '\0';
	fclose(file);
	free(path);
	return text;
}

#endif
