"""Airflow's scheduler, triggerer and API with the DAGs: what defers, is killed, is tried again, and who is told.

    python live.py FOLDER

The tasks of `trials/` are there to be killed and to fail; all else is `northstar_daily`.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable
from urllib.parse import parse_qs

from shared import TABLES, Shared, expect

PUBLISHED = b"""<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
<PublishResult><MessageId>1</MessageId></PublishResult>
<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PublishResponse>"""
# Some ten minutes and more; the slowest takes half a minute.
MOST_ASKS = 3_000
OVER = ("success", "failed", "upstream_failed", "skipped", "removed")


class Topic:
    """What stands for SNS: it keeps what is published."""

    def __init__(self) -> None:
        self.messages: list[dict] = []
        topic = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                topic.messages.append({name: values[0] for name, values in parse_qs(body).items()})
                self.send_response(200)
                self.send_header("Content-Length", str(len(PUBLISHED)))
                self.end_headers()
                self.wfile.write(PUBLISHED)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def until(what: Callable[[], Any]) -> Any:
    """What is asked for, once it is there. Asked again as a client polls.

    What never comes is an error after so many asks that no machine is too slow: a test that stands still says
    nothing.
    """
    for _ in range(MOST_ASKS):
        if got := what():
            return got
        time.sleep(0.2)
    raise AssertionError(f"asked {MOST_ASKS} times in vain")


class Live:
    """The running Airflow, and the server's runs."""

    def __init__(self, shared: Shared):
        self.shared, self.token = shared, shared.airflow.token()
        self.emr = shared.server.client("emr-serverless")

    def ask(self, method: str, path: str, body: dict | None = None) -> dict:
        return self.shared.airflow.ask(method, f"/api/v2{path}", body, self.token)

    def trigger(self, dag: str, run: str, **params: object) -> str:
        """Starts a run of a DAG once the DAG is there; the path of the run."""
        until(lambda: dag in {one["dag_id"] for one in self.ask("GET", "/dags?limit=100")["dags"]})
        self.ask("PATCH", f"/dags/{dag}", {"is_paused": False})
        date = f"2024-03-{len(self.ask('GET', f'/dags/{dag}/dagRuns')['dag_runs']) + 1:02}T02:00:00Z"
        body = {"dag_run_id": run, "logical_date": date, "conf": params}
        self.ask("POST", f"/dags/{dag}/dagRuns", body)
        return f"/dags/{dag}/dagRuns/{run}"

    def task(self, run: str, task: str) -> dict:
        return self.ask("GET", f"{run}/taskInstances/{task}")

    def reached(self, run: str, task: str, *states: str) -> dict:
        """The task instance once it is in one of the states. Another end is an error."""

        def there() -> dict | None:
            found = self.task(run, task)
            if found["state"] in states:
                return found
            if found["state"] in OVER:
                raise AssertionError(f"{task} is {found['state']}, not {states}: {self.log(run, task, found)}")
            return None

        return until(there)

    def log(self, run: str, task: str, found: dict) -> str:
        return str(self.ask("GET", f"{run}/taskInstances/{task}/logs/{found['try_number']}"))[-6000:]

    def ended(self, run: str) -> str:
        return until(lambda: state if (state := self.ask("GET", run)["state"]) in OVER else None)

    def job_runs(self, name: str) -> list[dict]:
        """The server's runs for a task, by the name that the task gives them; the oldest first."""
        found = self.emr.list_job_runs(applicationId=self.shared.application)["jobRuns"]
        return sorted((one for one in found if one["name"] == name), key=lambda one: one["createdAt"])

    def job_run(self, name: str, *states: str) -> dict:
        return until(lambda: next((one for one in self.job_runs(name) if one["state"] in states), None))


def children(process_id: int) -> set[int]:
    """The processes that a process has started and that are not over."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == process_id and state != "Z":
            found.add(int(path.parent.name))
    return found


def cancelled(live: Live, run: str, name: str, found: dict) -> dict:
    """The job run of a task that was killed, once it is cancelled.

    Airflow 3.3.2 cancels a trigger once more each second while its `on_kill` is under way, which on a slow machine cuts
    it off before it has asked for anything. It is asked for by hand then, as docs/airflow.md says.
    """

    def there() -> dict | None:
        (one,) = live.job_runs(f"trial_slow.{name}")
        if one["state"] == "CANCELLED":
            return one
        log = live.log(run, name, found) if name == "deferred" else ""
        if "trigger completed" in log and "cancelled successfully" not in log and one["state"] == "RUNNING":
            print("Airflow broke its own on_kill off")
            live.emr.cancel_job_run(applicationId=one["applicationId"], jobRunId=one["id"])
        return None

    return until(there)


def killed(live: Live) -> None:
    """Two commands of hours share a table's pool. The one that is deferred is killed, then the one that waits."""
    run = live.trigger("trial_slow", "killed")
    processes = []
    for name, state in (("deferred", "deferred"), ("waits", "running")):
        found = live.reached(run, name, state)
        job = live.job_run(f"trial_slow.{name}", "RUNNING")
        (process,) = until(lambda: children(live.shared.server_process_id))
        if name == "deferred":
            found = until(lambda: got if (got := live.task(run, name))["triggerer_job"] else None)
            expect("the triggerer that has it", found["triggerer_job"]["id"] > 0, True)
            # It asks for the state of the run by now.
            until(lambda: "status is: RUNNING" in live.log(run, name, found))  # noqa: B023
            # A task that is deferred holds its place in the pool.
            expect("the other task", live.task(run, "waits")["state"] in ("scheduled", None), True)
            expect("its runs", live.job_runs("trial_slow.waits"), [])
        live.ask("PATCH", f"{run}/taskInstances/{name}", {"new_state": "failed"})
        job = cancelled(live, run, name, found)
        until(lambda: process not in children(live.shared.server_process_id))  # noqa: B023
        processes.append((job, process))
    expect("runs of both", [len(live.job_runs(f"trial_slow.{name}")) for name in ("deferred", "waits")], [1, 1])
    expect("the run", live.ended(run), "failed")


def alerted(live: Live, topic: Topic) -> None:
    """A task that fails for good is told to the topic, without what went wrong."""
    run = live.trigger("trial_fails", "alerted")
    expect("the run", live.ended(run), "failed")
    text = until(lambda: next((one for one in topic.messages if "trial_fails" in one["Message"]), None))
    expect("the topic", text["TargetArn"], "arn:aws:sns:us-east-1:000000000000:alerts")
    message = json.loads(text["Message"])["default"]
    expect("the message", message, "trial_fails / fails of alerted failed at try 1")


def tried_again(live: Live, topic: Topic) -> None:
    """A day whose file comes late: its task fails, is tried again under another token, and has its rows once."""
    shared, day = live.shared, live.shared.landed(3)
    late = shared.landing / "changes" / day / "lab_result.csv"
    away = late.with_suffix(".away")
    late.rename(away)
    run = live.trigger("northstar_daily", "late", day=day)
    # A DAG that is switched on is given a run of yesterday, which has not landed here, and one run goes at a time.
    runs = "/dags/northstar_daily/dagRuns"
    (scheduled,) = until(lambda: live.ask("GET", f"{runs}?run_type=scheduled")["dag_runs"])
    live.ask("PATCH", f"{runs}/{scheduled['dag_run_id']}", {"state": "failed"})
    live.job_run("northstar_daily.merge_lab_result", "FAILED")
    away.rename(late)
    expect("the day", live.ended(run), "success")
    found = live.task(run, "merge_lab_result")
    expect("it was tried again", found["try_number"] > 1, True)
    alerts = [one["Message"] for one in topic.messages if "merge_lab_result" in one["Message"]]
    expect("alerts of a task that did well in the end", alerts, [])
    states = [one["state"] for one in live.job_runs("northstar_daily.merge_lab_result")]
    expect("the last run", states[-1], "SUCCESS")
    days_are_in(live)
    events = live.ask("GET", "/assets/events?limit=100&source_dag_id=northstar_daily")["asset_events"]
    told = {event["uri"] for event in events if event["source_run_id"] == "late"}
    expect("assets", told, {f"northstar://silver/{table}" for table in TABLES})


def done_again(live: Live) -> None:
    """A task that did its work and is run again, as after a lost worker: another run, the same rows."""
    run = "/dags/northstar_daily/dagRuns/late"
    before = live.shared.snapshots("lab_result")
    count = len(live.job_runs("northstar_daily.merge_lab_result"))
    body = {"dry_run": False, "dag_run_id": "late", "task_ids": ["load", "merge_lab_result"], "only_failed": False}
    live.ask("POST", "/dags/northstar_daily/clearTaskInstances", body)
    until(lambda: len(live.job_runs("northstar_daily.merge_lab_result")) == count + 1)
    expect("the day", until(lambda: state if (state := live.ask("GET", run)["state"]) in OVER else None), "success")
    expect("its run", live.job_runs("northstar_daily.merge_lab_result")[-1]["state"], "SUCCESS")
    expect("snapshots", live.shared.snapshots("lab_result"), before)
    days_are_in(live)


def days_are_in(live: Live) -> None:
    shared = live.shared
    for table in TABLES:
        landed = len(shared.rows_of(*(f"daily/{day}/{table}.csv" for day in shared.days)))
        bronze = shared.server.sql(f"SELECT count(*) FROM bronze.{table}")
        expect(f"rows of bronze.{table}", bronze, [[landed]])
        expect(f"rows of silver.{table}", shared.silver(table) == shared.merged(table, shared.days), True)


def forget_triggers(shared: Shared) -> None:
    """Removes the triggers that `airflow dags test` leaves behind, which it ran by itself.

    A triggerer would begin with them and cancel them at once, as no task waits for them. Before Python 3.12 that can
    lock it for good: `on_kill` waits on the event loop for a connection that another thread asks the loop for.
    """
    with sqlite3.connect(shared.folder / "airflow" / "airflow.db") as database:
        database.execute("DELETE FROM trigger")
    database.close()


def main() -> None:
    shared, topic = Shared(Path(sys.argv[1])), Topic()
    connection = {"service_config": {"sns": {"endpoint_url": topic.url}}}
    # Tries enough for a file that comes late on a slow machine.
    shared.tell(connection, retries=20, alerts_topic="arn:aws:sns:us-east-1:000000000000:alerts")
    shared.airflow.environment["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC"] = "1"
    shared.airflow.environment["AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"] = "1"
    forget_triggers(shared)
    try:
        shared.airflow.start()
        live = Live(shared)
        killed(live)
        alerted(live, topic)
        tried_again(live, topic)
        done_again(live)
    except AssertionError:
        print(f"triggerer: {(shared.folder / 'airflow' / 'triggerer.log').read_text(encoding='utf-8')[-3000:]}")
        raise
    finally:
        shared.airflow.stop()
    print("deferred, killed, tried again, and told")


if __name__ == "__main__":
    main()
