"""`airflow dags test` of one of the five DAGs, and what is in the tables then.

    python dags.py FOLDER DAG

Run in the order of `run.py`: each DAG finds the tables as those before it left them.
"""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from pathlib import Path

from shared import TABLES, Shared, expect


def run(shared: Shared, dag: str, day: str, **params: object) -> None:
    """A run of a DAG, to its end, by the command for it."""
    words = ["dags", "test", dag, f"{day}T02:00:00+00:00"]
    if params:
        words += ["--conf", json.dumps(params)]
    done = shared.airflow.run(*words)
    if done.returncode != 0 or "state=success" not in done.stdout + done.stderr:
        print(done.stdout[-20000:], done.stderr[-20000:], file=sys.stderr)
        raise AssertionError(f"{dag} of {day} failed")


def days_are_in(shared: Shared, days: list[str]) -> None:
    for table in TABLES:
        landed = len(shared.rows_of(*(f"daily/{day}/{table}.csv" for day in days)))
        bronze = shared.server.sql(f"SELECT count(*) FROM bronze.{table}")
        expect(f"rows of bronze.{table}", bronze, [[landed]])
        expect(f"rows of silver.{table}", shared.silver(table) == shared.merged(table, days), True)


def daily(shared: Shared) -> None:
    for number in range(2):
        run(shared, "northstar_daily", shared.landed(number))
        days_are_in(shared, shared.days[: number + 1])


def backfill(shared: Shared) -> None:
    # Into tables of its own: bronze has the same rows from the files of the first day.
    shared.tell(bronze="legacy")
    run(shared, "northstar_backfill", shared.days[0])
    for table in TABLES:
        files = [str(path.relative_to(shared.landing)) for path in shared.landing.glob(f"backfill/{table}/*/*.csv")]
        landed = len(shared.rows_of(*files))
        expect(f"rows of legacy.{table}", shared.server.sql(f"SELECT count(*) FROM legacy.{table}"), [[landed]])
        expect(f"groups of {table}", len(files) > 1, True)


def rerun(shared: Shared) -> None:
    """Rows of one facility and some days that were spoilt are right again, others stay as they are."""
    end = date.fromisoformat(shared.days[0])
    form = {"tables": ["lab_result"], "facility": "1", "from": str(end - timedelta(days=30)), "to": str(end)}
    days = f"collected_at >= TIMESTAMP '{form['from']}' AND collected_at < TIMESTAMP '{form['to']}'"
    scope = f"facility_id = 1 AND {days}"
    statuses = "SELECT lab_result_id, status FROM silver.lab_result ORDER BY lab_result_id"
    right = shared.server.sql(statuses)
    (spoilt,) = shared.server.sql(f"SELECT count(*) FROM silver.lab_result WHERE {scope}")
    expect("there are rows in the scope", spoilt[0] > 0, True)
    shared.server.sql(f"UPDATE silver.lab_result SET status = 'spoilt' WHERE {scope}")
    before = shared.snapshots("lab_result")
    run(shared, "northstar_rerun", shared.days[0], **form, dry_run=True)
    expect("snapshots after a dry run", shared.snapshots("lab_result"), before)
    run(shared, "northstar_rerun", shared.days[1], **form, dry_run=False)
    expect("rows", shared.server.sql(statuses) == right, True)
    days_are_in(shared, shared.days[:2])


def maintenance(shared: Shared) -> None:
    files = "SELECT count(*) FROM silver.\"lab_result$data_files\""
    before = shared.server.sql(files)[0][0]
    run(shared, "northstar_maintenance", shared.days[1])
    expect("fewer files", shared.server.sql(files)[0][0] < before, True)
    days_are_in(shared, shared.days[:2])


def audit(shared: Shared) -> None:
    run(shared, "northstar_audit", "2024-01-05", baseline=True)
    run(shared, "northstar_daily", shared.landed(2))
    days_are_in(shared, shared.days[:3])
    run(shared, "northstar_audit", "2024-02-01")
    tags = "SELECT name FROM silver.\"{}$refs\" WHERE type = 'TAG' ORDER BY name"
    for table in TABLES:
        expect(f"tags of {table}", shared.server.sql(tags.format(table)), [["audit-2024-01"], ["audit-2024-02"]])
    report = (shared.landing / "reports" / "audit-2024-02.json").read_text(encoding="utf-8")
    expect("tables of the report", [table for table in TABLES if f"silver.{table}" in report], list(TABLES))


def main() -> None:
    folder, dag = sys.argv[1:]
    steps = {"daily": daily, "backfill": backfill, "rerun": rerun, "maintenance": maintenance, "audit": audit}
    steps[dag](Shared(Path(folder)))
    print(f"northstar_{dag} ran")


if __name__ == "__main__":
    main()
