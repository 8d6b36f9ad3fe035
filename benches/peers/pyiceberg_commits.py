"""Appends one row at a time with PyIceberg, as the commits case does.

    python pyiceberg_commits.py --warehouse DIR --commits N

Prints one JSON object: seconds of commits 2 to 21 and of the last 20 (medians), and their CPU, likewise.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time

WINDOW = 20


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--commits", type=int, required=True)
    arguments = parser.parse_args()

    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog

    folder = pathlib.Path(arguments.warehouse)
    folder.mkdir(parents=True)
    catalog = SqlCatalog("default", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalog.create_namespace("scale")
    schema = pa.schema([("id", pa.int64()), ("site", pa.string())])
    table = catalog.create_table("scale.commits", schema)
    walls, cpus = [], []
    for number in range(arguments.commits):
        row = pa.table({"id": [number], "site": [f"s{number % 3}"]}, schema=schema)
        wall, cpu = time.monotonic(), time.process_time()
        table.append(row)
        walls.append(time.monotonic() - wall)
        cpus.append(time.process_time() - cpu)
    json.dump(
        {
            "first_s": statistics.median(walls[1 : WINDOW + 1]),
            "last_s": statistics.median(walls[-WINDOW:]),
            "first_cpu_s": statistics.median(cpus[1 : WINDOW + 1]),
            "last_cpu_s": statistics.median(cpus[-WINDOW:]),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
