"""Spark with Iceberg's GlueCatalog, unmodified, against `northstar serve`, with files on `file://`.

    python glue_spark.py PATH_OF_NORTHSTAR --spark-python PYTHON --jars FOLDER

Spark and northstar commit to one table in turn and at once; no update is lost.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from expect import expect
from server import KEY_ID, REGION, SECRET, Server
from spark import Spark

# Commits of each to the table that both write at once.
ROUNDS = 8


def settings(server):
    return {
        "catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
        "io-impl": "org.apache.iceberg.hadoop.HadoopFileIO",
        "warehouse": f"file://{server.warehouse.resolve()}/tables",
        "glue.endpoint": server.url,
        "client.region": REGION,
    }


# What Iceberg says of a commit that came after another, and Spark of a table that moved under a statement.
CONFLICTS = ("CommitFailedException", "ValidationException", "the table has been concurrently modified")

CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION}


def in_turn(server, spark):
    spark.sql("CREATE NAMESPACE default.silver COMMENT 'checked'")
    spark.sql("CREATE TABLE default.silver.visit (id BIGINT NOT NULL, site STRING, at DATE) USING iceberg PARTITIONED BY (site)")
    spark.sql("INSERT INTO default.silver.visit VALUES (1, 'a', DATE '2024-01-01'), (2, 'b', NULL)")
    everything = "SELECT id, site FROM {}silver.visit ORDER BY id"
    expect("rows that northstar reads", server.sql(everything.format("")), [[1, "a"], [2, "b"]])
    server.sql("INSERT INTO silver.visit VALUES (3, 'a', NULL)")
    server.sql("DELETE FROM silver.visit WHERE id = 1")
    expect("rows that Spark reads", spark.sql(everything.format("default.")), [[2, "b"], [3, "a"]])
    spark.sql(
        "MERGE INTO default.silver.visit t USING (SELECT 3L AS id, 'c' AS site UNION ALL SELECT 4L, 'd') s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET site = s.site WHEN NOT MATCHED THEN INSERT (id, site) VALUES (s.id, s.site)"
    )
    wanted = [[2, "b"], [3, "c"], [4, "d"]]
    expect("rows after Spark's MERGE", server.sql(everything.format("")), wanted)
    spark.sql("ALTER TABLE default.silver.visit ADD COLUMN note STRING")
    server.sql("UPDATE silver.visit SET note = 'seen' WHERE id = 4")
    expect("a column of Spark's", spark.sql("SELECT note FROM default.silver.visit WHERE id = 4"), [["seen"]])


def at_once(server, spark):
    """Each adds one to a row of its own and to one that both share: a lost update would show in the sum."""
    spark.sql("CREATE TABLE default.silver.counter (id BIGINT, n BIGINT) USING iceberg TBLPROPERTIES ('commit.retry.num-retries' = '30')")
    spark.sql("INSERT INTO default.silver.counter VALUES (0, 0)")
    done = {"spark": 0, "northstar": 0}

    def by_spark():
        for number in range(ROUNDS):
            spark.sql(f"INSERT INTO default.silver.counter VALUES ({1_000 + number}, 1)")
            # A conflict of two updates of one row is refused, not merged: the row is updated anew.
            while (answer := spark.ask("UPDATE default.silver.counter SET n = n + 1 WHERE id = 0")) != {"rows": []}:
                if not any(name in answer["error"] for name in CONFLICTS):
                    sys.exit(f"Spark's UPDATE failed in another way than by a conflict: {answer}")
            done["spark"] += 1

    def by_northstar():
        for number in range(ROUNDS):
            server.sql(f"INSERT INTO silver.counter VALUES ({2_000 + number}, 1)")
            server.sql("UPDATE silver.counter SET n = n + 1 WHERE id = 0")
            done["northstar"] += 1

    with ThreadPoolExecutor(2) as threads:
        for run in [threads.submit(by_spark), threads.submit(by_northstar)]:
            run.result()
    expect("rounds", done, {"spark": ROUNDS, "northstar": ROUNDS})
    both = "SELECT sum(CASE WHEN id = 0 THEN n ELSE 0 END), sum(CASE WHEN id > 0 THEN n ELSE 0 END), count(*) FROM {}silver.counter"
    wanted = [[2 * ROUNDS, 2 * ROUNDS, 2 * ROUNDS + 1]]
    expect("updates that northstar reads", server.sql(both.format("")), wanted)
    expect("updates that Spark reads", spark.sql(both.format("default.")), wanted)


def names(server, spark):
    spark.sql("ALTER TABLE default.silver.counter RENAME TO silver.counted")
    tables = sorted(row[1] for row in spark.sql("SHOW TABLES IN default.silver"))
    expect("tables", tables, ["counted", "visit"])
    spark.sql("DROP TABLE default.silver.counted")
    spark.sql("DROP TABLE default.silver.visit")
    spark.sql("DROP NAMESPACE default.silver")
    expect("databases", server.client("glue").get_databases()["DatabaseList"], [])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("northstar")
    parser.add_argument("--spark-python", required=True)
    parser.add_argument("--jars", required=True)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(asked.northstar, Path(folder)) as server:
        with Spark(asked.spark_python, asked.jars, settings(server), CREDENTIALS) as spark:
            in_turn(server, spark)
            at_once(server, spark)
            names(server, spark)
    print("Spark and northstar lost nothing of each other's")


if __name__ == "__main__":
    main()
