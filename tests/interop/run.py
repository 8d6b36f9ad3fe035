"""Loads the demo, then reads every table with PyIceberg, DuckDB, ClickHouse and Spark and compares row
for row; runs the same statements in DuckDB, Sail and Spark, and compares what they leave; has the engines read
the tables of each action, and northstar and other writers change each other's; asks all for filtered rows;
has PyIceberg, DuckDB and Spark write through `northstar serve`.

Run by `make test`. Needs NORTHSTAR_BIN, the path of the northstar program.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from steps import in_lanes  # noqa: E402


def main() -> None:
    binary = os.environ.get("NORTHSTAR_BIN")
    if not binary or not Path(binary).exists():
        sys.exit("interop tests need NORTHSTAR_BIN, the path of the northstar program: run `make test`")
    spark, jars = os.environ.get("NORTHSTAR_SPARK_PYTHON"), os.environ.get("NORTHSTAR_SPARK_JARS")
    if not spark or not jars:
        sys.exit("interop tests need NORTHSTAR_SPARK_PYTHON and NORTHSTAR_SPARK_JARS: run `make test`")
    with_spark = ["--northstar", binary, "--spark-python", spark, "--jars", jars]
    compare = [sys.executable, HERE / "read_alike.py"]
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Path(folder) / "lake"
        demo = [binary, "--warehouse", warehouse, "demo", "--patients", "1200"]
        alike = [*compare, "--catalog", warehouse / "catalog.db", "--northstar", binary]
        on_the_demo = [
            ("the demo runs", demo),
            ("PyIceberg, DuckDB and ClickHouse read every table as northstar does", alike),
            ("and every snapshot of every table", [*alike, "--all-snapshots"]),
            ("the demo runs again on its own warehouse", demo),
            ("and is read alike still", alike),
            (
                "all engines read the tables of each action and of each writer, and change them",
                [sys.executable, HERE / "all_engines.py", *with_spark, "--demo", warehouse],
            ),
        ]
        on_their_own = [
            ("the comparison finds what it should", [*compare, "--self-test"]),
            (
                "the checks over all engines find what they should",
                [sys.executable, HERE / "self_test_alike.py", binary],
            ),
            ("both clients write to one catalog", [sys.executable, HERE / "one_catalog.py", binary]),
            (
                "MERGE, UPDATE and DELETE leave the same tables in DuckDB, Sail and Spark",
                [sys.executable, HERE / "same_statements.py", *with_spark],
            ),
            ("no filter loses a row in any engine", [sys.executable, HERE / "bounds.py", binary]),
            (
                "PyIceberg, DuckDB and Spark write through the server's REST catalog",
                [sys.executable, HERE / "rest_clients.py", binary, "--spark-python", spark, "--jars", jars],
            ),
        ]
        # Most steps wait for one process at a time, so two lanes take less than one.
        lanes = [on_the_demo, on_their_own]
        passed = in_lanes("interop", lanes, lambda line: " alike, " in line, goes_on=False)
    failed = sum(map(len, lanes)) - passed
    print(f"interop: {passed} passed; {failed} failed or not tried; 0 ignored")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
