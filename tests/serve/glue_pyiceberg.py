"""PyIceberg's GlueCatalog, unmodified, against `northstar serve`, with files on a `file://` warehouse.

    python glue_pyiceberg.py PATH_OF_NORTHSTAR

PyIceberg and northstar make, read and change the same tables, in turn and at once; no row is lost.
"""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
from expect import expect
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.types import StringType
from server import KEY_ID, REGION, SECRET, Server

SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("writer", pa.string())])

# Commits of each writer to the table that both write at once.
ROUNDS = 6


def catalog(server):
    return GlueCatalog(
        "northstar",
        **{
            "glue.endpoint": server.url,
            "glue.region": REGION,
            "glue.access-key-id": KEY_ID,
            "glue.secret-access-key": SECRET,
        },
    )


def rows(*ids, writer):
    return pa.table({"id": list(ids), "writer": [writer] * len(ids)}, schema=SCHEMA)


def ids(server, table):
    return [row[0] for row in server.sql(f"SELECT id FROM {table} ORDER BY id")]


def in_turn(server, glue):
    glue.create_namespace("bronze", {"comment": "as received"})
    table = glue.create_table("bronze.lab", SCHEMA)
    table.append(rows(1, 2, writer="pyiceberg"))
    expect("rows that northstar reads", ids(server, "bronze.lab"), [1, 2])
    server.sql("INSERT INTO bronze.lab VALUES (3, 'northstar')")
    expect("rows that PyIceberg reads", sorted(glue.load_table("bronze.lab").scan().to_arrow()["id"].to_pylist()), [1, 2, 3])
    table = glue.load_table("bronze.lab")
    table.delete("id = 1")
    with table.update_schema() as change:
        change.add_column("note", StringType())
    server.sql("UPDATE bronze.lab SET note = 'seen' WHERE id = 2")
    expect("rows", ids(server, "bronze.lab"), [2, 3])
    told = server.client("glue").get_table(DatabaseName="bronze", Name="lab")["Table"]["StorageDescriptor"]["Columns"]
    expect("columns in Glue, after a commit that told Glue nothing", [c["Name"] for c in told], ["id", "writer", "note"])


def stale(server, glue):
    """A client whose view of the table was overtaken commits on top, or is refused: never over it."""
    held = glue.load_table("bronze.lab")
    server.sql("INSERT INTO bronze.lab VALUES (4, 'northstar', NULL)")
    held.append(pa.table({"id": [5], "writer": ["pyiceberg"], "note": [None]}, schema=SCHEMA.append(pa.field("note", pa.string()))))
    expect("nothing is lost", ids(server, "bronze.lab"), [2, 3, 4, 5])


def at_once(server, glue):
    glue.create_table("bronze.raced", SCHEMA, properties={"commit.retry.num-retries": "20"})

    def pyiceberg(writer):
        own = catalog(server)
        done = []
        for number in range(ROUNDS):
            wanted = writer * 1_000 + number
            while True:
                try:
                    own.load_table("bronze.raced").append(rows(wanted, writer=f"pyiceberg {writer}"))
                    break
                except CommitFailedException:
                    continue
            done.append(wanted)
        return done

    def engine(writer):
        done = []
        for number in range(ROUNDS):
            wanted = writer * 1_000 + number
            server.sql(f"INSERT INTO bronze.raced VALUES ({wanted}, 'northstar')")
            done.append(wanted)
        return done

    with ThreadPoolExecutor(4) as threads:
        writers = [threads.submit(run, n) for n, run in enumerate((pyiceberg, engine, pyiceberg, engine))]
        written = sorted(wanted for writer in writers for wanted in writer.result())
    expect("rows that both wrote at once", ids(server, "bronze.raced"), written)
    snapshots = server.sql("SELECT count(*) AS n FROM bronze.raced$snapshots")[0][0]
    expect("a snapshot for each commit", int(snapshots), len(written))
    version = server.client("glue").get_table(DatabaseName="bronze", Name="raced")["Table"]["VersionId"]
    expect("a version for each commit", int(version), len(written))


def names(glue):
    glue.rename_table("bronze.raced", "bronze.renamed")
    expect("tables", sorted(name for _, name in glue.list_tables("bronze")), ["lab", "renamed"])
    for what, error, call in [
        ("a table that is there", TableAlreadyExistsError, lambda: glue.create_table("bronze.lab", SCHEMA)),
        ("a table that is not there", NoSuchTableError, lambda: glue.load_table("bronze.raced")),
    ]:
        try:
            call()
        except error:
            continue
        sys.exit(f"{what}: no {error.__name__}")
    glue.drop_table("bronze.renamed")
    glue.drop_table("bronze.lab")
    glue.drop_namespace("bronze")
    expect("namespaces", glue.list_namespaces(), [])


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder, Server(binary, Path(folder)) as server:
        glue = catalog(server)
        in_turn(server, glue)
        stale(server, glue)
        at_once(server, glue)
        names(glue)
    print("PyIceberg and northstar lost nothing of each other's")


if __name__ == "__main__":
    main()
