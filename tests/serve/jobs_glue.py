"""boto3 against Glue Jobs of `northstar serve`: jobs run for real, each answer held against the model.

    python jobs_glue.py PATH_OF_NORTHSTAR
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from expect import expect, fits_model
from model import watch
from server import ACCOUNT, Server

ROLE = f"arn:aws:iam::{ACCOUNT}:role/jobs"
OVER = {"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"}


def ended(glue, job, run):
    """A run once it is over: asked for as a client polls."""
    while True:
        got = glue.get_job_run(JobName=job, RunId=run)["JobRun"]
        if got["JobRunState"] in OVER:
            return got
        time.sleep(0.05)


def reached(glue, job, run, states):
    while True:
        got = glue.get_job_run(JobName=job, RunId=run)["JobRun"]
        if got["JobRunState"] in states or got["JobRunState"] in OVER:
            return got["JobRunState"]
        time.sleep(0.05)


def create(glue, name, script, **more):
    command = {"Name": "glueetl", "ScriptLocation": script}
    glue.create_job(Name=name, Role=ROLE, Command=command, GlueVersion="5.0", **more)


def script(folder, name, text):
    path = Path(folder, name)
    path.write_text(text, encoding="utf-8")
    return f"file://{path}"


def definitions(glue, folder):
    insert = script(folder, "insert.sql", "INSERT INTO silver.visit VALUES (CAST(:id AS BIGINT), :site);")
    create(glue, "insert", insert, DefaultArguments={"--id": "1", "--site": "a"}, NonOverridableArguments={"--site": "b"})
    expect("again, otherwise", glue.refused("create_job", Name="insert", Role=ROLE, Command={"Name": "glueetl", "ScriptLocation": insert}), "IdempotentParameterMismatchException")
    unknown = {"Name": "glueetl", "ScriptLocation": "s3://bucket/script.py"}
    expect("a script of another kind", glue.refused("create_job", Name="x", Role=ROLE, Command=unknown), "InvalidInputException")
    got = glue.get_job(JobName="insert")["Job"]
    expect("a job", (got["Name"], got["DefaultArguments"]["--id"], got["Command"]["ScriptLocation"]), ("insert", "1", insert))
    expect("jobs", (glue.list_jobs()["JobNames"], len(glue.get_jobs()["Jobs"])), (["insert"], 1))
    expect("missing", glue.refused("get_job", JobName="no"), "EntityNotFoundException")
    glue.tag_resource(ResourceArn=f"arn:aws:glue:us-east-1:{ACCOUNT}:job/insert", TagsToAdd={"owner": "lake"})
    expect("tags", glue.get_tags(ResourceArn=f"arn:aws:glue:us-east-1:{ACCOUNT}:job/insert")["Tags"], {"owner": "lake"})


def runs(server, glue):
    """A run's own arguments go before the job's defaults, and those that cannot be changed before all."""
    server.sql("CREATE TABLE silver.visit (id BIGINT, site STRING)")
    run = glue.start_job_run(JobName="insert", Arguments={"--id": "7", "--site": "z"})["JobRunId"]
    got = ended(glue, "insert", run)
    expect("a run", (got["JobRunState"], got["Attempt"], got["JobName"]), ("SUCCEEDED", 0, "insert"))
    # A text is a value, whatever stands in it.
    odd = "'); DROP TABLE silver.visit; --"
    glue.update_job(
        JobName="insert",
        JobUpdate={"Role": ROLE, "Command": glue.get_job(JobName="insert")["Job"]["Command"], "DefaultArguments": {"--id": "1"}},
    )
    run = glue.start_job_run(JobName="insert", Arguments={"--site": odd})["JobRunId"]
    expect("a run with an odd text", ended(glue, "insert", run)["JobRunState"], "SUCCEEDED")
    rows = server.sql("SELECT id, site FROM silver.visit ORDER BY id")
    expect("rows", rows, [[1, odd], [7, "b"]])
    got = glue.get_job_runs(JobName="insert")["JobRuns"]
    expect("runs, newest first", [one["Arguments"].get("--site") for one in got], [odd, "b"])
    expect("a job that is not there", glue.refused("start_job_run", JobName="no"), "EntityNotFoundException")
    expect("a run that is not there", glue.refused("get_job_run", JobName="insert", RunId="jr_no"), "EntityNotFoundException")


def failures(glue, folder):
    create(glue, "fails", script(folder, "fails.sql", "INSERT INTO silver.no_such_table VALUES (1);"), MaxRetries=1)
    run = glue.start_job_run(JobName="fails")["JobRunId"]
    got = ended(glue, "fails", run)
    expect("a run that fails", got["JobRunState"], "FAILED")
    # What went wrong may name what is in a table, so it stands in the run's own log alone.
    expect("its message", "exit code 1" in got["ErrorMessage"], True)


SLOW = "SELECT count(*) FROM generate_series(1, 100000000000) AS t(v) WHERE v % 7 = 8;"


def ends(glue, folder):
    """Runs that are stopped, too many, or too long."""
    create(glue, "slow", script(folder, "slow.sql", SLOW), ExecutionProperty={"MaxConcurrentRuns": 1})
    run = glue.start_job_run(JobName="slow")["JobRunId"]
    expect("started", reached(glue, "slow", run, {"RUNNING"}), "RUNNING")
    expect("a second at once", glue.refused("start_job_run", JobName="slow"), "ConcurrentRunsExceededException")
    stopped = glue.batch_stop_job_run(JobName="slow", JobRunIds=[run, "jr_no"])
    expect("stopped", [one["JobRunId"] for one in stopped["SuccessfulSubmissions"]], [run])
    expect("not there", [one["JobRunId"] for one in stopped["Errors"]], ["jr_no"])
    expect("a run that was stopped", ended(glue, "slow", run)["JobRunState"], "STOPPED")


def restarts(server, glue, folder):
    """A run of a server that dies is not lost, and not left running."""
    create(glue, "cut", script(folder, "cut.sql", SLOW))
    run = glue.start_job_run(JobName="cut")["JobRunId"]
    expect("started", reached(glue, "cut", run, {"RUNNING"}), "RUNNING")
    address = server.address
    server.kill()
    server.start(listen=address)
    got = ended(glue, "cut", run)
    expect("a run whose server died", got["JobRunState"], "FAILED")
    expect("runs of earlier", len(glue.get_job_runs(JobName="insert")["JobRuns"]), 2)


def bookmarks(server, glue, folder):
    source = Path(folder, "extract")
    source.mkdir()
    (source / "lab.csv").write_text("id,value\n1,a\n", encoding="utf-8")
    arguments = {"--from": str(source), "--into": "bronze", "--job-bookmark-option": "job-bookmark-enable"}
    create(glue, "load", "northstar:load", DefaultArguments=arguments)
    run = glue.start_job_run(JobName="load")["JobRunId"]
    expect("a load", ended(glue, "load", run)["JobRunState"], "SUCCEEDED")
    expect("its rows", server.sql("SELECT count(*) FROM bronze.lab"), [[1]])
    got = glue.get_job_bookmark(JobName="load")["JobBookmarkEntry"]
    expect("a bookmark", (got["JobName"], got["RunId"]), ("load", run))
    expect("names the table", "bronze.lab" in got["JobBookmark"], True)
    glue.reset_job_bookmark(JobName="load")
    reset = glue.get_job_bookmark(JobName="load")["JobBookmarkEntry"]
    expect("a bookmark that was reset", (json.loads(reset["JobBookmark"]), reset["Version"] > got["Version"]), ({}, True))
    glue.delete_job(JobName="load")
    expect("a job that is gone", glue.refused("get_job", JobName="load"), "EntityNotFoundException")


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder, Server(binary, Path(folder)) as server:
        server.client("glue").create_database(DatabaseInput={"Name": "silver"})
        glue = watch(server.client("glue"))
        definitions(glue, folder)
        runs(server, glue)
        failures(glue, folder)
        ends(glue, folder)
        bookmarks(server, glue, folder)
        restarts(server, glue, folder)
        fits_model(glue)
    print(f"jobs ran; {glue.calls} answers fit the model")


if __name__ == "__main__":
    main()
