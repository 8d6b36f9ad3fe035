"""Tables that Spark writes: each transform in both modes, all format versions, equality deletes."""

COLUMNS = (
    "id BIGINT, site STRING, at TIMESTAMP_NTZ, seen TIMESTAMP_LTZ, day DATE, amount DECIMAL(12, 2), "
    "score DOUBLE, small INT, ok BOOLEAN, raw BINARY"
)
ROWS = """
    SELECT id, CASE WHEN id % 7 = 0 THEN NULL WHEN id % 5 = 0 THEN 'a/b =%é😀' ELSE concat('s', id % 3) END,
        timestamp_ntz '2024-01-30 22:30:00' + make_interval(0, 0, 0, id, id % 24),
        timestamp '2024-01-30 22:30:00Z' - make_interval(0, 0, 0, id * 40),
        date '1969-12-28' + CAST(id AS INT), CAST(id - 20 AS DECIMAL(12, 2)) / 3,
        CASE id % 6 WHEN 0 THEN double('NaN') WHEN 1 THEN -0.0D WHEN 2 THEN NULL ELSE id / 7.0D END,
        CAST(id AS INT), id % 2 = 0, CAST(concat('x', id) AS BINARY)
    FROM range({first}, {last}, 1, 1)
"""
BY = {
    "plain": "",
    "identity": "PARTITIONED BY (site)",
    "bucket": "PARTITIONED BY (bucket(4, id))",
    "truncate": "PARTITIONED BY (truncate(2, site), truncate(10, small))",
    "year": "PARTITIONED BY (years(at))",
    "month": "PARTITIONED BY (site, months(at))",
    "day": "PARTITIONED BY (days(day))",
    "hour": "PARTITIONED BY (hours(at))",
}
REFUSED = {
    "theirs.vectors": "format version v3",
    "theirs.third": "format version v3",
}


class BySpark:
    """The writer; it needs the Spark that all checks share."""

    REFUSED = REFUSED

    def __init__(self, spark):
        self.spark = spark

    def tables(self, lake):
        self.spark.fresh()
        self.spark.sql("CREATE NAMESPACE default.theirs")
        for number, (name, spec) in enumerate(BY.items()):
            mode = ("merge-on-read", "copy-on-write")[number % 2]
            self.make(name, spec, mode)
            self.change(name)
            yield f"theirs.{name}"
        self.make("first", "PARTITIONED BY (site)", "copy-on-write", version=1)
        self.change("first")
        yield "theirs.first"
        for made in (self.evolved, self.equality, self.third, self.vectors, self.nested):
            made()
            yield f"theirs.{made.__name__}"
        self.spark.fresh()

    def again(self, lake, name):
        self.spark.fresh()
        self.spark.sql(
            f"DELETE FROM default.{name} WHERE id = 11",
            f"INSERT INTO default.{name} SELECT * FROM default.{name} WHERE id = 12",
        )
        self.spark.fresh()

    def make(self, name, spec="", mode="copy-on-write", version=2, columns=COLUMNS):
        modes = ", ".join(f"'write.{verb}.mode' = '{mode}'" for verb in ("merge", "update", "delete"))
        self.spark.sql(
            f"CREATE TABLE default.theirs.{name} ({columns}) USING iceberg {spec} "
            f"TBLPROPERTIES ('format-version' = '{version}', {modes})"
        )

    def insert(self, name, first, last):
        self.spark.sql(f"INSERT INTO default.theirs.{name} {ROWS.format(first=first, last=last)}")

    def change(self, name):
        self.insert(name, 0, 30)
        self.insert(name, 30, 50)
        self.spark.sql(
            f"DELETE FROM default.theirs.{name} WHERE id % 10 = 3",
            f"UPDATE default.theirs.{name} SET score = 1.5 WHERE id IN (7, 8, 41)",
        )

    def evolved(self):
        """Schema and spec change between writes."""
        full = "default.theirs.evolved"
        self.make("evolved", "PARTITIONED BY (site)", "merge-on-read")
        self.insert("evolved", 0, 50)
        changes = (
            "RENAME COLUMN score TO mark",
            "ADD COLUMN score STRING",
            "ALTER COLUMN small TYPE BIGINT",
            "ALTER COLUMN amount TYPE DECIMAL(20, 2)",
            "DROP COLUMN ok",
            "ALTER COLUMN day FIRST",
            "ADD PARTITION FIELD bucket(4, id)",
            "DROP PARTITION FIELD site",
        )
        self.spark.sql(
            *(f"ALTER TABLE {full} {change}" for change in changes),
            f"INSERT INTO {full} SELECT day, id + 100, site, at, seen, amount, mark, small, raw, 'x' "
            f"FROM {full}",
            f"DELETE FROM {full} WHERE id >= 145 OR id IN (40, 41, 42, 43, 44)",
        )

    def equality(self):
        """Equality deletes of one and of two columns, NULL among them, older and newer than rows."""
        self.make("equality")
        self.insert("equality", 0, 30)
        delete = self.spark.delete_equal
        delete("theirs.equality", ["small"], [[4], [5], [29], [None]])
        delete("theirs.equality", ["site", "small"], [[None, 7], ["s1", 10], ["s1", 999]])
        # Newer than the deletes, so these stay.
        self.insert("equality", 4, 6)

    def third(self):
        """Format version 3 without anything that only it has."""
        self.make("third", "PARTITIONED BY (site)", version=3)
        self.insert("third", 0, 30)

    def vectors(self):
        """Format version 3 with deletion vectors."""
        self.make("vectors", "", "merge-on-read", version=3)
        self.insert("vectors", 0, 30)
        self.spark.sql("DELETE FROM default.theirs.vectors WHERE id % 10 = 3")

    def nested(self):
        """A struct, a list and a map, and one in the other, with rows deleted by position."""
        self.make(
            "nested",
            "",
            "merge-on-read",
            columns="id BIGINT, site STRING, one STRUCT<code: STRING, value: BIGINT>, many ARRAY<INT>, "
            "named MAP<STRING, DOUBLE>, deep ARRAY<STRUCT<code: STRING, inner: MAP<STRING, DATE>>>",
        )
        self.spark.sql(
            """
            INSERT INTO default.theirs.nested
            SELECT id, concat('s', id % 3),
                IF(id % 5 = 0, NULL, named_struct('code', IF(id % 3 = 0, NULL, 'é'), 'value', id)),
                CASE id % 3 WHEN 0 THEN NULL WHEN 1 THEN array() ELSE array(CAST(id AS INT), NULL) END,
                CASE id % 4 WHEN 0 THEN NULL ELSE map('a', id / 2.0D, 'ä/', NULL) END,
                IF(id % 6 = 0, NULL, array(named_struct('code', 'x', 'inner',
                    map('d', date '1969-12-28' + CAST(id AS INT))), NULL))
            FROM range(0, 30, 1, 1)
            """,
            "DELETE FROM default.theirs.nested WHERE id % 10 = 3",
        )
