"""Settings of the DAGs: the Airflow Variable `northstar`, a JSON object.

docs/airflow.md has the table of them. A key that is not known is an error, so that a misspelt one is not
taken for its default.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from airflow.sdk import Variable

VARIABLE = "northstar"
TABLES = ("patient", "encounter", "diagnosis", "procedure", "medication", "lab_result", "charge")
# The program takes its memory from the overhead, beside Spark's own: 30 GB in all on 4 vCPU.
DRIVER = (
    "--conf spark.driver.cores=4 --conf spark.driver.memory=2g --conf spark.driver.memoryOverhead=28g "
    "--conf spark.dynamicAllocation.enabled=false --conf spark.executor.instances=1"
)
# Where a table's facility and day are not those that the program takes: `facility_id`, the time partition.
TABLE_OPTIONS = {
    "patient": ["--facility-column", "home_facility_id", "--time-column", "updated_at"],
    "diagnosis": ["--time-column", "recorded_at"],
    "procedure": ["--time-column", "performed_at"],
    "medication": ["--time-column", "started_at"],
}


@dataclass(frozen=True)
class Settings:
    """What the DAGs are told about the place that they run in."""

    application_id: str
    role_arn: str
    entry_point: str
    landing: str
    tables: tuple[str, ...] = TABLES
    options: tuple[str, ...] = ()
    backfill_options: tuple[str, ...] = ()
    table_options: dict[str, list[str]] = field(default_factory=lambda: TABLE_OPTIONS)
    bronze: str = "bronze"
    silver: str = "silver"
    reports: str = ""
    spark_submit_parameters: str = DRIVER
    monitoring: dict | None = None
    connection: str = "aws_default"
    deferrable: bool = True
    poll_seconds: int = 30
    queue_minutes: int = 360
    retries: int = 2
    retry_seconds: int = 300
    reconcile: bool = True
    alerts_topic: str = ""
    catch_up_from: str = ""

    def silver_table(self, table: str) -> str:
        return f"{self.silver}.{table}"

    def options_of(self, table: str) -> list[str]:
        """Options of commands that look at a table by facility and day."""
        return self.table_options.get(table, [])


def read() -> Settings:
    """The settings as the Variable has them.

    # Errors
    `ValueError` for a Variable that lacks a setting, or has one that is not known. Airflow shows it as the
    import error of the DAG.
    """
    given = Variable.get(VARIABLE, default={}, deserialize_json=True)
    known = {one.name for one in fields(Settings)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"the Airflow Variable `{VARIABLE}` has settings that are not known: {', '.join(unknown)}")
    needed = ("application_id", "role_arn", "entry_point", "landing")
    missing = [name for name in needed if not given.get(name)]
    if missing:
        raise ValueError(f"set {', '.join(missing)} in the Airflow Variable `{VARIABLE}`; see docs/airflow.md")
    lists = {name: tuple(given[name]) for name in ("tables", "options", "backfill_options") if name in given}
    landing = given["landing"].rstrip("/")
    return Settings(**{**given, **lists, "landing": landing})
