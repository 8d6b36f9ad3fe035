"""Reads a table with an independent engine and compares it with the expected sums.

    python check.py --expected expected.json --reader duckdb|pyiceberg|deltalake [--data NAME]
        (--warehouse DIR | --metadata FILE | --delta DIR)

`--warehouse` is the folder of a SQL catalog, `--metadata` an Iceberg metadata file, `--delta` the folder of
a Delta table. Prints one JSON object: rows, files, table bytes, snapshots, partitions of the manifests.
Exits with 1 at the first partition that differs; values of cells are never printed, sums are.
"""

import argparse
import json
import sys

import peer_tables


def sums_by_partition(described, source, connection):
    """The sums of each partition."""
    keys = ", ".join(
        column if kind == "identity" else f"strftime({column}, '%Y-%m')"
        for column, kind in described.partition
    )
    sums = ", ".join(described.sums.values())
    width = len(described.partition)
    names = ["rows", *described.sums]
    rows = connection.execute(
        f"SELECT {keys}, count(*), {sums} FROM {source} GROUP BY ALL"
    ).fetchall()
    return {row[:width]: dict(zip(names, map(int, row[width:]), strict=True)) for row in rows}


def used_columns(described):
    """The columns that the sums need."""
    text = " ".join(described.sums.values())
    keys = [column for column, _ in described.partition]
    return tuple(name for name in described.columns if name in keys or f"({name})" in text)


def iceberg_table(arguments, described):
    if arguments.metadata:
        from pyiceberg.table import StaticTable

        return StaticTable.from_metadata(arguments.metadata)
    return peer_tables.open_catalog(arguments.warehouse).load_table(described.identifier)


def iceberg_layout(table):
    files = [task.file for task in table.scan().plan_files()]
    partitions = {
        tuple(file.partition[place] for place in range(len(file.partition))) for file in files
    }
    return {
        "files": len(files),
        "table_bytes": sum(file.file_size_in_bytes for file in files),
        "snapshots": len(table.metadata.snapshots),
        "partitions": len(partitions),
    }


def delta_layout(table, described):
    import pyarrow as pa

    actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    partitions = {
        tuple(action[f"partition.{name}"] for name in described.delta_partition)
        for action in actions
    }
    return {
        "files": len(actions),
        "table_bytes": sum(action["size_bytes"] for action in actions),
        "snapshots": table.version() + 1,
        "partitions": len(partitions),
    }


def main():
    parser = argparse.ArgumentParser()
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--warehouse")
    where.add_argument("--metadata")
    where.add_argument("--delta")
    parser.add_argument("--expected", required=True)
    parser.add_argument("--reader", choices=["duckdb", "pyiceberg", "deltalake"], required=True)
    parser.add_argument("--snapshot", type=int)
    parser.add_argument("--data", default="lab")
    arguments = parser.parse_args()

    import duckdb_session

    described = peer_tables.named(arguments.data)
    with open(arguments.expected, encoding="utf-8") as file:
        expected = json.load(file)
    keys = [column if kind == "identity" else "month" for column, kind in described.partition]
    names = ["rows", *described.sums]
    wanted = {
        tuple(part[key] for key in keys): {name: part[name] for name in names}
        for part in expected["partitions"]
    }
    connection = duckdb_session.connect(extensions=("avro", "iceberg"), threads="2")
    if arguments.delta:
        from deltalake import DeltaTable

        table = DeltaTable(arguments.delta)
        connection.register("scanned", table.to_pyarrow_dataset())
        source, layout = "scanned", delta_layout(table, described)
    else:
        table = iceberg_table(arguments, described)
        layout = iceberg_layout(table)
        if arguments.reader == "duckdb":
            at = f", snapshot_from_id = {arguments.snapshot}" if arguments.snapshot else ""
            source = f"iceberg_scan('{table.metadata_location}'{at})"
        else:
            scan = table.scan(
                selected_fields=used_columns(described), snapshot_id=arguments.snapshot
            )
            connection.register("scanned", scan.to_arrow_batch_reader())
            source = "scanned"
    found = sums_by_partition(described, source, connection)
    for key in sorted(wanted.keys() | found.keys(), key=str):
        if wanted.get(key) != found.get(key):
            sys.exit(f"partition {key}: expected {wanted.get(key)}, found {found.get(key)}")
    rows = sum(part["rows"] for part in found.values())
    if rows != expected["rows"]:
        sys.exit(f"expected {expected['rows']} rows, found {rows}")
    if layout["partitions"] != len(wanted):
        sys.exit(f"expected {len(wanted)} partitions, found {layout['partitions']}")
    json.dump({"rows": rows, **layout, "reader": arguments.reader}, sys.stdout)


if __name__ == "__main__":
    main()
