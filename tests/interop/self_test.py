"""Proves that the comparison can fail: every column, each kind of damage, each engine's way in.

A table with all primitive types is made with PyIceberg. PyIceberg, DuckDB and ClickHouse must agree on
it, a stand-in for the binary (this file, run as a script) must agree too, and then each alteration of
one cell must be found in its column and row.
"""

import json
import math
import os
import pathlib
import stat
import sys
import tempfile
from functools import partial

ALTER = "READ_ALIKE_ALTER"


def make_table(folder):
    """A partitioned table of 300 rows in two snapshots, with nulls in every column but the id."""
    import datetime
    from decimal import Decimal

    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog

    utc = datetime.UTC
    base = datetime.datetime(2024, 2, 28, 23, 59, 59, 123456)
    odd = [float("nan"), -0.0, 0.0, float("inf"), 0.1 + 0.2, 5e-324, -1.5]
    hour = datetime.timedelta(hours=1)
    values = {
        "id": (pa.int64(), lambda n: n + 2**53),
        "small": (pa.int32(), lambda n: -n),
        "flag": (pa.bool_(), lambda n: n % 2 == 0),
        "double": (pa.float64(), lambda n: odd[n % 7] if n % 3 else n / 7),
        "single": (pa.float32(), lambda n: n / 3),
        "money": (
            pa.decimal128(38, 9),
            lambda n: Decimal(n) * Decimal("12345678901234567.000000001"),
        ),
        "day": (pa.date32(), lambda n: base.date() + n * 24 * hour),
        "local": (pa.timestamp("us"), lambda n: base - n * 997 * hour),
        "instant": (pa.timestamp("us", "UTC"), lambda n: base.replace(tzinfo=utc) + n * hour / 7),
        "text": (
            pa.string(),
            lambda n: ["", "plain", 'a "quoted", one', "two\nlines", "µ\u2028é"][n % 5],
        ),
        "raw": (pa.binary(), lambda n: bytes([n % 256, 0, 255])),
        "list": (pa.list_(pa.int64()), lambda n: [n, None, n + 1]),
        "part": (pa.string(), lambda n: "AB"[n % 2]),
    }

    def rows(numbers):
        columns = {}
        for place, (name, (kind, make)) in enumerate(values.items()):
            cells = [None if place and n % 11 == place else make(n) for n in numbers]
            columns[name] = pa.array(cells, kind)
        return pa.table(columns)

    first = rows(range(200))
    catalog = SqlCatalog(
        "default", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}"
    )
    catalog.create_namespace("check")
    table = catalog.create_table("check.all_types", first.schema)
    with table.update_spec() as update:
        update.add_identity("part")
    table.append(first)
    table.append(rows(range(200, 300)))
    return table


def as_json(value):
    """A value as the binary prints it: what JSON has no form for becomes text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, bool | int | float | str | list) else str(value)


def stand_in():
    """Answers as the binary would, from PyIceberg, with one cell altered when asked to."""
    import re

    from pyiceberg.catalog.sql import SqlCatalog

    warehouse, query = sys.argv[2], sys.argv[-1]
    catalog = SqlCatalog("default", uri=f"sqlite:///{warehouse}/catalog.db")
    version = re.search(r"VERSION AS OF (\d+)", query)
    scan = catalog.load_table("check.all_types").scan(
        snapshot_id=int(version[1]) if version else None
    )
    if "count(*)" in query:
        print(json.dumps({"n": scan.to_arrow().num_rows + int(os.environ.get(ALTER) == "count")}))
        return
    table = scan.to_arrow()
    altered = os.environ.get(ALTER)
    # Another order than the reference, as another engine would give.
    for number, row in reversed(list(enumerate(table.to_pylist()))):
        if number == 77 and altered in row:
            row[altered] = None
        shown = {name: as_json(value) for name, value in row.items() if value is not None}
        print(json.dumps(shown))


def expect_difference(what, column, row, action):
    """Runs `action`, which must find a difference in `column` and `row`."""
    from read_alike import Different

    try:
        action()
    except (Different, RuntimeError, ValueError) as error:
        if f"column {column}, row {row}" not in str(error) and column is not None:
            sys.exit(f"self-test: {what} was found in the wrong place: {error}")
        return
    sys.exit(f"self-test: {what} was not found")


def run():
    """All checks; exits with a message at the first that fails."""
    import read_alike
    from clickhouse import ClickHouse
    from compare import difference
    from engines import DuckDb, Northstar, PyIceberg

    with tempfile.TemporaryDirectory() as folder:
        table = make_table(folder)
        catalog = pathlib.Path(folder, "catalog.db")
        binary = pathlib.Path(folder, "stand-in")
        binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        engines = [PyIceberg(), DuckDb(), ClickHouse(), Northstar(binary, folder)]
        os.environ.pop(ALTER, None)
        read_alike.check(catalog, engines)
        read_alike.check(catalog, engines, all_snapshots=True)
        read_alike.check(catalog, engines, expect={"check.all_types": 300})

        names = [field.name for field in table.schema().fields]
        wanted = engines[0].rows(table)
        for place, name in enumerate(names):
            found = list(wanted)
            cells = list(found[41])
            cells[place] = "0" if cells[place] is None else None
            found[41] = tuple(cells)
            what = difference(names, wanted, found[::-1])
            if what != f"column {name}, row 42":
                sys.exit(f"self-test: an altered {name} gave {what}")
        if difference(names, wanted, wanted[:-1]) is None:
            sys.exit("self-test: a lost row was not found")
        if difference(names, wanted, [wanted[1], *wanted[1:]]) is None:
            sys.exit("self-test: a row in the place of another was not found")

        for name in ("double", "text"):
            os.environ[ALTER] = name
            expect_difference(
                f"a binary that alters {name}", name, 78, lambda: read_alike.check(catalog, engines)
            )
        os.environ[ALTER] = "count"
        counts = {"count_only": True}
        expect_difference(
            "a wrong count", None, None, lambda: read_alike.check(catalog, engines, **counts)
        )
        del os.environ[ALTER]
        for wrong in ({"check.all_types": 299}, {"check.absent": 0}):
            check = partial(read_alike.check, catalog, engines, expect=wrong)
            expect_difference(f"{wrong}", None, None, check)
    print("self-test passed: every altered cell, lost row and wrong count was found")
    return 0


if __name__ == "__main__":
    stand_in()
