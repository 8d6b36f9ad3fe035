"""`northstar submit`, `status`, `cancel`, `logs` and `cost` against `northstar serve`.

    python submit.py PATH_OF_NORTHSTAR
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

from expect import expect
from s3_northstar import Run
from s3_proxy import LOST, PASS, UNSENT, Proxy, Request
from s3_server import Server as S3
from server import ACCOUNT, KEY_ID, SECRET, Server

ROLE = f"arn:aws:iam::{ACCOUNT}:role/jobs"
SLOW = ["sql", "SELECT count(*) FROM generate_series(1, 100000000000) AS t(v) WHERE v % 7 = 8"]
# So often a request is sent before the program takes the server for silent.
ATTEMPTS = 5
OVER = {"SUCCESS", "FAILED", "CANCELLED"}
PRICES = {"vCPUHour": 0.052624, "memoryGBHour": 0.0057785, "storageGBHour": 0.000111}


def bare() -> dict[str, str]:
    """The environment without settings of AWS or of the program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NORTHSTAR_"))}
    # Nobody asks the network for a role of the machine, or finds a profile of its owner's.
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}


class Client:
    """The program as its users have it, with an application that stands for this test."""

    def __init__(self, binary: str, server: Server, url: str | None = None, **settings: object) -> None:
        self.binary, self.emr = binary, server.client("emr-serverless")
        asked = {"name": "jobs", "releaseLabel": "emr-7.5.0", "type": "SPARK", "clientToken": str(uuid.uuid4())}
        self.application = self.emr.create_application(**asked, **settings)["applicationId"]
        self.env = {
            **bare(),
            "AWS_ENDPOINT_URL_EMR_SERVERLESS": url or server.url,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "NORTHSTAR_APPLICATION": self.application,
            "NORTHSTAR_ROLE": ROLE,
        }

    def run(self, *words: str, **env: str) -> Run:
        command = [self.binary, "--output", "json", *words]
        done = subprocess.run(command, env={**self.env, **env}, text=True, capture_output=True, check=False)
        return Run(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command that goes on; its notes come line by line."""
        command = [self.binary, "--output", "json", *words]
        return subprocess.Popen(command, env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def submit(self, *words: str, options: tuple[str, ...] = ()) -> str:
        """The run of a submission."""
        return self.row(self.run("submit", *options, "--", *words).ok())["run"]

    @staticmethod
    def row(run: Run) -> dict[str, str]:
        return json.loads(run.out.splitlines()[0])

    def get(self, run: str) -> dict:
        return self.emr.get_job_run(applicationId=self.application, jobRunId=run)["jobRun"]

    def reached(self, run: str, states: set[str]) -> dict:
        """A run once it is in one of the states, or over: asked for as a client polls."""
        while True:
            got = self.get(run)
            if got["state"] in states | OVER:
                return got

    def ids(self) -> list[str]:
        return sorted(run["id"] for run in self.emr.list_job_runs(applicationId=self.application)["jobRuns"])


def noted(process: subprocess.Popen[str], word: str) -> list[str]:
    """The notes of a command up to the one with a word."""
    lines = []
    for line in process.stderr or []:
        lines.append(line.rstrip())
        if word in line:
            return lines
    raise SystemExit(f"no note with {word!r}: {lines}")


def ended(process: subprocess.Popen[str]) -> Run:
    out, err = process.communicate()
    return Run(process.returncode, out, err)


def outcomes(client: Client, server: Server) -> None:
    server.sql("CREATE TABLE silver.visit (id BIGINT)")
    insert = ["sql", "INSERT INTO silver.visit VALUES (1)"]
    done = client.run("submit", "--wait", "--", *insert).ok()
    run = client.row(done)["run"]
    assert f"{run} SUCCESS: " in done.err, done.err
    expect("the same submission", client.submit(*insert), run)
    expect("rows, once", server.sql("SELECT count(*) FROM silver.visit"), [[1]])
    named = client.submit(*insert, options=("--name", "another"))
    other = client.submit(*insert, options=("--try", "2"))
    expect("runs", client.ids(), sorted([run, named, other]))
    for one in (named, other):
        client.run("status", one, "--wait").ok()
    expect("rows of three runs", server.sql("SELECT count(*) FROM silver.visit"), [[3]])
    for options in (["--timeout-minutes", "5"], ["--driver-cores", "2"], ["--role", f"{ROLE}2"], ["--attempts", "2"]):
        again = client.run("submit", *options, "--", *insert)
        again.fails(1, "with other settings", "--try 2 to start another")
    expect("runs after conflicts", client.ids(), sorted([run, named, other]))
    got = client.get(run)
    driver = got["jobDriver"]["sparkSubmit"]
    expect("the command as it was given", driver["entryPointArguments"], insert)
    settings = (got["name"], got["executionTimeoutMinutes"], got["executionRole"])
    expect("its name, time and role", settings, ("northstar sql", 720, ROLE))
    failed = client.run("submit", "--wait", "--attempts", "2", "--", "sql", "SELECT * FROM silver.none").fails(1)
    run = client.row(failed)["run"]
    assert f"{run} FAILED, attempt 2: " in failed.err, failed.err
    client.run("status", run, "--wait").fails(1, "FAILED")
    shown = client.row(client.run("status", run).ok())
    told = (shown["state"], shown["attempt"], shown["command"])
    expect("a run", told, ("FAILED", "2", "sql SELECT * FROM silver.none"))
    client.run("logs", run, "--stderr").ok()
    assert "silver.none" in client.run("logs", run, "--stderr", "--attempt", "1").ok().out
    client.run("status", "00none").fails(1, "ResourceNotFoundException")


def lists(client: Client) -> None:
    lines = [json.loads(line) for line in client.run("status").ok().out.splitlines()]
    expect("runs listed", sorted(line["run"] for line in lines), client.ids())
    expect("states", {line["state"] for line in lines}, {"SUCCESS", "FAILED"})
    few = client.run("status", "--most", "2").ok().out.splitlines()
    expect("the latest two", [json.loads(line) for line in few], lines[:2])


def logs(client: Client) -> None:
    run = client.submit("sql", "SELECT 40 + 2 AS answer", options=("--wait",))
    log = client.run("logs", run).ok().out
    assert "answer" in log and "42" in log, log


def costs(client: Client) -> None:
    run = client.submit("tables", options=("--wait", "--driver-cores", "8", "--driver-memory", "54G"))
    billed = client.get(run)["billedResourceUtilization"]
    expect("billed vCPU hours of a minute", billed["vCPUHour"], round(8 / 60, 3))
    lines = [json.loads(line) for line in client.run("cost", run).ok().out.splitlines()]
    wanted = [billed[name] * price for name, price in PRICES.items()]
    expect("dollars", [line["usd"] for line in lines], [f"{usd:.6f}" for usd in [*wanted, sum(wanted)]])
    own = ("--vcpu-hour-usd", "1", "--gb-hour-usd", "2", "--storage-gb-hour-usd", "3")
    lines = [json.loads(line) for line in client.run("cost", run, "--region", "eu-north-1", *own).out.splitlines()]
    # The server checks in which region a request was signed.
    expect("another region's request", lines, [])
    lines = [json.loads(line) for line in client.run("cost", run, *own).ok().out.splitlines()]
    usd = billed["vCPUHour"] + 2 * billed["memoryGBHour"] + 3 * billed["storageGBHour"]
    expect("dollars at own prices", lines[-1]["usd"], f"{usd:.6f}")


def cancels(binary: str, server: Server) -> None:
    with Proxy(server.url) as proxy:
        cancelled(Client(binary, server, proxy.url))
        asked = [one.query for one in proxy.seen.requests if one.method == "DELETE"]
        seconds = ["15", "30", "30", "30"]
        expect("grace that was asked for", asked, [f"shutdownGracePeriodInSeconds={number}" for number in seconds])


def cancelled(client: Client) -> None:
    run = client.submit(*SLOW)
    expect("running", client.reached(run, {"RUNNING"})["state"], "RUNNING")
    client.run("cost", run).fails(1, "nothing was billed yet")
    left = client.start("status", run, "--wait")
    noted(left, "RUNNING")
    left.send_signal(signal.SIGINT)
    ended(left).fails(3, "the run goes on")
    expect("still running", client.get(run)["state"], "RUNNING")
    client.run("cancel", run, "--grace", "14").fails(1, "15 to 1800")
    client.run("cancel", run, "--grace", "15").ok()
    client.run("status", run, "--wait").fails(1, "CANCELLED")
    client.run("cancel", run).fails(1, "cannot be cancelled")
    for number, name in [(signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted")]:
        waiting = client.start("submit", "--wait", "--name", name, "--", *SLOW)
        noted(waiting, "RUNNING")
        waiting.send_signal(number)
        done = ended(waiting).fails(1, "the run is cancelled", "CANCELLED")
        expect(f"a run whose submission was {name}", client.get(client.row(done)["run"])["state"], "CANCELLED")


def refusals(client: Client) -> None:
    before = client.ids()
    for words, said in [
        (["serve", "--anonymous"], "not for runs"),
        (["merge", "silver.visit"], "--changes"),
        (["sql", "-"], "not for runs"),
        (["sql", "SELECT 'AKIAIOSFODNN7EXAMPLE'"], "looks like an AWS access key"),
        (["load", "csv", "--from", "https://u:hidden@h/x", "--into", "b"], "looks like a URL with a password"),
        (["sql", "SELECT 1 WHERE '123-45-6789' = ''"], "looks like a social security number"),
    ]:
        refused = client.run("submit", "--", *words).fails(1, said)
        for word in ("AKIA", "hidden", "6789"):
            assert word not in refused.err, refused.err
    client.run("submit", "--entry-point", "s3://b/other.py", "--", "tables").fails(1, "launcher.py")
    client.run("submit", "--endpoint", "http://192.0.2.1", "--", "tables").fails(1, "on this machine only")
    client.run("status", "../x").fails(1, "lower-case letters")
    client.run("status", NORTHSTAR_APPLICATION="00other").fails(1)
    expect("runs after refusals", client.ids(), before)


def starts_application(client: Client) -> None:
    """An application that does not start by itself is started, also when it was stopped."""
    state = lambda: client.emr.get_application(applicationId=client.application)["application"]["state"]  # noqa: E731
    expect("before", state(), "CREATED")
    client.submit("tables", options=("--wait",))
    expect("after", state(), "STARTED")
    client.emr.stop_application(applicationId=client.application)
    expect("stopped", state(), "STOPPED")
    client.submit("tables", options=("--wait", "--try", "2"))
    expect("after that", state(), "STARTED")


def lost_reply(binary: str, server: Server) -> None:
    """The answer to StartJobRun is lost once: the run is there, and there once."""

    def rule(request: Request) -> str:
        is_start = request.method == "POST" and request.path.endswith("/jobruns")
        seen = [fault for fault in proxy.seen.faults if fault[0] == LOST]
        return LOST if is_start and not seen else PASS

    with Proxy(server.url) as proxy:
        proxy.with_rule(rule)
        client = Client(binary, server, proxy.url)
        run = client.submit("sql", "INSERT INTO silver.visit VALUES (7)", options=("--wait",))
        starts = [one for one in proxy.seen.requests if one.method == "POST" and one.path.endswith("/jobruns")]
        expect("answers lost", len(proxy.seen.faults), 1)
        expect("requests to start", len(starts), 2)
        expect("runs", client.ids(), [run])
        expect("rows, once", server.sql("SELECT count(*) FROM silver.visit WHERE id = 7"), [[1]])


def silent(binary: str, server: Server) -> None:
    """A server that does not answer for a while ends no waiting: neither the run nor who waits is told off."""

    def rule(request: Request) -> str:
        is_look = request.method == "GET" and "/jobruns/" in request.path
        return UNSENT if is_look and len(proxy.seen.faults) < ATTEMPTS else PASS

    with Proxy(server.url) as proxy:
        proxy.with_rule(rule)
        done = Client(binary, server, proxy.url).run("submit", "--wait", "--", "tables").ok()
        assert "no answer; the run goes on" in done.err and "SUCCESS" in done.err, done.err
        expect("looks without an answer", len(proxy.seen.faults), ATTEMPTS)


def restarted(client: Client, server: Server) -> None:
    """Who waits sees through a restart of the server: a run that it had is lost, one that waited is run."""
    waiting = client.start("submit", "--wait", "--name", "before", "--", *SLOW)
    noted(waiting, "RUNNING")
    queued = client.start("submit", "--wait", "--name", "queued", "--", "tables")
    noted(queued, "QUEUED")
    address = server.address
    server.kill()
    server.start(listen=address)
    done = ended(waiting).fails(1, "FAILED")
    expect("the run that was lost", client.get(client.row(done)["run"])["state"], "FAILED")
    done = ended(queued).ok()
    expect("the run that waited", client.get(client.row(done)["run"])["state"], "SUCCESS")
    expect("runs", len(client.ids()), 2)
    again = client.submit(*SLOW, options=("--name", "before",))
    expect("the same submission after the restart", len(client.ids()), 2)
    expect("its state", client.get(again)["state"], "FAILED")


class AsAws(Proxy):
    """The server as AWS is: the dashboard is no file."""

    def _handle(self, handler, host: str, port: int) -> None:  # noqa: ANN001
        if not handler.path.split("?")[0].endswith("/dashboard"):
            super()._handle(handler, host, port)
            return
        text = json.dumps({"url": "https://p-1.emrappui-prod.example/?authToken=hidden"}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)


def logs_in_s3(binary: str, server: Server, folder: Path) -> None:
    with AsAws(server.url) as proxy, S3.ministack(folder) as s3:
        client, bucket = Client(binary, server, proxy.url), s3.client()
        bucket.create_bucket(Bucket="logs")
        run = client.submit("tables", options=("--wait", "--log-uri", "s3://logs/jobs/"))
        at_s3 = ("--s3-endpoint", s3.url)
        client.run("logs", run, *at_s3).fails(1, "there is no log yet")
        below = f"jobs/applications/{client.application}/jobs/{run}"
        put = lambda key, text: bucket.put_object(Bucket="logs", Key=key, Body=gzip.compress(text))  # noqa: E731
        put(f"{below}/SPARK_DRIVER/stdout.gz", b"as it was\n")
        expect("a log", client.run("logs", run, *at_s3).ok().out, "as it was\n")
        put(f"{below}/attempts/1/SPARK_DRIVER/stdout.gz", b"of the attempt\n")
        expect("the log of an attempt", client.run("logs", run, *at_s3).ok().out, "of the attempt\n")
        bucket.put_object(Bucket="logs", Key=f"{below}/attempts/1/SPARK_DRIVER/stderr.gz", Body=b"no gzip")
        client.run("logs", run, "--stderr", *at_s3).fails(1, "gzip")
        client.run("logs", run, "--s3-endpoint", "http://192.0.2.1").fails(1, "on this machine only")
        other = client.submit("tables", options=("--wait", "--name", "without a log"))
        told = client.run("logs", other, *at_s3).fails(1, "--log-uri")
        assert "hidden" not in told.err, told.err


def anonymous(binary: str, folder: Path) -> None:
    """A server that asks for no keys is spoken to without keys."""
    with Server(binary, folder, anonymous=True) as server:
        client = Client(binary, server)
        without = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        client.env = {name: value for name, value in client.env.items() if name not in without}
        run = client.submit("tables", options=("--wait",))
        told = client.run("status", run).ok()
        expect("notes", told.err, "")
        elsewhere = "https://emr.example.invalid"
        client.run("status", run, "--endpoint", elsewhere).fails(1, "there are no keys for AWS")
    client.run("status", run).fails(3, "no answer", client.env["AWS_ENDPOINT_URL_EMR_SERVERLESS"])


def main() -> None:
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as name, Server(binary, Path(name)) as server:
        folder = Path(name)
        server.client("glue").create_database(DatabaseInput={"Name": "silver"})
        client = Client(binary, server)
        outcomes(client, server)
        lists(client)
        logs(client)
        costs(client)
        cancels(binary, server)
        refusals(client)
        starts_application(Client(binary, server, autoStartConfiguration={"enabled": False}))
        lost_reply(binary, server)
        silent(binary, server)
        logs_in_s3(binary, server, folder)
        narrow = {"schedulerConfiguration": {"maxConcurrentRuns": 1, "queueTimeoutMinutes": 15}}
        restarted(Client(binary, server, **narrow), server)
        anonymous(binary, folder / "anonymous")
    print("job runs were submitted, watched, cancelled, found again and paid for")


if __name__ == "__main__":
    main()
