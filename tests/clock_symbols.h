/*
 * For tests that replace clock_gettime(), also for the shared libraries. Where trawld has times of
 * 64 bits and the libraries do not (i386), they call another symbol, which leads to the same
 * function here; and the kernel has one more system call.
 */
#ifndef TRAWLD_TESTS_CLOCK_SYMBOLS_H
#define TRAWLD_TESTS_CLOCK_SYMBOLS_H

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#if UINTPTR_MAX == UINT32_MAX

#define KERNEL_CLOCK_GETTIME SYS_clock_gettime64

struct short_timespec {
	int32_t tv_sec, tv_nsec;
};

int short_clock_gettime(clockid_t clock, struct short_timespec *ret) __asm__("clock_gettime");

int short_clock_gettime(clockid_t clock, struct short_timespec *ret)
{
	struct timespec time;
	int r = clock_gettime(clock, &time);

	*ret = (struct short_timespec){(int32_t)time.tv_sec, (int32_t)time.tv_nsec};
	return r;
}

#else

#define KERNEL_CLOCK_GETTIME SYS_clock_gettime

#endif

#endif
