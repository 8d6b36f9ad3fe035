"""Loads the lab extract with PyIceberg, at its best: typed CSV reading, appends in one commit.

    python pyiceberg_load.py --from DIR --warehouse DIR [--batch file|all] [--threads N]

`--batch file` appends one file (about 1 M rows) at a time, which keeps memory bounded;
`--batch all` appends everything at once, which needs memory for the whole extract.
"""

import argparse
import os


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--batch", choices=["file", "all"], default="file")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["PYICEBERG_MAX_WORKERS"] = str(arguments.threads)

    import pyarrow as pa
    from pyarrow import csv

    import peer_tables

    pa.set_cpu_count(arguments.threads)
    options = csv.ConvertOptions(
        column_types=peer_tables.LAB.arrow_types(), strings_can_be_null=True, null_values=[""]
    )
    reading = csv.ReadOptions(block_size=8 << 20)

    def read(path):
        return csv.read_csv(path, read_options=reading, convert_options=options)

    files = peer_tables.LAB.csv_files(arguments.source)
    table = peer_tables.LAB.create(peer_tables.open_catalog(arguments.warehouse))
    with table.transaction() as transaction:
        if arguments.batch == "all":
            transaction.append(pa.concat_tables(read(path) for path in files))
        else:
            for path in files:
                transaction.append(read(path))


if __name__ == "__main__":
    main()
