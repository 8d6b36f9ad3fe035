"""Clients of the Iceberg REST protocol, unmodified, against `northstar serve`: PyIceberg, DuckDB and Spark
make tables, write, change and drop; after each, all of them and northstar read the same rows. Then they
write to one table in turn, and at once.

    python rest_clients.py PATH_OF_NORTHSTAR [--spark-python PYTHON --jars DIR]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb_session
import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import (
    BadRequestError,
    CommitFailedException,
    NamespaceNotEmptyError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.types import LongType

SPARK = Path(__file__).parent / "spark" / "spark_rest.py"
COLUMNS = pa.schema([("id", pa.int64()), ("name", pa.string()), ("amount", pa.decimal128(10, 2))])


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise SystemExit(f"{what}: found {found}, expected {wanted}")


def expect_error(what: str, kind: type[Exception], call, says: str = "") -> None:
    try:
        call()
    except kind as error:
        if says not in str(error):
            raise SystemExit(f"{what}: the error does not say `{says}`: {error}") from error
        return
    raise SystemExit(f"{what}: no {kind.__name__}")


@contextlib.contextmanager
def serving(binary: str, warehouse: Path):
    """The URL of a server over a warehouse."""
    command = [binary, "--warehouse", str(warehouse), "serve", "--listen", "127.0.0.1:0", "--anonymous"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        if not line.startswith("listening on "):
            raise SystemExit(f"the server did not start: {line}")
        yield line.split()[2]
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


class Spark:
    """Spark in a process of its own."""

    def __init__(self, python: str, jars: str, uri: str):
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, SPARK, "--uri", uri, "--jars", jars],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"},
        )

    def sql(self, statement: str) -> list[tuple]:
        print(json.dumps(statement), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise SystemExit(f"Spark ended: {self.log.read().decode(errors='replace')[-2000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"][:800])
        return [tuple(row) for row in answer["rows"]]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Readers:
    """Whoever reads the lake."""

    def __init__(self, binary: str, warehouse: Path, url: str, spark: Spark | None):
        self.binary, self.warehouse, self.spark = binary, warehouse, spark
        self.iceberg = RestCatalog("lake", uri=url)
        self.duck = duckdb_session.connect()
        self.duck.execute(
            f"ATTACH 'lake' AS lake (TYPE iceberg, ENDPOINT '{url}', AUTHORIZATION_TYPE 'none')"
        )

    def northstar(self, *arguments: str) -> str:
        command = [self.binary, "--warehouse", str(self.warehouse), *arguments]
        done = subprocess.run(command, text=True, capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"northstar {arguments}: {done.stderr}")
        return done.stdout

    def alike(self, what: str, table: str, wanted: list[tuple], by_duckdb: bool = True) -> None:
        """All read these rows of `(id, name, amount)`, as text."""
        query = f"SELECT CAST(id AS VARCHAR) AS a, name AS b, CAST(amount AS VARCHAR) AS c FROM {table} ORDER BY id"
        lines = self.northstar("--output", "json", "sql", query).splitlines()
        ours = [tuple(json.loads(line).values()) for line in lines]
        expect(f"{what}: northstar reads {table}", ours, wanted)
        rows = self.iceberg.load_table(table).scan().to_arrow().sort_by("id").to_pylist()
        text = [tuple(None if row[c] is None else str(row[c]) for c in COLUMNS.names) for row in rows]
        expect(f"{what}: PyIceberg reads {table}", text, wanted)
        if by_duckdb:
            query = f"SELECT id::VARCHAR AS a, name, amount::VARCHAR AS c FROM lake.{table} ORDER BY id"
            found = self.duck.execute(query).fetchall()
            expect(f"{what}: DuckDB reads {table}", found, wanted)
        if self.spark:
            found = self.spark.sql(f"SELECT id, name, amount FROM {table} ORDER BY id")
            expect(f"{what}: Spark reads {table}", found, wanted)


def rows(*values: tuple) -> pa.Table:
    return pa.table([pa.array(column, kind) for column, kind in zip(zip(*values), COLUMNS.types)], schema=COLUMNS)


def dec(text: str):
    return pa.scalar(text).cast(pa.decimal128(10, 2)).as_py()


def by_pyiceberg(readers: Readers) -> None:
    catalog = readers.iceberg
    catalog.create_namespace("py", {"owner": "lab"})
    summary = catalog.update_namespace_properties("py", {"owner"}, {"comment": "results"})
    expect("properties", (summary.removed, summary.updated), (["owner"], ["comment"]))
    expect("properties", catalog.load_namespace_properties("py"), {"comment": "results"})
    table = catalog.create_table("py.t", COLUMNS, properties={"note": "kept"})
    table.append(rows((1, "a", dec("1.50")), (2, "b", None), (3, None, dec("3.00"))))
    table.overwrite(rows((1, "A", dec("1.75"))), overwrite_filter="id == 1")
    table.delete("id == 2")
    readers.alike("PyIceberg", "py.t", [("1", "A", "1.75"), ("3", None, "3.00")])
    with table.update_schema() as update:
        update.rename_column("name", "label").add_column("extra", LongType())
    with table.update_schema() as update:
        update.rename_column("label", "name").delete_column("extra")
    with table.update_spec() as update:
        update.add_identity("name")
    table.append(rows((4, "d", dec("4.00"))))
    with table.manage_snapshots() as refs:
        refs.create_tag(table.current_snapshot().snapshot_id, "close")
    with table.transaction() as changes:
        changes.set_properties(owner="lab")
    expect("properties", table.properties["note"], "kept")
    wanted = [("1", "A", "1.75"), ("3", None, "3.00"), ("4", "d", "4.00")]
    readers.alike("PyIceberg, evolved", "py.t", wanted)
    with catalog.create_table_transaction("py.made", COLUMNS) as made:
        made.append(rows((7, "g", dec("7.00"))))
    catalog.rename_table("py.made", "py.moved")
    expect("names", (catalog.table_exists("py.made"), catalog.table_exists("py.moved")), (False, True))
    readers.alike("PyIceberg, renamed", "py.moved", [("7", "g", "7.00")])
    location = catalog.load_table("py.moved").metadata_location
    register = lambda name: catalog.register_table(name, location)  # noqa: E731
    expect_error("two names for one table", BadRequestError, lambda: register("py.twice"), "py.moved")
    catalog.purge_table("py.moved")
    expect_error("a dropped table", NoSuchTableError, lambda: catalog.load_table("py.moved"))
    register("py.back")
    readers.alike("PyIceberg, registered again", "py.back", [("7", "g", "7.00")])
    again = lambda: catalog.create_table("py.t", COLUMNS)  # noqa: E731
    expect_error("a name that is taken", TableAlreadyExistsError, again)
    expect_error("a full namespace", NamespaceNotEmptyError, lambda: catalog.drop_namespace("py"))
    expect_error("two levels", BadRequestError, lambda: catalog.create_namespace(("py", "deep")), "one level")
    elsewhere = lambda: catalog.create_table("py.out", COLUMNS, location="file:///tmp/elsewhere/t")  # noqa: E731
    expect_error("a location elsewhere", BadRequestError, elsewhere, "not in the warehouse")


def by_duckdb(readers: Readers) -> None:
    duck = readers.duck.execute
    duck("CREATE SCHEMA lake.duck")
    duck("CREATE TABLE lake.duck.t (id BIGINT, name VARCHAR, amount DECIMAL(10,2))")
    duck("INSERT INTO lake.duck.t VALUES (1, 'a', 1.5), (2, 'b', NULL), (3, NULL, 3)")
    duck("UPDATE lake.duck.t SET name = 'B' WHERE id = 2")
    duck("DELETE FROM lake.duck.t WHERE id = 3")
    duck(
        "MERGE INTO lake.duck.t USING (SELECT 1 AS id, 'm' AS name UNION ALL SELECT 4, 'new') s "
        "ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name "
        "WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)"
    )
    wanted = [("1", "m", "1.50"), ("2", "B", None), ("4", "new", None)]
    readers.alike("DuckDB", "duck.t", wanted)
    duck("CREATE TABLE lake.duck.made AS SELECT * FROM lake.duck.t WHERE id < 3")
    readers.alike("DuckDB, of a query", "duck.made", wanted[:2])
    duck("BEGIN")
    duck("INSERT INTO lake.duck.t VALUES (5, 'both', 5)")
    duck("INSERT INTO lake.duck.made VALUES (5, 'both', 5)")
    duck("COMMIT")
    readers.alike("DuckDB, two tables", "duck.t", [*wanted, ("5", "both", "5.00")])
    readers.alike("DuckDB, two tables", "duck.made", [*wanted[:2], ("5", "both", "5.00")])
    duck("BEGIN")
    duck("INSERT INTO lake.duck.t VALUES (6, 'no', 6)")
    duck("ROLLBACK")
    readers.alike("DuckDB, rolled back", "duck.t", [*wanted, ("5", "both", "5.00")])
    duck("ALTER TABLE lake.duck.made ADD COLUMN extra INTEGER")
    duck("CREATE TABLE lake.duck.parts (id BIGINT, name VARCHAR, amount DECIMAL(10,2)) PARTITIONED BY (bucket(4, id))")
    duck("INSERT INTO lake.duck.parts SELECT i, 'n' || i, i FROM range(3) r(i)")
    readers.alike("DuckDB, partitioned", "duck.parts", [(str(i), f"n{i}", f"{i}.00") for i in range(3)])
    duck("DROP TABLE lake.duck.made")
    expect("tables", readers.iceberg.list_tables("duck"), [("duck", "parts"), ("duck", "t")])


def by_spark(readers: Readers) -> None:
    spark = readers.spark.sql
    spark("CREATE NAMESPACE sp COMMENT 'of spark'")
    spark(
        "CREATE TABLE sp.t (id BIGINT NOT NULL, name STRING, amount DECIMAL(10,2)) USING iceberg "
        "PARTITIONED BY (bucket(4, id)) TBLPROPERTIES ('write.delete.mode'='merge-on-read')"
    )
    spark("INSERT INTO sp.t VALUES (1, 'a', 1.5), (2, 'b', NULL), (3, NULL, 3)")
    spark("UPDATE sp.t SET name = 'B' WHERE id = 2")
    spark("DELETE FROM sp.t WHERE id = 3")
    spark(
        "MERGE INTO sp.t t USING (SELECT 1L AS id, 'm' AS name UNION ALL SELECT 4L, 'new') s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)"
    )
    wanted = [("1", "m", "1.50"), ("2", "B", None), ("4", "new", None)]
    readers.alike("Spark", "sp.t", wanted)
    spark("ALTER TABLE sp.t ADD COLUMN extra INT")
    spark("ALTER TABLE sp.t ALTER COLUMN extra TYPE BIGINT")
    spark("ALTER TABLE sp.t ADD PARTITION FIELD truncate(1, name)")
    spark("ALTER TABLE sp.t WRITE ORDERED BY id")
    spark("ALTER TABLE sp.t CREATE TAG close")
    spark("ALTER TABLE sp.t CREATE BRANCH audit")
    spark("INSERT INTO sp.t.branch_audit VALUES (5, 'e', 5, 5)")
    readers.alike("Spark, a branch beside", "sp.t", wanted)
    spark("CALL system.fast_forward('sp.t', 'main', 'audit')")
    wanted.append(("5", "e", "5.00"))
    readers.alike("Spark, published", "sp.t", wanted)
    spark("CREATE TABLE sp.made USING iceberg AS SELECT id, name, amount FROM sp.t")
    readers.alike("Spark, of a query", "sp.made", wanted)
    spark("CREATE OR REPLACE TABLE sp.made USING iceberg AS SELECT id, amount AS name, amount FROM sp.t WHERE id = 1")
    expect("a replaced table", spark("SELECT * FROM sp.made"), [("1", "1.50", "1.50")])
    spark("CALL system.rewrite_data_files(table => 'sp.t', options => map('rewrite-all', 'true'))")
    spark("CALL system.rewrite_manifests('sp.t')")
    spark(
        "CALL system.expire_snapshots(table => 'sp.t', retain_last => 1, "
        "older_than => TIMESTAMP '2100-01-01 00:00:00')"
    )
    readers.alike("Spark, compacted and expired", "sp.t", wanted)
    expect("the tag holds", spark("SELECT count(*) FROM sp.t VERSION AS OF 'close'"), [("3",)])
    spark("ALTER TABLE sp.made RENAME TO sp.moved")
    spark("DROP TABLE sp.moved")
    expect("tables", readers.iceberg.list_tables("sp"), [("sp", "t")])
    upgrade = lambda: spark("ALTER TABLE sp.t SET TBLPROPERTIES ('format-version' = '3')")  # noqa: E731
    expect_error("format version 3", RuntimeError, upgrade, "format version 3 is not written")


def in_turn(readers: Readers) -> None:
    """Each writes to one table on top of the others, northstar too."""
    table = readers.iceberg.load_table("py.back")
    table.append(rows((8, "py", dec("8.00"))))
    readers.duck.execute("INSERT INTO lake.py.back VALUES (9, 'duck', 9)")
    readers.northstar("sql", "INSERT INTO py.back VALUES (10, 'northstar', CAST(10 AS DECIMAL(10,2)))")
    wanted = [("7", "g", "7.00"), ("8", "py", "8.00"), ("9", "duck", "9.00"), ("10", "northstar", "10.00")]
    if readers.spark:
        readers.spark.sql("UPDATE py.back SET name = 'spark' WHERE id = 9")
        wanted[2] = ("9", "spark", "9.00")
    readers.northstar("sql", "DELETE FROM py.back WHERE id = 7")
    readers.alike("in turn", "py.back", wanted[1:])
    # A client that read the table before the others wrote is refused, reads anew, and undoes nothing.
    table.append(rows((11, "late", None)))
    readers.alike("a late client", "py.back", [*wanted[1:], ("11", "late", None)])


def at_once(readers: Readers, url: str) -> None:
    """Clients that append at once, each until it is heard: no row is lost, none is there twice."""
    # So that it is not PyIceberg that tries again.
    readers.iceberg.create_table("py.busy", COLUMNS, properties={"commit.retry.num-retries": "0"})

    def append(client: int) -> int:
        catalog, refused = RestCatalog(f"client-{client}", uri=url), 0
        for row in range(3):
            while True:
                try:
                    catalog.load_table("py.busy").append(rows((client * 10 + row, f"c{client}", None)))
                    break
                except CommitFailedException:
                    refused += 1
        return refused

    with ThreadPoolExecutor(4) as clients:
        refused = sum(clients.map(append, range(4)))
    wanted = [(str(client * 10 + row), f"c{client}", None) for client in range(4) for row in range(3)]
    readers.alike("at once", "py.busy", wanted)
    print(f"4 clients at once, 12 appends: all there, {refused} tried again")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("northstar")
    parser.add_argument("--spark-python")
    parser.add_argument("--jars")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ending:
        warehouse = Path(folder) / "lake"
        url = ending.enter_context(serving(arguments.northstar, warehouse))
        spark = None
        if arguments.spark_python:
            spark = Spark(arguments.spark_python, arguments.jars, url)
            ending.callback(spark.close)
        readers = Readers(arguments.northstar, warehouse, url, spark)
        by_pyiceberg(readers)
        by_duckdb(readers)
        if spark:
            by_spark(readers)
        in_turn(readers)
        at_once(readers, url)
        # As AWS mounts it.
        expect("below /iceberg", RestCatalog("aws", uri=f"{url}/iceberg", warehouse="000000000000").list_namespaces()[0], ("duck",))
    print(f"rest: PyIceberg, DuckDB{' and Spark' if spark else ''} write, and all read alike")


if __name__ == "__main__":
    sys.exit(main())
