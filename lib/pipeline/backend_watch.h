/* Lets a backend of the store (store/backend.h) work on the event loop. */
#ifndef TRAWLD_PIPELINE_BACKEND_WATCH_H
#define TRAWLD_PIPELINE_BACKEND_WATCH_H

struct backend_watch;
struct ev_loop;
struct store_backend;

/* WORKED is called each time after the backend has done what it could. */
struct backend_watch *backend_watch_new(struct ev_loop *loop, struct store_backend *backend,
	void (*worked)(void *userdata), void *userdata);
void backend_watch_free(struct backend_watch *watch); /* NULL allowed */

#endif
