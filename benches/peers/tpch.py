"""Makes TPC-H's lineitem and changes to it, with the sums that the table must have.

    python tpch.py extract --to DIR --scale FACTOR
    python tpch.py changes --to DIR --from DIR --shape NAME [--changes N]

`extract` writes `csv/lineitem/*.csv` with tpchgen-cli, and `expected.json`. `changes` writes
`changes/part-0001.csv` (`op`, then the columns) and `expected.json`. Which rows change follows from a hash
of their keys, so the same options give the same files. Shapes are those of the lab table; `recent` is the
last year of ship dates, because the last month has only few rows.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import duckdb
from peer_tables import LINEITEM

ORDER = "hash(l_orderkey * 8 + l_linenumber + 27)"
MONTH = "strftime(l_shipdate, '%Y-%m')"


def connect(folder):
    connection = duckdb.connect()
    connection.execute(
        "CREATE VIEW lineitem AS SELECT * FROM "
        f"read_csv({LINEITEM.csv_files(folder)}, header = true, columns = {LINEITEM.duckdb_types()})"
    )
    return connection


def write_expected(connection, source, path):
    names = ["month", "rows", *LINEITEM.sums]
    sums = ", ".join(LINEITEM.sums.values())
    rows = connection.execute(
        f"SELECT {MONTH} AS month, count(*), {sums} FROM {source} GROUP BY ALL ORDER BY 1"
    ).fetchall()
    partitions = [dict(zip(names, [row[0], *map(int, row[1:])], strict=True)) for row in rows]
    text = json.dumps(
        {"rows": sum(part["rows"] for part in partitions), "partitions": partitions}, indent=1
    )
    pathlib.Path(path).write_text(text, encoding="utf-8")


def extract(arguments):
    folder = pathlib.Path(arguments.to, "csv")
    generator = pathlib.Path(sys.executable).with_name("tpchgen-cli")
    subprocess.run(
        [generator, "csv", "-s", arguments.scale, "--tables=lineitem", "--parts=4"]
        + [f"--output-dir={folder}"],
        check=True,
        stdout=sys.stderr,
    )
    write_expected(connect(folder), "lineitem", pathlib.Path(arguments.to, "expected.json"))


def picked(connection, shape, changes):
    """The rows that change, each with its place `k` in no order of the table, from 1."""
    all_rows = connection.execute("SELECT count(*) FROM lineitem").fetchone()[0]
    wanted = changes or all_rows // 100
    if shape == "every-file":
        return (
            f"SELECT *, row_number() OVER (ORDER BY {ORDER}) AS k FROM (SELECT * FROM lineitem QUALIFY "
            f"row_number() OVER (PARTITION BY {MONTH} ORDER BY {ORDER}) * 100 "
            f"<= count(*) OVER (PARTITION BY {MONTH}))"
        )
    within = "true"
    if shape == "recent":
        within = "l_shipdate >= DATE '1998-01-01'"
    elif shape == "few-files":
        # 5 of 84 months, a year and a half apart.
        months = [f"'{1992 + at}-{1 + 2 * at:02}'" for at in range(1, 6)]
        within = f"{MONTH} IN ({', '.join(months)})"
        rows = connection.execute(f"SELECT count(*) FROM lineitem WHERE {within}").fetchone()[0]
        wanted = changes or rows // 20
    return (
        f"SELECT *, row_number() OVER (ORDER BY {ORDER}) AS k FROM lineitem WHERE {within} "
        f"QUALIFY k <= {wanted}"
    )


def changes(arguments):
    connection = connect(arguments.source)
    connection.execute(
        f"CREATE TABLE picked AS {picked(connection, arguments.shape, arguments.changes)}"
    )
    count = connection.execute("SELECT count(*) FROM picked").fetchone()[0]
    updates, deletes = {
        "every-file": (count, 0),
        "delete-only": (0, count),
        "insert-only": (0, 0),
    }.get(arguments.shape, (count * 6 // 10, count // 10))
    connection.execute(
        f"""CREATE TABLE changes AS
        SELECT CASE WHEN k <= {updates} THEN 'U' WHEN k <= {updates + deletes} THEN 'D' ELSE 'I' END
                 AS op,
               * EXCLUDE (k) REPLACE (
                 CASE WHEN k > {updates + deletes}
                      THEN l_orderkey + (SELECT max(l_orderkey) FROM lineitem)
                      ELSE l_orderkey END AS l_orderkey,
                 CASE WHEN k <= {updates} THEN l_quantity + 1 ELSE l_quantity END::DECIMAL(15, 2)
                   AS l_quantity,
                 CASE WHEN k <= {updates} THEN 'corrected: ' || l_comment ELSE l_comment END
                   AS l_comment)
        FROM picked ORDER BY hash(k)"""
    )
    folder = pathlib.Path(arguments.to)
    (folder / "changes").mkdir(parents=True, exist_ok=True)
    connection.execute(f"COPY changes TO '{folder / 'changes' / 'part-0001.csv'}' (HEADER)")
    connection.execute(
        """CREATE VIEW after AS
        SELECT * FROM lineitem ANTI JOIN changes USING (l_orderkey, l_linenumber)
        UNION ALL SELECT * EXCLUDE (op) FROM changes WHERE op <> 'D'"""
    )
    write_expected(connection, "after", folder / "expected.json")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["extract", "changes"])
    parser.add_argument("--to", required=True)
    parser.add_argument("--scale")
    parser.add_argument("--from", dest="source")
    parser.add_argument("--shape")
    parser.add_argument("--changes", type=int)
    arguments = parser.parse_args()
    extract(arguments) if arguments.what == "extract" else changes(arguments)


if __name__ == "__main__":
    main()
