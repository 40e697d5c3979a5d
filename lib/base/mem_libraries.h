/*
 * Libraries that abort, crash or go wrong without memory: libev, OpenSSL and jansson. What they
 * allocate is small or has a ceiling (an event, a key, a TLS record, a part of a page), so the lack
 * of it ends the process as mem.h has it. SQLite and libcurl report it, and are left alone.
 */
#ifndef TRAWLD_BASE_MEM_LIBRARIES_H
#define TRAWLD_BASE_MEM_LIBRARIES_H

/* Once, before any of them has allocated. */
void mem_libraries(void);

#endif
