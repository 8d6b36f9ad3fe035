"""Tables that PyIceberg writes: each transform, both format versions, its row changes and evolutions."""

import pathlib
import uuid

import pyarrow as pa
import pyarrow.parquet as parquet
import rows
from pyiceberg import types as iceberg
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import parse_transform

FIELDS = (
    iceberg.NestedField(1, "id", iceberg.LongType(), required=True),
    iceberg.NestedField(2, "site", iceberg.StringType()),
    iceberg.NestedField(3, "at", iceberg.TimestampType()),
    iceberg.NestedField(4, "seen", iceberg.TimestamptzType()),
    iceberg.NestedField(5, "day", iceberg.DateType()),
    iceberg.NestedField(6, "amount", iceberg.DecimalType(38, 9)),
    iceberg.NestedField(7, "fee", iceberg.DecimalType(9, 2)),
    iceberg.NestedField(8, "score", iceberg.DoubleType()),
    iceberg.NestedField(9, "single", iceberg.FloatType()),
    iceberg.NestedField(10, "small", iceberg.IntegerType()),
    iceberg.NestedField(11, "ok", iceberg.BooleanType()),
    iceberg.NestedField(12, "raw", iceberg.BinaryType()),
)
SCHEMA = Schema(*FIELDS)
BY = {
    "plain": (),
    "identity": (("site", "identity"),),
    "bucket": (("id", "bucket[4]"), ("site", "bucket[3]")),
    "truncate": (("site", "truncate[2]"), ("small", "truncate[10]")),
    "year": (("at", "year"),),
    "month": (("site", "identity"), ("seen", "month")),
    "day": (("day", "day"),),
    "hour": (("seen", "hour"),),
}

# What northstar does not read, and the words with which it says so.
REFUSED = {
    "py.added": "a data file without field ids",
}


def spec(fields, schema=SCHEMA):
    if not fields:
        return UNPARTITIONED_PARTITION_SPEC
    made = [
        PartitionField(schema.find_field(column).field_id, 1000 + n, parse_transform(kind), f"p{n}")
        for n, (column, kind) in enumerate(fields)
    ]
    return PartitionSpec(*made)


def tables(lake):
    """Makes all tables; yields the name of each."""
    lake.catalog.create_namespace("py")
    for name, fields in BY.items():
        table = make(lake, name, fields)
        table.append(rows.arrow(SCHEMA, range(30)))
        table.append(rows.arrow(SCHEMA, range(30, 40)))
        table.delete("id in (3, 4, 33)")
        yield f"py.{name}"
    for changed in (overwritten, evolved, respecified, first_version, types, added, nested):
        yield changed(lake)


def make(lake, name, fields=(), schema=SCHEMA, **properties):
    return lake.catalog.create_table(
        f"py.{name}", schema, partition_spec=spec(fields, schema), properties=properties
    )


def again(lake, name):
    """What PyIceberg does to a table that northstar wrote to."""
    table = lake.table(name)
    table.delete("id = 11")
    if "extra" not in table.schema().column_names:
        with table.update_schema() as change:
            change.add_column("extra", iceberg.StringType())
    given = {"id": [7000], "site": ["after"], "extra": ["é"]}
    full = table.schema().as_arrow()
    columns = [pa.array(given.get(f.name, [None])).cast(f.type) for f in full]
    table.append(pa.table(columns, schema=full))


def overwritten(lake):
    """Overwrites by filter and by partition, and upserts."""
    table = make(lake, "overwritten", (("site", "identity"),))
    table.append(rows.arrow(SCHEMA, range(40)))
    table.overwrite(rows.arrow(SCHEMA, (100, 101)), overwrite_filter="site = 'north'")
    table.dynamic_partition_overwrite(rows.arrow(SCHEMA, (202, 211)))
    table.upsert(rows.arrow(SCHEMA, (5, 300, 301)), join_cols=["id"])
    return "py.overwritten"


def evolved(lake):
    table = make(lake, "evolved", (("site", "identity"),))
    table.append(rows.arrow(SCHEMA, range(30)))
    with table.update_schema() as change:
        change.rename_column("score", "mark")
    with table.update_schema() as change:
        change.add_column("score", iceberg.StringType())
        change.update_column("small", iceberg.LongType())
        change.update_column("single", iceberg.DoubleType())
        change.update_column("fee", iceberg.DecimalType(20, 2))
        change.delete_column("ok")
        change.move_first("raw")
    table.append(table.scan(row_filter="id < 8").to_arrow())
    table.delete("mark is null")
    return "py.evolved"


def respecified(lake):
    table = make(lake, "respecified", (("site", "identity"),))
    table.append(rows.arrow(SCHEMA, range(20)))
    with table.update_spec() as change:
        change.remove_field("p0")
        change.add_field("id", parse_transform("bucket[4]"), "by_id")
    table.append(rows.arrow(SCHEMA, range(20, 40)))
    with table.update_spec() as change:
        change.add_field("at", parse_transform("month"), "by_month")
    table.append(rows.arrow(SCHEMA, range(40, 50)))
    table.delete("id in (1, 21, 41)")
    return "py.respecified"


def first_version(lake):
    """Format version 1, in which a partition field that goes leaves a void one."""
    table = make(lake, "first_version", (("site", "identity"),), **{"format-version": "1"})
    table.append(rows.arrow(SCHEMA, range(20)))
    with table.update_spec() as change:
        change.remove_field("p0")
        change.add_field("at", parse_transform("day"), "by_day")
    table.append(rows.arrow(SCHEMA, range(20, 30)))
    table.delete("id in (1, 21)")
    return "py.first_version"


def types(lake):
    """The types that SQL of northstar does not make."""
    schema = Schema(
        iceberg.NestedField(1, "id", iceberg.LongType(), required=True),
        iceberg.NestedField(2, "site", iceberg.StringType()),
        iceberg.NestedField(3, "uid", iceberg.UUIDType()),
        iceberg.NestedField(4, "four", iceberg.FixedType(4)),
    )
    table = make(lake, "types", schema=schema)
    numbers = range(30)
    columns = [
        pa.array(numbers, pa.int64()),
        pa.array([rows.SITES[n % 9] for n in numbers]),
        pa.array([None if n % 4 == 1 else uuid.UUID(int=n << 100).bytes for n in numbers], pa.binary(16)),
        pa.array([None if n % 4 == 2 else bytes([n, 0, 255, n]) for n in numbers], pa.binary(4)),
    ]
    table.append(pa.table(columns, schema=schema.as_arrow()))
    return "py.types"


def added(lake):
    """Parquet files without field ids, taken in as they are: columns go by the name mapping."""
    table = make(lake, "added")
    table.append(rows.arrow(SCHEMA, range(10)))
    plain = rows.arrow(SCHEMA, range(10, 30))
    plain = plain.replace_schema_metadata(None).cast(
        pa.schema([pa.field(field.name, field.type, field.nullable) for field in plain.schema])
    )
    path = pathlib.Path(table.location().removeprefix("file://"), "data", "foreign.parquet")
    parquet.write_table(plain.select(list(reversed(plain.column_names))), path)
    table.add_files([f"file://{path}"])
    return "py.added"


def nested(lake):
    """A struct, a list and a map, and one in the other."""
    number, text = iceberg.LongType(), iceberg.StringType()
    inner = iceberg.StructType(
        iceberg.NestedField(10, "code", text, required=False),
        iceberg.NestedField(11, "value", number, required=False),
    )
    schema = Schema(
        iceberg.NestedField(1, "id", number, required=True),
        iceberg.NestedField(2, "site", text, required=False),
        iceberg.NestedField(3, "one", inner, required=False),
        iceberg.NestedField(4, "many", iceberg.ListType(12, number, False), required=False),
        iceberg.NestedField(5, "named", iceberg.MapType(13, text, 14, number, False), required=False),
        iceberg.NestedField(6, "deep", iceberg.ListType(15, inner, False), required=False),
    )
    table = make(lake, "nested", schema=schema)
    given = [
        {
            "id": n,
            "site": rows.SITES[n % 9],
            "one": None if n % 5 == 0 else {"code": None if n % 3 == 0 else f"é{n}", "value": n},
            "many": (None, [], [n, None, -n])[n % 3],
            "named": (None, [], [("a", n), ("ä/", None)])[(n + 1) % 3],
            "deep": None if n % 4 == 0 else [{"code": "x", "value": None}, None][: n % 3],
        }
        for n in range(30)
    ]
    table.append(pa.Table.from_pylist(given, schema=table.schema().as_arrow()))
    return "py.nested"
