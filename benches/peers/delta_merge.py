"""Merges a file of changes with delta-rs into a Delta table, in one MERGE.

    python delta_merge.py --changes FILE --table DIR [--data NAME] [--threads N]

At its best: `streamed_exec=False` lets it prune files by statistics of the source; otherwise it reads the
whole table. The partition columns are part of the condition, because Delta prunes by nothing else here.
"""

import argparse
import os


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--data", default="lab")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["TOKIO_WORKER_THREADS"] = str(arguments.threads)
    os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)

    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from deltalake import DeltaTable, WriterProperties

    import peer_tables

    described = peer_tables.named(arguments.data)
    changes = pq.read_table(arguments.changes)
    month = pc.strftime(changes[described.month_of], format="%Y-%m")
    changes = changes.append_column("month", month.combine_chunks())
    values = {name: f"s.{name}" for name in [*described.columns, "month"]}
    partitions = [f"t.{name} = s.{name}" for name in described.delta_partition]
    table = DeltaTable(arguments.table)
    told = (
        table.merge(
            changes,
            " AND ".join([described.condition(), *partitions]),
            source_alias="s",
            target_alias="t",
            streamed_exec=False,
            writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
        )
        .when_matched_delete("s.op = 'D'")
        .when_matched_update(values)
        .when_not_matched_insert(values)
        .execute()
    )
    print(told)


if __name__ == "__main__":
    main()
