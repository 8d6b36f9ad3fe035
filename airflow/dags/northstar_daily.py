"""One day: load what was exported, merge each table's changes, and reconcile the tables.

A table whose day failed waits: changes of a later day may only follow those of the day before. Clear the
failed task to go on.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG, Param

from northstar.dag import BRONZE_POOL, DAY, dag_arguments, table_asset, table_pool
from northstar.emr import command
from northstar.settings import read

settings = read()
landing = settings.landing
arguments = dag_arguments(settings)
if settings.catch_up_from:
    start = datetime.fromisoformat(settings.catch_up_from).replace(tzinfo=timezone.utc)
    arguments |= {"catchup": True}
else:
    start = datetime(2020, 1, 1, tzinfo=timezone.utc)

with DAG(
    "northstar_daily",
    schedule="0 2 * * *",
    start_date=start,
    doc_md=__doc__,
    params={
        "day": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Day",
            description="Folder LANDING/daily/DAY and LANDING/changes/DAY; empty: the day of the run",
        )
    },
    **arguments,
):
    load = command(
        settings,
        "load",
        *("load", "csv", "--from", f"{landing}/daily/{DAY}", "--into", settings.bronze),
        *("--contract", f"{landing}/tables.toml"),
        minutes=120,
        pool=BRONZE_POOL,
    )
    for table in settings.tables:
        asset = table_asset(settings, table)
        merge = command(
            settings,
            f"merge_{table}",
            *("merge", settings.silver_table(table), "--changes", f"{landing}/changes/{DAY}/{table}.csv"),
            *("--contract", f"{landing}/tables.toml"),
            minutes=120,
            pool=table_pool(table),
            depends_on_past=True,
            outlets=[] if settings.reconcile else [asset],
        )
        load >> merge
        if settings.reconcile:
            merge >> command(
                settings,
                f"reconcile_{table}",
                *("reconcile", settings.silver_table(table), "--bronze", settings.bronze),
                *("--changes", f"{landing}/changes", *settings.options_of(table)),
                minutes=60,
                pool=table_pool(table),
                outlets=[asset],
            )
