"""PyIceberg and Spark by the Glue API of `northstar serve`, with the warehouse in a bucket; and the program
itself with its catalog in a Glue and its files in a bucket.

Run as `python tests/serve/s3_clients.py NORTHSTAR_BIN --spark-python PYTHON --jars FOLDER`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import pyarrow as pa
import server
from expect import expect
from pyiceberg.catalog.glue import GlueCatalog
from s3_northstar import Program
from s3_server import KEY, REGION, Server, objects
from spark import Spark

BUCKET = "lake"
SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("writer", pa.string())])
ROWS = "SELECT id, writer FROM {}silver.visit ORDER BY id"


class Northstar(server.Server):
    """`northstar serve` over a warehouse in a bucket; its `sql` is of the same warehouse."""

    def __init__(self, binary: str, folder: Path, endpoint: str) -> None:
        super().__init__(binary, folder)
        catalog = f"sqlite://{folder / 'catalog.db'}"
        self.options = ["--warehouse", f"s3://{BUCKET}/tables", "--catalog", catalog]
        self.options += ["--scratch", str(folder / "scratch"), "--kms-key", KEY, "--s3-endpoint", endpoint]
        self.command = [binary, *self.options, *self.command[3:]]

    def sql(self, statement: str) -> list:
        return server.rows_of([self.command[0], *self.options, "--output", "json", "sql", statement])


def pyiceberg(server_url: str, endpoint: str) -> GlueCatalog:
    return GlueCatalog(
        "northstar",
        **{
            "glue.endpoint": server_url,
            "glue.region": server.REGION,
            "glue.access-key-id": server.KEY_ID,
            "glue.secret-access-key": server.SECRET,
            "s3.endpoint": endpoint,
            "s3.region": REGION,
            "s3.access-key-id": "test",
            "s3.secret-access-key": "test",
        },
    )


def settings(server_url: str, endpoint: str) -> dict[str, str]:
    return {
        "catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
        "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "warehouse": f"s3://{BUCKET}/tables",
        "glue.endpoint": server_url,
        "client.region": server.REGION,
        "s3.endpoint": endpoint,
        "s3.path-style-access": "true",
        "s3.access-key-id": "test",
        "s3.secret-access-key": "test",
        "s3.sse.type": "kms",
        "s3.sse.key": KEY,
    }


def by_the_server(asked: argparse.Namespace, folder: Path, s3: Server) -> None:
    """PyIceberg, Spark and the program write to one table in turn."""
    credentials = {"AWS_ACCESS_KEY_ID": server.KEY_ID, "AWS_SECRET_ACCESS_KEY": server.SECRET}
    with Northstar(asked.northstar, folder / "serve", s3.url) as northstar:
        glue = pyiceberg(northstar.url, s3.url)
        glue.create_namespace("silver")
        table = glue.create_table("silver.visit", SCHEMA)
        expect("where PyIceberg's table stands", table.location(), f"s3://{BUCKET}/tables/silver/visit")
        table.append(pa.table({"id": [1], "writer": ["pyiceberg"]}, schema=SCHEMA))
        northstar.sql("INSERT INTO silver.visit VALUES (2, 'northstar')")
        with Spark(asked.spark_python, asked.jars, settings(northstar.url, s3.url), credentials) as spark:
            wanted = [[1, "pyiceberg"], [2, "northstar"]]
            expect("rows that Spark reads", spark.sql(ROWS.format("default.")), wanted)
            spark.sql("INSERT INTO default.silver.visit VALUES (3, 'spark')")
            spark.sql("UPDATE default.silver.visit SET writer = 'changed' WHERE id = 1")
        wanted = [[1, "changed"], [2, "northstar"], [3, "spark"]]
        expect("rows that northstar reads", northstar.sql(ROWS.format("")), wanted)
        read = glue.load_table("silver.visit").scan().to_arrow().sort_by("id").to_pylist()
        expect("rows that PyIceberg reads", [list(row.values()) for row in read], wanted)


def by_glue(binary: str, folder: Path, s3: Server) -> None:
    """The program with a Glue as its catalog: load, MERGE, compaction, expiry; each object is encrypted."""
    folder.mkdir()
    source = folder / "extract"
    source.mkdir()
    catalog = f"glue://{REGION}/?endpoint={s3.url}"
    program = Program(Path(binary), folder, f"s3://{BUCKET}/glue", options=[])
    options = ["--catalog", catalog, "--scratch", str(folder / "scratch"), "--kms-key", KEY]
    options += ["--s3-endpoint", s3.url, "--s3-region", REGION]
    run = lambda *words: program.run(*options, *words).ok()  # noqa: E731
    for day in range(3):
        (source / "lab.csv").write_text(f"id,day\n{day},{day}\n{day + 10},{day}\n", encoding="utf-8")
        run("load", "csv", "--from", str(source), "--into", "bronze")
    run("sql", "MERGE INTO bronze.lab t USING (SELECT 0 AS id) s ON t.id = s.id WHEN MATCHED THEN DELETE")
    run("maintain", "compact", "bronze.lab")
    run("maintain", "expire", "bronze.lab", "--keep", "1")
    rows = run("--output", "csv", "sql", "SELECT id FROM bronze.lab").rows()
    expect("rows", rows, [("id",), ("1",), ("10",), ("11",), ("12",), ("2",)])
    client = s3.client()
    found = objects(client, BUCKET)
    heads = [client.head_object(Bucket=BUCKET, Key=key) for key in found if key.startswith("glue/")]
    expect("objects without the key", [head for head in heads if head.get("SSEKMSKeyId") != KEY], [])
    expect("objects", len(heads) > 10, True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("northstar")
    parser.add_argument("--spark-python", required=True)
    parser.add_argument("--jars", required=True)
    asked = parser.parse_args()
    os.environ.update({"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION})
    os.environ.update({"AWS_EC2_METADATA_DISABLED": "true"})
    with tempfile.TemporaryDirectory() as name, Server.ministack(Path(name)) as s3:
        s3.client().create_bucket(Bucket=BUCKET)
        by_the_server(asked, Path(name), s3)
        by_glue(asked.northstar, Path(name, "program"), s3)
    print("clients of the server, and the program over a Glue, share a warehouse in a bucket")


if __name__ == "__main__":
    main()
