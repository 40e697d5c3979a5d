/* See permit.h. One for the process, so that no client or stream can be made without it. */
#include "net/permit.h"

static struct {
	bool (*may_send)(void *userdata);
	void *userdata;
} permit;

void permit_set(bool (*may_send)(void *userdata), void *userdata)
{
	permit.may_send = may_send;
	permit.userdata = userdata;
}

int permit_check(struct fault *reterr)
{
	if (!permit.may_send || permit.may_send(permit.userdata))
		return 0;
	return fault_set(reterr, FAULT_NETWORK,
		"nothing was sent, because another process may hold the shard by now");
}
