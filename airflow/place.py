"""A place for the DAGs on one machine: a landing folder with data made up, a warehouse, and a server."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from datetime import date, timedelta
from pathlib import Path

import boto3

REGION, ACCOUNT = "us-east-1", "000000000000"
POSITION = ("op", "commit_lsn", "command_id", "seqval")


class Landing:
    """`daily/DAY`, `changes/DAY/TABLE.csv`, `backfill/TABLE/GROUP` and `tables.toml`.

    Days land by `arrive`. The first one brings all that there was before, into bronze and as changes; the
    next three bring a day each.
    """

    def __init__(self, binary: Path, folder: Path, *, patients: int = 400, facilities: int = 3, months: int = 3):
        self.folder = folder
        self.made = made = folder.parent / f"{folder.name}-generated"
        size = ["--patients", patients, "--facilities", facilities, "--months", months, "--malformed", 0]
        command = [binary, "generate", "--to", made, *size]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
        first = date.fromisoformat(json.loads((made / "truth.json").read_text(encoding="utf-8"))["day_0"])
        self.days = [(first + timedelta(days=number)).isoformat() for number in range(4)]
        (folder / "reports").mkdir(parents=True)
        shutil.copy(made / "tables.toml", folder)
        _as_changes(made, made / "changes" / "day_0")
        shutil.copytree(made / "extract", made / "daily" / "day_0")
        for number in (2, 3):
            _headers(made / "daily" / "day_1", made / "daily" / f"day_{number}")
        _by_facility(made / "extract", folder / "backfill", self.days[0][:4])

    def arrive(self, number: int) -> str:
        """A day lands; the day."""
        return arrive(self.made, self.folder, self.days, number)


def arrive(made: Path, folder: Path, days: list[str], number: int) -> str:
    """Copies what was made for a day into the landing folder; the day."""
    for kind in ("daily", "changes"):
        shutil.copytree(made / kind / f"day_{number}", folder / kind / days[number])
    return days[number]


def _as_changes(made: Path, to: Path) -> None:
    """The extract as the inserts that come before all changes, for each table that has changes."""
    to.mkdir(parents=True)
    for changes in sorted((made / "changes" / "day_1").glob("*.csv")):
        with changes.open(encoding="utf-8", newline="") as file:
            position = next(csv.DictReader(file))
        # Positions are of one width, so that the least one is all zeros.
        digits, seqval_digits = len(position["commit_lsn"]), len(position["seqval"])
        with (made / "extract" / changes.name).open(encoding="utf-8", newline="") as source:
            rows = csv.reader(source)
            with (to / changes.name).open("w", encoding="utf-8", newline="") as target:
                writer = csv.writer(target, lineterminator="\n")
                writer.writerow([*POSITION, *next(rows)])
                for number, row in enumerate(rows, start=1):
                    writer.writerow([2, "0" * digits, 0, f"{number:0{seqval_digits}x}", *row])


def _headers(of: Path, to: Path) -> None:
    to.mkdir(parents=True)
    for path in of.glob("*.csv"):
        header = path.read_text(encoding="utf-8").splitlines()[0]
        (to / path.name).write_text(f"{header}\n", encoding="utf-8")


def _by_facility(extract: Path, to: Path, period: str) -> None:
    """Tables that have a facility, a folder for each facility with a file for the one period."""
    for path in sorted(extract.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            column = next((name for name in rows.fieldnames if name in ("facility_id", "home_facility_id")), None)
            if column is None:
                continue
            groups: dict[str, list[dict]] = {}
            for row in rows:
                groups.setdefault(row[column], []).append(row)
        for group, of_group in groups.items():
            folder = to / path.stem / f"facility-{group}"
            folder.mkdir(parents=True)
            with (folder / f"{period}.csv").open("w", encoding="utf-8", newline="") as target:
                writer = csv.DictWriter(target, list(of_group[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(of_group)


class Server:
    """`northstar serve` over a warehouse, on loopback, without keys."""

    def __init__(self, binary: Path, folder: Path, *, runs: int = 2):
        self.binary, self.warehouse = binary, folder / "lake"
        self.log_path = folder / "server.log"
        command = [binary, "--warehouse", self.warehouse, "serve", "--anonymous", "--runs", runs]
        self.command = list(map(str, command))
        self.process: subprocess.Popen | None = None

    def start(self, listen: str = "127.0.0.1:0") -> None:
        with self.log_path.open("ab") as log:
            command = [*self.command, "--listen", listen]
            # In a group of its own: Ctrl-C is for whoever started it, who then ends it.
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.process.wait()
            log = self.log_path.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"northstar serve did not start: {log[-2000:]}")
        self.url = line.split()[2]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def application(self, name: str, **settings) -> str:
        """The id of a new application of EMR Serverless."""
        made = self.client("emr-serverless").create_application(
            name=name, releaseLabel="emr-7.5.0", type="SPARK", clientToken=name, **settings
        )
        return made["applicationId"]

    def sql(self, statement: str) -> list[list]:
        """The rows of a statement that the program itself runs."""
        command = [str(self.binary), "--warehouse", str(self.warehouse), "--output", "json", "sql", statement]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"northstar sql: {done.stderr}")
        return [list(json.loads(line).values()) for line in done.stdout.splitlines() if line.startswith("{")]
