"""Merges a file of changes with PyIceberg: an upsert and a delete, in one transaction.

    python pyiceberg_merge.py --changes FILE --warehouse DIR [--data NAME] [--threads N]
"""

import argparse
import os


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", required=True)
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--data", default="lab")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["PYICEBERG_MAX_WORKERS"] = str(arguments.threads)

    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from pyiceberg.expressions import In
    from pyiceberg.table.upsert_util import create_match_filter

    import peer_tables

    described = peer_tables.named(arguments.data)
    changes = pq.read_table(arguments.changes)
    kept = changes.filter(pc.field("op") != "D").drop_columns(["op"])
    gone = changes.filter(pc.field("op") == "D").select(list(described.key))
    table = peer_tables.open_catalog(arguments.warehouse).load_table(described.identifier)
    with table.transaction() as transaction:
        if gone.num_rows and len(described.key) == 1:
            transaction.delete(In(described.key[0], gone[described.key[0]].to_pylist()))
        elif gone.num_rows:
            transaction.delete(create_match_filter(gone, list(described.key)))
        if kept.num_rows:
            transaction.upsert(kept, join_cols=list(described.key))


if __name__ == "__main__":
    main()
