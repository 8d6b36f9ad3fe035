"""Tables that northstar makes by each of its actions, for all engines to read."""

import pyarrow as pa
import rows

BY = {
    "plain": "",
    "identity": "site",
    "identities": "day, small, ok",
    "exact": "amount, raw",
    "bucket": "bucket(4, id), bucket(3, site), bucket(2, amount)",
    "buckets": "bucket(4, at), bucket(3, day), bucket(2, raw), bucket(2, small)",
    "truncate": "truncate(2, site), truncate(10, small), truncate(2, raw), truncate(100, id)",
    "truncates": "truncate(50, amount), truncate(7, fee)",
    "year": "year(at), year(day)",
    "month": "site, month(seen)",
    "day": "day(at), day(day)",
    "hour": "hour(seen)",
}
MODES = {"cow": "copy-on-write", "mor": "merge-on-read"}

MERGE = """
    MERGE INTO {name} AS t
    USING (SELECT id, site, fee FROM {name} WHERE id BETWEEN 8 AND 17
           UNION ALL SELECT 900, 'new', CAST(1.5 AS DECIMAL(9, 2))) AS s ON t.id = s.id
    WHEN MATCHED AND s.id % 5 = 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET site = 'moved/ä', score = -0.0, at = '2024-03-01T05:00:00'
    WHEN NOT MATCHED THEN INSERT (id, site, fee) VALUES (s.id, s.site, s.fee)
"""


class Unproved(Exception):
    """An action did not do what its scenario is there to show."""


def prove(what, is_so):
    if not is_so:
        raise Unproved(f"the scenario does not show what it should: {what}")


def summary(table):
    return table.current_snapshot().summary


def changed(lake, name):
    """Appends, MERGE, UPDATE, DELETE and a replaced partition."""
    lake.sql(
        f"INSERT INTO {name} {rows.values(range(30))}",
        f"INSERT INTO {name} {rows.values(range(30, 45))}",
        MERGE.format(name=name),
        f"UPDATE {name} SET single = 0.5, raw = NULL WHERE id IN (3, 31, 32)",
        f"DELETE FROM {name} WHERE id % 10 = 7 OR site = '%2F'",
    )


def each_spec_and_mode(lake):
    """All row changes, for each partition transform and in both modes; then maintenance."""
    for number, (spec, fields) in enumerate(BY.items()):
        # Both modes for two of the specs; else each in turn.
        for short in MODES if spec in ("plain", "identity") else (tuple(MODES)[number % 2],):
            name = f"ours.{spec}_{short}"
            lake.sql(rows.create(name, fields, **rows.modes(MODES[short])))
            changed(lake, name)
            deletes = int(summary(lake.table(name)).get("total-position-deletes", 0))
            prove(f"{name} has position deletes", (deletes > 0) == (short == "mor"))
            yield name
            before = summary(lake.table(name))
            lake.command("maintain", "compact", name)
            lake.command("maintain", "manifests", name)
            after = summary(lake.table(name))
            prove(f"{name} was compacted", after.operation.value == "replace")
            prove(f"{name} lost files", int(after["total-data-files"]) <= int(before["total-data-files"]))
            prove(f"{name} has no deletes left", after.get("total-delete-files", "0") == "0")
            yield name


def loaded(lake):
    """Files loaded by the command, twice, into a partitioned and sorted table."""
    source = lake.folder.parent / "in"
    source.mkdir()
    (source / "tables.toml").write_text(
        '[visit]\npartition = ["site", "month(at)"]\nsort = ["at", "id"]\nkey = ["id"]\n'
        '[visit.columns]\nid = "long"\nat = "timestamp"\nfee = "decimal(12,2)"\n'
        'name = { type = "string", phi = "direct" }\n'
    )
    for day in (1, 2):
        lines = ["id,site,at,fee,name,flag"]
        for n in range(40):
            site = ("north", "", '"a/b =%,é😀"')[n % 3]
            number = n + day * 40
            lines.append(f"{number},{site},2024-{n % 4 + 1:02}-0{day}T10:00:00,{n}.5,p {n},true")
        (source / "visit.csv").write_text("\n".join(lines) + "\nbad,line\n", encoding="utf-8")
        lake.command("load", "csv", "--from", str(source), "--into", "bronze")
    prove("two loads", len(lake.table("bronze.visit").metadata.snapshots) == 2)
    yield "bronze.visit"
    yield "bronze.quarantine"
    lake.sql("DELETE FROM bronze.visit WHERE id = 50")
    lake.command("maintain", "compact", "bronze.visit", "--sort")
    prove("it was compacted", summary(lake.table("bronze.visit")).operation.value == "replace")
    yield "bronze.visit"


EVOLUTION = (
    "ADD COLUMN note STRING AFTER id",
    "RENAME COLUMN score TO mark",
    "ADD COLUMN score STRING",
    "ALTER COLUMN small TYPE BIGINT",
    "ALTER COLUMN single TYPE DOUBLE",
    "ALTER COLUMN fee TYPE DECIMAL(20, 2)",
    "DROP COLUMN ok",
    "ALTER COLUMN raw FIRST",
)
AFTERWARDS = (
    "SELECT raw, id + 1000, 'n', site, at, seen, day, amount, fee, mark, single, small, 'x' "
    "FROM {name} WHERE id < 20"
)


def evolved(lake):
    """A schema that changes before there are rows, with rows, and is written to in between."""
    for short, mode in MODES.items():
        name = f"ours.evolved_{short}"
        lake.sql(rows.create(name, "site", **rows.modes(mode)))
        lake.sql(
            f"ALTER TABLE {name} ADD COLUMN early INT",
            f"ALTER TABLE {name} DROP COLUMN early",
            f"INSERT INTO {name} {rows.values(range(30))}",
            f"DELETE FROM {name} WHERE id = 4",
        )
        lake.sql(*(f"ALTER TABLE {name} {change}" for change in EVOLUTION))
        yield name
        lake.sql(
            f"INSERT INTO {name} {AFTERWARDS.format(name=name)}",
            f"UPDATE {name} SET note = 'é', small = 5000000000 WHERE id % 4 = 1",
            f"DELETE FROM {name} WHERE mark IS NULL",
        )
        yield name
        # The column of the partitions is renamed as well, and its type of a bucket widened.
        lake.sql(
            f"ALTER TABLE {name} RENAME COLUMN site TO place",
            f"ALTER TABLE {name} ADD PARTITION FIELD bucket(4, small)",
            f"ALTER TABLE {name} DROP PARTITION FIELD place",
            f"ALTER TABLE {name} ADD PARTITION FIELD month(at)",
            f"INSERT INTO {name} (id, place, at, small) VALUES (5000, 'x/y', '2024-01-01T00:00:00', 7)",
            f"DELETE FROM {name} WHERE id IN (1, 2, 1001, 1002)",
        )
        specs = {task.file.spec_id for task in lake.table(name).scan().plan_files()}
        prove(f"{name} has files of several specs", len(specs) > 1)
        yield name
        lake.command("maintain", "compact", name)
        yield name


def replaced(lake):
    """INSERT OVERWRITE of partitions and of whole tables, and TRUNCATE."""
    for spec, fields in (("some", "site, month(at)"), ("all", "")):
        name = f"ours.replaced_{spec}"
        lake.sql(
            rows.create(name, fields, **rows.modes("merge-on-read")),
            f"INSERT INTO {name} {rows.values(range(40))}",
            f"DELETE FROM {name} WHERE id IN (1, 2, 10)",
            f"INSERT OVERWRITE {name} {rows.values((1, 2, 91))}",
        )
        # Row 91 has the same site and month as row 1.
        prove(f"{name} was replaced", summary(lake.table(name)).operation.value == "overwrite")
        yield name
        lake.sql(f"TRUNCATE TABLE {name}")
        yield name
        lake.sql(f"INSERT INTO {name} {rows.values(range(5))}")
        yield name


def lines_of_commits(lake):
    """Rollback; branches that PyIceberg writes to, published whole or picked from; expiry."""
    name = "ours.lines"
    lake.sql(
        rows.create(name, "site"),
        f"INSERT INTO {name} {rows.values(range(10))}",
        f"INSERT INTO {name} {rows.values(range(10, 20))}",
        f"DELETE FROM {name} WHERE id = 3",
    )
    kept = sorted(lake.table(name).metadata.snapshots, key=lambda kept: kept.sequence_number)
    first, second, _ = (snapshot.snapshot_id for snapshot in kept)
    lake.command("rollback", name, "--to", str(second))
    prove("it was rolled back", lake.table(name).current_snapshot().snapshot_id == second)
    yield name
    for branch in ("audit", "picked"):
        lake.command("branch", "create", name, branch)
        table = lake.table(name)
        schema = table.schema().as_arrow()
        given = pa.Table.from_pylist([{"id": 300 + len(branch), "site": "by/branch"}], schema=schema)
        table.append(given, branch=branch)
    lake.command("branch", "fast-forward", name, "audit")
    prove("the branch was published", lake.table(name).scan().to_arrow().num_rows == 21)
    yield name
    picked = lake.table(name).snapshot_by_name("picked").snapshot_id
    lake.command("cherry-pick", name, "--snapshot", str(picked))
    prove("it was picked", lake.table(name).scan().to_arrow().num_rows == 22)
    tag = ("--owner", "tests", "--reason", "interop", "--keep-forever", "--at", str(first))
    lake.command("tag", "create", name, "kept", *tag)
    yield name
    for branch in ("audit", "picked"):
        lake.command("branch", "drop", name, branch)
    before = len(lake.table(name).metadata.snapshots)
    lake.command("maintain", "expire", name, "--older-than", "0m")
    after = len(lake.table(name).metadata.snapshots)
    prove("some snapshots are gone and some kept", 1 < after < before)
    yield name


SCENARIOS = (each_spec_and_mode, loaded, evolved, replaced, lines_of_commits)


def run(lake, alike, known):
    """Plays all scenarios; compares each table at each point that a scenario yields.

    At the last point of a table every snapshot that is kept is compared too.
    """
    lake.sql("CREATE SCHEMA ours")
    last = set()
    for scenario in SCENARIOS:
        for name in scenario(lake):
            table = lake.table(name)
            alike.now(table, f"of {scenario.__name__}", known.get(name, {}))
            last.add(name)
    for name in sorted(last):
        alike.everywhere(lake.table(name), "in the end", known.get(name, {}))
