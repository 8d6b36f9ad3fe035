"""Tables of other writers: read right by northstar, merged into, and read right by all again."""

from alike import Different

# The words with which nested columns are refused; the other engines must read them alike all the same.
NESTED = "nested"

MERGE = """
    MERGE INTO {name} AS t
    USING (SELECT id, site FROM {name} WHERE id BETWEEN {first} AND {first} + 9
           UNION ALL SELECT 900 + {first}, 'new/é') AS s ON t.id = s.id
    WHEN MATCHED AND s.id % 5 = 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET site = 'moved'
    WHEN NOT MATCHED THEN INSERT (id, site) VALUES (s.id, s.site)
"""


def merge(lake, name, mode, first):
    """A MERGE by northstar that changes, deletes and adds rows."""
    lake.sql(
        f"ALTER TABLE {name} SET TBLPROPERTIES ('write.merge.mode' = '{mode}')",
        MERGE.format(name=name, first=first),
    )


def run(lake, alike, writer, known):
    """Reads what `writer` made, merges into it in both modes, and has the writer change it again."""
    made = []
    for name in writer.tables(lake):
        if reason := writer.REFUSED.get(name):
            unread(lake, name, reason)
            if reason == NESTED:
                alike.others(lake.table(name), "as it was written", known.get(name, {}))
        else:
            made.append(name)
    mergeable = [name for name in made if not refused(lake, name)]
    for name in made:
        compare = alike.now if name in mergeable else alike.everywhere
        compare(lake.table(name), "as it was written", known.get(name, {}))
    for name in mergeable:
        merge(lake, name, "copy-on-write", 8)
        merge(lake, name, "merge-on-read", 20)
        alike.everywhere(lake.table(name), "after northstar's MERGE", known.get(name, {}))
    for name in mergeable:
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
