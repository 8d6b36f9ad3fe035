"""Each week, for each table: small files together, small manifests together, old snapshots, orphans."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG, chain

from northstar.dag import dag_arguments, table_pool
from northstar.emr import command
from northstar.settings import read

settings = read()

with DAG(
    "northstar_maintenance",
    schedule="0 6 * * 0",
    start_date=datetime(2020, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    **dag_arguments(settings),
):
    # In this order: each leaves work for the next.
    for table in settings.tables:
        name, pool = settings.silver_table(table), table_pool(table)
        chain(
            command(settings, f"compact_{table}", "maintain", "compact", name, minutes=240, pool=pool),
            command(settings, f"manifests_{table}", "maintain", "manifests", name, minutes=60, pool=pool),
            command(settings, f"expire_{table}", "maintain", "expire", name, minutes=120, pool=pool),
            command(settings, f"orphans_{table}", "maintain", "orphans", name, "--apply", minutes=120, pool=pool),
        )
