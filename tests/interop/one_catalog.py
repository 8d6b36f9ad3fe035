"""PyIceberg and northstar share one catalog file: each reads and appends to what the other made.

    python one_catalog.py PATH_OF_NORTHSTAR
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog


def northstar(binary: str, warehouse: Path, *arguments: str) -> str:
    command = [binary, "--warehouse", str(warehouse), *arguments]
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def count(binary: str, warehouse: Path, source: str) -> int:
    lines = northstar(binary, warehouse, "--output", "json", "sql", f"SELECT count(*) AS n FROM {source}")
    return int(json.loads(lines)["n"])


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        sys.exit(f"{what}: found {found}, expected {wanted}")


def main() -> None:
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        warehouse, source = Path(folder) / "lake", Path(folder) / "in"
        source.mkdir()
        (source / "visit.csv").write_text("id,site\n1,a\n2,b\n", encoding="utf-8")
        northstar(binary, warehouse, "load", "csv", "--from", str(source), "--into", "bronze")

        catalog = SqlCatalog("default", uri=f"sqlite:///{warehouse / 'catalog.db'}")
        visit = catalog.load_table("bronze.visit")
        expect("rows that PyIceberg reads", visit.scan().to_arrow().num_rows, 2)

        # PyIceberg makes a table and writes to it; northstar reads it, as it is and as it was.
        catalog.create_namespace("theirs")
        rows = pa.table({"n": pa.array([1, 2, 3], pa.int64()), "t": ["x", None, "é"]})
        made = catalog.create_table("theirs.numbers", rows.schema, location=f"file://{folder}/theirs")
        made.append(rows)
        first = made.current_snapshot().snapshot_id
        made.append(rows)
        expect("rows that northstar reads", count(binary, warehouse, "theirs.numbers"), 6)
        expect("and before", count(binary, warehouse, f"theirs.numbers VERSION AS OF {first}"), 3)

        # PyIceberg appends to a table of northstar's; a later load still knows its own files.
        visit.append(visit.scan().to_arrow())
        expect("rows after PyIceberg's append", count(binary, warehouse, "bronze.visit"), 4)
        again = northstar(binary, warehouse, "load", "csv", "--from", str(source), "--into", "bronze")
        expect("a file that was loaded is known", "already loaded" in again, True)
        (source / "visit.csv").write_text("id,site\n3,c\n", encoding="utf-8")
        northstar(binary, warehouse, "load", "csv", "--from", str(source), "--into", "bronze")
        expect("rows after the next load", count(binary, warehouse, "bronze.visit"), 5)
        highest = catalog.load_table("bronze.visit").scan(selected_fields=("_seq",)).to_arrow()["_seq"]
        expect("the sequence goes on", max(highest.to_pylist()), 2)


if __name__ == "__main__":
    main()
