"""ClickHouse, as the library chDB, as one of the engines of `engines.py`.

It is given the table's folder and the metadata file that the catalog points to; left to itself it
takes the newest metadata file of the folder, which after a rollback or a lost race need not be that.
"""

import contextlib
import re

import pyarrow as pa
from engines import rows_of, schema_at

# Text and binary are one type in ClickHouse: as text, Arrow would refuse bytes that are not UTF-8.
SETTINGS = {"output_format_arrow_string_as_string": 0, "session_timezone": "'UTC'"}


class ClickHouse:
    """ClickHouse's table function for Iceberg tables in local folders."""

    name = "clickhouse"

    def __init__(self):
        # Where chDB is not installed, the other engines still are.
        from chdb import session

        self.session = session.Session()

    def ask(self, columns, table, snapshot_id=None, where=None):
        """`SELECT columns FROM table` as an Arrow table."""
        folder, pointer = (
            re.sub("^file:/+", "/", place).replace("'", "\\'")
            for place in (table.location(), table.metadata_location)
        )
        settings = SETTINGS | ({"iceberg_snapshot_id": snapshot_id} if snapshot_id else {})
        query = (
            f"SELECT {columns} FROM icebergLocal('{folder}', "
            f"SETTINGS iceberg_metadata_file_path = '{pointer}')"
            + (f" WHERE {where}" if where else "")
            + " SETTINGS "
            + ", ".join(f"{name} = {value}" for name, value in settings.items())
        )
        try:
            # Only tables under the folder that is worked in are read.
            with contextlib.chdir("/"):
                answer = self.session.query(query, "Arrow").bytes()
        except RuntimeError:
            # chDB 26.9.2 answers nothing at all to the first query after one that failed.
            self.session.query("SELECT 1", "Arrow")
            raise
        return pa.ipc.open_file(answer).read_all()

    def rows(self, table, snapshot_id=None, where=None):
        return rows_of(schema_at(table, snapshot_id), self.ask("*", table, snapshot_id, where))

    def count(self, table, snapshot_id=None):
        return self.ask("count() AS n", table, snapshot_id)["n"][0].as_py()
