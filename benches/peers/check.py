"""Reads a loaded lab table with an independent engine and compares it with the expected sums.

    python check.py --warehouse DIR --expected expected.json --reader duckdb|pyiceberg

Prints one JSON object: rows, files, table bytes, snapshots, partitions of the manifests. Exits
with 1 at the first partition that differs; values of cells are never printed, sums are.
"""

import argparse
import json
import sys

import lab_table

SUMS = """
    SELECT facility_id, strftime(collected_at, '%Y-%m') AS month, count(*) AS rows,
           sum(result_id)::HUGEINT AS result_id, sum(version)::HUGEINT AS version,
           (coalesce(sum(reference_high), 0) * 100)::HUGEINT AS reference_high_e2
    FROM {source} GROUP BY ALL
"""
NAMES = ["rows", "result_id", "version", "reference_high_e2"]


def sums_by_partition(table, reader):
    """The sums per facility and month, read with `reader`."""
    import duckdb_session

    connection = duckdb_session.connect(extensions=("avro", "iceberg"), threads="2")
    if reader == "duckdb":
        rows = connection.execute(
            SUMS.format(source=f"iceberg_scan('{table.metadata_location}')")
        ).fetchall()
    else:
        columns = ("facility_id", "collected_at", "result_id", "version", "reference_high")
        connection.register("scanned", table.scan(selected_fields=columns).to_arrow_batch_reader())
        rows = connection.execute(SUMS.format(source="scanned")).fetchall()
    return {(row[0], row[1]): dict(zip(NAMES, map(int, row[2:]), strict=True)) for row in rows}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--expected", required=True)
    parser.add_argument("--reader", choices=["duckdb", "pyiceberg"], required=True)
    arguments = parser.parse_args()

    with open(arguments.expected, encoding="utf-8") as file:
        expected = json.load(file)
    wanted = {
        (part["facility_id"], part["month"]): {name: part[name] for name in NAMES}
        for part in expected["partitions"]
    }
    table = lab_table.open_catalog(arguments.warehouse).load_table(lab_table.TABLE)
    found = sums_by_partition(table, arguments.reader)
    for key in sorted(wanted.keys() | found.keys(), key=str):
        if wanted.get(key) != found.get(key):
            sys.exit(f"partition {key}: expected {wanted.get(key)}, found {found.get(key)}")
    rows = sum(part["rows"] for part in found.values())
    if rows != expected["rows"]:
        sys.exit(f"expected {expected['rows']} rows, found {rows}")

    files = [task.file for task in table.scan().plan_files()]
    layout = {
        tuple(file.partition[place] for place in range(len(file.partition))) for file in files
    }
    if len(layout) != len(wanted):
        sys.exit(f"expected {len(wanted)} partitions in the manifests, found {len(layout)}")
    json.dump(
        {
            "rows": rows,
            "files": len(files),
            "table_bytes": sum(file.file_size_in_bytes for file in files),
            "snapshots": len(table.metadata.snapshots),
            "partitions": len(layout),
            "reader": arguments.reader,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
