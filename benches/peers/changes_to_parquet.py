"""Writes the CSV file of changes as one Parquet file: `op` (U, I or D), then the columns of the table.

    python changes_to_parquet.py --from FILE.csv --to FILE.parquet [--data NAME]
"""

import argparse

import duckdb
import peer_tables


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--data", default="lab")
    arguments = parser.parse_args()
    types = {"op": "VARCHAR", **peer_tables.named(arguments.data).duckdb_types()}
    duckdb.sql(
        f"COPY (SELECT * FROM read_csv('{arguments.source}', header = true, columns = {types})) "
        f"TO '{arguments.to}' (FORMAT parquet, COMPRESSION zstd)"
    )


if __name__ == "__main__":
    main()
