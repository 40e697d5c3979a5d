/* For preloaded libraries: the function that would be called without them. */
#ifndef TRAWLD_TESTS_REAL_FUNCTION_H
#define TRAWLD_TESTS_REAL_FUNCTION_H

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* *RET, a pointer to a function, is the one called NAME. */
static void find_real(void *ret, const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		abort();
	memcpy(ret, &symbol, sizeof(symbol));
}

/* Declares `real`, a pointer of TYPE to the function NAME. */
#define REAL(name, type)                                                                           \
	static type real;                                                                          \
	if (!real)                                                                                 \
	find_real(&real, #name)

#endif
