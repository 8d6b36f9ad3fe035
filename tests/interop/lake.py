"""A warehouse of northstar's for the tests: statements and commands, and its tables as PyIceberg has them."""

import pathlib
import subprocess

from pyiceberg.catalog.sql import SqlCatalog


class Lake:
    """A new warehouse in `folder`."""

    def __init__(self, binary, folder):
        self.binary, self.folder = str(binary), pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        # PyIceberg makes the catalog's file; `northstar sql` wants one to be there.
        self.catalog = SqlCatalog(
            "default",
            uri=f"sqlite:///{self.folder / 'catalog.db'}",
            warehouse=f"file://{self.folder / 'tables'}",
        )

    def command(self, *arguments, text=None):
        """Runs the program; the exit code must be 0. Returns what it prints."""
        done = self.run(*arguments, text=text)
        if done.returncode != 0:
            raise RuntimeError(f"northstar {arguments[0]}: {done.stderr.strip()[-600:]}")
        return done.stdout

    def run(self, *arguments, text=None):
        command = [self.binary, "--warehouse", str(self.folder), "--output", "json", *arguments]
        return subprocess.run(command, input=text, text=True, capture_output=True, check=False)

    def sql(self, *statements):
        """Runs statements one after the other, in one process; each must succeed."""
        done = self.run("shell", text="".join(f"{statement};\n" for statement in statements))
        if done.returncode != 0 or "error:" in done.stderr:
            raise RuntimeError(f"northstar: {done.stderr.strip()[-600:]}")
        return done.stdout

    def refusal(self, statement):
        """Why a statement is refused."""
        done = self.run("sql", statement)
        if done.returncode == 0:
            raise RuntimeError("northstar did what it was to refuse")
        return done.stderr

    def table(self, name):
        return self.catalog.load_table(name)
