"""The engines that read a table: each returns the canonical rows, or the count, of a snapshot.

Rows may be chosen by a condition in the SQL that all engines have in common.
"""

import json
import subprocess

from canonical import canonical, columns_of
from pyiceberg.types import DoubleType, FloatType

FLOATING = (DoubleType, FloatType)


class PyIceberg:
    """The reference reader, on the catalog itself."""

    name = "pyiceberg"

    def rows(self, table, snapshot_id=None, where=None):
        chosen = {} if where is None else {"row_filter": where}
        found = table.scan(snapshot_id=snapshot_id, **chosen).to_arrow()
        return rows_of(schema_at(table, snapshot_id), found)

    def count(self, table, snapshot_id=None):
        # Counts rows that were read, because `scan().count()` may answer from the metadata.
        fields = (table.schema().fields[0].name,)
        if snapshot_id is not None:
            fields = ("*",)
        scan = table.scan(selected_fields=fields, snapshot_id=snapshot_id)
        return sum(batch.num_rows for batch in scan.to_arrow_batch_reader())


class DuckDb:
    """DuckDB's Iceberg extension, on the metadata file that the catalog points to."""

    name = "duckdb"

    def __init__(self):
        # Where DuckDB is not installed, the other engines still are.
        import duckdb_session

        self.connection = duckdb_session.connect(extensions=("avro", "iceberg"))
        self.connection.execute("SET TimeZone = 'UTC'")

    def scan(self, table, snapshot_id=None):
        location = table.metadata_location.replace("'", "''")
        version = "" if snapshot_id is None else f", snapshot_from_id = {snapshot_id}"
        return f"iceberg_scan('{location}'{version})"

    def rows(self, table, snapshot_id=None, where=None):
        query = f"SELECT * FROM {self.scan(table, snapshot_id)} WHERE {where or 'true'}"
        found = self.connection.execute(query).to_arrow_table()
        return rows_of(schema_at(table, snapshot_id), found)

    def count(self, table, snapshot_id=None):
        query = f"SELECT count(*) FROM {self.scan(table, snapshot_id)}"
        return self.connection.execute(query).fetchone()[0]


class Northstar:
    """The binary under test, through its JSON output."""

    name = "northstar"

    def __init__(self, binary, warehouse):
        self.command = [str(binary), "--warehouse", str(warehouse), "--output", "json", "sql"]

    def ask(self, query):
        """The records that `query` prints: one JSON object per line, or one array of objects."""
        done = subprocess.run([*self.command, query], capture_output=True, check=False)
        if done.returncode != 0:
            words = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
            raise RuntimeError(f"northstar exit code {done.returncode}: {' / '.join(words)}")
        text = done.stdout.decode()
        # Numbers stay text, so that no digit of a decimal is lost on the way.
        read = json.JSONDecoder(parse_float=str, parse_int=str).decode
        if text.lstrip().startswith("["):
            return read(text)
        # Split at line feeds alone: a string may hold the other line ends of Unicode.
        return [read(line) for line in text.split("\n") if line.strip()]

    def rows(self, table, snapshot_id=None, where=None):
        fields = schema_at(table, snapshot_id).fields
        known = {field.name for field in fields}
        rows = []
        # JSON has no NaN, so doubles are asked for as text.
        names = [quoted_name(f.name) for f in fields]
        asked = [
            f"CAST({n} AS VARCHAR) AS {n}" if isinstance(f.field_type, FLOATING) else n
            for f, n in zip(fields, names, strict=True)
        ]
        version = "" if snapshot_id is None else f" VERSION AS OF {snapshot_id}"
        chosen = "" if where is None else f" WHERE {where}"
        for record in self.ask(f"SELECT {', '.join(asked)} FROM {quoted(table)}{version}{chosen}"):
            if not record.keys() <= known:
                raise RuntimeError("northstar prints a column that the schema does not have")
            rows.append(tuple(canonical(f.field_type, record.get(f.name)) for f in fields))
        return rows

    def count(self, table, snapshot_id=None):
        version = "" if snapshot_id is None else f" VERSION AS OF {snapshot_id}"
        (record,) = self.ask(f"SELECT count(*) AS n FROM {quoted(table)}{version}")
        return int(record["n"])


def schema_at(table, snapshot_id=None):
    """The columns that a snapshot was written with; without one, those of now."""
    if snapshot_id is None:
        return table.schema()
    return table.schemas()[table.snapshot_by_id(snapshot_id).schema_id]


def rows_of(schema, found):
    """The canonical rows of an Arrow table."""
    return list(zip(*columns_of(schema, found), strict=True))


def quoted(table):
    """The table's name in SQL."""
    return ".".join(quoted_name(part) for part in table.name())


def quoted_name(name):
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
