"""`northstar calibrate`, and plans recomputed from its file by other arithmetic.

    python plans.py PATH_OF_NORTHSTAR
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from expect import expect
from s3_northstar import Run
from submit import bare

# Enough that an optimised program takes tenths of a second to merge.
ROWS, SEED = "200000", "3"
VCPU, GB, STORAGE_GB = Fraction("0.052624"), Fraction("0.0057785"), Fraction("0.000111")
HOUR = 3600


@dataclass
class Program:
    """northstar, run in a folder."""

    binary: str
    folder: Path

    def run(self, *words: str) -> Run:
        command = [self.binary, "--output", "json", *words]
        done = subprocess.run(command, cwd=self.folder, env={**bare(), "TMPDIR": str(self.folder / "tmp")}, text=True,
                              capture_output=True, check=False)
        return Run(done.returncode, done.stdout, done.stderr)

    def plan(self, *words: str, code: int = 0) -> dict:
        """The document of a plan."""
        done = self.run("plan", *words)
        expect(f"exit code of {words} ({done.err})", done.code, code)
        return json.loads(done.out)


def close(what: str, found: float, wanted: Fraction) -> None:
    if not math.isclose(found, float(wanted), rel_tol=1e-6):
        sys.exit(f"{what}: found {found!r}, expected {float(wanted)!r}")


def calibrated(program: Program) -> dict:
    """Calibrates, and holds what was measured against the files that the generator writes."""
    program.run("calibrate", "--rows", ROWS, "--seed", SEED).ok()
    found = json.loads((program.folder / "calibration.json").read_text(encoding="utf-8"))
    expect("what is left behind", list((program.folder / "tmp").iterdir()), [])
    options = ("--rows", ROWS, "--seed", SEED, "--malformed", "0")
    files = program.run("generate", "--to", "emr", *options).ok().out.splitlines()
    extract = [line for line in map(json.loads, files) if line["file"].startswith("extract/")]
    size = lambda pattern: sum(path.stat().st_size for path in program.folder.glob(pattern))  # noqa: E731
    load, merge = found["load"], found["merge"]
    rows = sum(int(line["records"]) for line in extract)
    expect("records", (found["generator"]["rows"], load["rows"]), (rows, rows))
    expect("bytes of the extract", load["source_bytes"], size("emr/extract/*.csv"))
    expect("bytes of the changes", merge["change_bytes"], size("emr/changes/*/lab_result.csv"))
    changes = [line for line in map(json.loads, files) if line["file"].startswith("changes/")]
    labs = [int(line["records"]) for line in changes if line["table"] == "lab_result"]
    expect("change rows", merge["change_rows"], sum(labs))
    expect("seed", found["generator"]["seed"], int(SEED))
    expect("rows that differ", 0 < merge["changed_rows"] <= merge["change_rows"], True)
    expect("bytes written", min(load["table_bytes"], merge["rewritten_bytes"]) > 0, True)
    for part, rate, count in [
        (load, "bytes_per_core_second", load["source_bytes"]),
        (load, "rows_per_core_second", load["rows"]),
        (merge, "bytes_per_core_second", merge["change_bytes"]),
        (merge, "rows_per_core_second", merge["change_rows"]),
    ]:
        close(rate, part[rate], Fraction(count) / Fraction(part["cpu_seconds"]))
    expect("the machine", found["machine"]["cores"] > 0 and found["machine"]["memory_bytes"] > 1 << 29, True)
    return found


def backfill(program: Program, found: dict) -> None:
    """A backfill, in exact arithmetic."""
    bytes_, cores, memory, share, start = 3_000_000_000_000, 8, 32, Fraction("0.6"), 5 * 60
    # Twice as narrow as the calibrated ones, so that rows decide.
    rows = 2 * bytes_ * found["load"]["rows"] // found["load"]["source_bytes"]
    words = ["--source-bytes", "3TB", "--source-rows", str(rows), "--hours", "12", "--worker-cores", str(cores)]
    words += ["--worker-memory-gb", str(memory), "--worker-storage-gb", "50", "--s3-factor", "0.6"]
    words += ["--parallel-efficiency", "0.9", "--start-minutes", "5", "--unit-minutes", "15", "--unit-cores", "4"]
    load = found["load"]
    by_bytes = bytes_ / Fraction(load["bytes_per_core_second"])
    by_rows = rows / Fraction(load["rows_per_core_second"])
    core_seconds = max(by_bytes, by_rows) / share / Fraction("0.9")
    units = math.ceil(core_seconds / (15 * 60 * 4))
    unit_seconds = core_seconds / units / 4
    places = cores // 4
    rounds = (12 * HOUR - start) // unit_seconds
    needed = math.ceil(Fraction(units, rounds * places))
    hour = cores * VCPU + memory * GB + 30 * STORAGE_GB
    driver = 4 * VCPU + 16 * GB
    for most in (10_000, max(1, needed // 2)):
        is_met = needed <= most
        plan = program.plan("backfill", *words, "--most-workers", str(most), code=0 if is_met else 1)
        workers = min(needed, most)
        busy = math.ceil(Fraction(units, workers * places)) * unit_seconds
        counts = (plan["is_met"], plan["units"], plan["workers"], plan["units_at_once"])
        expect("counts", counts, (is_met, units, workers, places))
        close("core hours", plan["core_hours"], core_seconds / HOUR)
        close("hours", plan["hours"], (start + busy) / HOUR)
        close("a worker's hour", plan["worker"]["hour_usd"], hour)
        close("dollars", plan["usd"], workers * hour * busy / HOUR + driver * (start + busy) / HOUR)
        expect("within its hours", plan["hours"] <= 12, is_met)
        expect("what would meet it", f"--most-workers {needed}" in (plan["to_meet"] or ""), not is_met)


def daily(program: Program, found: dict) -> None:
    """A day's changes, in exact arithmetic."""
    rows, bytes_, tables, start = 5_000_000, 20_000_000_000, 6, 3 * 60
    share, cores, memory, merge = Fraction("0.4"), 16, 64, found["merge"]
    words = ["--changes", str(rows), "--changed-bytes", "20GB", "--tables", str(tables), "--largest-share", "0.4"]
    calibrated_seconds = max(
        bytes_ / Fraction(merge["bytes_per_core_second"]), rows / Fraction(merge["rows_per_core_second"])
    )
    core_seconds = calibrated_seconds / Fraction("0.7") / Fraction("0.7")
    all_seconds = core_seconds / cores
    largest = share * all_seconds
    hour = cores * VCPU + memory * GB

    def seconds(workers: int) -> Fraction:
        if workers >= tables:
            return start + largest
        return start + all_seconds / workers + largest * (1 - Fraction(1, workers))

    for enough in (1, 2, 4, tables):
        # A little more than so many workers take, and so less than fewer of them do.
        within = seconds(enough) / HOUR * Fraction("1.0001")
        plan = program.plan("daily", *words, "--within-hours", f"{float(within):.9f}")
        expect("counts", (plan["is_met"], plan["units"], plan["workers"]), (True, tables, enough))
        close("hours", plan["hours"], seconds(enough) / HOUR)
        close("core hours", plan["core_hours"], core_seconds / HOUR)
        rest = (all_seconds - largest) / (tables - 1)
        billed = max(largest, 60) + (tables - 1) * max(rest, 60)
        close("dollars", plan["usd"], billed / HOUR * hour)
        written = bytes_ * Fraction(merge["rewritten_bytes"]) / merge["change_bytes"]
        close("bytes written", plan["rewritten_bytes"], written)
    small = program.plan("daily", "--changes", "1", "--changed-bytes", "1KB", "--tables", str(tables))
    close("dollars of a minute for each run", small["usd"], tables * hour / 60)
    # Workers alone take longer to be there.
    late = program.plan("daily", *words, "--within-hours", "0.01", code=1)
    expect("a plan that is late", (late["is_met"], bool(late["to_meet"])), (False, True))


def refusals(program: Program) -> None:
    program.run("calibrate", "--rows", "10").fails(1)
    program.run("plan", "backfill", "--calibration", "none.json").fails(1, "northstar calibrate")
    program.run("plan", "backfill", "--worker-cores", "16", "--worker-memory-gb", "61").fails(1, "32 to 120 GB by 8")
    program.run("plan", "daily", "--price-region", "eu-north-1").fails(1, "--vcpu-hour-usd")
    text = (program.folder / "calibration.json").read_text(encoding="utf-8")
    changed = json.loads(text)
    changed["merge"]["rows_per_core_second"] *= 2
    (program.folder / "changed.json").write_text(json.dumps(changed), encoding="utf-8")
    program.run("plan", "daily", "--calibration", "changed.json").fails(1, "are not those of its counts")


def told_to_people(program: Program) -> None:
    command = [program.binary, "plan", "backfill", "--source-bytes", "25TB", "--hours", "0.2"]
    done = subprocess.run(command, cwd=program.folder, env=bare(), text=True, capture_output=True, check=False)
    expect("exit code", done.returncode, 1)
    assert "The target of 0.2 hours is NOT met." in done.stdout and "Assumed:" in done.stdout, done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100, done.stdout


def in_a_warehouse(program: Program) -> None:
    """The calibration is looked for in the warehouse first."""
    lake = program.folder / "lake"
    lake.mkdir()
    (program.folder / "calibration.json").rename(lake / "calibration.json")
    program.plan("backfill", "--warehouse", str(lake), "--source-bytes", "1GB")
    program.plan("backfill", "--source-bytes", "1GB")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        program = Program(str(Path(sys.argv[1]).resolve()), Path(name))
        (program.folder / "tmp").mkdir()
        found = calibrated(program)
        backfill(program, found)
        daily(program, found)
        refusals(program)
        told_to_people(program)
        in_a_warehouse(program)
    print("a machine was calibrated, and plans are what its numbers come to")


if __name__ == "__main__":
    main()
