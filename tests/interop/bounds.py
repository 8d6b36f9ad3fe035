"""No filter loses a row (B1): northstar, PyIceberg, DuckDB and ClickHouse prune northstar's files alike.

    python bounds.py PATH_OF_NORTHSTAR

Files are written by northstar with values whose bounds are hard to write (`nasty.py`). For each of some
hundred seeded predicates every engine must return exactly the rows that Python picks one by one. An
engine is held to its own order of floats (`predicates.py`); in all else there is one answer.
"""

import json
import pathlib
import sys
import tempfile
from collections import Counter
from random import Random

import nasty
import predicates
import pyarrow.parquet as parquet
from alike import Different
from clickhouse import ClickHouse
from engines import DuckDb
from lake import Lake

SEED = 20_240_229
# Dates and times before 1900 or after 2299 are no values of ClickHouse's, so it is not asked for these.
NOT_IN_CLICKHOUSE = ("day", "moment")


def literal(kind, value):
    """SQL of northstar and DuckDB."""
    if kind == "BINARY":
        return f"x'{value.hex()}'"
    if kind in ("INT", "BIGINT") and value not in (-(2**63), -(2**31)):
        return str(value)
    return f"CAST('{shown(value)}' AS {kind})"


def in_northstar(kind, value):
    # Two of the forms that people write: a text alone, and a text with its type.
    if kind == "TIMESTAMP" and value.second % 2 == 0:
        return f"'{shown(value)}'"
    return literal(kind, value)


def in_duckdb(kind, value):
    if kind == "BINARY":
        return f"from_hex('{value.hex()}')"
    return literal(kind, value)


def in_clickhouse(kind, value):
    match kind:
        case "BINARY":
            return f"unhex('{value.hex()}')"
        case "STRING":
            return f"'{value}'"
        case "DOUBLE" | "FLOAT":
            return f"toFloat{64 if kind == 'DOUBLE' else 32}('{value}')"
        case "DECIMAL(9, 2)":
            return f"toDecimal32('{value}', 2)"
        case "DECIMAL(38, 9)":
            return f"toDecimal128('{value:f}', 9)"
    return f"toInt64('{value}')"


def shown(value):
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, nasty.Decimal) else value


class InNorthstar:
    """Answers all predicates in one process; each answer is the number of rows of each id."""

    name, key = "northstar", staticmethod(predicates.nan_last)

    def __init__(self, lake):
        self.lake = lake

    def ids(self, table, chosen):
        name = ".".join(table.name())
        statements = [
            f"SELECT {number} AS q, id, count(*) AS n FROM {name} "
            f"WHERE {predicate.sql(in_northstar)} GROUP BY id"
            for number, predicate in enumerate(chosen)
        ]
        answers = [{} for _ in chosen]
        for line in self.lake.sql(*statements).splitlines():
            record = json.loads(line)
            answers[record["q"]][record["id"]] = record["n"]
        return answers


class InPyIceberg:
    name, key = "pyiceberg", staticmethod(predicates.ieee)

    def ids(self, table, chosen):
        for predicate in chosen:
            expression = predicate.expression()
            # PyIceberg asks partitions of a date for the day before or after: these have none.
            at_the_end = predicate.kind == "DATE" and {nasty.DAYS[0], nasty.DAYS[-1]} & {*predicate.values}
            if expression is None or (at_the_end and not table.spec().is_unpartitioned()):
                yield None
                continue
            by_bits = predicate.op == "in" and 0.0 in predicate.values
            if predicate.kind in predicates.FLOATING and (predicate.op in ("nan", "<>") or by_bits):
                yield self.in_planned_files(table, predicate, expression)
                continue
            found = table.scan(row_filter=expression, selected_fields=("id",)).to_arrow()
            yield Counter(found["id"].to_pylist())

    def in_planned_files(self, table, predicate, expression):
        """The rows of the files that PyIceberg plans to read, picked by Python.

        Arrow 26 takes a row group whose least and largest value are equal to hold no NaN, and loses it,
        whoever wrote the file; its `is_in` takes -0.0 and 0.0 for two values. What PyIceberg leaves out by bounds is to be seen all the same.
        """
        found = Counter()
        for task in table.scan(row_filter=expression).plan_files():
            path = task.file.file_path.removeprefix("file://")
            names = ["id", predicate.column]
            for row in parquet.ParquetFile(path).read(columns=names).to_pylist():
                found[row["id"]] += predicate.holds(row, self.key)
        return +found


class InDuckDb:
    name, key = "duckdb", staticmethod(predicates.nan_last)
    # DuckDB 1.5 has NaN after infinity but leaves files and row groups out by the largest value, which by the
    # specifications of Iceberg and Parquet is never NaN: so rows with NaN may be lost, whoever wrote the file.
    sees_nan = False

    def __init__(self):
        self.duck = DuckDb()

    def ids(self, table, chosen):
        for predicate in chosen:
            where = predicate.sql(in_duckdb)
            query = f"SELECT id, count(*) FROM {self.duck.scan(table)} WHERE {where} GROUP BY id"
            yield dict(self.duck.connection.execute(query).fetchall())


class InClickHouse:
    name, key = "clickhouse", staticmethod(predicates.ieee)

    def __init__(self):
        self.house = ClickHouse()

    def ids(self, table, chosen):
        for predicate in chosen:
            if predicate.column in NOT_IN_CLICKHOUSE:
                yield None
                continue
            where = self.where(predicate)
            yield Counter(self.house.ask("id", table, where=where)["id"].to_pylist())

    @staticmethod
    def where(predicate):
        if predicate.op == "in":
            # ClickHouse's IN compares bits, so that -0.0 is not in (0.0); its = does not.
            given = (in_clickhouse(predicate.kind, value) for value in predicate.values)
            return " OR ".join(f"{predicate.column} = {value}" for value in given)
        return predicate.sql(in_clickhouse).replace("isnan(", "isNaN(")


def check(table, rows, chosen, engines, copies=1):
    """Holds every engine's answer to each predicate to the brute force; returns how many were held."""
    held = 0
    for engine in engines:
        for predicate, found in zip(chosen, engine.ids(table, chosen), strict=True):
            if found is None:
                continue
            unseen = set() if getattr(engine, "sees_nan", True) else nan_in(rows, predicate.column)
            found = {number: count for number, count in found.items() if number not in unseen}
            wanted = {
                row["id"]: copies
                for row in rows
                if predicate.holds(row, engine.key) and row["id"] not in unseen
            }
            if found != wanted:
                lost = sum((Counter(wanted) - Counter(found)).values())
                extra = sum((Counter(found) - Counter(wanted)).values())
                raise Different(
                    f"{engine.name}: {lost} rows are lost and {extra} too many with {predicate!r}"
                )
            held += 1
    return held


def nan_in(rows, column):
    """The ids of the rows whose value is NaN, the only value that differs from itself."""
    return {row["id"] for row in rows if row[column] != row[column]}


def pruned(table, chosen):
    """For how many of the predicates PyIceberg leaves files out by their bounds."""
    files = len(list(table.scan().plan_files()))
    expressions = filter(None, (one.expression() for one in chosen if one.kind != "DATE"))
    return sum(len(list(table.scan(row_filter=one).plan_files())) < files for one in expressions)


def written(lake, name, rows_of_files, partition=""):
    """A table of northstar's with a file or more for each list of rows."""
    columns = ", ".join(f"{column} {kind}" for column, (kind, _) in nasty.COLUMNS.items())
    statements = [
        f"CREATE TABLE {name} (id BIGINT NOT NULL, {columns}) {partition} "
        "TBLPROPERTIES ('write.parquet.row-group-size-bytes' = '4096')"
    ]
    for rows in rows_of_files:
        given = ", ".join(f"({', '.join(map(stored, row.items()))})" for row in rows)
        statements.append(f"INSERT INTO {name} (id, {', '.join(nasty.COLUMNS)}) VALUES {given}")
    lake.sql(*statements)
    return lake.table(name)


def stored(cell):
    column, value = cell
    if value is None or column == "id":
        return "NULL" if value is None else str(value)
    return literal(nasty.COLUMNS[column][0], value)


def row_groups(table):
    """The most row groups that a data file has."""
    paths = (task.file.file_path.removeprefix("file://") for task in table.scan().plan_files())
    return max(parquet.read_metadata(pathlib.Path(path)).num_row_groups for path in paths)


def main():
    random = Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(sys.argv[1], folder)
        lake.sql("CREATE SCHEMA fuzz")
        engines = (InNorthstar(lake), InPyIceberg(), InDuckDb(), InClickHouse())
        held = cut = 0
        for name, partition, number, asked in (
            ("plain", "", 12, 220),
            ("by_day", "PARTITIONED BY (truncate(3, text), month(day))", 4, 80),
        ):
            files = list(nasty.files(random, number, 40))
            rows = [row for file in files for row in file]
            table = written(lake, f"fuzz.{name}", files, partition)
            chosen = [predicates.draw(random, nasty.COLUMNS) for _ in range(asked)]
            held += check(table, rows, chosen, engines)
            cut += pruned(table, chosen)
        held += check_row_groups(lake, rows, random, engines)
        held += check_copied_groups(lake, rows, random, engines)
        if cut < 100:
            sys.exit(f"only {cut} predicates leave files out, so this shows little")
    print(f"{held} answers alike, 0 differ; {cut} predicates leave files out")


def check_row_groups(lake, rows, random, engines):
    """The rows of the last table, many times over in one sorted file with many row groups."""
    copies = 120
    names = ", ".join(nasty.COLUMNS)
    table = written(lake, "fuzz.large", [])
    lake.sql(
        f"INSERT INTO fuzz.large SELECT id, {names} FROM fuzz.by_day "
        f"CROSS JOIN generate_series(1, {copies}) ORDER BY text, big"
    )
    table = lake.table("fuzz.large")
    if row_groups(table) < 2:
        sys.exit("the file has one row group, so this shows nothing")
    chosen = [predicates.draw(random, nasty.COLUMNS) for _ in range(60)]
    return check(table, rows, chosen, engines, copies)


def check_copied_groups(lake, rows, random, engines):
    """The same rows with noise, so that row groups are worth copying, without those of one id."""
    copies, gone = 400, rows[len(rows) // 2]["id"]
    names = ", ".join(nasty.COLUMNS)
    columns = ", ".join(f"{column} {kind}" for column, (kind, _) in nasty.COLUMNS.items())
    lake.sql(
        f"CREATE TABLE fuzz.copied (id BIGINT NOT NULL, {columns}, noise STRING) TBLPROPERTIES "
        "('write.parquet.row-group-size-bytes' = '524288', 'write.delete.mode' = 'copy-on-write')",
        f"INSERT INTO fuzz.copied SELECT id, {names}, "
        "encode(sha256(concat(CAST(id AS STRING), '/', CAST(value AS STRING))), 'hex') "
        f"FROM fuzz.by_day CROSS JOIN generate_series(1, {copies}) ORDER BY text, big",
    )
    groups = row_groups(lake.table("fuzz.copied"))
    lake.sql(f"DELETE FROM fuzz.copied WHERE id = {gone}")
    table = lake.table("fuzz.copied")
    if len(list(table.scan().plan_files())) != 2 or row_groups(table) < groups - 2:
        sys.exit("no row groups were copied, so this shows nothing")
    chosen = [predicates.draw(random, nasty.COLUMNS) for _ in range(60)]
    return check(table, [row for row in rows if row["id"] != gone], chosen, engines, copies)


if __name__ == "__main__":
    main()
