"""A Spark session whose catalog `default` is the one that northstar and PyIceberg use."""

import pathlib

from pyspark.sql import SparkSession


def start(warehouse, jars):
    """Spark on two cores of this machine, over `warehouse/catalog.db`; times are in UTC."""
    warehouse = pathlib.Path(warehouse).resolve()
    return over(
        jars,
        {
            "type": "jdbc",
            "uri": f"jdbc:sqlite:{warehouse / 'catalog.db'}",
            "jdbc.schema-version": "V1",
            "warehouse": f"file://{warehouse / 'tables'}",
        },
    )


def over(jars, settings):
    """The same over a catalog with these settings."""
    paths = sorted(str(jar) for jar in pathlib.Path(jars).glob("*.jar"))
    catalog = "spark.sql.catalog.default"
    builder = (
        SparkSession.builder.master("local[2]")
        .appName("northstar-interop")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        # A run is too short for the second compiler to pay; without it Spark takes about half the CPU.
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.jars", ",".join(paths))
        .config(
            "spark.sql.extensions",
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        )
        .config(catalog, "org.apache.iceberg.spark.SparkCatalog")
        .config(f"{catalog}.cache-enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.timestampType", "TIMESTAMP_NTZ")
    )
    for key, value in settings.items():
        builder = builder.config(f"{catalog}.{key}", value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session
