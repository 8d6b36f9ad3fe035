"""Runs one command and writes what it alone used: CPU seconds, wall seconds and peak memory.

    python measure.py OUT.json LIMIT_S COMMAND [ARGUMENT ...]

`wait4` gives the usage of exactly one child (and of the children it waited for), so neither this
process nor any measured before it is in the figures. The command is killed after LIMIT_S seconds.
"""

import json
import os
import signal
import sys
import time


def main() -> int:
    out, limit_s, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    start = time.monotonic()
    try:
        pid = os.posix_spawnp(command[0], command, os.environ)
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error}")

    def stop(_number, _frame):
        os.kill(pid, signal.SIGKILL)

    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.alarm(limit_s)
    _, status, usage = os.wait4(pid, 0)
    signal.alarm(0)
    code = os.waitstatus_to_exitcode(status)
    with open(out, "w", encoding="utf-8") as file:
        json.dump(
            {
                "exit_code": code,
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
