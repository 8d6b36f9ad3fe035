"""One Airflow database and one `northstar serve`, which the steps of a test run share."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "airflow"))
import place  # noqa: E402
import stack  # noqa: E402

# Of seven tables with changes, so that a run takes a few tasks: enough for order and pools.
TABLES = ("lab_result", "encounter")


def expect(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise AssertionError(f"{what}: {got!r}, not {wanted!r}")


class Shared:
    """What is there once `make` has run; other processes `load` it from its folder."""

    @classmethod
    def make(cls, binary: Path, folder: Path) -> "Shared":
        dags = folder / "dags"
        shutil.copytree(stack.DAGS, dags, ignore=shutil.ignore_patterns("__pycache__"))
        for trial in (HERE / "trials").glob("*.py"):
            shutil.copy(trial, dags)
        landing = place.Landing(binary, folder / "landing")
        server = place.Server(binary, folder)
        server.start()
        airflow = stack.Airflow(Path(sys.executable), folder / "airflow", dags=dags)
        known = {
            "binary": str(binary),
            "server": server.process.pid,
            "url": server.url,
            "days": landing.days,
            "made": str(landing.made),
            "port": airflow.port,
            "password": airflow.password,
            "environment": airflow.environment,
            "application": server.application("tests"),
        }
        try:
            airflow.prepare()
            (folder / "shared.json").write_text(json.dumps(known), encoding="utf-8")
            made = cls(folder)
        except BaseException:
            server.stop()
            raise
        made.server = server
        return made

    def __init__(self, folder: Path):
        self.folder, self.landing = folder, folder / "landing"
        known = json.loads((folder / "shared.json").read_text(encoding="utf-8"))
        self.days, self.made, self.application = known["days"], Path(known["made"]), known["application"]
        self.server_process_id = known["server"]
        self.server = place.Server(Path(known["binary"]), folder)
        self.server.url = known["url"]
        self.airflow = stack.Airflow(
            Path(sys.executable),
            folder / "airflow",
            dags=folder / "dags",
            port=known["port"],
            password=known["password"],
        )
        self.airflow.environment = known["environment"]
        self.tell()

    def tell(self, connection: dict | None = None, **settings: object) -> None:
        """The Variable of the DAGs, with what differs from the defaults of the tests."""
        variable = {
            "application_id": self.application,
            "role_arn": stack.ROLE,
            "entry_point": stack.ENTRY_POINT,
            "landing": str(self.landing),
            "tables": TABLES,
            "poll_seconds": 1,
            "retry_seconds": 1,
            **settings,
        }
        self.airflow.tell(self.server.url, variable, **(connection or {}))

    def landed(self, number: int) -> str:
        """A day that has just landed."""
        return place.arrive(self.made, self.landing, self.days, number)

    def rows_of(self, *files: str) -> list[dict]:
        """The rows of files of the landing folder, those that are there."""
        found = []
        for name in files:
            path = self.landing / name
            if path.exists():
                with path.open(encoding="utf-8", newline="") as file:
                    found += csv.DictReader(file)
        return found

    def merged(self, table: str, days: list[str]) -> list[list]:
        """What a silver table holds after changes: by key its newest version, and whether that is a delete."""
        newest: dict[str, tuple] = {}
        for row in self.rows_of(*(f"changes/{day}/{table}.csv" for day in days)):
            if row["op"] == "3":
                continue
            position = (row["commit_lsn"], int(row["command_id"]), row["seqval"])
            state = (int(row["version"]), position, row["op"] == "1")
            key = row[f"{table}_id"]
            newest[key] = max(newest.get(key, state), state)
        return sorted([int(key), version, deleted] for key, (version, _, deleted) in newest.items())

    def silver(self, table: str) -> list[list]:
        key = f"{table}_id"
        return self.server.sql(f"SELECT {key}, version, _is_deleted FROM silver.{table} ORDER BY {key}")

    def snapshots(self, table: str) -> int:
        return self.server.sql(f"SELECT count(*) FROM silver.\"{table}$snapshots\"")[0][0]
