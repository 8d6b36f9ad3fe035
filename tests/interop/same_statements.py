"""The statements of `statements.json` give the same tables in northstar, DuckDB, Sail and Spark.

    python same_statements.py --northstar BINARY --spark-python PYTHON --jars DIR

After each statement PyIceberg, DuckDB and northstar read northstar's table, and the peers read their
own; all are compared row for row. Spark has each table twice, copy-on-write and merge-on-read. What a
peer does otherwise stands in `not`, and an entry that no longer holds is a failure. At the end `read_alike.py` counts every snapshot of every table. An
error names statement, table, column and row number, never a value.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import read_alike
from canonical import columns_of
from compare import difference
from engines import DuckDb as DuckDbReader
from engines import Northstar, PyIceberg
from peers import DuckDb, Sail, Spark
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
)
from spark_peer import SparkPeer

TABLES = ("lab.patient", "lab.arrival", "lab.result", "bronze.visit")
VISITS = "id,site,fee,note\n" + "".join(
    f"{n},{'nsw'[n % 3]},{n / 2:.2f},{'first' if n % 4 else ''}\n" for n in range(1, 13)
)


def schema(**columns):
    fields = enumerate(columns.items(), start=1)
    return Schema(*(NestedField(n, name, kind, required=False) for n, (name, kind) in fields))


PATIENT = schema(
    id=LongType(), name=StringType(), site=StringType(), weight=DoubleType(), visits=LongType()
)
RESULT = schema(
    patient=LongType(),
    code=StringType(),
    taken=DateType(),
    value=DecimalType(10, 2),
    final=BooleanType(),
    note=StringType(),
    seen=TimestampType(),
)


class Different(Exception):
    """A peer has another table than northstar."""


def patient(n, shift=0):
    """One synthetic row; some are NULL, NaN or zero."""
    weights = (60.5, None, float("nan"), -0.0, 0.0, 1e300, 71.25)
    name = None if n % 9 == 0 else f"name {n + shift}"
    return {
        "id": None if n == 0 else n,
        "name": name,
        "site": (None, "north", "south", "ä ö", "")[n % 5],
        "weight": weights[(n + shift) % 7],
        "visits": n % 10,
    }


def result(n):
    return {
        "patient": n % 6,
        "code": ("HB", "NA", "K")[n % 3],
        "taken": f"2024-01-{n % 28 + 1:02}",
        "value": f"{n * 7.25:.2f}" if n % 5 else None,
        "final": n % 2 == 0,
        "note": f"note {n}" if n % 4 else None,
        "seen": f"2024-01-01T10:{n:02}:00.5" if n % 3 else None,
    }


def append(table, rows):
    arrow = table.schema().as_arrow()
    columns = {}
    for field in arrow:
        values = pa.array([row[field.name] for row in rows])
        columns[field.name] = values.cast(field.type)
    table.append(pa.table(columns, schema=arrow))


def prepare(binary, folder):
    """A warehouse with three tables that PyIceberg made, in several files, and one that was loaded."""
    warehouse, source = folder / "lake", folder / "in"
    source.mkdir()
    (source / "visit.csv").write_text(VISITS, encoding="utf-8")
    load = ["load", "csv", "--from", str(source), "--into", "bronze"]
    northstar(binary, warehouse, *load)
    catalog = SqlCatalog("default", uri=f"sqlite:///{warehouse / 'catalog.db'}")
    catalog.create_namespace("lab")
    made = {}
    for name, columns in (("patient", PATIENT), ("arrival", PATIENT), ("result", RESULT)):
        place = f"file://{folder}/{name}"
        made[name] = catalog.create_table(f"lab.{name}", columns, location=place)
    with made["patient"].update_spec() as update:
        update.add_identity("site")
    for first in (0, 10, 20):
        append(made["patient"], [patient(n) for n in range(first, first + 10)])
    append(made["arrival"], [patient(n, shift=n % 2 * 2) for n in range(3, 18)])
    append(made["arrival"], [patient(n, shift=1) for n in range(30, 34)])
    append(made["result"], [result(n) for n in range(30)])
    return warehouse, catalog


def northstar(binary, warehouse, *arguments):
    command = [binary, "--warehouse", str(warehouse), *arguments]
    return subprocess.run(command, text=True, capture_output=True, check=False)


def compare(peer, table, name, rows):
    """Holds a peer's rows to northstar's, as PyIceberg reads them."""
    wanted = PyIceberg().rows(table)
    found = list(zip(*columns_of(table.schema(), rows), strict=True))
    if what := difference(table.schema().column_names, wanted, found):
        raise Different(f"{peer.name} has another {name}: {what}")


def compare_readers(readers, table, name):
    """Holds all that read northstar's table to the first of them."""
    first, *others = readers
    wanted = first.rows(table)
    for reader in others:
        if what := difference(table.schema().column_names, wanted, reader.rows(table)):
            raise Different(f"{first.name} and {reader.name} read {name} differently: {what}")


def target(sql):
    return next(word for word in sql.split() if word in TABLES)


def step(statement, catalog, readers, peers):
    """Runs one statement everywhere at once and compares the table that it changes."""
    sql, fails, left_out = statement["sql"], statement.get("fails", False), statement.get("not", {})
    name = target(sql)
    # Each peer has tables of its own, so none waits for another, or for northstar.
    with ThreadPoolExecutor() as threads:
        answers = [(peer, threads.submit(answer, peer, sql, name)) for peer in peers]
        command = [*readers[-1].command, "--whole-table", sql]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if (done.returncode != 0) != fails:
            raise Different(f"northstar ended with {done.returncode}: {done.stderr.strip()}")
        table = catalog.load_table(name)
        compare_readers(readers, table, name)
    for peer, given in answers:
        if peer.engine not in left_out:
            hold(peer, given, table, name, fails)
            continue
        try:
            hold(peer, given, table, name, fails)
        except Different:
            peer.replace(name, table.schema(), table.scan().to_arrow())
        else:
            raise Different(f"{peer.name} does the same now: take it out of `not`")


def answer(peer, sql, name):
    """Why the statement failed, if it did, and the table after it."""
    try:
        peer.run(sql)
        failed = None
    except Exception as error:  # noqa: BLE001 - each engine has its own kinds
        failed = str(error).splitlines()[0]
    return failed, peer.rows(name)


def hold(peer, given, table, name, fails):
    failed, rows = given.result()
    if (failed is not None) != fails:
        raise Different(f"{peer.name}: {failed or 'did not fail'}")
    compare(peer, table, name, rows)


def run(statements, catalog, readers, peers):
    """Runs the statements and returns how many went wrong; after one that did, the peers start anew."""
    failures = 0
    for name in TABLES:
        align(catalog, peers, name)
    for number, statement in enumerate(statements, start=1):
        try:
            step(statement, catalog, readers, peers)
        except Different as error:
            failures += 1
            print(f"statement {number}: {statement['sql']}\n  {error}", file=sys.stderr)
            align(catalog, peers, target(statement["sql"]))
    return failures


def align(catalog, peers, name):
    table = catalog.load_table(name)
    for peer in peers:
        peer.replace(name, table.schema(), table.scan().to_arrow())
        compare(peer, table, name, peer.rows(name))


def main():
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--northstar", required=True)
    parser.add_argument("--spark-python", required=True)
    parser.add_argument("--jars", required=True)
    arguments = parser.parse_args()
    binary = arguments.northstar
    path = Path(__file__).parent / "statements.json"
    statements = json.loads(path.read_text(encoding="utf-8"))["statements"]
    with tempfile.TemporaryDirectory() as folder:
        spark = SparkPeer(arguments.spark_python, arguments.jars, folder)
        modes = [Spark(spark, mode) for mode in ("copy-on-write", "merge-on-read")]
        peers = [DuckDb(), Sail(), *modes]
        warehouse, catalog = prepare(binary, Path(folder))
        readers = [PyIceberg(), DuckDbReader(), Northstar(binary, warehouse)]
        failures = run(statements, catalog, readers, peers)
        read_alike.check(warehouse / "catalog.db", readers, all_snapshots=True)
        for peer in peers:
            left_out = sum(peer.engine in statement.get("not", {}) for statement in statements)
            alike = len(statements) - left_out
            print(f"{peer.name}: {alike} statements alike, {left_out} left out")
            peer.close()
        spark.close()
    print(f"statements: {len(statements) - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
