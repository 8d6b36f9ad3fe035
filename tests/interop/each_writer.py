"""Tables of other writers: read right by northstar, merged into, and read right by all again."""

from alike import Different
from compare import difference
from each_action import prove

MERGE = """
    MERGE INTO {name} AS t
    USING (SELECT id, site FROM {name} WHERE id BETWEEN {first} AND {first} + 9
           UNION ALL SELECT 900 + {first}, 'new/é') AS s ON t.id = s.id
    WHEN MATCHED AND s.id % 5 = 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET site = 'moved'
    WHEN NOT MATCHED THEN INSERT (id, site) VALUES (s.id, s.site)
"""


def merge(lake, alike, name, mode, first):
    """A MERGE by northstar that changes, deletes and adds rows, and leaves just what it should."""
    names = [field.name for field in lake.table(name).schema().fields]
    wanted = list(merged(names, alike.ours.rows(lake.table(name)), first))
    lake.sql(
        f"ALTER TABLE {name} SET TBLPROPERTIES ('write.merge.mode' = '{mode}')",
        MERGE.format(name=name, first=first),
    )
    if what := difference(names, wanted, alike.ours.rows(lake.table(name))):
        raise Different(f"{name}: the MERGE ({mode}) leaves other rows than it should: {what}")


def merged(names, rows, first):
    """What the MERGE makes of canonical rows."""
    number, site = names.index("id"), names.index("site")
    for row in rows:
        if first <= int(row[number]) <= first + 9:
            if int(row[number]) % 5 == 0:
                continue
            row = (*row[:site], "moved", *row[site + 1 :])
        yield row
    added = {"id": str(900 + first), "site": "new/é"}
    yield tuple(added.get(name) for name in names)


def run(lake, alike, writer, known):
    """Reads what `writer` made, merges into it in both modes, and has the writer change it again."""
    made = []
    for name in writer.tables(lake):
        if reason := writer.REFUSED.get(name):
            unread(lake, name, reason)
        else:
            made.append(name)
    mergeable = [name for name in made if not refused(lake, name)]
    for name in made:
        compare = alike.now if name in mergeable else alike.everywhere
        compare(lake.table(name), "as it was written", known.get(name, {}))
    for name in made:
        if name not in mergeable:
            lake.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('format-version' = '2')")
            alike.now(lake.table(name), "after the upgrade", known.get(name, {}))
    for name in made:
        merge(lake, alike, name, "copy-on-write", 8)
        merge(lake, alike, name, "merge-on-read", 20)
        deletes = lake.table(name).current_snapshot().summary["total-position-deletes"]
        prove(f"{name} has position deletes", int(deletes) > 0)
        alike.everywhere(lake.table(name), "after northstar's MERGE", known.get(name, {}))
    for name in made:
        writer.again(lake, name)
        alike.now(lake.table(name), "after its writer changed it again", known.get(name, {}))
    return len(made)


def unread(lake, name, reason):
    """A table that northstar does not read is refused, whole, with the reason."""
    why = lake.refusal(f"SELECT * FROM {name}")
    if reason not in why:
        raise Different(f"{name}: the refusal does not say why: {why[-200:]}")


def refused(lake, name):
    """A table of another format version is not written to, and the refusal says why."""
    version = lake.table(name).metadata.format_version
    if version == 2:
        return False
    why = lake.refusal(MERGE.format(name=name, first=8))
    if f"version v{version}" not in why or "version 2" not in why:
        raise Different(f"{name}: the refusal does not say why: {why[-200:]}")
    return True
