"""The calls of Glue Jobs and EMR Serverless over `northstar serve`, over moto and over ministack.

    python jobs_api.py PATH_OF_NORTHSTAR

moto and ministack run no script of SQL, so what a run does is tested by `jobs_glue.py` and `jobs_emr.py`.
Where one of the three departs from AWS, `DEPARTURES` names the check, with what is found instead.
"""

import sys
import tempfile
import uuid
from pathlib import Path

from checks import Checks, stand_in
from expect import fits_model
from model import watch
from server import ACCOUNT, Server

GONE, EXISTS = "EntityNotFoundException", "AlreadyExistsException"
MISMATCH, LACKS = "IdempotentParameterMismatchException", "ResourceNotFoundException"

DEPARTURES = {
    "northstar": {},
    "moto": {
        "a job that is there, otherwise": None,
        "stopping": "not there",
        "bookmarks": "not there",
        "updating": "not there",
    },
    "ministack": {
        "a job that is there, the same": EXISTS,
        "a job that is there, otherwise": EXISTS,
        "names of jobs": "not there",
        "several jobs": "not there",
        "bookmarks": "not there",
    },
    # EMR Serverless; ministack has none.
    "northstar, EMR": {},
    "moto, EMR": {
        "the same token": "another",
        "the same token for a run": "another",
        "the same token, other arguments": None,
        "attempts": "not there",
        "a dashboard": "not there",
    },
}


def glue_jobs(checks, glue, script):
    role = f"arn:aws:iam::{ACCOUNT}:role/jobs"
    job = {
        "Name": "insert",
        "Role": role,
        "Command": {"Name": "glueetl", "ScriptLocation": script},
        "DefaultArguments": {"--id": "1"},
    }
    other = {**job, "DefaultArguments": {"--id": "2"}}
    checks.expect("a new job", glue.create_job(**job)["Name"], "insert")
    checks.refused("a job that is there, the same", None, "create_job", **job)
    checks.refused("a job that is there, otherwise", MISMATCH, "create_job", **other)
    got = glue.get_job(JobName="insert")["Job"]
    checks.expect("a job", (got["Name"], got["Role"], got["Command"]["ScriptLocation"]), ("insert", role, script))
    checks.expect("its arguments", glue.get_job(JobName="insert")["Job"]["DefaultArguments"]["--id"] in "12", True)
    checks.expect("jobs", [one["Name"] for one in glue.get_jobs()["Jobs"]], ["insert"])
    if checks.is_there("names of jobs"):
        checks.expect("names of jobs", glue.list_jobs()["JobNames"], ["insert"])
    if checks.is_there("several jobs"):
        found = glue.batch_get_jobs(JobNames=["insert", "no"])
        checks.expect("several jobs", ([one["Name"] for one in found["Jobs"]], found["JobsNotFound"]), (["insert"], ["no"]))
    run = glue.start_job_run(JobName="insert", Arguments={"--id": "7"})["JobRunId"]
    checks.expect("a run", glue.get_job_run(JobName="insert", RunId=run)["JobRun"]["Id"], run)
    checks.expect("runs", [one["Id"] for one in glue.get_job_runs(JobName="insert")["JobRuns"]], [run])
    checks.refused("a job that is not there", GONE, "get_job", JobName="no")
    checks.refused("a run of no job", GONE, "start_job_run", JobName="no")
    checks.refused("a run that is not there", GONE, "get_job_run", JobName="insert", RunId="jr_no")
    if checks.is_there("stopping"):
        stopped = glue.batch_stop_job_run(JobName="insert", JobRunIds=["jr_no"])
        checks.expect("stopping", [one["JobRunId"] for one in stopped["Errors"]], ["jr_no"])
    if checks.is_there("bookmarks"):
        checks.refused("bookmarks", GONE, "get_job_bookmark", JobName="no")
    if checks.is_there("updating"):
        update = {"Role": role, "Command": job["Command"], "Timeout": 7}
        checks.expect("updating", glue.update_job(JobName="insert", JobUpdate=update)["JobName"], "insert")
    glue.delete_job(JobName="insert")
    checks.refused("deleting what is gone", None, "delete_job", JobName="insert")
    checks.refused("a job that is gone", GONE, "get_job", JobName="insert")
    checks.end()


def emr_serverless(checks, emr, script, account):
    made = {"name": "nightly", "releaseLabel": "emr-7.5.0", "type": "SPARK", "clientToken": str(uuid.uuid4())}
    application = emr.create_application(**made)["applicationId"]
    again = emr.create_application(**made)["applicationId"]
    checks.expect("the same token", "the same" if again == application else "another", "the same")
    got = emr.get_application(applicationId=application)["application"]
    checks.expect("an application", (got["name"], got["type"], got["releaseLabel"]), ("nightly", "Spark", "emr-7.5.0"))
    asked = {
        "applicationId": application,
        "clientToken": str(uuid.uuid4()),
        "executionRoleArn": f"arn:aws:iam::{account}:role/jobs",
        "jobDriver": {"sparkSubmit": {"entryPoint": script}},
        "name": "insert",
    }
    run = emr.start_job_run(**asked)["jobRunId"]
    same = emr.start_job_run(**asked)["jobRunId"] == run
    checks.expect("the same token for a run", "the same" if same else "another", "the same")
    checks.refused("the same token, other arguments", "ConflictException", "start_job_run", **{**asked, "name": "other"})
    of = {"applicationId": application}
    got = emr.get_job_run(**of, jobRunId=run)["jobRun"]
    checks.expect("a run", (got["jobRunId"], got["name"], got["applicationId"]), (run, "insert", application))
    checks.expect("runs", run in [one["id"] for one in emr.list_job_runs(**of)["jobRuns"]], True)
    checks.refused("a run that is not there", LACKS, "get_job_run", **of, jobRunId="00no00000000")
    checks.refused("no application", LACKS, "get_application", applicationId="00none00000000")
    if checks.is_there("attempts"):
        checks.expect("attempts", len(emr.list_job_run_attempts(**of, jobRunId=run)["jobRunAttempts"]), 1)
    if checks.is_there("a dashboard"):
        checks.expect("a dashboard", "url" in emr.get_dashboard_for_job_run(**of, jobRunId=run), True)
    checks.end()


def over(kind, client_of, script, account):
    glue = watch(client_of("glue"))
    glue_jobs(Checks(kind, glue, DEPARTURES[kind]), glue, script)
    clients = [glue]
    if f"{kind}, EMR" in DEPARTURES:
        emr = watch(client_of("emr-serverless"))
        emr_serverless(Checks(f"{kind}, EMR", emr, DEPARTURES[f"{kind}, EMR"]), emr, script, account)
        clients.append(emr)
    return clients


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "insert.sql")
        path.write_text("SELECT 1;", encoding="utf-8")
        script = f"file://{path}"
        with Server(sys.argv[1], Path(folder)) as server:
            clients = over("northstar", server.client, script, ACCOUNT)
            fits_model(*clients)
            print(f"northstar: {sum(client.calls for client in clients)} answers fit the model")
        for kind, account in (("moto", "123456789012"), ("ministack", ACCOUNT)):
            process, server = stand_in(kind)
            with process:
                over(kind, lambda service: Server.client(server, service), script, account)  # noqa: B023
                process.stdin.close()
            print(f"{kind}: as AWS, but for the departures that are named")


if __name__ == "__main__":
    main()
