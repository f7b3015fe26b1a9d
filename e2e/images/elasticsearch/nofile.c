/* FOR TESTS ONLY: says that 65536 files may be open, and leaves every other limit as it is. */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ask(int resource, struct rlimit *limit) {
  int failed = (int)syscall(SYS_prlimit64, 0, resource, (void *)0, limit);
  if (!failed && resource == RLIMIT_NOFILE && limit->rlim_max < 65536) {
    limit->rlim_cur = 65536;
    limit->rlim_max = 65536;
  }
  return failed;
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit) { return ask((int)resource, limit); }
int getrlimit64(__rlimit_resource_t resource, struct rlimit64 *limit) {
  return ask((int)resource, (struct rlimit *)limit);
}
