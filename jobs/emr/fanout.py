"""A backfill whose units are written by tasks of Spark: the mode `fanout` of launcher.py, beside which this lies.

The driver asks the program which units are pending, plans a wave of them, has Spark run a task for each, and commits
what the tasks tell, wave by wave. What a task does is a child of its Python worker and dies with it. Nothing is kept
but in the tables: Spark runs a lost task again, and a driver that was lost is run again and goes on where the last
commit was. No port is opened, and processes pass each other nothing but words and descriptors of files.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from launcher import MIB, Failed, bytes_of, exit_code, find_binary, native_bytes, note, single, start, watch_parent
from launcher import with_memory

# A wave that takes longer is followed by one of half its units.
WAVE_SECONDS = 600
# How often a wave is planned anew because another writer was first.
MOST_PLANS = 5
# How often Spark runs a task of which the program was killed, before its unit counts as failed.
MOST_KILLED = 3
JOB_GROUP = "northstar-backfill"


class Stopped(Exception):
    """The job was told to end."""

    def __init__(self, number: int):
        super().__init__(number)
        self.code = 128 + number


# The options of `backfill run`, and which other commands take them.
VALUES = {
    "--from": ("units", "plan", "write", "commit"),
    "--into": ("units", "plan", "write", "commit"),
    "--contract": ("units", "plan", "write", "commit"),
    "--source-system": ("units", "plan", "write", "commit"),
    "--threads": ("units", "plan", "write", "commit"),
    "--table": ("units",),
    "--group": ("units",),
    "--commit-units": (),
    "--commit-minutes": (),
}
FLAGS = {"--by-name": ("units",), "--dry-run": ()}


class Backfill:
    """The words of `backfill run`, taken apart."""

    def __init__(self, words: list[str]):
        at = next((at for at, pair in enumerate(zip(words, words[1:])) if pair == ("backfill", "run")), None)
        if at is None:
            raise Failed(1, "fanout is for `backfill run` alone; run other commands in the mode single")
        self.general: list[str] = []
        self.options: list[tuple[str, str | None]] = []
        rest = iter(words[:at] + words[at + 2 :])
        for word in rest:
            name, equals, value = word.partition("=")
            if name in VALUES:
                self.options.append((name, value if equals else next(rest, "")))
            elif name in FLAGS:
                self.options.append((name, None))
            elif name == "--output":
                _ = equals or next(rest, "")
            else:
                self.general.append(word)

    def words(self, command: str, *more: str) -> list[str]:
        """The words of another command of the backfill."""
        words = [*self.general, "--output=json", "backfill", command]
        for name, value in self.options:
            if command in VALUES.get(name, FLAGS.get(name, ())):
                words.append(name if value is None else f"{name}={value}")
        return [*words, *more]

    def number(self, name: str, default: int) -> int:
        given = [value for option, value in self.options if option == name]
        if given and not (given[-1] or "").isdigit():
            raise Failed(1, f"{name} needs a number")
        return int(given[-1] or "") if given else default

    def has(self, name: str) -> bool:
        return any(option == name for option, _ in self.options)


class Driver:
    """The side of a backfill that plans and commits: one child at a time, started by the main thread."""

    def __init__(self, words: list[str]):
        self.asked = Backfill(words)
        self.binary = find_binary()
        self.native = native_bytes()
        self.child: subprocess.Popen | None = None

    def run(self, words: list[str], text: str | None = None) -> tuple[int, str]:
        """The exit code of a command and what it printed; notes of its own go to standard error."""
        command = [self.binary, *with_memory(words, self.native)]
        stdin = subprocess.DEVNULL if text is None else subprocess.PIPE
        self.child = start(command, stdin=stdin, stdout=subprocess.PIPE, text=True)
        out, _ = self.child.communicate(text)
        code, self.child = exit_code(self.child.returncode), None
        return code, out

    def asked_for(self, words: list[str]) -> str:
        code, out = self.run(words)
        if code != 0:
            raise Failed(code, f"`backfill {words[words.index('backfill') + 1]}` failed")
        return out

    def units(self) -> list[dict]:
        out = self.asked_for(self.asked.words("units"))
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def plan(self, units: list[str]) -> str | None:
        """A wave of these units; none if their table is not there and no file can make it."""
        code, out = self.run(self.asked.words("plan", *(f"--unit={unit}" for unit in units)))
        if code == 1 and not out:
            return None
        if code != 0:
            raise Failed(code, "`backfill plan` failed")
        return out.strip()

    def commit(self, descriptors: list[str]) -> tuple[int, list[dict]]:
        code, out = self.run(self.asked.words("commit", "--descriptors=-"), "\n".join(descriptors))
        return code, [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def stop(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child.wait()


def write_unit(unit: str, binary: str | None, words: list[str], native: int) -> tuple[str, int, str, str]:
    """What a task does: the program writes the files of a unit and prints what it wrote. The child dies with this
    worker. Returns the unit, the exit code, the descriptor and the last of what was noted."""
    from pyspark import SparkFiles, TaskContext

    command = [binary or find_binary(SparkFiles.get("northstar")), *with_memory([*words, f"--unit={unit}"], native)]
    child = start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = child.communicate()
    sys.stderr.write(err)
    code = exit_code(child.returncode)
    context = TaskContext.get()
    if code > 3 and (context is None or context.attemptNumber() + 1 < MOST_KILLED):
        raise RuntimeError(f"the program ended with {code} at unit {unit}; the task is to be run again")
    return unit, code, out.strip(), "\n".join(err.splitlines()[-3:])


class Spark:
    """Spark, with one job at a time, on a thread of its own so that signals come through."""

    def __init__(self, driver: Driver):
        from pyspark import SparkConf, SparkContext

        # Before there is a JVM, PySpark does not know what the job was submitted with.
        SparkContext._ensure_initialized()
        conf = SparkConf().setIfMissing("spark.app.name", JOB_GROUP)
        conf.setIfMissing("spark.task.maxFailures", str(MOST_KILLED + 1))
        conf.setIfMissing("spark.locality.wait", "0")
        self.context = SparkContext(conf=conf)
        for name in ("launcher.py", "fanout.py"):
            self.context.addPyFile(str(Path(__file__).with_name(name)))
        overhead = conf.get("spark.executor.memoryOverhead", None)
        heap = bytes_of(conf.get("spark.executor.memory", "1g"))
        at_once = max(int(conf.get("spark.executor.cores", "1")) // int(conf.get("spark.task.cpus", "1")), 1)
        # Spark's own default is a tenth of the heap, and at least 384 MiB.
        total = bytes_of(overhead) if overhead else max(heap // 10, 384 * MIB)
        self.native = total // at_once
        # Executors have the program where this has it, or find it among Spark's files.
        self.binary = os.environ.get("NORTHSTAR_BIN") or None
        self.threads = ThreadPoolExecutor(1)

    def write(self, units: list[str], words: list[str]) -> Future:
        binary, native = self.binary, self.native

        def task(names):
            from fanout import write_unit as write

            return [write(name, binary, words, native) for name in names]

        def job():
            self.context.setJobGroup(JOB_GROUP, "a wave of a backfill", interruptOnCancel=True)
            return self.context.parallelize(units, len(units)).mapPartitions(task).collect()

        return self.threads.submit(job)

    def stop(self) -> None:
        self.context.cancelJobGroup(JOB_GROUP)
        self.context.stop()
        # A JVM that PySpark itself started ends with its standard input, and its executors with it.
        jvm = getattr(self.context._gateway, "proc", None)
        if jvm is not None:
            jvm.stdin.close()
            jvm.wait()


class Run:
    """A backfill under way."""

    def __init__(self, driver: Driver, spark: Spark):
        self.driver, self.spark = driver, spark
        self.size = driver.asked.number("--commit-units", 50)
        self.seconds = driver.asked.number("--commit-minutes", WAVE_SECONDS // 60) * 60
        self.failed: dict[str, str] = {}
        self.committed, self.waves = 0, 0
        self.rows = {"read": 0, "landed": 0, "quarantined": 0}
        self.worst = 0

    def table(self, table: str, units: list[str]) -> None:
        queue, conflicts = deque(units), 0
        while queue:
            wave_units = [queue.popleft() for _ in range(min(self.size, len(queue)))]
            begun = time.monotonic()
            again, moved = self.wave(wave_units)
            conflicts = 0 if moved or not again else conflicts + 1
            if conflicts >= MOST_PLANS:
                for unit in again:
                    self.fail(unit, 3, "other writers kept coming first; run the backfill again")
                again = []
            queue.extendleft(reversed(again))
            took = time.monotonic() - begun
            note(f"{table}: {self.committed} units committed in {self.waves} waves, {len(queue)} left, {took:.0f} s")
            if took > self.seconds and self.size > 1:
                self.size = max(self.size // 2, 1)
                note(f"the wave took long; the next ones have {self.size} units")

    def wave(self, units: list[str]) -> tuple[list[str], bool]:
        """Writes and commits a wave; gives the units that are to be tried again, and whether any were committed."""
        wave = self.driver.plan(units)
        if not wave:
            # Without an exit code of its own, all files are empty.
            for unit in units if wave is None else []:
                self.fail(unit, 1, "its table cannot be made for any file; the notes above say why")
            return [], True
        written = self.spark.write(units, self.driver.asked.words("write", f"--wave={wave}")).result()
        again, descriptors = [], []
        for unit, code, descriptor, last in written:
            if code == 3:
                again.append(unit)
            elif code != 0:
                self.fail(unit, code, last)
            # A unit of which a file was refused has the others written.
            if descriptor and code in (0, 1):
                descriptors.append(descriptor)
        if not descriptors:
            return again, False
        code, done = self.driver.commit(descriptors)
        if code == 3:
            note("the wave was not committed, or it is not known whether; its units are planned anew")
            return units_of(descriptors) + again, False
        if code not in (0, 1):
            raise Failed(code, "`backfill commit` failed")
        self.waves += 1
        moved = False
        for row in done:
            moved |= row["snapshot"] != "none"
            self.committed += row["outcome"] == "committed"
            for name in self.rows:
                self.rows[name] += int(row[name])
            if row["outcome"] == "pending":
                again.append(row["unit"])
        return again, moved

    def fail(self, unit: str, code: int, why: str) -> None:
        self.failed[unit] = why
        # A defect is worse than bad data, and bad data than what a retry may help.
        rank = {0: 0, 3: 1, 1: 2}
        code = code if code <= 3 else 2
        if rank.get(code, 3) > rank.get(self.worst, 3):
            self.worst = code

    def end(self) -> int:
        for unit, why in sorted(self.failed.items()):
            note(f"unit {unit} failed: {why}")
        counts = " ".join(f"{name}={count}" for name, count in self.rows.items())
        done = f"{self.committed} units committed in {self.waves} waves, {len(self.failed)} failed"
        print(f"{done}; {counts}", flush=True)
        return self.worst


def units_of(descriptors: list[str]) -> list[str]:
    return [json.loads(text)["unit"] for text in descriptors]


def fanout(words: list[str]) -> int:
    """Runs `backfill run` with these words; the exit code."""
    driver = Driver(words)
    if driver.asked.has("--dry-run"):
        return single(words)
    spark: Spark | None = None

    def told(number: int, _frame) -> None:
        # Once is enough: ending may take a while, and must not be broken off.
        for other in (signal.SIGTERM, signal.SIGINT):
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    def listen() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, told)

    try:
        listen()
        watch_parent()
        units = driver.units()
        pending: dict[str, list[str]] = {}
        for unit in units:
            if unit["state"] == "pending":
                pending.setdefault(unit["unit"].split("/")[0], []).append(unit["unit"])
        for table, names in pending.items():
            chosen = set(names)
            size = sum(int(unit["bytes"]) for unit in units if unit["unit"] in chosen)
            print(f"plan: {table}: {len(names)} units, {size} bytes", flush=True)
        print(f"plan: {sum(map(len, pending.values()))} of {len(units)} units are to be loaded", flush=True)
        if not pending:
            return 0
        spark = Spark(driver)
        # PySpark sets a handler of its own.
        listen()
        run = Run(driver, spark)
        for table, names in pending.items():
            run.table(table, names)
        code = run.end()
        spark.stop()
        return code
    except Stopped as stopped:
        note("told to end")
        driver.stop()
        if spark is not None:
            spark.stop()
        return stopped.code
    except BaseException:
        driver.stop()
        if spark is not None:
            spark.stop()
        raise
