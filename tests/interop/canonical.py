"""One text for one value, whichever engine read it and however it printed it.

The Iceberg type decides, never the look of the value: `1` of a double and `1.0` are the same
value, `1` of a string and `1.0` are not. Doubles are compared by their bits (all NaN are one),
decimals at the scale of their type, instants in microseconds, binary as hex, null as None.
"""

import datetime
import decimal
import math
import struct
import uuid

from pyiceberg import types as iceberg

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND = datetime.timedelta(microseconds=1)
FLOATS = {"nan": "nan", "inf": "inf", "infinity": "inf", "-inf": "-inf", "-infinity": "-inf"}


def canonical(kind, value):
    """The canonical text of `value`, which is of the Iceberg type `kind`."""
    if value is None:
        return None
    match kind:
        case iceberg.BooleanType():
            return truth(value)
        case iceberg.IntegerType() | iceberg.LongType():
            return str(int(value))
        case iceberg.FloatType():
            return bits(value, ">f")
        case iceberg.DoubleType():
            return bits(value, ">d")
        case iceberg.DecimalType():
            return exact(value, kind.scale)
        case iceberg.DateType():
            return date(value)
        case iceberg.TimeType():
            return time(value)
        case iceberg.TimestampType() | iceberg.TimestamptzType():
            return instant(value)
        case iceberg.BinaryType() | iceberg.FixedType():
            return value.lower().removeprefix("0x") if isinstance(value, str) else value.hex()
        case iceberg.UUIDType():
            return str(value if isinstance(value, uuid.UUID) else from_uuid(value))
        case iceberg.StringType():
            # ClickHouse has one type for text and bytes.
            return value.decode() if isinstance(value, bytes) else str(value)
        case iceberg.ListType():
            return str([canonical(kind.element_type, item) for item in value])
        case iceberg.MapType():
            pairs = value.items() if isinstance(value, dict) else value
            pairs = [
                (canonical(kind.key_type, key), canonical(kind.value_type, item))
                for key, item in pairs
            ]
            return str(sorted(pairs, key=str))
        case iceberg.StructType():
            return str([canonical(f.field_type, value.get(f.name)) for f in kind.fields])
    raise ValueError(f"no rule for the type {kind}")


def truth(value):
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ValueError("not a boolean")
    return text


def bits(value, layout):
    """The bits of a floating-point number, so that -0.0 and the last digit count."""
    if isinstance(value, str):
        value = FLOATS.get(value.lower(), value)
    number = float(value)
    return "nan" if math.isnan(number) else struct.pack(layout, number).hex()


def exact(value, scale):
    number = decimal.Decimal(value)
    with decimal.localcontext(prec=60):
        rounded = number.quantize(decimal.Decimal(1).scaleb(-scale))
    # A value that does not fit the scale keeps its own text and so cannot look equal.
    return str(rounded) if rounded == number else str(number)


def date(value):
    if isinstance(value, str):
        value = datetime.date.fromisoformat(value[:10])
    return value.isoformat()


def time(value):
    if isinstance(value, str):
        value = datetime.time.fromisoformat(value)
    return value.isoformat("microseconds")


def instant(value):
    """Microseconds since 1970; text without an offset is taken as UTC."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.strip().removesuffix(" UTC"))
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    return str((value - EPOCH) // MICROSECOND)


def from_uuid(value):
    return uuid.UUID(bytes=value) if isinstance(value, bytes) else uuid.UUID(value)


def columns_of(schema, table):
    """The columns of an Arrow table as canonical texts, in the order of the Iceberg schema."""
    import pyarrow as pa

    columns = []
    for field in schema.fields:
        column = table[field.name]
        if pa.types.is_timestamp(column.type):
            # Through the number, because Python's own dates end at the year 9999.
            column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
        columns.append([canonical(field.field_type, value) for value in column.to_pylist()])
    return columns
