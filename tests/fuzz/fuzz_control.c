/* A line on the control socket of a running trawld: every one is answered with an object that says
 * whether it went well, or the answer comes later. */
#include "control_internal.h"
#include "trawld.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz.h"

static char directory[] = "/dev/shm/fuzz_control.XXXXXX";
static char *path;
static struct trawld *trawld;
static struct control control;

static void nothing(enum log_level level, const struct log_subject *subject, struct slice text)
{
	(void)level;
	(void)subject;
	(void)text;
}

static void tidy(void)
{
	trawld_close(trawld);
	alarm(0); /* of libFuzzer; it would outlive exec, and end rm on a slow machine */
	execlp("rm", "rm", "-rf", directory, (char *)NULL);
}

static void open_trawld(void)
{
	struct findings findings = FINDINGS_NULL;
	assert(mkdtemp(directory));
	path = mem_printf("%s/trawld.conf", directory);
	FILE *file = fopen(path, "w");
	assert(file);
	fprintf(file,
		"[daemon]\nstate_directory = %s/state\nlisten = off\ncontrol = off\n"
		"[source a]\nprovider = custom\nrequest.url = "
		"https://api.example/x?${window.start}\n"
		"records.at = /a\nresume.window = yes\n[sink out]\ntype = file\npath = %s/out\n",
		directory, directory);
	fclose(file);
	log_divert(nothing);
	struct setup *setup = setup_load(path, &findings);
	struct trawld_options options = {.path = path};
	assert(setup && trawld_open(&trawld, &options, setup) == 0);
	control.trawld = trawld;
	control.parts = trawld_parts(trawld);
	atexit(tidy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!path)
		open_trawld();
	struct control_client client = {.control = &control, .fd = -1};
	client.caller = (struct control_caller){
		.trawld = trawld, .parts = control.parts, .client = &client};
	json_t *answer = control_command(&client.caller, fuzz_input(data, size));
	assert(answer || client.caller.wait.poller);
	if (answer) {
		assert(json_is_boolean(json_object_get(answer, "ok")));
		json_decref(answer);
	}
	free(client.tail_source);
	return 0;
}
