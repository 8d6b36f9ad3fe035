"""Merges a file of changes with Spark into the Iceberg table of a SQL catalog, in one MERGE.

    python spark_merge.py --changes FILE --warehouse DIR --jars DIR [--data NAME]

The table's properties say whether Spark writes data files anew or position deletes. The JVM has 4 GiB.
"""

import argparse
import os
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "interop" / "spark"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", required=True)
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--jars", required=True)
    parser.add_argument("--data", default="lab")
    arguments = parser.parse_args()
    os.environ["PYSPARK_SUBMIT_ARGS"] = "--driver-memory 4g pyspark-shell"
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"

    import peer_tables
    from spark_session import start

    table = peer_tables.named(arguments.data)
    spark = start(arguments.warehouse, arguments.jars)
    spark.read.parquet(arguments.changes).createOrReplaceTempView("source")
    spark.sql(table.merge(f"default.{table.identifier}", "source"))
    spark.stop()


if __name__ == "__main__":
    main()
