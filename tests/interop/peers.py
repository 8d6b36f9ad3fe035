"""Engines that run statements on tables of their own: DuckDB; Sail and Spark on Iceberg tables."""

from __future__ import annotations

import pathlib
import tempfile
import warnings

import duckdb_session
import pyarrow as pa
from pyiceberg import types as iceberg
from pyiceberg.table import StaticTable


class DuckDb:
    """Plain tables in memory."""

    name = engine = "duckdb"

    def __init__(self):
        self.connection = duckdb_session.connect(extensions=())
        self.connection.execute("SET TimeZone = 'UTC'")

    def replace(self, table, schema, rows):
        """Makes `table` hold `rows`, an Arrow table."""
        namespace = table.split(".")[0]
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {namespace}")
        self.connection.register("given", rows)
        self.connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM given")
        self.connection.unregister("given")

    def run(self, sql):
        self.connection.execute(sql)

    def rows(self, table):
        return self.connection.execute(f"SELECT * FROM {table}").to_arrow_table()

    def close(self):
        self.connection.close()


class Sail:
    """Iceberg tables in a folder, through Spark Connect."""

    name = engine = "sail"

    def __init__(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pysail.spark import SparkConnectServer
            from pyspark.sql import SparkSession

            self.server = SparkConnectServer("127.0.0.1", 0)
            self.server.start(background=True)
            _, port = self.server.listening_address
            remote = f"sc://127.0.0.1:{port}"
            self.spark = SparkSession.builder.remote(remote).getOrCreate()
            self.spark.conf.set("spark.sql.session.timeZone", "UTC")
        self.folder = tempfile.TemporaryDirectory()
        self.made = 0

    def replace(self, table, schema, rows):
        """Makes `table` hold `rows`, an Arrow table."""
        self.spark.sql(f"CREATE DATABASE IF NOT EXISTS {table.split('.')[0]}").collect()
        self.spark.sql(f"DROP TABLE IF EXISTS {table}").collect()
        self.made += 1
        columns = ", ".join(f"`{f.name}` {spark_type(f.field_type)}" for f in schema.fields)
        place = f"{self.folder.name}/{self.made}"
        self.spark.sql(f"CREATE TABLE {table} ({columns}) USING iceberg LOCATION '{place}'").collect()
        if rows.num_rows:
            self.spark.createDataFrame(rows).createOrReplaceTempView("given")
            names = ", ".join(
                f"CAST(`{f.name}` AS {spark_type(f.field_type)})" for f in schema.fields
            )
            self.spark.sql(f"INSERT INTO {table} SELECT {names} FROM given").collect()

    def run(self, sql):
        self.spark.sql(sql).collect()

    def rows(self, table):
        return self.spark.sql(f"SELECT * FROM {table}").toArrow()

    def close(self):
        self.spark.stop()
        self.server.stop()
        self.folder.cleanup()


class Spark:
    """Iceberg tables of one mode, in a catalog of their own in the Spark that all modes share."""

    engine = "spark"

    def __init__(self, process, mode):
        self.name, self.process, self.catalog = f"spark {mode}", process, mode.replace("-", "_")
        self.properties = {f"write.{verb}.mode": mode for verb in ("merge", "update", "delete")}
        self.folder = tempfile.TemporaryDirectory()
        self.tables = pathlib.Path(self.folder.name, "tables")
        self.file = str(pathlib.Path(self.folder.name, "rows.arrow"))
        self.made = False

    def ask(self, do, **order):
        if not self.made:
            self.process.ask("catalog", name=self.catalog, folder=str(self.tables))
            self.made = True
        self.process.ask(do, catalog=self.catalog, **order)

    def replace(self, table, schema, rows):
        """Makes `table` hold `rows`, an Arrow table."""
        with pa.OSFile(self.file, "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
            writer.write_table(rows)
        columns = [(f.name, spark_type(f.field_type)) for f in schema.fields]
        self.ask(
            "replace", table=table, columns=columns, properties=self.properties, given=self.file
        )

    def run(self, sql):
        self.ask("change", statement=sql)

    def rows(self, table):
        """What Spark wrote, as PyIceberg reads it, which takes a tenth of the time that Spark takes."""
        folder = self.tables / table.replace(".", "/") / "metadata"
        version = (folder / "version-hint.text").read_text(encoding="utf-8")
        return StaticTable.from_metadata(f"file://{folder}/v{version}.metadata.json").scan().to_arrow()

    def close(self):
        self.folder.cleanup()


def spark_type(kind):
    """What Spark calls an Iceberg type."""
    match kind:
        case iceberg.BooleanType():
            return "BOOLEAN"
        case iceberg.IntegerType():
            return "INT"
        case iceberg.LongType():
            return "BIGINT"
        case iceberg.DoubleType():
            return "DOUBLE"
        case iceberg.DecimalType():
            return f"DECIMAL({kind.precision}, {kind.scale})"
        case iceberg.DateType():
            return "DATE"
        case iceberg.TimestampType():
            return "TIMESTAMP_NTZ"
        case iceberg.TimestamptzType():
            return "TIMESTAMP"
        case iceberg.StringType():
            return "STRING"
    raise ValueError(f"no name for the type {kind}")
