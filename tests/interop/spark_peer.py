"""Spark as one of the engines of `engines.py`, and as a writer, in a process that starts once."""

import json
import os
import pathlib
import subprocess
import tempfile
import threading

import pyarrow as pa
from engines import rows_of, schema_at

WORKER = pathlib.Path(__file__).parent / "spark" / "spark_worker.py"


class SparkPeer:
    """Starts Spark at once and waits for it at the first question."""

    name = "spark"

    def __init__(self, python, jars, warehouse):
        self.one_at_a_time = threading.Lock()
        self.folder = tempfile.TemporaryDirectory()
        self.log = open(pathlib.Path(self.folder.name, "spark.log"), "w+b")  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, WORKER, "--warehouse", warehouse, "--jars", jars],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONHASHSEED": "0"},
        )

    def ask(self, do, **order):
        try:
            with self.one_at_a_time:
                print(json.dumps({"do": do, **order}), file=self.process.stdin, flush=True)
                line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"Spark ended: {self.log.read().decode(errors='replace')[-2000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"Spark: {answer['error'][:600]}")
        return answer["answer"]

    def sql(self, *statements):
        self.ask("run", statements=statements)

    def delete_equal(self, table, columns, values):
        """An equality delete of the rows whose columns equal one of the lists of values."""
        self.ask("delete_equal", table=table, columns=columns, values=values)

    def fresh(self):
        """Lets Spark see what others wrote to the catalog, and others write to it."""
        self.ask("fresh")

    def read(self, table, snapshot_id=None, where=None):
        into = str(pathlib.Path(self.folder.name, "answer.arrow"))
        place = table.metadata_location
        self.ask("read", metadata=place, into=into, snapshot=snapshot_id, where=where)
        with pa.OSFile(into, "rb") as file:
            return pa.ipc.open_file(file).read_all()

    def rows(self, table, snapshot_id=None, where=None):
        return rows_of(schema_at(table, snapshot_id), self.read(table, snapshot_id, where))

    def count(self, table, snapshot_id=None):
        return self.read(table, snapshot_id).num_rows

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
        self.folder.cleanup()
