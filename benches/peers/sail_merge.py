"""Merges a file of changes with Sail into the Iceberg table in a folder, in one MERGE.

    python sail_merge.py --changes FILE --table DIR [--data NAME]

The table's properties say whether Sail writes data files anew or position deletes. Server and client are
one process.
"""

import argparse
import warnings

import peer_tables


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--data", default="lab")
    arguments = parser.parse_args()
    table = peer_tables.named(arguments.data)
    warnings.simplefilter("ignore")
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    _, port = server.listening_address
    spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    spark.sql(f"CREATE TABLE target USING iceberg LOCATION '{arguments.table}'").collect()
    spark.read.parquet(arguments.changes).createOrReplaceTempView("source")
    spark.sql(table.merge("target", "source")).collect()
    spark.stop()
    server.stop()


if __name__ == "__main__":
    main()
