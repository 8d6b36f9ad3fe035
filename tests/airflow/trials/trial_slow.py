"""Two commands that would take hours, in the pool of one table: one deferred, then one that waits."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG
from northstar.dag import dag_arguments, table_pool
from northstar.emr import command
from northstar.settings import read

settings = read()
SLOW = "SELECT count(*) FROM generate_series(1, 100000000000) AS t(v) WHERE v % 7 = 8"

with DAG(
    "trial_slow",
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=timezone.utc),
    **dag_arguments(settings),
):
    for name, deferrable in (("deferred", True), ("waits", False)):
        command(
            settings,
            name,
            *("sql", SLOW),
            minutes=60,
            pool=table_pool("lab_result"),
            deferrable=deferrable,
            retries=0,
            priority_weight=2 if deferrable else 1,
        )
