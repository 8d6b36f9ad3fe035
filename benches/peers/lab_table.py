"""The lab table as the peers see it: CSV types, Iceberg schema, partitions and catalog."""

import pathlib
import sys

# The DuckDB session is shared with the interop checks.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "interop"))

NAMESPACE = "bronze"
NAME = "lab_result"
TABLE = f"{NAMESPACE}.{NAME}"

COLUMNS = {
    "result_id": "long",
    "patient_id": "long",
    "encounter_id": "long",
    "order_id": "long",
    "facility_id": "string",
    "provider_id": "int",
    "loinc_code": "string",
    "test_name": "string",
    "value_numeric": "double",
    "value_text": "string",
    "units": "string",
    "reference_low": "decimal(12,4)",
    "reference_high": "decimal(12,4)",
    "abnormal_flag": "string",
    "status": "string",
    "specimen": "string",
    "collected_at": "timestamp",
    "resulted_at": "timestamp",
    "version": "int",
    "comment": "string",
}

PROPERTIES = {
    "write.parquet.compression-codec": "zstd",
    "write.parquet.compression-level": "1",
}


def csv_files(folder):
    """The files of the table in arrival order."""
    return sorted(str(path) for path in pathlib.Path(folder, NAME).glob("*.csv"))


def open_catalog(warehouse):
    """PyIceberg's SQL catalog in the folder `warehouse`."""
    from pyiceberg.catalog.sql import SqlCatalog

    pathlib.Path(warehouse).mkdir(parents=True, exist_ok=True)
    return SqlCatalog(
        "default", uri=f"sqlite:///{warehouse}/catalog.db", warehouse=f"file://{warehouse}"
    )


def create_table(catalog):
    """The empty table, partitioned by facility and month."""
    from pyiceberg.partitioning import PartitionField, PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.transforms import IdentityTransform, MonthTransform
    from pyiceberg.types import (
        DecimalType,
        DoubleType,
        IntegerType,
        LongType,
        NestedField,
        StringType,
        TimestampType,
    )

    types = {
        "long": LongType(),
        "int": IntegerType(),
        "double": DoubleType(),
        "string": StringType(),
        "timestamp": TimestampType(),
        "decimal(12,4)": DecimalType(12, 4),
    }
    fields = [
        NestedField(number, name, types[kind], required=False)
        for number, (name, kind) in enumerate(COLUMNS.items(), 1)
    ]
    schema = Schema(*fields)
    spec = PartitionSpec(
        PartitionField(
            schema.find_field("facility_id").field_id, 1000, IdentityTransform(), "facility_id"
        ),
        PartitionField(
            schema.find_field("collected_at").field_id, 1001, MonthTransform(), "collected_at_month"
        ),
    )
    catalog.create_namespace_if_not_exists(NAMESPACE)
    return catalog.create_table(TABLE, schema, partition_spec=spec, properties=PROPERTIES)


def arrow_types():
    """The Arrow type of each column, for PyArrow's CSV reader."""
    import pyarrow as pa

    types = {
        "long": pa.int64(),
        "int": pa.int32(),
        "double": pa.float64(),
        "string": pa.string(),
        "timestamp": pa.timestamp("us"),
        "decimal(12,4)": pa.decimal128(12, 4),
    }
    return {name: types[kind] for name, kind in COLUMNS.items()}


def duckdb_types():
    """The DuckDB type of each column, for `read_csv`."""
    types = {
        "long": "BIGINT",
        "int": "INTEGER",
        "double": "DOUBLE",
        "string": "VARCHAR",
        "timestamp": "TIMESTAMP",
        "decimal(12,4)": "DECIMAL(12,4)",
    }
    return {name: types[kind] for name, kind in COLUMNS.items()}
