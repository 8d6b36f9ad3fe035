"""Spark with Iceberg in a process of its own, told what to do by lines of JSON.

    python spark_worker.py --warehouse DIR --jars DIR

Each line is an object with `do` and what that needs; each answer is a line `{"answer": …}` or
`{"error": "…"}`. Standard output is for answers alone. Spark starts once and serves all checks,
because a start costs some ten seconds. Ends when the input ends.
"""

import argparse
import json
import os
import sys

import equality_deletes
import pyarrow as pa
from spark_session import start


class Worker:
    """One Spark; its session is replaced when the catalog was written to by others."""

    def __init__(self, warehouse, jars):
        self.session = start(warehouse, jars)
        self.beside = {}

    def fresh(self):
        """A new view of the catalog: an open one keeps what it has read of the SQLite file, and locks it."""
        manager = self.session._jsparkSession.sessionState().catalogManager()
        manager.catalog("default").icebergCatalog().close()
        self.session = self.session.newSession()

    def run(self, statements):
        for statement in statements:
            self.session.sql(statement)

    def catalog(self, name, folder):
        """A catalog of Spark's own in a folder; the statements in it name tables without it."""
        session = self.session.newSession()
        key = f"spark.sql.catalog.{name}"
        session.conf.set(key, "org.apache.iceberg.spark.SparkCatalog")
        session.conf.set(f"{key}.type", "hadoop")
        session.conf.set(f"{key}.warehouse", f"file://{folder}")
        session.conf.set(f"{key}.cache-enabled", "false")
        session.sql(f"SET CATALOG {name}")
        self.beside[name] = session

    def replace(self, catalog, table, columns, properties, given):
        """Makes a table of such a catalog anew, with the rows of an Arrow file."""
        session = self.beside[catalog]
        session.sql(f"CREATE NAMESPACE IF NOT EXISTS {table.split('.')[0]}")
        session.sql(f"DROP TABLE IF EXISTS {table} PURGE")
        said = ", ".join(f"`{name}` {kind}" for name, kind in columns)
        values = ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())
        session.sql(f"CREATE TABLE {table} ({said}) USING iceberg TBLPROPERTIES ({values})")
        with pa.OSFile(given, "rb") as file:
            rows = pa.ipc.open_file(file).read_all()
        if rows.num_rows:
            session.createDataFrame(rows).createOrReplaceTempView("given")
            casts = ", ".join(f"CAST(`{name}` AS {kind})" for name, kind in columns)
            session.sql(f"INSERT INTO {table} SELECT {casts} FROM given")

    def change(self, catalog, statement):
        self.beside[catalog].sql(statement)

    def read(self, metadata, into, snapshot=None, where=None):
        """Writes the rows that Spark reads from a metadata file into an Arrow file."""
        reader = self.session.read.format("iceberg")
        if snapshot is not None:
            reader = reader.option("snapshot-id", snapshot)
        found = reader.load(metadata)
        found = (found if where is None else found.where(where)).toArrow()
        with pa.OSFile(into, "wb") as file, pa.ipc.new_file(file, found.schema) as writer:
            writer.write_table(found)

    def delete_equal(self, table, columns, values):
        """Commits an equality delete through Iceberg's own Java writers."""
        return equality_deletes.commit(self.session, table, columns, values)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--jars", required=True)
    arguments = parser.parse_args()
    # What the JVM prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(arguments.warehouse, arguments.jars)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = {"answer": getattr(worker, order.pop("do"))(**order)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    worker.session.stop()


if __name__ == "__main__":
    main()
