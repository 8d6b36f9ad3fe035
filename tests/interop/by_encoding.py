"""Tables of northstar's whose numbers, dates and times are written as differences, if the table allows it.

All engines read them after each step, with position deletes too, and by filters. The differences wrap around
at the ends of both kinds of integers, there are NULLs, and files have many pages.
"""

import pathlib

import pyarrow.parquet as parquet
import rows
from each_action import MODES, prove, summary

COLUMNS = "id BIGINT, small INT, taken TIMESTAMP, seen TIMESTAMPTZ, day DATE, site STRING"
AS_DIFFERENCES = ("id", "small", "taken", "seen", "day")
ENDS = (
    "CASE value % 3000 WHEN 2000 THEN CAST({0} AS BIGINT) WHEN 2001 THEN -{0} - 1 "
    "WHEN 2002 THEN 0 ELSE {1} END"
)
ROWS = f"""
    SELECT {ENDS.format(2**63 - 1, "value * value / 7 + value")},
        CASE WHEN value % 11 > 0 THEN {ENDS.format(2**31 - 1, "value * 3")} END,
        CASE WHEN value % 13 > 0 THEN
            CAST(to_timestamp_micros(1700000000000000 + value * 61000123) AS TIMESTAMP) END,
        CASE WHEN value % 17 > 0 THEN to_timestamp_micros(1700000000000000 - value * 3600000001) END,
        CASE WHEN value % 19 > 0 THEN CAST(to_timestamp_micros(value * 86400000000) AS DATE) END,
        concat('s', value % 3)
    FROM generate_series({{first}}, {{last}})
"""
CONDITIONS = (
    "id = 52028",
    f"id = {2**63 - 1}",
    "id > 100000 AND id <= 700000 AND site = 's1'",
    "small < 0 AND seen IS NOT NULL",
    "taken >= '2023-11-15T10:00:00' AND taken < '2023-11-15T18:30:00'",
    "day >= '1975-03-01' AND day <= '1975-04-30'",
)


def insert(name, first, last):
    return f"INSERT INTO {name} {ROWS.format(first=first, last=last)}"


def encodings(table, column):
    """How the table's files have a column encoded."""
    found = set()
    for task in table.scan().plan_files():
        path = pathlib.Path(task.file.file_path.removeprefix("file://"))
        footer = parquet.read_metadata(path)
        for group in range(footer.num_row_groups):
            place = footer.schema.names.index(column)
            found |= set(footer.row_group(group).column(place).encodings)
    return found


def filtered(lake, alike, name, when):
    for condition in CONDITIONS:
        count = alike.now(lake.table(name), f"{when}, {condition}", where=condition)
        prove(f"{name} has rows with {condition}", count > 0)


def run(lake, alike):
    for short, mode in MODES.items():
        name = f"ours.differences_{short}"
        properties = rows.modes(mode) | {
            "northstar.write.delta-encoding": "true",
            "write.parquet.page-size-bytes": "2048",
        }
        pairs = ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())
        lake.sql(
            f"CREATE TABLE {name} ({COLUMNS}) TBLPROPERTIES ({pairs})",
            insert(name, 1, 4000),
            insert(name, 4001, 6000),
        )
        for column in AS_DIFFERENCES:
            packed = "DELTA_BINARY_PACKED" in encodings(lake.table(name), column)
            prove(f"{column} of {name} is written as differences", packed)
        alike.now(lake.table(name), "as differences")
        lake.sql(
            f"DELETE FROM {name} WHERE id > 1000 AND id < 5000",
            f"UPDATE {name} SET small = -7, day = NULL WHERE id > 90000 AND id < 200000",
        )
        alike.now(lake.table(name), "as differences, changed")
        filtered(lake, alike, name, "as differences, changed")
        lake.command("maintain", "compact", name)
        prove(f"{name} was compacted", summary(lake.table(name)).operation.value == "replace")
        alike.now(lake.table(name), "as differences, put together")
