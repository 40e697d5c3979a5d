/*
 * The limit that script/bench compares with: a program that follows `next`, finds where each record
 * of `results` begins and ends, writes it as a line, and syncs the file after each page. It checks
 * nothing, drops no duplicate, keeps no position and has one page of memory: what does more is
 * slower.
 *
 * usage: limit URL TOKEN FILE
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct text {
	char *data;
	size_t size, capacity;
};

static void die(const char *what)
{
	fprintf(stderr, "limit: %s\n", what);
	exit(1);
}

static void append(struct text *text, const char *data, size_t size)
{
	while (text->size + size + 1 > text->capacity) {
		text->capacity = text->capacity ? 2 * text->capacity : 1 << 20;
		text->data = realloc(text->data, text->capacity);
		if (!text->data)
			die("no memory");
	}
	memcpy(text->data + text->size, data, size);
	text->size += size;
	text->data[text->size] = '\0';
}

static size_t receive(char *data, size_t one, size_t size, void *userdata)
{
	append(userdata, data, one * size);
	return one * size;
}

/* Behind the string that begins at P. */
static const char *skip_string(const char *p)
{
	for (p++; *p != '"'; p++) {
		p += strcspn(p, "\"\\");
		if (*p == '"')
			break;
		p++;
	}
	return p + 1;
}

/* Behind the object that begins at P. */
static const char *skip_object(const char *p)
{
	int depth = 0;

	do {
		p += strcspn(p, "{}\"");
		if (*p == '"') {
			p = skip_string(p);
			continue;
		}
		if (!*p)
			die("the page is cut short");
		depth += *p++ == '{' ? 1 : -1;
	} while (depth > 0);
	return p;
}

static void split(const struct text *page, struct text *lines)
{
	const char *p = strstr(page->data, "\"results\":[");

	if (!p)
		die("the page has no results");
	for (p += strlen("\"results\":["); *p == '{' || *p == ','; p++) {
		const char *end;

		p += *p == ',';
		end = skip_object(p);
		append(lines, p, (size_t)(end - p));
		append(lines, "\n", 1);
		p = end - 1;
	}
}

/* The next URL, to be freed; NULL: none. */
static char *next_url(const struct text *page)
{
	static const char name[] = "\"next\":\"";
	const char *p = strstr(page->data, name);

	return p ? strndup(p + strlen(name), strcspn(p + strlen(name), "\"")) : NULL;
}

static void store(int fd, const struct text *lines)
{
	for (size_t at = 0; at < lines->size;) {
		ssize_t n = write(fd, lines->data + at, lines->size - at);

		if (n <= 0)
			die("the file cannot be written");
		at += (size_t)n;
	}
	if (fdatasync(fd) != 0)
		die("the file cannot be synced");
}

int main(int argc, char **argv)
{
	struct text page = {0}, lines = {0};
	CURL *easy = curl_easy_init();
	char header[256];

	if (argc != 4 || !easy)
		die("usage: limit URL TOKEN FILE");
	int fd = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	if (fd < 0)
		die("the file cannot be opened");
	snprintf(header, sizeof(header), "Authorization: Bearer %s", argv[2]);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, curl_slist_append(NULL, header));
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &page);
	for (char *url = strdup(argv[1]); url;) {
		page.size = lines.size = 0;
		curl_easy_setopt(easy, CURLOPT_URL, url);
		if (curl_easy_perform(easy) != CURLE_OK)
			die("a page cannot be read");
		free(url);
		url = next_url(&page);
		split(&page, &lines);
		store(fd, &lines);
	}
	return 0;
}
