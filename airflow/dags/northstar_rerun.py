"""One facility and some days again, from bronze and all changes, for the tables that the form names.

A dry run prints what would be done and changes nothing. Run it first.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG, Param, task

from northstar.dag import dag_arguments, table_asset, table_pool
from northstar.emr import command
from northstar.settings import read

settings = read()
landing = settings.landing


@task.branch(task_id="tables")
def chosen(params: dict) -> list[str]:
    kind = "dry_run" if params["dry_run"] else "rerun"
    return [f"{kind}_{table}" for table in params["tables"]]


with DAG(
    "northstar_rerun",
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    params={
        "tables": Param(
            type="array",
            items={"type": "string", "enum": list(settings.tables)},
            examples=list(settings.tables),
            minItems=1,
            title="Tables",
        ),
        "facility": Param(type="string", pattern="^[A-Za-z0-9_.-]{1,64}$", title="Facility"),
        "from": Param(type="string", format="date", title="From", description="The first day, at the facility"),
        "to": Param(type="string", format="date", title="To", description="The day after the last one"),
        "dry_run": Param(True, type="boolean", title="Dry run"),
    },
    **dag_arguments(settings),
):
    choice = chosen()
    # Tasks by table, not mapped ones: each is in the pool of its table.
    for table in settings.tables:
        words = (
            *("rerun", settings.silver_table(table), "--facility", "{{ params.facility }}"),
            *("--from", "{{ params['from'] }}", "--to", "{{ params['to'] }}"),
            *("--bronze", settings.bronze, "--changes", f"{landing}/changes"),
            *("--contract", f"{landing}/tables.toml", *settings.options_of(table)),
        )
        pool = table_pool(table)
        choice >> command(settings, f"dry_run_{table}", *words, "--dry-run", minutes=60, pool=pool)
        asset = table_asset(settings, table)
        choice >> command(settings, f"rerun_{table}", *words, minutes=240, pool=pool, outlets=[asset])
