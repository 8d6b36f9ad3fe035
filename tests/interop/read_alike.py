"""Do PyIceberg, DuckDB, ClickHouse and Northstar read the same rows from every table of a warehouse?

    python read_alike.py --catalog DIR/catalog.db --northstar BINARY
    python read_alike.py … --count-only --expect counts.json
    python read_alike.py … --all-snapshots
    python read_alike.py --self-test

Prints one line per table (or snapshot) with the rows that each engine read. Exits with 1 at the
first difference, naming table, column and row number, never a value. `--expect` is a JSON object
of table name and count. `--without-northstar` compares the other engines alone. `--self-test`
proves on a table of its own that a single altered cell is found.
"""

import argparse
import json
import pathlib
import sys

from clickhouse import ClickHouse
from compare import difference
from engines import DuckDb, Northstar, PyIceberg
from pyiceberg.catalog.sql import SqlCatalog

ROW = "{:<44}" + " {:>12}" * 5
SHOWN = ("pyiceberg", "duckdb", "clickhouse", "northstar")


class Different(Exception):
    """The engines do not agree; the message says where."""


def tables(catalog):
    """Every table of every namespace, nested ones included, in the order of the names."""

    def below(parent):
        for namespace in catalog.list_namespaces(parent):
            yield namespace
            if len(namespace) > len(parent):
                yield from below(namespace)

    names = {name for space in set(below(())) for name in catalog.list_tables(space)}
    return [catalog.load_table(name) for name in sorted(names)]


def say(name, rows, counts):
    """One line of the result; an engine that was not asked has a dash."""
    shown = [counts.get(engine, "-") for engine in SHOWN]
    print(ROW.format(name, rows, *shown), flush=True)


def compare_rows(name, table, engines):
    """Reads all rows with every engine and compares them with the first engine's."""
    names = [field.name for field in table.schema().fields]
    reference, *others = engines
    wanted = reference.rows(table)
    counts = {reference.name: len(wanted)}
    for engine in others:
        found = engine.rows(table)
        counts[engine.name] = len(found)
        if what := difference(names, wanted, found):
            raise Different(f"{name}: {reference.name} and {engine.name} differ: {what}")
    say(name, len(wanted), counts)


def compare_counts(name, table, engines, snapshot_id=None, expected=None):
    """Counts with every engine; all must agree, and with `expected` where it is given."""
    counts = {engine.name: engine.count(table, snapshot_id) for engine in engines}
    wanted = counts[engines[0].name] if expected is None else expected
    say(name, wanted, counts)
    for engine, count in counts.items():
        if count != wanted:
            raise Different(f"{name}: {wanted} rows expected, {engine} reads {count}")


def check(catalog_file, engines, count_only=False, expect=None, all_snapshots=False):
    """Compares every table; raises `Different` at the first difference."""
    catalog = SqlCatalog("default", uri=f"sqlite:///{pathlib.Path(catalog_file).resolve()}")
    found = {".".join(table.name()): table for table in tables(catalog)}
    if not found:
        raise Different("the catalog has no tables")
    if missing := (expect or {}).keys() - found.keys():
        raise Different(f"expected tables are missing: {', '.join(sorted(missing))}")
    print(ROW.format("table", "rows", *SHOWN))
    for name, table in found.items():
        if all_snapshots:
            for snapshot in table.metadata.snapshots:
                number = snapshot.snapshot_id
                compare_counts(f"{name} @{number}", table, engines, snapshot_id=number)
        elif count_only or expect is not None:
            if expect is None or name in expect:
                compare_counts(name, table, engines, expected=(expect or {}).get(name))
        else:
            compare_rows(name, table, engines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--catalog", help="the warehouse's catalog.db")
    parser.add_argument("--northstar", help="the northstar binary")
    parser.add_argument("--without-northstar", action="store_true")
    parser.add_argument("--count-only", action="store_true")
    parser.add_argument("--expect", help="JSON file of table name and row count")
    parser.add_argument("--all-snapshots", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        import self_test

        return self_test.run()
    if not arguments.catalog or not (arguments.northstar or arguments.without_northstar):
        parser.error("--catalog, and --northstar or --without-northstar, are needed")
    engines = [PyIceberg(), DuckDb(), ClickHouse()]
    if not arguments.without_northstar:
        warehouse = pathlib.Path(arguments.catalog).resolve().parent
        engines.append(Northstar(arguments.northstar, warehouse))
    expect = json.loads(pathlib.Path(arguments.expect).read_text()) if arguments.expect else None
    try:
        check(arguments.catalog, engines, arguments.count_only, expect, arguments.all_snapshots)
    except (Different, RuntimeError) as error:
        print(f"DIFFERENT: {error}", file=sys.stderr)
        return 1
    print("all engines agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
