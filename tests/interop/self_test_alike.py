"""Proves that the checks over all engines can fail: `alike.py`, `each_writer.py` and `bounds.py`.

    python self_test_alike.py PATH_OF_NORTHSTAR

Readers that alter a cell, lose a row or break, a known fault that is gone, refusals without a reason, and
files whose upper bounds are wrong (written by a PyIceberg that takes the smallest value for the largest)
must all be found; the last by each engine alone, which shows that each one prunes by these bounds.
"""

import pathlib
import sys
import tempfile
from random import Random
from unittest import mock

import bounds
import by_pyiceberg
import each_writer
import nasty
import pyarrow as pa
import rows
from alike import Alike, Different
from engines import PyIceberg
from lake import Lake
from predicates import Predicate
from pyiceberg.io.pyarrow import StatsAggregator


class Wrong(PyIceberg):
    """PyIceberg, with its rows changed on the way."""

    name = "wrong"

    def __init__(self, change):
        self.change = change

    def rows(self, table, snapshot_id=None, where=None):
        return self.change(super().rows(table, snapshot_id, where))


def altered(rows_read):
    cells = list(rows_read[7])
    cells[3] = "0"
    return [*rows_read[:7], tuple(cells), *rows_read[8:]]


def broken(_):
    raise OSError("broken")


def expect(what, action, words):
    """Runs `action`, which must find a difference and say these words."""
    try:
        action()
    except Different as error:
        if words not in str(error):
            sys.exit(f"self-test: {what} was told otherwise: {error}")
        return
    sys.exit(f"self-test: {what} was not found")


def readers(table):
    right = Wrong(lambda found: found[::-1])
    Alike(PyIceberg(), [right]).everywhere(table, "now")
    for what, change, words in (
        ("an altered cell", altered, "column seen, row 8"),
        ("a lost row", lambda found: found[1:], "rows against"),
        ("a reader that breaks", broken, "wrong fails"),
    ):
        alike = Alike(PyIceberg(), [Wrong(change)])
        expect(what, lambda alike=alike: alike.everywhere(table, "now"), words)
        # As a known fault the same is no difference.
        alike.now(table, "now", {"wrong": "it is"})
        if alike.set_aside != 1:
            sys.exit("self-test: a known fault was not set aside")
        alike.settle({"py.checked": {"wrong": "it is"}})
    gone = Alike(PyIceberg(), [right])
    gone.now(table, "now", {"wrong": "it was"})
    known = {"py.checked": {"wrong": "it was"}}
    expect("a fault that is gone", lambda: gone.settle(known), "rightly now")


def refusals(lake, table):
    name = ".".join(table.name())
    lake.refusal = lambda _: "error: something went wrong"
    expect("a refusal without reason", lambda: each_writer.unread(lake, name, "nested"), "does not say")
    first = mock.Mock()
    first.metadata.format_version = 1
    lake.table = lambda _: first
    expect("a write that is refused otherwise", lambda: each_writer.refused(lake, name), "does not say")


def wrong_bounds(lake):
    """Every engine loses rows of a file whose bounds are too narrow."""
    schema = by_pyiceberg.SCHEMA.select("id", "small", "site")
    table = lake.catalog.create_table("py.narrow", schema)
    given = [{"id": n, "small": n, "site": f"s{n:03}"} for n in range(100)]
    with mock.patch.object(StatsAggregator, "max_as_bytes", lambda self: self.min_as_bytes()):
        table.append(pa.Table.from_pylist(given, schema=table.schema().as_arrow()))
    chosen = [Predicate("small", "INT", "=", (50,))]
    for engine in (bounds.InNorthstar(lake), bounds.InPyIceberg(), bounds.InDuckDb(), bounds.InClickHouse()):
        expect(
            f"a wrong bound by {engine.name}",
            lambda engine=engine: bounds.check(table, given, chosen, [engine]),
            f"{engine.name}: 1 rows are lost",
        )


def main():
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(sys.argv[1], pathlib.Path(folder, "lake"))
        lake.catalog.create_namespace("py")
        table = by_pyiceberg.make(lake, "checked", (("site", "identity"),))
        table.append(rows.arrow(by_pyiceberg.SCHEMA, range(30)))
        readers(table)
        wrong_bounds(lake)
        # Files of random rows differ, else the fuzz would ask the same again and again.
        first, second = (list(nasty.files(Random(seed), 2, 5)) for seed in (1, 2))
        if first == second:
            sys.exit("self-test: the seed does not count")
        refusals(lake, table)
    print("self-test passed: every altered cell, lost row, wrong bound and refusal was found")


if __name__ == "__main__":
    main()
