"""Each month: a tag on each table, and a report of what changed since the tag of the month before.

In the first month there is no earlier tag: start it by hand with `baseline`, which tags and compares nothing.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG, Param, task

from northstar.dag import dag_arguments, table_pool
from northstar.emr import command
from northstar.settings import read

settings = read()
# The program writes a report into a folder. Where there is none, what it prints stands in the log of the run.
reports = settings.reports or ("" if settings.landing.startswith("s3://") else f"{settings.landing}/reports")
DATE = "(macros.datetime.strptime(params.month, '%Y-%m') if params.month else (logical_date or dag_run.run_after))"
TAG = f"audit-{{{{ {DATE}.strftime('%Y-%m') }}}}"
TAG_BEFORE = f"audit-{{{{ ({DATE}.replace(day=1) - macros.timedelta(days=1)).strftime('%Y-%m') }}}}"


@task.short_circuit(task_id="not_baseline", trigger_rule="all_success")
def compares(params: dict) -> bool:
    return not params["baseline"]


with DAG(
    "northstar_audit",
    schedule="0 4 1 * *",
    start_date=datetime(2020, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    params={
        "month": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9]{4}-[0-9]{2}$",
            title="Month",
            description="As 2024-05, the name of the tag; empty: the month of the run",
        ),
        "baseline": Param(False, type="boolean", title="First tag", description="Tag, and compare nothing"),
    },
    **dag_arguments(settings),
):
    gate = compares()
    names = [settings.silver_table(table) for table in settings.tables]
    for table, name in zip(settings.tables, names, strict=True):
        # Without --replace: a tag that somebody was shown stays what it was. Six years, as HIPAA has it.
        words = ("tag", "create", name, TAG, "--owner", "audit", "--keep-for", "2192d", "--reason", "month audit")
        command(settings, f"tag_{table}", *words, minutes=15, pool=table_pool(table)) >> gate
    report = ("--report", f"{reports}/{TAG}.json") if reports else ()
    gate >> command(
        settings,
        "audit",
        *("audit", *names, "--from", TAG_BEFORE, "--to", TAG, *report),
        minutes=240,
        pool="default_pool",
    )
