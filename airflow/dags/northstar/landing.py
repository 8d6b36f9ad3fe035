"""Which facility groups have landed for a backfill."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

MOST_GROUPS = 500


def groups(landing: str, connection: str, chosen: list[str] | None) -> list[str]:
    """The groups to load: those that were chosen, else all of `LANDING/backfill/TABLE/GROUP`.

    # Errors
    `ValueError` if there are none, or more than a run may have.
    """
    found = sorted(set(chosen or listed(landing, connection)))
    if not found:
        raise ValueError("no facility group has landed: there is no folder LANDING/backfill/TABLE/GROUP")
    if len(found) > MOST_GROUPS:
        raise ValueError(f"{len(found)} facility groups are more than {MOST_GROUPS}: choose some in the form")
    return found


def listed(landing: str, connection: str) -> list[str]:
    """The names of folders below the tables' folders, in a bucket or on this machine."""
    if not landing.startswith("s3://"):
        return [path.name for path in Path(landing, "backfill").glob("*/*") if path.is_dir()]
    place = urlsplit(landing)
    hook = S3Hook(aws_conn_id=connection)

    def folders(prefix: str) -> list[str]:
        return hook.list_prefixes(bucket_name=place.netloc, prefix=prefix, delimiter="/")

    tables = folders(f"{place.path.strip('/')}/backfill/".lstrip("/"))
    return [group.rstrip("/").rsplit("/", 1)[-1] for table in tables for group in folders(table)]
