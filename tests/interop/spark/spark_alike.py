"""Spark with Iceberg and northstar read and change each other's tables, and agree row for row.

    python spark_alike.py --northstar BINARY --warehouse DIR --jars DIR

Reads every table of the warehouse with both; then Spark makes tables of each partition transform,
with position deletes, and with changed schemas and specs, northstar reads them, merges into them,
and both read them again. Exits with 1 at the first difference, naming table, column and row number,
never a value. Ends with the number of comparisons.
"""

import argparse
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from compare import difference
from engines import Northstar
from pyiceberg.catalog.sql import SqlCatalog
from read_alike import tables
from spark_session import Spark, start

SPECS = {
    "plain": "",
    "by_identity": "PARTITIONED BY (site)",
    "by_bucket": "PARTITIONED BY (bucket(4, id))",
    "by_truncate": "PARTITIONED BY (truncate(2, site))",
    "by_year": "PARTITIONED BY (years(at))",
    "by_month": "PARTITIONED BY (site, months(at))",
    "by_day": "PARTITIONED BY (days(day))",
    "by_hour": "PARTITIONED BY (hours(at))",
}

COLUMNS = (
    "id BIGINT, site STRING, at TIMESTAMP_NTZ, seen TIMESTAMP_LTZ, day DATE, amount DECIMAL(12, 2), "
    "score DOUBLE, small INT, ok BOOLEAN, raw BINARY"
)

ROWS = """
    SELECT id, CASE WHEN id % 7 = 0 THEN NULL WHEN id % 5 = 0 THEN 'a/b =%é😀' ELSE concat('s', id % 3) END,
        timestamp_ntz '2024-01-30 22:30:00' + make_interval(0, 0, 0, id, id % 24),
        timestamp '2024-01-30 22:30:00Z' - make_interval(0, 0, 0, id * 40),
        date '1969-12-28' + CAST(id AS INT), CAST(id - 20 AS DECIMAL(12, 2)) / 3,
        CASE id % 6 WHEN 0 THEN double('NaN') WHEN 1 THEN -0.0D WHEN 2 THEN NULL ELSE id / 7.0D END,
        CAST(id AS INT), id % 2 = 0, CAST(concat('x', id) AS BINARY)
    FROM range({first}, {last})
"""

MERGE = """
    MERGE INTO theirs.{name} AS t
    USING (SELECT id + 0 AS id, site, amount FROM theirs.{name} WHERE id BETWEEN 10 AND 16
           UNION ALL SELECT 1000, 'new', 1.5) AS s ON t.id = s.id
    WHEN MATCHED AND s.id = 12 THEN DELETE
    WHEN MATCHED THEN UPDATE SET site = 'moved', amount = t.amount + 1
    WHEN NOT MATCHED THEN INSERT (id, site, amount) VALUES (s.id, s.site, s.amount)
"""


class Alike:
    """Both engines over one catalog."""

    def __init__(self, northstar, warehouse, jars):
        self.binary, self.warehouse = northstar, pathlib.Path(warehouse).resolve()
        self.jars = jars
        self.restart()
        self.ours = Northstar(northstar, self.warehouse)
        self.catalog = SqlCatalog("default", uri=f"sqlite:///{self.warehouse / 'catalog.db'}")
        self.compared = 0

    def restart(self):
        """A new session: one that is open keeps what it has read of the catalog's SQLite file."""
        if hasattr(self, "spark"):
            self.spark.stop()
        self.spark = start(self.warehouse, self.jars)
        self.theirs = Spark(self.spark)

    def compare(self, table, when):
        name = ".".join(table.name())
        wanted, found = self.theirs.rows(table), self.ours.rows(table)
        names = [field.name for field in table.schema().fields]
        if what := difference(names, wanted, found):
            sys.exit(f"{name} {when}: spark and northstar differ: {what}")
        self.compared += 1
        return len(wanted)

    def table(self, name):
        return self.catalog.load_table(("theirs", name))

    def merge(self, name):
        command = [self.binary, "--warehouse", str(self.warehouse), "sql", MERGE.format(name=name)]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"theirs.{name}: northstar does not merge: {done.stderr.strip()[-300:]}")

    def reads(self):
        """Every table that is there."""
        for table in tables(self.catalog):
            self.compare(table, "as it is")

    def writes(self, name, spec, mode):
        """A table of Spark's, written and changed by Spark."""
        modes = ", ".join(f"'write.{verb}.mode' = '{mode}'" for verb in ("merge", "update", "delete"))
        full = f"default.theirs.{name}"
        self.spark.sql(f"CREATE TABLE {full} ({COLUMNS}) USING iceberg {spec} TBLPROPERTIES ({modes})")
        self.spark.sql(f"INSERT INTO {full} {ROWS.format(first=0, last=30)}")
        self.spark.sql(f"INSERT INTO {full} {ROWS.format(first=30, last=50)}")
        self.compare(self.table(name), "as Spark wrote it")
        self.spark.sql(f"DELETE FROM {full} WHERE id % 10 = 3")
        self.spark.sql(f"UPDATE {full} SET score = 1.5 WHERE id IN (7, 8, 41)")
        self.compare(self.table(name), "after Spark changed it")

    def evolves(self):
        """A table whose schema and spec Spark changes between writes."""
        full = "default.theirs.evolved"
        self.spark.sql(f"CREATE TABLE {full} ({COLUMNS}) USING iceberg PARTITIONED BY (site)")
        self.spark.sql(f"INSERT INTO {full} {ROWS.format(first=0, last=50)}")
        for change in (
            "RENAME COLUMN score TO mark",
            "ADD COLUMN score STRING",
            "ALTER COLUMN small TYPE BIGINT",
            "ALTER COLUMN amount TYPE DECIMAL(20, 2)",
            "DROP COLUMN ok",
            "ALTER COLUMN day FIRST",
            "ADD PARTITION FIELD bucket(4, id)",
            "DROP PARTITION FIELD site",
        ):
            self.spark.sql(f"ALTER TABLE {full} {change}")
        self.compare(self.table("evolved"), "after its schema changed")
        self.spark.sql(
            f"INSERT INTO {full} SELECT day, id + 100, site, at, seen, amount, mark, small, raw, 'x' "
            f"FROM {full}"
        )
        self.spark.sql(f"DELETE FROM {full} WHERE id >= 145 OR id IN (40, 41, 42, 43, 44)")
        self.compare(self.table("evolved"), "after it was written to again")

    def merged(self, names):
        """Tables of Spark's, merged into by northstar, then changed by Spark again."""
        for name in names:
            self.merge(name)
        self.restart()
        for name in names:
            before = self.compare(self.table(name), "after northstar merged into it")
            self.spark.sql(f"DELETE FROM default.theirs.{name} WHERE id = 11")
            after = self.compare(self.table(name), "after Spark changed it again")
            if after != before - 1:
                sys.exit(f"theirs.{name} has {after} rows, not {before - 1}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--northstar", required=True)
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--jars", required=True)
    arguments = parser.parse_args()
    alike = Alike(arguments.northstar, arguments.warehouse, arguments.jars)
    alike.reads()
    alike.spark.sql("CREATE NAMESPACE default.theirs")
    for number, (name, spec) in enumerate(SPECS.items()):
        alike.writes(name, spec, "merge-on-read" if number % 2 == 0 else "copy-on-write")
    alike.evolves()
    alike.merged([*SPECS, "evolved"])
    alike.spark.stop()
    print(f"{alike.compared} tables alike, 0 differ")


if __name__ == "__main__":
    main()
