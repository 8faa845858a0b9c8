/* Calls that write below one folder, counted; at a chosen one the process is killed, or the call fails.

   Loaded by LD_PRELOAD, so that it is between the process and the system whatever library writes: Python, HDF5, libsndfile.
   A call that is hit writes half of what it has first: the disk is full in the middle of it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[4096];
static atomic_long calls, chosen = -1;
/* 0: it is killed; else the errno of the call, and of all later ones if it lasts. */
static int failure, lasting;

void failing_writes(const char *path, long step, int error, int for_good) {
    strncpy(folder, path, sizeof folder - 1);
    failure = error;
    lasting = for_good;
    atomic_store(&calls, 0);
    atomic_store(&chosen, step);
}

long writes_so_far(void) { return atomic_load(&calls); }

static int is_below(const char *path) { return *folder && !strncmp(path, folder, strlen(folder)); }

static int is_file_below(int descriptor) {
    char link[64], path[4096];
    if (!*folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* Whether this call is hit: 0 no, 1 for the first time, 2 again. */
static int is_hit(void) {
    long number = atomic_fetch_add(&calls, 1), step = atomic_load(&chosen);
    return step < 0 || number < step ? 0 : number == step ? 1 : lasting ? 2 : 0;
}

static int fail(void) {
    if (!failure) kill(getpid(), SIGKILL);
    errno = failure;
    return -1;
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int descriptor, const void *content, size_t size) {
    REAL(write);
    int hit = is_file_below(descriptor) ? is_hit() : 0;
    if (!hit) return real(descriptor, content, size);
    if (hit == 1 && size > 1) {
        ssize_t written = real(descriptor, content, size / 2);
        if (failure && lasting) return written;
    }
    return fail();
}

ssize_t pwrite64(int descriptor, const void *content, size_t size, off64_t place) {
    REAL(pwrite64);
    int hit = is_file_below(descriptor) ? is_hit() : 0;
    if (!hit) return real(descriptor, content, size, place);
    if (hit == 1 && size > 1) real(descriptor, content, size / 2, place);
    return fail();
}

ssize_t pwrite(int descriptor, const void *content, size_t size, off_t place) {
    return pwrite64(descriptor, content, size, place);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(writev);
    return is_file_below(descriptor) && is_hit() ? fail() : real(descriptor, parts, count);
}

int fsync(int descriptor) {
    REAL(fsync);
    return is_file_below(descriptor) && is_hit() ? fail() : real(descriptor);
}

int fdatasync(int descriptor) {
    REAL(fdatasync);
    return is_file_below(descriptor) && is_hit() ? fail() : real(descriptor);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return is_below(to) && is_hit() ? fail() : real(from, to);
}

int ftruncate64(int descriptor, off64_t size) {
    REAL(ftruncate64);
    return is_file_below(descriptor) && is_hit() ? fail() : real(descriptor, size);
}

int ftruncate(int descriptor, off_t size) { return ftruncate64(descriptor, size); }
