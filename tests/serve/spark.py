"""Spark as a client in another process."""

import json
import os
import pathlib
import subprocess
import tempfile

WORKER = pathlib.Path(__file__).parent / "spark_statements.py"


class Spark:
    """Spark over a catalog with these settings, as a context."""

    def __init__(self, python, jars, settings, environment=None):
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, WORKER, jars, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", **(environment or {})},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def sql(self, statement):
        """The rows of a statement; a statement that fails raises what Spark says."""
        answer = self.ask(statement)
        if "error" in answer:
            raise RuntimeError(f"Spark: {answer['error']}")
        return answer["rows"]

    def ask(self, statement):
        print(json.dumps(statement), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"Spark ended: {self.log.read().decode(errors='replace')[-3000:]}")
        return json.loads(line)
