"""boto3 against EMR Serverless of `northstar serve`: job runs for real, each answer held against the model.

    python jobs_emr.py PATH_OF_NORTHSTAR
"""

import sys
import tempfile
import time
import uuid
from pathlib import Path

from expect import expect, fits_model
from model import watch
from server import ACCOUNT, Server

ROLE = f"arn:aws:iam::{ACCOUNT}:role/jobs"
OVER = {"SUCCESS", "FAILED", "CANCELLED"}
SLOW = "SELECT count(*) FROM generate_series(1, 100000000000) AS t(v) WHERE v % 7 = 8;"


class Application:
    """An application, and job runs in it."""

    def __init__(self, emr, folder, name, **settings):
        self.emr, self.folder = emr, folder
        made = emr.create_application(
            name=name, releaseLabel="emr-7.5.0", type="SPARK", clientToken=str(uuid.uuid4()), **settings
        )
        self.id = made["applicationId"]

    def script(self, name, text):
        path = Path(self.folder, name)
        path.write_text(text, encoding="utf-8")
        return f"file://{path}"

    def request(self, entry, *arguments, token=None, **more):
        driver = {
            "entryPoint": entry,
            "entryPointArguments": list(arguments),
            "sparkSubmitParameters": "--conf spark.driver.cores=2 --conf spark.driver.memory=4g",
        }
        return {
            "applicationId": self.id,
            "clientToken": token or str(uuid.uuid4()),
            "executionRoleArn": ROLE,
            "jobDriver": {"sparkSubmit": driver},
            **more,
        }

    def start(self, *arguments, **more):
        return self.emr.start_job_run(**self.request(*arguments, **more))["jobRunId"]

    def get(self, run):
        return self.emr.get_job_run(applicationId=self.id, jobRunId=run)["jobRun"]

    def ended(self, run):
        """A run once it is over: asked for as a client polls."""
        return self.reached(run, OVER)

    def reached(self, run, states):
        while True:
            got = self.get(run)
            if got["state"] in states or got["state"] in OVER:
                return got
            time.sleep(0.05)


def applications(emr, folder):
    token = str(uuid.uuid4())
    asked = {"name": "nightly", "releaseLabel": "emr-7.5.0", "type": "SPARK", "clientToken": token}
    made = emr.create_application(**asked)
    expect("the same token", emr.create_application(**asked)["applicationId"], made["applicationId"])
    got = emr.get_application(applicationId=made["applicationId"])["application"]
    expect("an application", (got["name"], got["type"]), ("nightly", "Spark") if got["type"] == "Spark" else ("nightly", "SPARK"))
    emr.start_application(applicationId=made["applicationId"])
    expect("started", emr.get_application(applicationId=made["applicationId"])["application"]["state"], "STARTED")
    emr.stop_application(applicationId=made["applicationId"])
    emr.delete_application(applicationId=made["applicationId"])
    expect("missing", emr.refused("get_application", applicationId="00none00000000"), "ResourceNotFoundException")


def runs(server, emr, application):
    server.sql("CREATE TABLE silver.visit (id BIGINT)")
    insert = application.script("insert.sql", "INSERT INTO silver.visit VALUES (1);")
    token = str(uuid.uuid4())
    run = application.start(insert, token=token, name="insert", tags={"team": "lake"})
    expect("the same token and arguments", application.start(insert, token=token, name="insert", tags={"team": "lake"}), run)
    other = application.request(insert, token=token, name="another")
    expect("the same token, other arguments", emr.refused("start_job_run", **other), "ConflictException")
    got = application.ended(run)
    expect("a run", (got["state"], got["name"], got["tags"]), ("SUCCESS", "insert", {"team": "lake"}))
    expect("billed for a minute of 2 cores", round(got["billedResourceUtilization"]["vCPUHour"], 3) >= 0.033, True)
    expect("rows, once", server.sql("SELECT count(*) FROM silver.visit"), [[1]])
    launched = application.start("s3://jobs/launcher.py", "sql", "INSERT INTO silver.visit VALUES (2)")
    expect("the launcher", application.ended(launched)["state"], "SUCCESS")
    listed = emr.list_job_runs(applicationId=application.id, states=["SUCCESS"])["jobRuns"]
    expect("runs", sorted(one["id"] for one in listed), sorted([run, launched]))
    expect("attempts", len(emr.list_job_run_attempts(applicationId=application.id, jobRunId=run)["jobRunAttempts"]), 1)
    expect("a dashboard", "url" in emr.get_dashboard_for_job_run(applicationId=application.id, jobRunId=run), True)
    unknown = application.request("s3://jobs/main.py")
    expect("another program", emr.refused("start_job_run", **unknown), "ValidationException")
    expect("no run", emr.refused("get_job_run", applicationId=application.id, jobRunId="00no00000000"), "ResourceNotFoundException")


def ends(emr, application):
    fails = application.script("fails.sql", "INSERT INTO silver.none VALUES (1);")
    run = application.start(fails, retryPolicy={"maxAttempts": 2})
    got = application.ended(run)
    expect("a run that fails", (got["state"], got["attempt"]), ("FAILED", 2))
    attempts = emr.list_job_run_attempts(applicationId=application.id, jobRunId=run)["jobRunAttempts"]
    expect("its attempts", sorted(one["attempt"] for one in attempts), [1, 2])
    slow = application.script("slow.sql", SLOW)
    run = application.start(slow)
    expect("running", application.reached(run, {"RUNNING"})["state"], "RUNNING")
    emr.cancel_job_run(applicationId=application.id, jobRunId=run, shutdownGracePeriodInSeconds=15)
    expect("cancelled", application.ended(run)["state"], "CANCELLED")
    expect("cancelled again", emr.refused("cancel_job_run", applicationId=application.id, jobRunId=run), "ValidationException")


def queues(emr, folder):
    """Runs beyond those that may run at once wait, in their order."""
    application = Application(emr, folder, "narrow", schedulerConfiguration={"maxConcurrentRuns": 1, "queueTimeoutMinutes": 15})
    slow = application.script("slow.sql", SLOW)
    first = application.start(slow)
    expect("running", application.reached(first, {"RUNNING"})["state"], "RUNNING")
    second = application.start(slow)
    expect("queued", application.reached(second, {"QUEUED", "RUNNING"})["state"], "QUEUED")
    emr.cancel_job_run(applicationId=application.id, jobRunId=first)
    expect("the next", application.reached(second, {"RUNNING"})["state"], "RUNNING")
    return application, second


def restarts(server, application, run, waiting):
    """After a restart a run is settled, one that waits goes on, and none is doubled."""
    address = server.address
    server.kill()
    server.start(listen=address)
    expect("a run whose server died", application.ended(run)["state"], "FAILED")
    expect("the one that waited", application.reached(waiting, {"RUNNING"})["state"], "RUNNING")
    application.emr.cancel_job_run(applicationId=application.id, jobRunId=waiting)
    expect("its end", application.ended(waiting)["state"], "CANCELLED")
    listed = application.emr.list_job_runs(applicationId=application.id)["jobRuns"]
    expect("runs", len(listed), 3)


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder, Server(binary, Path(folder)) as server:
        server.client("glue").create_database(DatabaseInput={"Name": "silver"})
        emr = watch(server.client("emr-serverless"))
        applications(emr, folder)
        application = Application(emr, folder, "batch")
        runs(server, emr, application)
        ends(emr, application)
        narrow, running = queues(emr, folder)
        waiting = narrow.start(narrow.script("slow.sql", SLOW))
        restarts(server, narrow, running, waiting)
        fits_model(emr)
    print(f"job runs ran; {emr.calls} answers fit the model")


if __name__ == "__main__":
    main()
