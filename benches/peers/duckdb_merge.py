"""Merges a file of changes with DuckDB into the Iceberg table behind a REST catalog.

    python duckdb_merge.py --changes FILE --catalog URL --kinds UID [--data NAME] [--threads N]

DuckDB writes position deletes, and takes one action on matched rows in a MERGE: where changes both
update and delete there are two, in one transaction.
"""

import argparse

import peer_tables  # isort: skip  (it makes the next import possible)
import duckdb_session


def statements(table, target, source, kinds):
    """The fewest MERGE statements that do what is in the changes."""
    update, insert = table.actions()
    if "D" in kinds:
        yield (
            f"MERGE INTO {target} t USING (SELECT * FROM {source} WHERE op = 'D') s "
            f"ON {table.condition()} WHEN MATCHED THEN DELETE"
        )
    clauses = []
    if "U" in kinds:
        clauses.append(f"WHEN MATCHED THEN {update}")
    if "I" in kinds:
        clauses.append(f"WHEN NOT MATCHED THEN {insert}")
    if clauses:
        yield (
            f"MERGE INTO {target} t USING (SELECT * FROM {source} WHERE op <> 'D') s "
            f"ON {table.condition()} {' '.join(clauses)}"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", required=True)
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--kinds", required=True)
    parser.add_argument("--data", default="lab")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    table = peer_tables.named(arguments.data)

    connection = duckdb_session.connect(threads=str(arguments.threads))
    connection.execute(
        f"ATTACH 'warehouse' AS lake (TYPE iceberg, ENDPOINT '{arguments.catalog}', "
        "AUTHORIZATION_TYPE 'none')"
    )
    source = f"read_parquet('{arguments.changes}')"
    connection.execute("BEGIN")
    target = f"lake.{table.identifier}"
    for statement in statements(table, target, source, arguments.kinds):
        connection.execute(statement)
    connection.execute("COMMIT")


if __name__ == "__main__":
    main()
