"""A command that fails."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG
from northstar.dag import dag_arguments
from northstar.emr import command
from northstar.settings import read

settings = read()

with DAG(
    "trial_fails",
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=timezone.utc),
    **dag_arguments(settings),
):
    command(settings, "fails", "sql", "SELECT * FROM silver.none", minutes=5, pool="default_pool", retries=0)
