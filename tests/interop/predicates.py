"""Random predicates: as Python decides them, as SQL, and as PyIceberg's expressions."""

import math
from dataclasses import dataclass

from pyiceberg import expressions as pyiceberg

FLOATING = ("DOUBLE", "FLOAT")
COMPARED = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
IN_PYICEBERG = {
    "=": pyiceberg.EqualTo,
    "<>": pyiceberg.NotEqualTo,
    "<": pyiceberg.LessThan,
    "<=": pyiceberg.LessThanOrEqual,
    ">": pyiceberg.GreaterThan,
    ">=": pyiceberg.GreaterThanOrEqual,
}


def nan_last(value):
    """northstar and DuckDB: the zeros are equal, and NaN, equal to itself, comes after infinity."""
    if isinstance(value, float):
        return (1, 0.0) if math.isnan(value) else (0, value)
    return value


def ieee(value):
    """PyIceberg and ClickHouse: the zeros are equal, and NaN is equal to nothing."""
    return value


@dataclass
class Predicate:
    """`column op values`; `op` is a comparison, `between`, `in`, `null`, `not null`, `nan` or `prefix`."""

    column: str
    kind: str
    op: str
    values: tuple = ()

    def holds(self, row, key):
        """Whether a WHERE with it keeps the row, under an engine's order of floats."""
        value = row[self.column]
        if self.op == "null":
            return value is None
        if value is None:
            return False
        match self.op:
            case "not null":
                return True
            case "nan":
                return math.isnan(value)
            case "prefix":
                return value.startswith(self.values[0])
            case "between":
                low, high = map(key, self.values)
                return low <= key(value) <= high
            case "in":
                return any(key(value) == key(other) for other in self.values)
        return COMPARED[self.op](key(value), key(self.values[0]))

    def sql(self, literal):
        """As SQL; `literal` writes a value of a type for an engine."""
        shown = [literal(self.kind, value) for value in self.values]
        match self.op:
            case "null" | "not null":
                return f"{self.column} IS {self.op.upper()}"
            case "nan":
                return f"isnan({self.column})"
            case "prefix":
                return f"{self.column} LIKE '{self.values[0]}%'"
            case "between":
                return f"{self.column} BETWEEN {shown[0]} AND {shown[1]}"
            case "in":
                return f"{self.column} IN ({', '.join(shown)})"
        return f"{self.column} {self.op} {shown[0]}"

    def expression(self):
        """For PyIceberg, or None where its expressions have no such value."""
        if any(isinstance(value, float) and math.isnan(value) for value in self.values):
            return None
        # An infinity lies above or below every float of PyIceberg's, so that none equals it.
        if self.kind == "FLOAT" and any(math.isinf(value) for value in self.values):
            return None
        name, values = self.column, tuple(map(given, self.values))
        match self.op:
            case "null":
                return pyiceberg.IsNull(name)
            case "not null":
                return pyiceberg.NotNull(name)
            case "nan":
                return pyiceberg.IsNaN(name)
            case "prefix":
                return pyiceberg.StartsWith(name, values[0])
            case "between":
                low = pyiceberg.GreaterThanOrEqual(name, values[0])
                return pyiceberg.And(low, pyiceberg.LessThanOrEqual(name, values[1]))
            case "in":
                return pyiceberg.In(name, values)
        return IN_PYICEBERG[self.op](name, values[0])


def given(value):
    """A value as PyIceberg's literals take it: times as text."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def draw(random, columns):
    """One predicate on one of `columns`, a dict of name to SQL type and values."""
    column, (kind, values) = random.choice(list(columns.items()))
    ops = [*COMPARED, "between", "in", "null", "not null"]
    if kind == "STRING":
        ops += ["prefix", "prefix"]
    if kind in FLOATING:
        ops += ["nan"]
    op = random.choice(ops)
    match op:
        case "null" | "not null" | "nan":
            return Predicate(column, kind, op)
        case "prefix":
            value = random.choice([value for value in values if value])
            return Predicate(column, kind, op, (value[: random.randint(1, len(value))],))
        case "between":
            low, high = sorted(random.choices(range(len(values)), k=2))
            return Predicate(column, kind, op, (values[low], values[high]))
        case "in":
            return Predicate(column, kind, op, tuple(random.sample(values, k=random.randint(1, 4))))
    return Predicate(column, kind, op, (random.choice(values),))
