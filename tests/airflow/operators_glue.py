"""`GlueJobOperator`, unmodified, through every outcome, waiting itself and deferred.

    python operators_glue.py PATH_OF_NORTHSTAR
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from operating import (
    SLOW,
    Instance,
    LosesReplies,
    Running,
    children,
    event_of,
    expect,
    failed,
    is_over,
    script,
    server,
    stack,
    succeeded,
    until,
)

from airflow.providers.amazon.aws.operators.glue import GlueJobOperator
from airflow.sdk.exceptions import TaskDeferred

OVER = ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED")


class Job:
    """A job of Glue, operators for it, and what the server says of its runs."""

    def __init__(self, server: Any, name: str, location: str, **settings: Any):
        self.glue, self.server, self.name = server.client("glue"), server, name
        command = {"Name": "glueetl", "ScriptLocation": location}
        self.glue.create_job(Name=name, Role=stack.ROLE, Command=command, GlueVersion="5.0", **settings)

    def operator(self, **more: Any) -> Any:
        waits = {"job_poll_interval": 0.2, "waiter_delay": 1, "waiter_max_attempts": 500}
        settings = {"task_id": "job", "iam_role_arn": stack.ROLE, "stop_job_run_on_kill": True, **waits, **more}
        return GlueJobOperator(job_name=self.name, **settings)

    def runs(self) -> list[dict]:
        return self.glue.get_job_runs(JobName=self.name)["JobRuns"]

    def state(self, run: str) -> str:
        return self.glue.get_job_run(JobName=self.name, RunId=run)["JobRun"]["JobRunState"]

    def one_in(self, state: str, of: Running | None = None) -> str:
        """The run that is in a state, once there is one: that of an operator which goes on meanwhile."""
        return until(lambda: next((run["Id"] for run in self.runs() if run["JobRunState"] == state), None), of)

    def ended(self, run: str) -> str:
        return until(lambda: state if (state := self.state(run)) in OVER else None)

    def stop(self, run: str) -> None:
        self.glue.batch_stop_job_run(JobName=self.name, JobRunIds=[run])


def of(mode: dict) -> str:
    return "deferred" if mode["deferrable"] else "waiting"


def success_and_failure(server: Any, mode: dict) -> None:
    rows = server.sql("SELECT count(*) FROM silver.visit")[0][0]
    insert = script(server, "insert.sql", "INSERT INTO silver.visit VALUES (CAST(:id AS BIGINT));")
    job = Job(server, f"insert-{of(mode)}", insert)
    run = succeeded("a script", Running(job.operator(script_args={"--id": "7"}, **mode)))
    expect("its state", job.state(run), "SUCCEEDED")
    expect("rows", server.sql("SELECT count(*) FROM silver.visit WHERE id = 7"), [[rows + 1]])
    fails = Job(server, f"fails-{of(mode)}", script(server, "fails.sql", "INSERT INTO silver.none VALUES (1);"))
    failed("a script that fails", Running(fails.operator(**mode)))
    expect("its run", [run["JobRunState"] for run in fails.runs()], ["FAILED"])


def stopped_elsewhere(server: Any, slow: str, mode: dict) -> None:
    job = Job(server, f"stopped-{of(mode)}", slow)
    running = Running(job.operator(**mode))
    job.stop(job.one_in("RUNNING", running))
    failed("a run that somebody stopped", running)


def gives_up(server: Any, slow: str) -> None:
    """Deferred, the operator waits for as long as it is told. It leaves the run to Glue's own time."""
    job = Job(server, "gives-up", slow)
    failed("a run that takes too long", Running(job.operator(waiter_max_attempts=2, deferrable=True)))
    run = job.one_in("RUNNING")
    job.stop(run)
    expect("its end", job.ended(run), "STOPPED")


def killed(server: Any, slow: str) -> None:
    job = Job(server, "killed", slow)
    operator = job.operator()
    running = Running(operator)
    run = job.one_in("RUNNING", running)
    (process,) = until(lambda: children(server.process.pid))
    operator.on_kill()
    expect("after on_kill", job.ended(run), "STOPPED")
    until(lambda: is_over(process))
    failed("an operator that was killed", running)


def queues(server: Any, slow: str, mode: dict) -> None:
    job = Job(server, f"narrow-{of(mode)}", slow, ExecutionProperty={"MaxConcurrentRuns": 1})
    first = Running(job.operator(**mode))
    running = job.one_in("RUNNING", first)
    refused = str(failed("a second at once", Running(job.operator(**mode))))
    expect("why", "ConcurrentRunsExceededException" in refused, True)
    second = Running(job.operator(run_job_kwargs={"JobRunQueuingEnabled": True}, **mode))
    waiting = job.one_in("WAITING", second)
    job.stop(running)
    failed("the first", first)
    until(lambda: job.state(waiting) == "RUNNING")
    job.stop(waiting)
    failed("the one that waited, and then was stopped", second)


def restarts(binary: str, mode: dict) -> None:
    """A run that has a process is lost with the server, and the operator hears it; one that waits goes on."""
    with server(binary, runs=1) as one:
        slow = Job(one, "slow", script(one, "slow.sql", SLOW))
        quick = Job(one, "quick", script(one, "quick.sql", "SELECT 1;"))
        first = Running(slow.operator(**mode))
        lost = slow.one_in("RUNNING", first)
        second = Running(quick.operator(**mode))
        quick.one_in("STARTING", second)
        address = one.url.split("//")[1]
        one.kill()
        one.start(address)
        failed("a run whose server ended", first)
        expect("its state", slow.state(lost), "FAILED")
        expect("the one that waited", quick.state(succeeded("the one that waited", second)), "SUCCEEDED")
        expect("runs", (len(slow.runs()), len(quick.runs())), (1, 1))


def loses_a_reply(server: Any, slow: str) -> None:
    """Glue has no tokens: the request that is sent again meets the run it has started, and is refused.

    The next try, deferred, finds that run by what the operator wrote into its arguments.
    """
    job = Job(server, "lost", slow, ExecutionProperty={"MaxConcurrentRuns": 1})

    def is_start(_: str, headers: dict) -> bool:
        return headers.get("X-Amz-Target", "").endswith(".StartJobRun")

    with LosesReplies(server.url, is_start) as proxy:
        os.environ["AIRFLOW_CONN_AWS_LOSES"] = stack.connection(proxy.url)
        operator = job.operator(aws_conn_id="aws_loses", deferrable=True)
        refused = str(failed("a request whose reply was lost", Running(operator)))
        expect("why", "ConcurrentRunsExceededException" in refused, True)
        expect("replies lost", proxy.lost, 1)
    instance = Instance("job", try_number=2)
    operator = job.operator(deferrable=True)
    run = job.one_in("RUNNING")
    try:
        operator.execute({"ti": instance, "task_instance": instance})
    except TaskDeferred as deferred:
        expect("what the next try waits for", deferred.trigger.run_id, run)
        job.stop(run)
        event = asyncio.run(event_of(deferred.trigger))
        expect("its end", event.payload["status"], "error")
    else:
        raise AssertionError("the operator did not defer")
    expect("runs", [one["Id"] for one in job.runs()], [run])


def main() -> None:
    binary = sys.argv[1]
    modes: list[dict] = [{"deferrable": False}, {"deferrable": True}]
    with server(binary, runs=4) as one:
        one.client("glue").create_database(DatabaseInput={"Name": "silver"})
        one.sql("CREATE TABLE silver.visit (id BIGINT)")
        slow = script(one, "slow.sql", SLOW)
        killed(one, slow)
        minute = [Job(one, f"minute-{of(mode)}", slow) for mode in modes]
        timeout = {"Timeout": 1}
        operators = [job.operator(run_job_kwargs=timeout, **mode) for job, mode in zip(minute, modes, strict=True)]
        too_long = [Running(operator) for operator in operators]
        for mode in modes:
            success_and_failure(one, mode)
            stopped_elsewhere(one, slow, mode)
            queues(one, slow, mode)
        gives_up(one, slow)
        loses_a_reply(one, slow)
        for job, running in zip(minute, too_long, strict=True):
            failed("a run that took longer than its time", running)
            expect("its state", [run["JobRunState"] for run in job.runs()], ["TIMEOUT"])
    for mode in reversed(modes):
        restarts(binary, mode)
    print("Glue: every outcome, waiting and deferred")


if __name__ == "__main__":
    main()
