"""What tests of the launcher stand on: a folder, units in it, a gate before the program, and all processes found."""

from __future__ import annotations

import csv
import hashlib
import os
import select
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

LAUNCHER = Path(__file__).parents[2] / "jobs/emr/launcher.py"
MARK = "NORTHSTAR_TEST_BED"
CONTRACT = """[visit]
partition = ["site"]
[visit.columns]
id = "long"
site = "string"
seen = "date"

[lab.columns]
id = "long"
site = "string"
seen = "date"
"""


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        sys.exit(f"{what}: found {found!r}, not {wanted!r}")


class Gate:
    """Holds the program once, before or after it runs, if its words match a pattern of the shell."""

    def __init__(self, folder: Path, binary: str):
        self.folder, self.binary = folder / "gate", binary
        self.folder.mkdir()
        self.program = self.folder / "northstar"
        for name in ("arrived", "go"):
            os.mkfifo(self.folder / name)

    def hold(self, pattern: str, *, after: bool = False) -> None:
        """From now on the first program whose words match tells its process id, and waits before it runs, or once
        it has run."""
        at, real = shlex.quote(str(self.folder)), shlex.quote(self.binary)
        then = f'{real} "$@"; code=$?; tell; exit $code' if after else "tell"
        self.program.write_text(
            f"#!/bin/sh\ntell() {{ echo $$ > {at}/arrived; read _ < {at}/go; }}\n"
            f'case " $* " in {pattern}) if mv {at}/hold {at}/held 2>/dev/null; then {then}; fi;; esac\n'
            f'exec {real} "$@"\n',
            encoding="utf-8",
        )
        self.program.chmod(0o755)
        (self.folder / "hold").touch()

    def arrived(self) -> int:
        """The process id of the program that is held; waits until one is."""
        with open(self.folder / "arrived", encoding="utf-8") as told:
            return int(told.readline())

    def go(self) -> None:
        """Lets it go on."""
        with open(self.folder / "go", "w", encoding="utf-8") as go:
            go.write("\n")


class Bed:
    """A folder that goes with the test. Whatever is started from here is found again by a mark in its environment."""

    def __init__(self, binary: str):
        self.holder = tempfile.TemporaryDirectory(prefix="northstar-emr-")
        self.folder = Path(self.holder.name)
        self.binary = str(Path(binary).resolve())
        self.gate = Gate(self.folder, self.binary)
        self.lake, self.history = self.folder / "lake", self.folder / "history"
        self.options, self.source = ["--warehouse", str(self.lake)], str(self.history)

    def __enter__(self) -> Bed:
        return self

    def __exit__(self, *_) -> None:
        for pid in self.processes():
            os.kill(pid, 9)
        self.gone()
        self.holder.cleanup()

    def environment(self, program: Path | str, **more: str) -> dict[str, str]:
        return {**os.environ, "NORTHSTAR_BIN": str(program), MARK: str(self.folder), **more}

    def launch(self, *words: str, program: Path | str | None = None, **more: str) -> subprocess.Popen:
        """The launcher with these words, through the gate unless another program is given."""
        command = [sys.executable, str(LAUNCHER), *words]
        environment = self.environment(program or self.gate.program, **more)
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)

    def launch_spark(self, *words: str) -> subprocess.Popen:
        """The same with a cluster. Its log is a file, since nobody reads it while the test waits for something else."""
        command = [sys.executable, str(LAUNCHER), *self.fanout(*words)]
        environment = {**self.environment(self.gate.program), **self.spark()}
        with open(self.folder / "launcher.log", "a", encoding="utf-8") as log:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)

    def spark(self) -> dict[str, str]:
        """A small cluster: a master, two workers, and an executor of one core on each, all on 127.0.0.1."""
        import pyspark

        # Workers keep what executors log below SPARK_HOME, so that is a folder of the test's own.
        home = self.folder / "spark"
        if not home.exists():
            home.mkdir()
            for entry in Path(pyspark.__file__).parent.iterdir():
                if entry.name != "work":
                    (home / entry.name).symlink_to(entry)
        settings = {
            "spark.driver.memory": "512m",
            "spark.executor.memory": "512m",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
        }
        confs = " ".join(f"--conf {name}={value}" for name, value in settings.items())
        return {
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_SUBMIT_ARGS": f"--master local-cluster[2,1,1024] {confs} pyspark-shell",
        }

    def log(self) -> str:
        return (self.folder / "launcher.log").read_text(encoding="utf-8")

    def northstar(self, *words: str) -> str:
        """What the program itself prints."""
        command = [self.binary, *self.options, *words]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"northstar {words}: {done.stderr}")
        return done.stdout

    def sql(self, query: str) -> list[list[str]]:
        return list(csv.reader(self.northstar("--output", "csv", "sql", query).splitlines()))[1:]

    def fanout(self, *more: str) -> list[str]:
        general = [*self.options, "--memory", "64MiB"]
        from_to = ["--from", self.source, "--into", "bronze"]
        return ["--mode", "fanout", *general, "backfill", "run", *from_to, *more]

    # ---- processes ----

    def processes(self) -> list[int]:
        """All that were started from here and still run."""
        mark, found = f"{MARK}={self.folder}".encode(), []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def gone(self) -> None:
        """Waits until none of them runs."""
        while running := self.processes():
            for pid in running:
                ended(pid)


def ended(pid: int) -> None:
    """Waits until a process has ended, whoever started it."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([handle], [], [])
    os.close(handle)


def became(pid: int, program: str) -> None:
    """Waits until a process, which runs, has become a program."""
    while os.readlink(f"/proc/{pid}/exe") != program:
        os.sched_yield()


def parent(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:")))


def executor_of(pid: int) -> int:
    """The JVM above a task's process."""
    while not Path(f"/proc/{pid}/exe").resolve().name.startswith("java"):
        pid = parent(pid)
    return pid


class Units:
    """Synthetic units, and what a table must hold once they are in it."""

    def __init__(self, bed: Bed, tables: list[str], groups: int, periods: int, rows: int):
        (bed.folder / "tables.toml").write_text(CONTRACT, encoding="utf-8")
        self.rows: dict[str, list[str]] = {table: [] for table in tables}
        self.names: list[str] = []
        next_id = 0
        for table in tables:
            for group in range(groups):
                for period in range(periods):
                    lines = []
                    for _ in range(rows):
                        lines.append(f"{next_id},site {group % 3},2024-{period % 12 + 1:02}-{next_id % 28 + 1:02}")
                        next_id += 1
                    self.rows[table] += lines
                    name = f"{table}/g{group:02}/2024-{period + 1:02}"
                    self.names.append(name)
                    path = bed.history / f"{name}.csv"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    # One record of each first period is bad, and goes to quarantine.
                    bad = "x\n" if period == 0 else ""
                    path.write_text("id,site,seen\n" + "\n".join(lines) + "\n" + bad, encoding="utf-8")
        self.quarantined = len(tables) * groups

    def check(self, bed: Bed) -> None:
        """Every row is there once, with its values, and comes from the file that it was written to."""
        for table, rows in self.rows.items():
            found = [",".join(row) for row in bed.sql(f"SELECT id, site, seen FROM bronze.{table}")]
            expect(f"rows of {table}", len(found), len(rows))
            expect(f"content of {table}", digest(found), digest(rows))
            files = bed.sql(f"SELECT count(DISTINCT _source_file), count(DISTINCT _file_sha256) FROM bronze.{table}")
            count = sum(name.startswith(f"{table}/") for name in self.names)
            expect(f"files of {table}", files, [[str(count)] * 2])
            batches = bed.sql(f"SELECT count(DISTINCT _seq), max(_seq), count(DISTINCT _batch_id) FROM bronze.{table}")
            snapshots = str(len(bed.northstar("--output", "json", "snapshots", f"bronze.{table}").splitlines()))
            expect(f"numbers of the waves of {table}", batches, [[snapshots] * 3])
        rejects = bed.sql("SELECT count(*), count(DISTINCT _source_file) FROM bronze.quarantine")
        expect("quarantined records", rejects, [[str(self.quarantined)] * 2])


def digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
