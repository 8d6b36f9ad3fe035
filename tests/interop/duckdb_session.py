"""A DuckDB connection with the Iceberg extension of the pinned wheels, without any download."""

import importlib
import pathlib

import duckdb


def connect(extensions=("avro", "httpfs", "iceberg"), **config):
    """Connects with the extensions loaded straight from their Python packages."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", **config})
    for name in extensions:
        package = importlib.import_module(f"duckdb_extension_{name}")
        folder = pathlib.Path(next(iter(package.__path__)), "extensions", f"v{duckdb.__version__}")
        connection.execute(f"LOAD '{folder / name}.duckdb_extension'")
    return connection
