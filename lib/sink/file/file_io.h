/*
 * The system calls of a file sink that wait for a disk or a file server: as the functions whose
 * names they have, with errno. See file_worker.h for what happens while they wait.
 */
#ifndef TRAWLD_SINK_FILE_IO_H
#define TRAWLD_SINK_FILE_IO_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/fault.h"

int file_io_open(const char *path, int flags, mode_t mode);
int file_io_fstat(int fd, struct stat *ret);
int file_io_lstat(const char *path, struct stat *ret);
ssize_t file_io_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t file_io_read(int fd, void *bytes, size_t size);
ssize_t file_io_writev(int fd, const struct iovec *iov, int n_iov);
ssize_t file_io_write(int fd, const void *bytes, size_t size);
ssize_t file_io_pwrite(int fd, const void *bytes, size_t size, off_t offset);
int file_io_fdatasync(int fd);
int file_io_fsync(int fd);
int file_io_rename(const char *from, const char *to);
int file_io_renameat2(const char *from, const char *to, unsigned flags);
int file_io_unlink(const char *path);
DIR *file_io_opendir(const char *path);
/* 1 with the next entry in *RET, 0 at the end, or -1. */
int file_io_readdir(DIR *directory, struct dirent **ret);
int file_io_make_folder(const char *path, mode_t mode); /* as file_make_folder */
int file_io_close(int fd);
int file_io_fchmod(int fd, mode_t mode);
int file_io_chmod(const char *path, mode_t mode);
int file_io_futimens(int fd, const struct timespec times[2]);
int file_io_flock(int fd, int operation);
int file_io_fcntl_lock(int fd, int operation, struct flock *lock); /* F_SETLK, F_GETLK */

/* That one of them failed with errno: "cannot VERB PATH: ...". Where a service may not write, it
 * says what its unit needs. Returns -1, of FAULT_STORE. */
int file_io_fault(const char *verb, const char *path, struct fault *reterr);

#endif
