"""What all DAGs have in common: defaults, alerts, the pool and the asset of a table."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk import Asset

from northstar.client_token import client_token
from northstar.settings import Settings

# The loads of a day, which write all bronze tables.
BRONZE_POOL = "northstar_bronze"
# Appends of different files do not get in each other's way, so a backfill has several slots.
BACKFILL_POOL = "northstar_backfill"

# The day that a run is about: what the form says, else the day of the run.
DAY = "{{ params.day or (logical_date or dag_run.run_after).strftime('%Y-%m-%d') }}"


def table_pool(table: str) -> str:
    """The pool of a silver table. It has one slot, also while a task is deferred: one writer at a time."""
    return f"northstar_silver_{table}"


def table_asset(settings: Settings, table: str) -> Asset:
    """The asset that is updated when a day of a table is in, merged and reconciled."""
    name = settings.silver_table(table)
    return Asset(name=name, uri=f"northstar://{settings.silver}/{table}")


def dag_arguments(settings: Settings) -> dict[str, Any]:
    """Arguments of each DAG."""
    return {
        "max_active_runs": 1,
        "catchup": False,
        "tags": ["northstar"],
        "user_defined_macros": {"client_token": client_token},
        "default_args": {"owner": "northstar", "on_failure_callback": alerts(settings)},
    }


def alerts(settings: Settings) -> list[SnsNotifier]:
    """Who is told of a task that failed for good: a topic of SNS, or nobody.

    The message names the task and its run. What went wrong stands in the logs: it may name what is in a
    table, and a topic has many readers.
    """
    if not settings.alerts_topic:
        return []
    return [
        SnsNotifier(
            aws_conn_id=settings.connection,
            target_arn=settings.alerts_topic,
            subject="northstar: a task failed",
            message="{{ ti.dag_id }} / {{ ti.task_id }} of {{ run_id }} failed at try {{ ti.try_number }}",
        )
    ]
