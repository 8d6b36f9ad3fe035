"""The northstar program as the S3 tests run it."""

from __future__ import annotations

import csv
import io
import os
import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from s3_server import KEY, REGION

# What of the machine's own AWS configuration must not reach a test.
AWS = ("AWS_", "NORTHSTAR_")


@dataclass
class Run:
    """What a run did."""

    code: int
    out: str
    err: str

    def ok(self) -> Run:
        """The run, which did what it was asked."""
        assert self.code == 0, f"exit {self.code}\n{self.out}\n{self.err}"
        return self

    def fails(self, code: int, *words: str) -> Run:
        """The run, which failed with a code and said why."""
        assert self.code == code, f"exit {self.code}, not {code}\n{self.out}\n{self.err}"
        for word in words:
            assert word in self.err, f"{word!r} is not in: {self.err}"
        return self

    def rows(self) -> list[tuple[str, ...]]:
        """The rows that were printed as CSV, sorted; the header first."""
        header, *rows = [tuple(row) for row in csv.reader(io.StringIO(self.out))]
        return [header, *sorted(rows)]


@dataclass
class Program:
    """northstar with a warehouse."""

    binary: Path
    folder: Path
    warehouse: str
    endpoint: str | None = None
    options: list[str] = field(default_factory=lambda: ["--kms-key", KEY])
    env: dict[str, str | None] = field(default_factory=dict)

    def run(self, *words: str) -> Run:
        """Runs one command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(AWS)}
        env = {
            **kept,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "HOME": str(self.folder),
            **self.env,
        }
        env = {name: value for name, value in env.items() if value is not None}
        command = [str(self.binary), "--warehouse", self.warehouse, "--actor", "tester", "--reason", "test"]
        if self.endpoint:
            catalog = f"sqlite://{self.folder / 'catalog.db'}"
            command += ["--catalog", catalog, "--scratch", str(self.folder / "scratch")]
            command += ["--s3-endpoint", self.endpoint, "--s3-region", REGION, *self.options]
        done = subprocess.run(
            [*command, *words], env=env, cwd=self.folder, text=True, capture_output=True, check=False
        )
        assert "not-a-secret" not in done.stderr + done.stdout
        return Run(done.returncode, done.stdout, done.stderr)

    def sql(self, text: str) -> Run:
        """Runs one statement."""
        return self.run("--output", "csv", "sql", text)

    def table(self, name: str, columns: str = "*") -> list[tuple[str, ...]]:
        """All rows of a table."""
        return self.sql(f"SELECT {columns} FROM {name}").ok().rows()


def wide_rows(folder: Path, name: str, rows: int, seed: int) -> Path:
    """A table of text that does not compress well, so that its file needs several parts; one folder."""
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w") as out:
        out.write("id,text\n")
        for at in range(rows):
            out.write(f"{seed}-{at},{draw.randbytes(400).hex()}\n")
    return folder
