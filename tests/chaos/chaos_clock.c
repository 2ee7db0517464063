/* A wall clock that can be stepped under a running process, as NTP steps one: preloaded into an agent, it adds the
   microseconds in the file that CHAOS_CLOCK names to every wall time. Monotonic clocks stay as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset_us(void) {
    static volatile int64_t none = 0;
    static volatile int64_t *found = NULL;
    if (found == NULL) {
        const char *path = getenv("CHAOS_CLOCK");
        int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *place = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
        if (file >= 0) close(file);
        found = place == MAP_FAILED ? &none : (volatile int64_t *)place;
    }
    return found;
}

static int real_gettime(clockid_t clock, struct timespec *out) {
    static int (*next)(clockid_t, struct timespec *) = NULL;
    if (next == NULL) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    return next(clock, out);
}

int clock_gettime(clockid_t clock, struct timespec *out) {
    int result = real_gettime(clock, out);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t shift = *offset_us();
        int64_t nanoseconds = out->tv_nsec + (shift % 1000000) * 1000;
        out->tv_sec += shift / 1000000;
        if (nanoseconds < 0) { nanoseconds += 1000000000; out->tv_sec -= 1; }
        if (nanoseconds >= 1000000000) { nanoseconds -= 1000000000; out->tv_sec += 1; }
        out->tv_nsec = nanoseconds;
    }
    return result;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *out, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
