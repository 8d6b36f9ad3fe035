"""Many clients commit to a few tables at once: no update is lost, and no error but the modelled conflict.

    python contention.py PATH_OF_NORTHSTAR [--clients 50] [--tables 10] [--commits N | --seconds S] [--moto]

A commit reads a table and adds one to a number in its parameters, by `UpdateTable` with the version
that was read. With `--moto` the same clients commit to moto, for its latencies; it loses updates.
"""

import argparse
import random
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checks import stand_in
from expect import expect
from glue_catalog import table_input
from server import Server

CONFLICT = "ConcurrentModificationException"


class Clients:
    """Clients that commit until their work or their time is done."""

    def __init__(self, glue, asked):
        # Clients of boto3 are safe to share; making one for each thread takes longer than the test.
        self.glue, self.asked = glue, asked
        self.done, self.conflicts, self.seconds = [0] * asked.tables, 0, []
        self.lock = threading.Lock()
        self.left = asked.commits if asked.seconds is None else None
        self.end = None

    def run(self):
        self.glue.create_database(DatabaseInput={"Name": "b"})
        for table in range(self.asked.tables):
            self.glue.create_table(DatabaseName="b", TableInput=self.counted(table, "m0", None, 0))
        self.end = time.monotonic() + (self.asked.seconds or 0)
        with ThreadPoolExecutor(self.asked.clients) as threads:
            for client in [threads.submit(self.client, seed) for seed in range(self.asked.clients)]:
                client.result()
        return self

    def counted(self, table, location, previous, commits):
        made = table_input(f"t{table}", location, previous)
        made["Parameters"]["commits"] = str(commits)
        return made

    def more(self):
        with self.lock:
            if self.left is None:
                return time.monotonic() < self.end
            self.left -= 1
            return self.left >= 0

    def client(self, seed):
        chosen = random.Random(seed)
        while self.more():
            table = chosen.randrange(self.asked.tables)
            while not self.commit(table, f"m-{seed}-{chosen.getrandbits(64)}"):
                continue

    def commit(self, table, location):
        begun = time.monotonic()
        read = self.glue.get_table(DatabaseName="b", Name=f"t{table}")["Table"]
        now = read["Parameters"]
        wanted = self.counted(table, location, now["metadata_location"], int(now["commits"]) + 1)
        try:
            self.glue.update_table(
                DatabaseName="b", TableInput=wanted, VersionId=read["VersionId"], SkipArchive=True
            )
            won = True
        except self.glue.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != CONFLICT:
                raise
            won = False
        with self.lock:
            self.seconds.append(time.monotonic() - begun)
            self.done[table] += won
            self.conflicts += not won
        return won

    def found(self):
        tables = [self.glue.get_table(DatabaseName="b", Name=f"t{n}")["Table"] for n in range(self.asked.tables)]
        return [int(table["Parameters"]["commits"]) for table in tables], [table["VersionId"] for table in tables]

    def told(self, name):
        times = sorted(self.seconds)
        at = lambda share: 1_000 * times[min(len(times) - 1, int(share * len(times)))]  # noqa: E731
        return (
            f"{name}: {sum(self.done)} commits, {self.conflicts} conflicts; "
            f"read and commit: median {at(0.5):.0f} ms, p95 {at(0.95):.0f} ms, p99 {at(0.99):.0f} ms"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("northstar")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--tables", type=int, default=10)
    parser.add_argument("--commits", type=int, default=1_000)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--moto", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(asked.northstar, Path(folder), anonymous=True) as server:
        clients = Clients(server.client("glue"), asked).run()
        commits, versions = clients.found()
        expect("commits that stayed", commits, clients.done)
        expect("a version for each", versions, [str(done) for done in clients.done])
        print(clients.told("northstar"))
    if asked.moto:
        process, server = stand_in("moto")
        with process:
            clients = Clients(Server.client(server, "glue"), asked).run()
            commits, _ = clients.found()
            print(f"{clients.told('moto')}; {sum(clients.done) - sum(commits)} updates lost")
            process.stdin.close()


if __name__ == "__main__":
    main()
