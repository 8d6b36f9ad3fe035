"""Runs one command and writes what it used: CPU seconds, wall seconds and peak memory.

    python measure.py OUT.json LIMIT_S COMMAND [ARGUMENT ...]

CPU is that of the command and of all processes that it started, also of those that it did not wait for,
such as the JVM of Spark: they become children of this process, which waits until the last has ended.
Peak memory is that of the largest one. After LIMIT_S seconds all are killed.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time

# From linux/prctl.h: orphans below this process become its children.
PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    out, limit_s, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    start = time.monotonic()
    try:
        pid = os.posix_spawnp(command[0], command, os.environ, setsid=True)
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error}")

    def stop(_number, _frame):
        os.killpg(pid, signal.SIGKILL)

    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.alarm(limit_s)
    _, status = os.waitpid(pid, 0)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    signal.alarm(0)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(out, "w", encoding="utf-8") as file:
        json.dump(
            {
                "exit_code": os.waitstatus_to_exitcode(status),
                "user_s": usage.ru_utime,
                "system_s": usage.ru_stime,
                "wall_s": time.monotonic() - start,
                "peak_rss_kib": usage.ru_maxrss,
            },
            file,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
