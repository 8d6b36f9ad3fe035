"""Asks a table of many files for the rows of one partition, as the planning case does.

    python partition_scan.py --engine pyiceberg|duckdb --warehouse DIR --site S --from T --to T

Each query opens the table anew, and so reads its metadata anew. Prints one JSON object: CPU seconds of
one query (the mean, without the first) and the answer: rows, sum of id, sum of n.
"""

import argparse
import json
import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "interop"))

TABLE = "scale.visit"
REPEATS = 10


def load_table(warehouse):
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("default", uri=f"sqlite:///{warehouse}/catalog.db", warehouse=warehouse)
    return catalog.load_table(TABLE)


def with_pyiceberg(arguments):
    import pyarrow.compute as pc

    rows = (
        load_table(arguments.warehouse)
        .scan(
            row_filter=f"site == '{arguments.site}' and at >= '{arguments.begin}' "
            f"and at < '{arguments.end}'",
            selected_fields=("id", "n"),
        )
        .to_arrow()
    )
    return [rows.num_rows, pc.sum(rows["id"]).as_py(), pc.sum(rows["n"]).as_py()]


def with_duckdb(arguments, location):
    import duckdb_session

    connection = duckdb_session.connect(extensions=("avro", "iceberg"), threads="2")
    found = connection.execute(
        f"SELECT count(*), sum(id)::BIGINT, sum(n)::BIGINT FROM iceberg_scan('{location}') "
        'WHERE site = ? AND "at" >= ?::TIMESTAMP AND "at" < ?::TIMESTAMP',
        [arguments.site, arguments.begin, arguments.end],
    ).fetchone()
    connection.close()
    return list(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=["pyiceberg", "duckdb"], required=True)
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--site", required=True)
    parser.add_argument("--from", dest="begin", required=True)
    parser.add_argument("--to", dest="end", required=True)
    arguments = parser.parse_args()
    location = load_table(arguments.warehouse).metadata_location

    def query():
        if arguments.engine == "pyiceberg":
            return with_pyiceberg(arguments)
        return with_duckdb(arguments, location)

    answer = query()
    start = time.process_time()
    for _ in range(REPEATS):
        if query() != answer:
            sys.exit("two answers differ")
    cpu_s = (time.process_time() - start) / REPEATS
    json.dump({"cpu_s": cpu_s, "answer": answer}, sys.stdout)


if __name__ == "__main__":
    main()
