"""A command of northstar as a job run on EMR Serverless, by the operator of Airflow's Amazon provider."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator

from northstar.settings import Settings

# A run that takes too long is ended by EMR Serverless, before Airflow would give up on it.
SLACK_MINUTES = 15


def driver(settings: Settings, *words: str) -> dict[str, Any]:
    """The job driver that runs a command: the launcher, and the words of the command."""
    return {
        "sparkSubmit": {
            "entryPoint": settings.entry_point,
            "entryPointArguments": [*settings.options, *words],
            "sparkSubmitParameters": settings.spark_submit_parameters,
        }
    }


def operator_arguments(settings: Settings, *, minutes: int, pool: str) -> dict[str, Any]:
    """The arguments of an operator for a command that takes at most `minutes` once it runs."""
    wait_seconds = (settings.queue_minutes + minutes + SLACK_MINUTES) * 60
    arguments: dict[str, Any] = {
        "application_id": settings.application_id,
        "execution_role_arn": settings.role_arn,
        # Without a name the operator makes one up, and a repeated request would no longer be the same.
        "name": "{{ ti.dag_id }}.{{ ti.task_id }}",
        "config": {
            "clientToken": "{{ client_token(ti) }}",
            "executionTimeoutMinutes": minutes,
            "tags": {"airflow-dag": "{{ ti.dag_id }}", "airflow-task": "{{ ti.task_id }}"},
        },
        "waiter_delay": settings.poll_seconds,
        "waiter_max_attempts": math.ceil(wait_seconds / settings.poll_seconds),
        "deferrable": settings.deferrable,
        "cancel_on_kill": True,
        "aws_conn_id": settings.connection,
        "pool": pool,
        "retries": settings.retries,
        "retry_delay": timedelta(seconds=settings.retry_seconds),
    }
    if settings.monitoring:
        arguments["configuration_overrides"] = {"monitoringConfiguration": settings.monitoring}
    return arguments


def command(
    settings: Settings, task_id: str, *words: str, minutes: int, pool: str, **more: Any
) -> EmrServerlessStartJobOperator:
    """A task that runs a command of northstar."""
    arguments = operator_arguments(settings, minutes=minutes, pool=pool)
    return EmrServerlessStartJobOperator(
        task_id=task_id, job_driver=driver(settings, *words), **{**arguments, **more}
    )
