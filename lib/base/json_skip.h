/*
 * Skipping inside JSON strings, sixteen bytes at a step where SSE2 is there (every amd64): shared
 * by the splitter and json.c.
 */
#ifndef TRAWLD_BASE_JSON_SKIP_H
#define TRAWLD_BASE_JSON_SKIP_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The first byte from P on that is a quote, a backslash, a control character or not ASCII; END when
 * there is none. */
static inline const char *json_skip_plain(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
	const __m128i space = _mm_set1_epi8(0x20);
	while (end - p >= 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* signed comparison: bytes from 0x80 on are below a blank, too */
		__m128i special = _mm_or_si128(
			_mm_cmplt_epi8(bytes, space), _mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
							      _mm_cmpeq_epi8(bytes, backslash)));
		int mask = _mm_movemask_epi8(special);
		if (mask)
			return p + __builtin_ctz((unsigned)mask);
		p += 16;
	}
#endif
	while (p < end && *p != '"' && *p != '\\' && (signed char)*p >= 0x20)
		p++;
	return p;
}

/* The first quote or backslash from P on; END when there is none. */
static inline const char *json_skip_content(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
	while (end - p >= 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
		int mask = _mm_movemask_epi8(_mm_or_si128(
			_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
		if (mask)
			return p + __builtin_ctz((unsigned)mask);
		p += 16;
	}
#endif
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* The closing quote of a valid string whose content begins at P. */
static inline const char *json_string_end(const char *p, const char *end)
{
	for (;;) {
		p = json_skip_content(p, end);
		if (p == end || *p == '"')
			return p;
		if (end - p <= 2)
			return end;
		p += 2;
	}
}

#endif
