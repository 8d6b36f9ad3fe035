"""Runs `northstar` as a job of EMR Serverless or Glue: as one process, or as tasks of Spark.

    launcher.py [--mode single] COMMAND…          one process on the driver; no Spark session is made
    launcher.py --mode fanout backfill run …      a backfill whose units are written by tasks of Spark
    launcher.py --JOB_NAME x --northstar_command "load csv --from /in --into bronze"      as Glue calls it

The program is NORTHSTAR_BIN, else /opt/northstar/bin/northstar, else `northstar` beside this file, in the folder
that the job runs in, or among Spark's files. Arguments are visible to whoever may see the job: units, never secrets
and nothing about a patient.

Exit codes are those of the program: 0 done, 1 data or user error, 2 internal error, 3 a retry may help. 143 says that
the job was told to end by SIGTERM, 130 by SIGINT; another signal that ended the program is 128 and its number.

Needs Python 3.9 and nothing else. The mode `fanout` is in fanout.py, beside this file, and needs PySpark, which the job
has. docs/backfill.md says how jobs are set up.
"""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
OPT_BINARY = "/opt/northstar/bin/northstar"
MIB = 1 << 20
# What the program takes beside --memory, whatever that is: its code, catalog clients, a row group under way.
BESIDE_BYTES = 160 * MIB
# Rows that wait get so much of the rest; encoders and open files take about as much again.
SHARE = 0.6
LEAST_BYTES, MOST_BYTES = 16 * MIB, 64 << 30


class Failed(Exception):
    """The job cannot go on; says why, and with which exit code."""

    def __init__(self, code: int, why: str):
        super().__init__(why)
        self.code = code


def note(text: str) -> None:
    print(f"launcher: {text}", file=sys.stderr, flush=True)


# ---- children, which die with their parent ----


def dies_with(parent: int):
    """What a child does before it becomes the program: it has the system kill it when the thread that started it
    ends, and ends itself if its parent went in the meantime."""
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(127)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    return prepare


def start(command: list[str], **pipes) -> subprocess.Popen:
    """Starts a child. The thread that does must live as long as the child is to."""
    return subprocess.Popen(command, preexec_fn=dies_with(os.getpid()), **pipes)


def exit_code(returned: int) -> int:
    return returned if returned >= 0 else 128 - returned


def watch_parent() -> None:
    """Under spark-submit this process is a child of a JVM, and ends as if by SIGTERM when that goes."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    if "PYSPARK_GATEWAY_PORT" in os.environ:
        threading.Thread(target=watch, daemon=True).start()


# ---- the program, and its memory ----


def find_binary(*more: str) -> str:
    named = os.environ.get("NORTHSTAR_BIN")
    beside = [OPT_BINARY, Path(__file__).with_name("northstar"), Path.cwd() / "northstar", *more]
    places = [named] if named else beside
    for place in map(Path, places):
        if place.is_file():
            return executable(place)
    raise Failed(1, f"there is no program at {', '.join(map(str, places))}; set NORTHSTAR_BIN")


def executable(place: Path) -> str:
    """Files that came from a bucket have lost their right to be run; a copy gets it."""
    if os.access(place, os.X_OK):
        return str(place)
    folder = Path(tempfile.mkdtemp(prefix="northstar-"))
    copy = folder / "northstar"
    shutil.copyfile(place, copy)
    copy.chmod(0o700)
    return str(copy)


def bytes_of(text: str) -> int:
    """The bytes of a size as Spark writes it: `8g`, `512m`, `1024` (MiB)."""
    found = re.fullmatch(r"\s*(\d+)\s*([kmgt]?)(i?b)?\s*", text.lower())
    if not found:
        raise Failed(1, f"`{text}` is no size; write for instance 8g")
    return int(found[1]) * {"k": 1 << 10, "m": MIB, "": MIB, "g": 1 << 30, "t": 1 << 40}[found[2]]


def native_bytes() -> int:
    """The memory of this worker that is not the JVM's: the overhead of its Spark process if it is known, else what
    the container has beside the heap, else what the machine has free."""
    given = os.environ.get("NORTHSTAR_MEMORY_OVERHEAD")
    if given:
        return bytes_of(given)
    jvm = read(f"/proc/{os.getppid()}/cmdline").replace("\0", " ")
    overhead = re.search(r"spark\.driver\.memoryOverhead=(\w+)", jvm)
    if overhead:
        return bytes_of(overhead[1])
    heap = re.search(r"-Xmx(\d+[kmgtKMGT])", jvm)
    free = container_bytes() - (bytes_of(heap[1]) if heap else 0)
    return max(min(free, available_bytes()), 0)


def container_bytes() -> int:
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = read(path).strip()
        if text.isdigit():
            return int(text)
    return 1 << 62


def available_bytes() -> int:
    found = re.search(r"MemAvailable:\s+(\d+) kB", read("/proc/meminfo"))
    return int(found[1]) << 10 if found else 1 << 30


def read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def memory_option(native: int) -> str:
    share = int((native - BESIDE_BYTES) * SHARE)
    return f"--memory={min(max(share, LEAST_BYTES), MOST_BYTES) // MIB}MiB"


def with_memory(words: list[str], native: int) -> list[str]:
    options = words[: words.index("--")] if "--" in words else words
    given = any(word == "--memory" or word.startswith("--memory=") for word in options)
    return words if given else [memory_option(native), *words]


# ---- arguments ----


def parse(argv: list[str]) -> tuple[str, list[str]]:
    """The mode, and the words of the command."""
    if any(re.match(r"--northstar[_-]", word) for word in argv):
        return of_glue(argv)
    mode, words = "single", list(argv)
    if words and words[0] == "--mode":
        if len(words) < 2:
            raise Failed(1, "--mode needs a value: single or fanout")
        mode, words = words[1], words[2:]
    elif words and words[0].startswith("--mode="):
        mode, words = words[0].partition("=")[2], words[1:]
    return checked(mode, words)


def of_glue(argv: list[str]) -> tuple[str, list[str]]:
    """Glue passes a job's arguments among its own, as `--name value`. Those that begin with `northstar` are ours."""
    ours: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if not re.match(r"--northstar[_-]", name):
            continue
        name = name.removeprefix("--northstar")[1:].replace("-", "_")
        if name not in ("command", "mode"):
            raise Failed(1, "of arguments that begin with --northstar there are _command and _mode alone")
        ours[name] = value if equals else next(words, "")
    try:
        words_of_ours = shlex.split(ours.get("command", ""))
    except ValueError:
        raise Failed(1, "a quote in --northstar_command is never closed") from None
    return checked(ours.get("mode", "single"), words_of_ours)


def checked(mode: str, words: list[str]) -> tuple[str, list[str]]:
    if mode not in ("single", "fanout"):
        raise Failed(1, "the mode is single or fanout")
    if not words:
        raise Failed(1, "there is no command; see northstar --help")
    return mode, words


# ---- single: one process ----


def single(words: list[str]) -> int:
    """Runs the program with these words. What it prints goes where this prints; a signal to this is passed on."""
    child = start([find_binary(), *with_memory(words, native_bytes())])

    def pass_on(number: int, _frame) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    watch_parent()
    return exit_code(child.wait())


def main(argv: list[str]) -> int:
    try:
        mode, words = parse(argv)
        if mode == "single":
            return single(words)
        # What is imported next imports this; it is to be the same module, whose errors are caught here.
        sys.modules["launcher"] = sys.modules[__name__]
        from fanout import fanout

        return fanout(words)
    except Failed as failed:
        note(str(failed))
        return failed.code


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # Threads of PySpark may hold the interpreter; all there is to do is done.
    os._exit(code) if code >= 128 else sys.exit(code)
