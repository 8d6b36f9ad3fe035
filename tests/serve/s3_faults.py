"""What networks and S3 do on bad days: each ends with the table as it was or as it should be, and a rerun finishes.

Run as `python tests/serve/s3_faults.py NORTHSTAR_BIN`.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from s3_northstar import Program, Run, wide_rows
from s3_proxy import BUSY, EXPIRED, LOST, PASS, UNSENT, Proxy, Request, Rule
from s3_server import KEY, Server, abort_all, objects, uploads

BUCKET = "lake"
TABLE = "bronze.big"
SEEDS = range(1, 5)


class Once:
    """A fault that befalls each request of a kind once, however often it is sent."""

    def __init__(self, what: str | float, of: Callable[[Request], bool]) -> None:
        self._what, self._of, self._met = what, of, set()

    def __call__(self, request: Request) -> str | float:
        name = (request.method, request.path, request.query)
        if not self._of(request) or name in self._met:
            return PASS
        self._met.add(name)
        return self._what


def always(what: str, of: Callable[[Request], bool]) -> Rule:
    """A fault that befalls every request of a kind."""
    return lambda request: what if of(request) else PASS


def is_metadata(request: Request) -> bool:
    """Whether a request writes a metadata file of a table."""
    return request.is_put and request.path.endswith(".metadata.json")


def is_write(request: Request) -> bool:
    """Whether a request changes something."""
    return request.method in ("PUT", "POST", "DELETE")


class Bench:
    """A table of one load, to which a second one is to be added."""

    def __init__(self, binary: Path, root: Path, server: Server) -> None:
        self.binary, self.root, self.server = binary, root, server
        self.client = server.client()
        self.client.create_bucket(Bucket=BUCKET)
        self.first, self.second = root / "first", root / "second"
        # An extract, and the same after it has grown by a file.
        for extract in (self.first, self.second):
            wide_rows(extract / "big", "1", 3_000, 1)
        wide_rows(self.second / "big", "2", 26_000, 2)
        local = Program(binary, root, str(root / "local"))
        self.old = self._loaded(local, self.first)
        self.new = self._loaded(local, self.second)
        assert len(self.old) < len(self.new)

    def _loaded(self, program: Program, extract: Path) -> list[tuple[str, ...]]:
        program.run(*self.load(extract)).ok()
        return program.table(TABLE, "id, text")

    @staticmethod
    def load(extract: Path) -> tuple[str, ...]:
        """The words that load an extract."""
        return ("load", "csv", "--from", str(extract), "--into", "bronze")

    def place(self, name: str, endpoint: str) -> Program:
        """A warehouse that holds the first load."""
        folder = self.root / name
        folder.mkdir()
        program = Program(self.binary, folder, f"s3://{BUCKET}/{name}", self.server.url)
        program.run(*self.load(self.first)).ok()
        program.endpoint = endpoint
        return program

    def finishes(self, program: Program, outcome: Run) -> str:
        """The table is the old or the new one; a rerun without faults makes it the new one, and nothing is left."""
        program.endpoint, program.env = self.server.url, {}
        rows = program.table(TABLE, "id, text")
        state = "old" if rows == self.old else "new"
        assert rows in (self.old, self.new), f"{len(rows)} rows are neither"
        assert outcome.code != 0 or state == "new", "a run that went well left the table as it was"
        assert not uploads(self.client, BUCKET), "parts were left"
        program.run(*self.load(self.second)).ok()
        assert program.table(TABLE, "id, text") == self.new
        head = self.client.head_object
        for key in objects(self.client, BUCKET):
            assert head(Bucket=BUCKET, Key=key).get("SSEKMSKeyId") == KEY, key
        return state


def passes(bench: Bench, proxy: Proxy, name: str, rule: Rule, options: tuple[str, ...] = ()) -> None:
    """A fault that retries outlast."""
    program = bench.place(name, proxy.with_rule(rule).url)
    run = program.run(*options, *bench.load(bench.second)).ok()
    assert proxy.seen.faults, "nothing was hit"
    assert bench.finishes(program, run) == "new"
    print(f"  {name}: {len(proxy.seen.faults)} of {len(proxy.seen.requests)} requests hit; done", flush=True)


def fails(
    bench: Bench, proxy: Proxy, name: str, rule: Rule, *words: str, env: dict[str, str | None] | None = None
) -> None:
    """A fault that lasts: the run says that a later one may go well, and changes nothing."""
    program = bench.place(name, proxy.with_rule(rule).url)
    program.env = env or {}
    run = program.run("--s3-retries", "1", *bench.load(bench.second)).fails(3, *words)
    assert bench.finishes(program, run) == "old"
    print(f"  {name}: {len(proxy.seen.faults)} of {len(proxy.seen.requests)} requests hit; as it was", flush=True)


def busy(bench: Bench, proxy: Proxy) -> None:
    """503 SlowDown, at times and for good."""
    passes(bench, proxy, "busy-at-times", lambda request: BUSY if request.number % 3 == 0 else PASS)
    fails(bench, proxy, "busy-parts", always(BUSY, lambda request: request.is_part), "run this again later")
    fails(bench, proxy, "busy-metadata", always(BUSY, is_metadata), "run this again later")
    fails(bench, proxy, "busy-complete", always(BUSY, lambda request: request.is_complete), "run this again later")


def slow(bench: Bench, proxy: Proxy) -> None:
    """Answers that come after the client has given up, once for each request."""
    rule = Once(1.5, lambda request: request.is_part or is_metadata(request) or request.is_complete)
    passes(bench, proxy, "slow", rule, ("--s3-timeout", "1"))


def lost(bench: Bench, proxy: Proxy) -> None:
    """Connections that break before and after the server did its work."""
    passes(bench, proxy, "lost-once", Once(LOST, is_write))
    passes(bench, proxy, "unsent-once", Once(UNSENT, lambda _: True))
    fails(bench, proxy, "lost-metadata", always(LOST, is_metadata), "run this again later")


def no_answer_to_a_completion(bench: Bench, proxy: Proxy) -> None:
    """The object is there, though nobody said so: it is found."""
    passes(
        bench, proxy, "lost-complete", always(LOST, lambda request: request.is_complete), ("--s3-retries", "1")
    )


def numbered_keys(folder: Path) -> dict[str, str | None]:
    """An AWS profile whose process gives another key each time it is asked."""
    answer = {"Version": 1, "AccessKeyId": "KEY@", "SecretAccessKey": "s", "SessionToken": "t"}
    answer["Expiration"] = "2999-01-01T00:00:00Z"
    count = folder / "asked"
    script = folder / "keys.py"
    script.write_text(
        "from pathlib import Path\n"
        f"count = Path({str(count)!r})\n"
        "asked = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(asked))\n"
        f"print({json.dumps(answer)!r}.replace('@', str(asked)))\n"
    )
    config = folder / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
    return {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_CONFIG_FILE": str(config)}


def expired(bench: Bench, proxy: Proxy) -> None:
    """Credentials that end in the middle of an upload, and are renewed or not."""

    def first_key_ends(request: Request) -> str:
        parts = sum(1 for seen in proxy.seen.requests if seen.is_part)
        return EXPIRED if request.access_key == "KEY1" and parts >= 2 else PASS

    program = bench.place("expired", proxy.with_rule(first_key_ends).url)
    program.env = numbered_keys(program.folder)
    run = program.run(*bench.load(bench.second)).ok()
    keys = {request.access_key for request in proxy.seen.requests if request.is_part}
    assert len(keys) >= 2, keys
    assert proxy.seen.faults
    assert bench.finishes(program, run) == "new"
    print(f"  expired: {len(proxy.seen.faults)} requests hit; renewed in the middle of an upload", flush=True)

    after = lambda request: EXPIRED if sum(1 for seen in proxy.seen.requests if seen.is_part) >= 2 else PASS  # noqa: E731
    program = bench.place("expired-for-good", proxy.with_rule(after).url)
    run = program.run(*bench.load(bench.second)).fails(3, "ExpiredToken", "sign in again")
    # With credentials that are no good, nothing can be tidied up either.
    abort_all(bench.client, BUCKET)
    assert bench.finishes(program, run) == "old"
    print("  expired-for-good: as it was", flush=True)


def no_credentials(bench: Bench, proxy: Proxy) -> None:
    """A chain that gives none."""
    none = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    program = bench.place("no-credentials", proxy.with_rule(lambda _: PASS).url)
    program.env = none
    run = program.run(*bench.load(bench.second)).fails(3, "AWS_PROFILE")
    assert not proxy.seen.requests
    assert bench.finishes(program, run) == "old"
    print("  no-credentials: as it was", flush=True)


def drawn(bench: Bench, proxy: Proxy) -> None:
    """Faults drawn by lot, with retries and with hardly any."""
    for seed in SEEDS:
        draw = random.Random(seed)
        shares = ((0.25, "10"), (0.06, "0"))
        share, retries = shares[seed % 2]

        def rule(_: Request, draw: random.Random = draw, share: float = share) -> str:
            return draw.choice([BUSY, LOST, UNSENT]) if draw.random() < share else PASS

        program = bench.place(f"drawn-{seed}", proxy.with_rule(rule).url)
        run = program.run("--s3-retries", retries, *bench.load(bench.second))
        assert run.code in (0, 3), f"exit {run.code}\n{run.err}"
        assert proxy.seen.faults, "nothing was hit"
        abort_all(bench.client, BUCKET)
        hit = f"{len(proxy.seen.faults)} of {len(proxy.seen.requests)} requests hit"
        print(f"  drawn, seed {seed}: {hit}, exit {run.code}, {bench.finishes(program, run)} table", flush=True)


def main() -> None:
    """Runs all, or those that are named."""
    binary = Path(sys.argv[1]).resolve()
    checks = [busy, slow, lost, no_answer_to_a_completion, expired, no_credentials, drawn]
    named = sys.argv[2:] or [check.__name__ for check in checks]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with Server.ministack(root) as server, Proxy(server.url) as proxy:
            bench = Bench(binary, root, server)
            for check in checks:
                if check.__name__ in named:
                    check(bench, proxy)
                    print(f"s3 fault test ok: {check.__name__}", flush=True)


if __name__ == "__main__":
    main()
