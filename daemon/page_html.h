/* The page at /: page.html, built in by embed.py. */
#ifndef TRAWLD_DAEMON_PAGE_HTML_H
#define TRAWLD_DAEMON_PAGE_HTML_H

#include <stddef.h>

extern const char page_html[]; /* no NUL at its end */
extern const size_t page_html_size;
extern const char page_policy[]; /* its Content-Security-Policy */

#endif
