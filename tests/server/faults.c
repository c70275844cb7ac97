// Loaded into a broker before its libraries (LD_PRELOAD): a wall clock that is
// wrong, and a disk that is slow. The file that TROUPE_TEST_FAULTS names holds
// a `struct faults`, which the test changes while the broker runs.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct faults {
  int64_t clock_ahead_s; ///< of CLOCK_REALTIME
  int64_t sync_delay_ms; ///< of each sync
  int64_t slow_syncs;    ///< counts them; written here
};

static volatile struct faults* shared(void) {
  static volatile struct faults none;
  static volatile struct faults* found;
  if (found == NULL) {
    const char* name = getenv("TROUPE_TEST_FAULTS");
    const int file = name == NULL ? -1 : open(name, O_RDWR | O_CLOEXEC);
    void* at = file < 0 ? MAP_FAILED
                        : mmap(NULL, sizeof(struct faults),
                               PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0)
      close(file);
    found = at == MAP_FAILED ? &none : at;
  }
  return found;
}

int clock_gettime(clockid_t clock, struct timespec* out) {
  static int (*real)(clockid_t, struct timespec*);
  if (real == NULL)
    real =
      (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, out);
  if (result == 0 && clock == CLOCK_REALTIME)
    out->tv_sec += shared()->clock_ahead_s;
  return result;
}

static void wait_for_disk(void) {
  volatile struct faults* now = shared();
  const int64_t delay = now->sync_delay_ms;
  if (delay <= 0)
    return;
  struct timespec left = {delay / 1000, delay % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR)
    continue;
  __atomic_add_fetch(&now->slow_syncs, 1, __ATOMIC_RELAXED);
}

#define SLOW(name, parameters, arguments)                                      \
  int name parameters {                                                        \
    static int(*real) parameters;                                              \
    if (real == NULL)                                                          \
      real = (int(*) parameters)dlsym(RTLD_NEXT, #name);                       \
    wait_for_disk();                                                           \
    return real arguments;                                                     \
  }

SLOW(fsync, (int file), (file))
SLOW(fdatasync, (int file), (file))
SLOW(sync_file_range, (int file, off64_t from, off64_t size, unsigned flags),
     (file, from, size, flags))
