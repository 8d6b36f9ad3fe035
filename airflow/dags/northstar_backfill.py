"""The legacy extracts, a task for each facility group that has landed, at most 500 of them.

A task that is tried again, or a run that is started again, goes on where the last one stopped.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator
from airflow.sdk import DAG, Param, task

from northstar import landing
from northstar.dag import BACKFILL_POOL, dag_arguments
from northstar.emr import driver, operator_arguments
from northstar.settings import read

settings = read()


@task(task_id="groups")
def list_groups(params: dict) -> list[str]:
    return landing.groups(settings.landing, settings.connection, params["groups"])


def backfill(group: str) -> dict:
    words = ("backfill", "run", "--from", f"{settings.landing}/backfill", "--into", settings.bronze)
    made = driver(settings, *words, "--contract", f"{settings.landing}/tables.toml", "--group", group)
    # Options of the launcher stand before the command: `--mode fanout` has Spark's tasks do it.
    made["sparkSubmit"]["entryPointArguments"][:0] = settings.backfill_options
    return made


with DAG(
    "northstar_backfill",
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    params={
        "groups": Param(
            None,
            type=["null", "array"],
            title="Facility groups",
            description="One a line; empty: all folders LANDING/backfill/TABLE/GROUP",
        )
    },
    **dag_arguments(settings),
):
    EmrServerlessStartJobOperator.partial(
        task_id="backfill",
        map_index_template="{{ task.job_driver['sparkSubmit']['entryPointArguments'][-1] }}",
        **operator_arguments(settings, minutes=720, pool=BACKFILL_POOL),
    ).expand(job_driver=list_groups().map(backfill))
