"""Seeded rows with every type that `CREATE TABLE` has, and the values that break readers.

NULL in each column, empty text, `/ = %` and emoji (which partition paths escape), NaN, both zeros,
infinities, the widest decimals, and dates and times from year 1 to 9999 around 1970.
"""

import pyarrow as pa

COLUMNS = {
    "id": "BIGINT NOT NULL",
    "site": "STRING",
    "at": "TIMESTAMP",
    "seen": "TIMESTAMPTZ",
    "day": "DATE",
    "amount": "DECIMAL(38, 9)",
    "fee": "DECIMAL(9, 2)",
    "score": "DOUBLE",
    "single": "FLOAT",
    "small": "INT",
    "ok": "BOOLEAN",
    "raw": "BINARY",
}
SITES = (None, "north", "a/b =%é😀", "", "north-2", "%2F", "A B+&?#", "😀😀", "ñandú")
TIMES = (
    "2024-02-29T23:59:59.999999",
    "1969-12-31T23:59:59.999999",
    "1970-01-01T00:00:00",
    "1970-01-01T01:00:00",
    None,
    "1850-06-15T12:30:00.000001",
    "2024-03-01T00:00:00",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59.999999",
    "1969-12-30T22:00:00",
)
DAYS = ("2024-02-29", "1969-12-31", None, "1970-01-01", "0001-01-01", "9999-12-31", "1582-10-10")
AMOUNTS = (
    "0",
    "-0.000000001",
    "99999999999999999999999999999.999999999",
    None,
    "-99999999999999999999999999999.999999999",
    "12345678901.5",
)
FEES = ("0.00", None, "-0.01", "9999999.99", "-9999999.99", "7.10")
SCORES = ("NaN", "-0.0", "0.0", "Infinity", "-Infinity", "5e-324", None, "0.1", "1e300")
SINGLES = ("0.1", None, "NaN", "-0.0", "3e38", "-Infinity", "0.0")
SMALLS = (0, -1, 2**31 - 1, -(2**31), None)
RAWS = ("", "00", "ff00ff", None, "c3a9", "80" * 20)


def cells(n):
    """The values of row `n`, in the order of `COLUMNS`; the lengths of the lists are coprime enough."""
    time = TIMES[n % 10]
    instant = TIMES[(n * 3 + 1) % 10]
    return (
        n,
        SITES[n % 9],
        time,
        None if instant is None else instant + "Z",
        DAYS[n % 7],
        AMOUNTS[n % 6],
        FEES[(n // 2) % 6],
        SCORES[(n // 3) % 9],
        SINGLES[n % 7],
        SMALLS[n % 5],
        (True, False, None)[n % 3],
        RAWS[(n // 5) % 6],
    )


def literal(name, value):
    if value is None:
        return "NULL"
    if name == "raw":
        return f"x'{value}'"
    return f"'{value}'" if isinstance(value, str) else str(value)


def values(numbers):
    """`VALUES` with the rows of these numbers."""
    shown = (
        "(" + ", ".join(literal(name, cell) for name, cell in zip(COLUMNS, cells(n), strict=True)) + ")"
        for n in numbers
    )
    return "VALUES " + ", ".join(shown)


def create(name, spec="", **properties):
    """`CREATE TABLE` with all columns."""
    columns = ", ".join(f"{column} {kind}" for column, kind in COLUMNS.items())
    text = f"CREATE TABLE {name} ({columns})"
    if spec:
        text += f" PARTITIONED BY ({spec})"
    if properties:
        pairs = ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())
        text += f" TBLPROPERTIES ({pairs})"
    return text


def modes(mode):
    return {f"write.{verb}.mode": mode for verb in ("merge", "update", "delete")}


def arrow(schema, numbers):
    """The same rows as an Arrow table, for writers that take one; `schema` has columns of `COLUMNS`."""
    columns = list(zip(*(cells(n) for n in numbers), strict=True))
    places = {name: place for place, name in enumerate(COLUMNS)}
    fields = schema.as_arrow()
    made = [typed(field, columns[places[field.name]]) for field in fields]
    return pa.table(made, schema=fields)


def typed(field, texts):
    if pa.types.is_floating(field.type):
        texts = [None if text is None else float(text) for text in texts]
    if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
        texts = [None if text is None else bytes.fromhex(text) for text in texts]
    return pa.array(texts).cast(field.type)
