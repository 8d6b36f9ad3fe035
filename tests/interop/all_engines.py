"""PyIceberg, DuckDB, ClickHouse and Spark read what northstar writes, and northstar what others write.

    python all_engines.py --northstar BINARY --spark-python PYTHON --jars DIR [--demo WAREHOUSE]

Spark reads every table of the demo's warehouse; all engines read the tables that northstar makes by each
of its actions, at every snapshot; tables that PyIceberg, DuckDB and Spark write are read, merged into, and
changed by their writers again. Stops at the first difference, naming table, engine, column and row number,
never a value.
"""

import argparse
import pathlib
import sys
import tempfile
import time

import by_duckdb
import by_encoding
import by_pyiceberg
import each_action
import each_writer
from alike import Alike, Different
from by_spark import BySpark
from clickhouse import ClickHouse
from engines import DuckDb, Northstar, PyIceberg
from known_faults import KNOWN
from lake import Lake
from pyiceberg.catalog.sql import SqlCatalog
from read_alike import tables
from spark_peer import SparkPeer


def demo(alike, binary, warehouse, spark):
    """Spark on the tables that the others have read already."""
    warehouse = pathlib.Path(warehouse).resolve()
    catalog = SqlCatalog("default", uri=f"sqlite:///{warehouse / 'catalog.db'}")
    beside = Alike(Northstar(binary, warehouse), [spark])
    for table in tables(catalog):
        beside.now(table, "of the demo")
    alike.compared += beside.compared


def check(lake, spark, demo_warehouse=None):
    alike = Alike(
        Northstar(lake.binary, lake.folder), [PyIceberg(), DuckDb(), ClickHouse(), spark]
    )
    steps = {
        "northstar's actions": lambda: each_action.run(lake, alike, KNOWN),
        "northstar's encodings": lambda: by_encoding.run(lake, alike),
        "tables of PyIceberg's": lambda: each_writer.run(lake, alike, by_pyiceberg, KNOWN),
        "tables of DuckDB's": lambda: each_writer.run(lake, alike, by_duckdb, KNOWN),
        "tables of Spark's": lambda: each_writer.run(lake, alike, BySpark(spark), KNOWN),
    }
    if demo_warehouse:
        steps["the demo's tables"] = lambda: demo(alike, lake.binary, demo_warehouse, spark)
    for title, step in steps.items():
        before, begun = alike.compared, time.monotonic()
        step()
        print(f"{title}: {alike.compared - before} in {time.monotonic() - begun:.0f} s", flush=True)
    alike.settle(KNOWN)
    print(f"{alike.compared} readings alike, 0 differ; {alike.set_aside} of known faults set aside")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--northstar", required=True)
    parser.add_argument("--spark-python", required=True)
    parser.add_argument("--jars", required=True)
    parser.add_argument("--demo")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(arguments.northstar, pathlib.Path(folder, "lake"))
        spark = SparkPeer(arguments.spark_python, arguments.jars, str(lake.folder))
        try:
            check(lake, spark, arguments.demo)
        except (Different, RuntimeError) as error:
            sys.exit(f"DIFFERENT: {error}")
        finally:
            spark.close()


if __name__ == "__main__":
    main()
