"""The tables of the benchmark as the peers see them: types, Iceberg schema, partitions, MERGE, catalog."""

import dataclasses
import pathlib
import sys

# The DuckDB session is shared with the interop checks.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "interop"))

PROPERTIES = {
    "write.parquet.compression-codec": "zstd",
    "write.parquet.compression-level": "1",
}


@dataclasses.dataclass(frozen=True)
class PeerTable:
    """One table: `columns` gives the type of each column, as Iceberg calls it."""

    namespace: str
    name: str
    columns: dict
    # The columns that identify a row.
    key: tuple
    # Columns and their transforms: `identity` or `month`.
    partition: tuple
    # What is summed in each partition beside the number of rows: name and SQL.
    sums: dict

    @property
    def identifier(self):
        return f"{self.namespace}.{self.name}"

    @property
    def month_of(self):
        """The column that is partitioned by month."""
        return next(column for column, transform in self.partition if transform == "month")

    @property
    def delta_partition(self):
        """The partition columns in Delta, which has the month as a column."""
        return [column if kind == "identity" else "month" for column, kind in self.partition]

    def csv_files(self, folder):
        """The files of the table in arrival order."""
        return sorted(str(path) for path in pathlib.Path(folder, self.name).glob("*.csv"))

    def arrow_types(self):
        """The Arrow type of each column, for PyArrow's CSV reader."""
        import pyarrow as pa

        types = {
            "long": pa.int64(),
            "int": pa.int32(),
            "double": pa.float64(),
            "string": pa.string(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us"),
        }
        return {
            name: types[kind] if kind in types else pa.decimal128(*digits(kind))
            for name, kind in self.columns.items()
        }

    def duckdb_types(self):
        """The DuckDB type of each column, for `read_csv`."""
        types = {
            "long": "BIGINT",
            "int": "INTEGER",
            "double": "DOUBLE",
            "string": "VARCHAR",
            "date": "DATE",
            "timestamp": "TIMESTAMP",
        }
        return {name: types.get(kind, kind.upper()) for name, kind in self.columns.items()}

    def create(self, catalog):
        """The empty Iceberg table with its partitions."""
        from pyiceberg.partitioning import PartitionField, PartitionSpec
        from pyiceberg.schema import Schema
        from pyiceberg.transforms import IdentityTransform, MonthTransform
        from pyiceberg.types import (
            DateType,
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
            "date": DateType(),
            "timestamp": TimestampType(),
        }
        fields = [
            NestedField(
                number,
                name,
                types[kind] if kind in types else DecimalType(*digits(kind)),
                required=False,
            )
            for number, (name, kind) in enumerate(self.columns.items(), 1)
        ]
        schema = Schema(*fields)
        transforms = {"identity": ("", IdentityTransform()), "month": ("_month", MonthTransform())}
        spec = PartitionSpec(
            *(
                PartitionField(
                    schema.find_field(column).field_id,
                    number,
                    transforms[transform][1],
                    column + transforms[transform][0],
                )
                for number, (column, transform) in enumerate(self.partition, 1000)
            )
        )
        catalog.create_namespace_if_not_exists(self.namespace)
        return catalog.create_table(
            self.identifier, schema, partition_spec=spec, properties=PROPERTIES
        )

    def condition(self):
        """The `ON` of a MERGE of source `s` into target `t`: the key alone."""
        return " AND ".join(f"t.{name} = s.{name}" for name in self.key)

    def actions(self):
        """What an update sets, and the columns and values of an insert."""
        update = ", ".join(f"{name} = s.{name}" for name in self.columns)
        values = ", ".join(f"s.{name}" for name in self.columns)
        return f"UPDATE SET {update}", f"INSERT ({', '.join(self.columns)}) VALUES ({values})"

    def merge(self, target, source):
        """One MERGE with all three actions."""
        update, insert = self.actions()
        return (
            f"MERGE INTO {target} t USING {source} s ON {self.condition()} "
            f"WHEN MATCHED AND s.op = 'D' THEN DELETE WHEN MATCHED THEN {update} "
            f"WHEN NOT MATCHED THEN {insert}"
        )


def digits(kind):
    """Precision and scale of `decimal(12,4)`."""
    return tuple(int(number) for number in kind.removeprefix("decimal(").rstrip(")").split(","))


LAB = PeerTable(
    namespace="bronze",
    name="lab_result",
    columns={
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
    },
    key=("result_id",),
    partition=(("facility_id", "identity"), ("collected_at", "month")),
    sums={
        "result_id": "sum(result_id)::HUGEINT",
        "version": "sum(version)::HUGEINT",
        "reference_high_e2": "(coalesce(sum(reference_high), 0) * 100)::HUGEINT",
    },
)

# With a document in each row, which is checked by its first letter.
LAB_WIDE = dataclasses.replace(
    LAB,
    columns={**LAB.columns, "document": "string"},
    sums={**LAB.sums, "document": "sum(ord(document))::HUGEINT"},
)

LINEITEM = PeerTable(
    namespace="tpch",
    name="lineitem",
    columns={
        "l_orderkey": "long",
        "l_partkey": "long",
        "l_suppkey": "long",
        "l_linenumber": "int",
        "l_quantity": "decimal(15,2)",
        "l_extendedprice": "decimal(15,2)",
        "l_discount": "decimal(15,2)",
        "l_tax": "decimal(15,2)",
        "l_returnflag": "string",
        "l_linestatus": "string",
        "l_shipdate": "date",
        "l_commitdate": "date",
        "l_receiptdate": "date",
        "l_shipinstruct": "string",
        "l_shipmode": "string",
        "l_comment": "string",
    },
    key=("l_orderkey", "l_linenumber"),
    partition=(("l_shipdate", "month"),),
    sums={
        "l_orderkey": "sum(l_orderkey)::HUGEINT",
        "l_linenumber": "sum(l_linenumber)::HUGEINT",
        "l_quantity_e2": "(sum(l_quantity) * 100)::HUGEINT",
        "l_extendedprice_e2": "(sum(l_extendedprice) * 100)::HUGEINT",
    },
)


def named(data):
    """The table of a data set: `lab`, `lab-wide` or `tpch`."""
    return {"lab": LAB, "lab-wide": LAB_WIDE, "tpch": LINEITEM}[data]


def open_catalog(warehouse):
    """PyIceberg's SQL catalog in the folder `warehouse`."""
    from pyiceberg.catalog.sql import SqlCatalog

    pathlib.Path(warehouse).mkdir(parents=True, exist_ok=True)
    return SqlCatalog(
        "default", uri=f"sqlite:///{warehouse}/catalog.db", warehouse=f"file://{warehouse}"
    )
