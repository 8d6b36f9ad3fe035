"""Loads an extract with DuckDB into the Iceberg table behind a REST catalog.

    python duckdb_load.py --from DIR --catalog URL [--data NAME] [--threads N] [--memory-limit SIZE]

DuckDB writes Iceberg only through a REST catalog; `rest_front.py` is that catalog, its CPU is not
counted, and the table exists there already.
"""

import argparse

import peer_tables  # isort: skip  (it makes the next import possible)
import duckdb_session


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--data", default="lab")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit")
    arguments = parser.parse_args()
    table = peer_tables.named(arguments.data)

    config = {"threads": str(arguments.threads), "preserve_insertion_order": "false"}
    if arguments.memory_limit:
        config["memory_limit"] = arguments.memory_limit
    connection = duckdb_session.connect(**config)
    connection.execute(
        f"ATTACH 'warehouse' AS lake (TYPE iceberg, ENDPOINT '{arguments.catalog}', "
        "AUTHORIZATION_TYPE 'none')"
    )
    connection.execute(
        f"INSERT INTO lake.{table.identifier} SELECT * FROM read_csv(?, header = true, "
        "columns = $columns)".replace("$columns", str(table.duckdb_types())),
        [table.csv_files(arguments.source)],
    )


if __name__ == "__main__":
    main()
