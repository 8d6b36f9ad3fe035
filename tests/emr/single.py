"""The launcher in the mode `single`: words, exit codes, output, signals, and what is left when it ends.

    python single.py PATH_OF_NORTHSTAR
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from bed import LAUNCHER, Bed, became, ended, expect

SLOW = "SELECT count(*) FROM generate_series(1, 100000000000) AS t(v) WHERE v % 7 = 8"


def stub(bed: Bed, name: str, text: str) -> Path:
    """A program that stands for northstar where only its end counts."""
    path = bed.folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def ran(bed: Bed, program: Path | str, *words: str, **more: str) -> tuple[int, str, str]:
    process = bed.launch(*words, program=program, **more)
    out, err = process.communicate()
    return process.returncode, out, err


def codes_and_output(bed: Bed) -> None:
    for code in (0, 1, 2, 3, 77):
        program = stub(bed, f"ends{code}", f"echo result; echo log >&2; exit {code}")
        expect(f"exit code {code}", ran(bed, program, "tables"), (code, "result\n", "log\n"))
    killed = stub(bed, "killed", "kill -9 $$")
    expect("a program that is killed", ran(bed, killed, "tables")[0], 137)
    code, out, _ = ran(bed, bed.binary, "--version")
    expect("the program itself", (code, out.split()[0]), (0, "northstar"))
    code, _, err = ran(bed, bed.binary, "--warehouse", str(bed.folder / "none"), "tables")
    expect("an error of the program", (code, "no warehouse here" in err), (1, True))
    code, _, err = ran(bed, bed.folder / "missing", "tables")
    expect("no program", (code, "NORTHSTAR_BIN" in err), (1, True))


def words(bed: Bed) -> None:
    program = stub(bed, "shows", 'for word in "$@"; do echo "$word"; done')

    def shown(*given: str, **more: str) -> list[str]:
        code, out, err = ran(bed, program, *given, **more)
        return out.splitlines() if code == 0 else [str(code), err]

    gib = {"NORTHSTAR_MEMORY_OVERHEAD": "1g"}
    expect("memory of the overhead", shown("sql", "SELECT 1", **gib), ["--memory=518MiB", "sql", "SELECT 1"])
    expect("memory that is given", shown("--memory", "32MiB", "tables", **gib), ["--memory", "32MiB", "tables"])
    expect("little memory", shown("tables", NORTHSTAR_MEMORY_OVERHEAD="384m"), ["--memory=134MiB", "tables"])
    found = shown("tables")[0]
    expect("memory of the machine", found.startswith("--memory=") and found.endswith("MiB"), True)
    expect("a mode", shown("--mode", "single", "tables", **gib), ["--memory=518MiB", "tables"])
    glue = ["--JOB_NAME", "nightly", "--TempDir", "s3://scratch/x", "--enable-metrics"]
    command = "sql 'SELECT 1' --reason \"a rerun\""
    wanted = ["--memory=518MiB", "sql", "SELECT 1", "--reason", "a rerun"]
    expect("as Glue calls it", shown(*glue, "--northstar_command", command, **gib), wanted)
    expect("the same with a dash", shown(*glue, f"--northstar-command={command}", **gib), wanted)
    refused = (["--northstar_comand", "x"], ["--northstar_command", ""], ["--northstar_command", "sql 'never"])
    for given in ([], ["--mode"], ["--mode", "both", "x"], *refused):
        code, why = shown(*given)
        expect(f"refused: {given}", (code, why.startswith("launcher: "), "Traceback" in why), ("1", True, False))


def without_spark(bed: Bed) -> None:
    """PySpark is not even looked for."""
    trap = bed.folder / "trap"
    trap.mkdir()
    (trap / "pyspark.py").write_text("raise SystemExit('PySpark was imported')\n", encoding="utf-8")
    program = stub(bed, "ok", "echo done")
    expect("without Spark", ran(bed, program, "tables", PYTHONPATH=str(trap))[:2], (0, "done\n"))


def signals(bed: Bed) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        bed.gate.hold("*sql*")
        process = bed.launch("--warehouse", str(bed.lake), "sql", SLOW)
        child = bed.gate.arrived()
        # While it is held: a process that is just becoming the program has no environment to be known by.
        expect("both run", {process.pid, child} <= set(bed.processes()), True)
        bed.gate.go()
        became(child, bed.binary)
        process.send_signal(number)
        process.communicate()
        expected = -9 if number == signal.SIGKILL else 128 + number
        expect(f"the end by {number.name}", process.returncode, expected)
        ended(child)
        bed.gone()


def with_its_jvm(bed: Bed) -> None:
    """Under spark-submit the launcher ends with the JVM that started it."""
    bed.gate.hold("*sql*")
    # The shell stands for the JVM.
    quoted = " ".join(f"'{word}'" for word in (sys.executable, LAUNCHER, "--warehouse", bed.lake, "sql", SLOW))
    environment = bed.environment(bed.gate.program, PYSPARK_GATEWAY_PORT="1")
    shell = subprocess.Popen(["sh", "-c", f"{quoted}; :"], env=environment, stderr=subprocess.DEVNULL)
    child = bed.gate.arrived()
    bed.gate.go()
    shell.kill()
    shell.wait()
    ended(child)
    bed.gone()


def main() -> None:
    with Bed(sys.argv[1]) as bed:
        codes_and_output(bed)
        words(bed)
        without_spark(bed)
        bed.history.mkdir()
        (bed.history / "visit.csv").write_text("id\n1\n", encoding="utf-8")
        bed.northstar("load", "csv", "--from", str(bed.history), "--into", "bronze")
        signals(bed)
        with_its_jvm(bed)


if __name__ == "__main__":
    main()
