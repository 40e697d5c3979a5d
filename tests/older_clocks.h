/* gettimeofday() and time(), which follow the clock_gettime() of the test that replaces it. */
#ifndef TRAWLD_TESTS_OLDER_CLOCKS_H
#define TRAWLD_TESTS_OLDER_CLOCKS_H

#include <sys/time.h>
#include <time.h>

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}

#endif
