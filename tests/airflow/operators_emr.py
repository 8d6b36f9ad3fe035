"""`EmrServerlessStartJobOperator`, unmodified, through every outcome, waiting itself and deferred.

    python operators_emr.py PATH_OF_NORTHSTAR
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from typing import Any

from operating import (
    SLOW,
    LosesReplies,
    Running,
    children,
    event_of,
    expect,
    failed,
    finish,
    is_over,
    script,
    server,
    stack,
    succeeded,
    until,
)

from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator
from airflow.sdk.exceptions import TaskDeferred


def of(mode: dict) -> str:
    return "deferred" if mode["deferrable"] else "waiting"


class Jobs:
    """Operators for one application, and what the server says of its runs."""

    def __init__(self, server: Any, name: str, **settings: Any):
        self.server, self.id = server, server.application(name, **settings)
        self.emr = server.client("emr-serverless")

    def operator(self, entry: str, *words: str, token: str | None = None, **more: Any) -> Any:
        config = {"clientToken": token or str(uuid.uuid4()), **more.pop("config", {})}
        driver = {"entryPoint": entry, "entryPointArguments": list(words)}
        settings = {"task_id": "job", "name": "job", "waiter_delay": 1, "waiter_max_attempts": 500, **more}
        return EmrServerlessStartJobOperator(
            application_id=self.id,
            execution_role_arn=stack.ROLE,
            job_driver={"sparkSubmit": driver},
            config=config,
            **settings,
        )

    def runs(self) -> list[dict]:
        return self.emr.list_job_runs(applicationId=self.id)["jobRuns"]

    def state(self, run: str) -> str:
        return self.emr.get_job_run(applicationId=self.id, jobRunId=run)["jobRun"]["state"]

    def one_in(self, state: str, of: Running | None = None) -> str:
        """The run that is in a state, once there is one: that of an operator which goes on meanwhile."""
        return until(lambda: next((run["id"] for run in self.runs() if run["state"] == state), None), of)

    def ended(self, run: str) -> str:
        return until(lambda: state if (state := self.state(run)) in ("SUCCESS", "FAILED", "CANCELLED") else None)

    def cancel(self, run: str) -> None:
        self.emr.cancel_job_run(applicationId=self.id, jobRunId=run)


def success_and_failure(jobs: Jobs, mode: dict) -> None:
    rows = jobs.server.sql("SELECT count(*) FROM silver.visit")[0][0]
    words = ("sql", "INSERT INTO silver.visit VALUES (1)")
    run = succeeded("a command", Running(jobs.operator(stack.ENTRY_POINT, *words, **mode)))
    expect("its state", jobs.state(run), "SUCCESS")
    expect("rows", jobs.server.sql("SELECT count(*) FROM silver.visit"), [[rows + 1]])
    before = {one["id"] for one in jobs.runs()}
    words = ("sql", "INSERT INTO silver.no_such_table VALUES (1)")
    failed("a command that fails", Running(jobs.operator(stack.ENTRY_POINT, *words, **mode)))
    made = [one["state"] for one in jobs.runs() if one["id"] not in before]
    expect("what fails is tried once here", made, ["FAILED"])


def gives_up(jobs: Jobs, slow: str, mode: dict) -> None:
    """The operator waits for as long as it is told, and then cancels the run; deferred, it forgets it.

    So the DAGs give runs a time of their own, and wait for longer (`tests/airflow/definitions.py`).
    """
    before = {one["id"] for one in jobs.runs()}
    failed("a run that takes too long", Running(jobs.operator(slow, waiter_max_attempts=2, **mode)))
    (run,) = [one["id"] for one in jobs.runs() if one["id"] not in before]
    if mode["deferrable"]:
        expect("a run that was forgotten", jobs.state(run), "RUNNING")
        jobs.cancel(run)
    expect("a run that was waited for in vain", jobs.ended(run), "CANCELLED")


def cancelled_elsewhere(jobs: Jobs, slow: str, mode: dict) -> None:
    running = Running(jobs.operator(slow, **mode))
    jobs.cancel(jobs.one_in("RUNNING", running))
    failed("a run that somebody cancelled", running)


def killed(jobs: Jobs, slow: str) -> None:
    """What the task runner does with a task that is killed, waiting or deferred."""
    operator = jobs.operator(slow)
    running = Running(operator)
    run = jobs.one_in("RUNNING", running)
    (process,) = until(lambda: children(jobs.server.process.pid))
    operator.on_kill()
    expect("after on_kill", jobs.ended(run), "CANCELLED")
    until(lambda: is_over(process))
    failed("an operator that was killed", running)
    try:
        jobs.operator(slow, deferrable=True).execute({})
    except TaskDeferred as deferred:
        run = jobs.one_in("RUNNING")
        (process,) = until(lambda: children(jobs.server.process.pid))
        asyncio.run(deferred.trigger.on_kill())
        expect("after on_kill of the trigger", jobs.ended(run), "CANCELLED")
        until(lambda: is_over(process))
        expect("what the trigger says then", asyncio.run(event_of(deferred.trigger)).payload["status"], "failure")
    else:
        raise AssertionError("the operator did not defer")


def takes_too_long(server: Any, mode: dict) -> tuple[Jobs, Running]:
    """A run with a minute's time, which takes a minute."""
    jobs = Jobs(server, f"a-minute-{of(mode)}")
    slow = script(server, "slow.sql", SLOW)
    return jobs, Running(jobs.operator(slow, config={"executionTimeoutMinutes": 1}, **mode))


def queues(server: Any, mode: dict) -> None:
    one_by_one = {"maxConcurrentRuns": 1, "queueTimeoutMinutes": 15}
    jobs = Jobs(server, f"narrow-{of(mode)}", schedulerConfiguration=one_by_one)
    first = Running(jobs.operator(script(server, "slow.sql", SLOW), **mode))
    running = jobs.one_in("RUNNING", first)
    second = Running(jobs.operator(stack.ENTRY_POINT, "tables", **mode))
    jobs.one_in("QUEUED", second)
    jobs.cancel(running)
    failed("the first", first)
    expect("the one that waited", jobs.state(succeeded("the one that waited", second)), "SUCCESS")


def restarts(binary: str, mode: dict) -> None:
    """A run that has a process is lost with the server, and the operator hears it; one that waits goes on."""
    with server(binary) as one:
        jobs = Jobs(one, "narrow", schedulerConfiguration={"maxConcurrentRuns": 1, "queueTimeoutMinutes": 15})
        first = Running(jobs.operator(script(one, "slow.sql", SLOW), **mode))
        lost = jobs.one_in("RUNNING", first)
        second = Running(jobs.operator(stack.ENTRY_POINT, "tables", **mode))
        jobs.one_in("QUEUED", second)
        address = one.url.split("//")[1]
        one.kill()
        one.start(address)
        failed("a run whose server ended", first)
        expect("its state", jobs.state(lost), "FAILED")
        expect("the one that waited", jobs.state(succeeded("the one that waited", second)), "SUCCESS")
        expect("runs", len(jobs.runs()), 2)


def loses_a_reply(server: Any, mode: dict) -> None:
    """The run is started, the reply lost: asked again with its token, the server gives the same run."""
    jobs = Jobs(server, f"lost-{of(mode)}")
    rows = server.sql("SELECT count(*) FROM silver.visit")[0][0]

    def is_start(request: str, _: dict) -> bool:
        return request.startswith("POST") and request.endswith("/jobruns")

    with LosesReplies(server.url, is_start) as proxy:
        os.environ["AIRFLOW_CONN_AWS_LOSES"] = stack.connection(proxy.url)
        words = ("sql", "INSERT INTO silver.visit VALUES (2)")
        operator = jobs.operator(stack.ENTRY_POINT, *words, aws_conn_id="aws_loses", **mode)
        run = succeeded("a request whose reply was lost", Running(operator))
        expect("replies lost", proxy.lost, 1)
    expect("runs", [one["id"] for one in jobs.runs()], [run])
    expect("rows", server.sql("SELECT count(*) FROM silver.visit"), [[rows + 1]])


def tokens(jobs: Jobs) -> None:
    """The same token is the same run; a request that differs in anything else is refused."""
    run = finish(jobs.operator(stack.ENTRY_POINT, "tables", token="tests-1"))
    expect("the same token", finish(jobs.operator(stack.ENTRY_POINT, "tables", token="tests-1")), run)
    other = Running(jobs.operator(stack.ENTRY_POINT, "tables", token="tests-1", name="other"))
    expect("another name", "ConflictException" in str(failed("the token of another request", other)), True)
    again = finish(jobs.operator(stack.ENTRY_POINT, "tables", token="tests-2"))
    expect("the token of the next try is another run", again != run, True)


def main() -> None:
    binary = sys.argv[1]
    modes: list[dict] = [{"deferrable": False}, {"deferrable": True}]
    for mode in modes:
        restarts(binary, mode)
    with server(binary, runs=4) as one:
        one.client("glue").create_database(DatabaseInput={"Name": "silver"})
        one.sql("CREATE TABLE silver.visit (id BIGINT)")
        slow = script(one, "slow.sql", SLOW)
        jobs = Jobs(one, "batch")
        killed(jobs, slow)
        too_long = [takes_too_long(one, mode) for mode in modes]
        tokens(jobs)
        for mode in modes:
            success_and_failure(jobs, mode)
            gives_up(jobs, slow, mode)
            cancelled_elsewhere(jobs, slow, mode)
            queues(one, mode)
            loses_a_reply(one, mode)
        for of_minute, running in too_long:
            failed("a run that took longer than its time", running)
            expect("its state", [run["state"] for run in of_minute.runs()], ["CANCELLED"])
    print("EMR Serverless: every outcome, waiting and deferred")


if __name__ == "__main__":
    main()
