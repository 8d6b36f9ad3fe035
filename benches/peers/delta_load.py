"""Writes an extract with delta-rs into a Delta table, partitioned as the Iceberg tables are.

    python delta_load.py --from DIR --table DIR [--data NAME] [--threads N]

Delta has no partition transforms: the month is a column of its own.
"""

import argparse
import os


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--data", default="lab")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["TOKIO_WORKER_THREADS"] = str(arguments.threads)
    os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)

    import pyarrow as pa
    import pyarrow.compute as pc
    from deltalake import WriterProperties, write_deltalake
    from pyarrow import csv

    import peer_tables

    described = peer_tables.named(arguments.data)
    month_of = described.month_of
    pa.set_cpu_count(arguments.threads)
    options = csv.ConvertOptions(
        column_types=described.arrow_types(), strings_can_be_null=True, null_values=[""]
    )
    reading = csv.ReadOptions(block_size=8 << 20)

    def batches():
        for path in described.csv_files(arguments.source):
            table = csv.read_csv(path, read_options=reading, convert_options=options)
            month = pc.strftime(table[month_of], format="%Y-%m")
            yield from table.append_column("month", month.combine_chunks()).to_batches()

    schema = pa.schema([*described.arrow_types().items(), ("month", pa.string())])
    write_deltalake(
        arguments.table,
        pa.RecordBatchReader.from_batches(schema, batches()),
        partition_by=described.delta_partition,
        writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
    )


if __name__ == "__main__":
    main()
