"""Loads the lab extract with Polars into an Iceberg table, streaming, in one append.

    python polars_load.py --from DIR --warehouse DIR [--threads N]
"""

import argparse
import os


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = str(arguments.threads)

    import polars as pl

    import peer_tables

    types = {
        "long": pl.Int64,
        "int": pl.Int32,
        "double": pl.Float64,
        "string": pl.String,
        "timestamp": pl.Datetime("us"),
        "decimal(12,4)": pl.Decimal(12, 4),
    }
    described = peer_tables.LAB
    table = described.create(peer_tables.open_catalog(arguments.warehouse))
    (
        pl.scan_csv(
            described.csv_files(arguments.source),
            schema={name: types[kind] for name, kind in described.columns.items()},
        ).sink_iceberg(
            table, mode="append", compression_level=1, maintain_order=False, engine="streaming"
        )
    )


if __name__ == "__main__":
    main()
