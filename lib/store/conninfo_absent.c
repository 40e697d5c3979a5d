/* conninfo.h for a trawld that was built without libpq. */
#include "store/conninfo.h"

int conninfo_check(const char *connect, struct fault *reterr)
{
	(void)connect;
	return fault_set(reterr, FAULT_CONFIG,
		"state = postgresql: this trawld was built without it (meson option postgresql)");
}
