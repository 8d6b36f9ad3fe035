//! The actions, held against the service's model.

use northstar_iceberg::ids::SeededIds;
use serde_json::json;

use super::*;
use crate::runs::State;
use crate::runs::tests::Fixture;

/// Does an action; its answer or refusal is one of the model's.
async fn does(fixture: &Fixture, action: &str, input: Value) -> Result<Value, Fault> {
    let answer = call(&fixture.runs, action, input, "dr").await;
    match &answer {
        Ok(answer) => model().unwrap().assert_answer(action, answer),
        Err(fault) => model().unwrap().assert_refusal(action, fault),
    }
    answer
}

async fn refusal(fixture: &Fixture, action: &str, input: Value) -> &'static str {
    does(fixture, action, input).await.unwrap_err().code
}

/// A job that runs a script, which is there.
fn job(fixture: &Fixture, name: &str) -> Value {
    let script = fixture.path("job.sql");
    std::fs::write(&script, "SELECT 1").unwrap();
    json!({"Name": name, "Role": "r",
        "Command": {"Name": "glueetl", "ScriptLocation": format!("file://{script}")}})
}

fn with(mut value: Value, more: Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

async fn started(fixture: &Fixture, input: Value) -> String {
    let answer = does(fixture, "StartJobRun", input).await.unwrap();
    answer["JobRunId"].as_str().unwrap().to_string()
}

/// Waits until a run is over; it, as Glue shows it.
async fn over(fixture: &Fixture, job: &str, id: &str) -> Value {
    let input = json!({"JobName": job, "RunId": id});
    let mut changes = fixture.runs.changes();
    loop {
        changes.borrow_and_update();
        let answer = does(fixture, "GetJobRun", input.clone()).await.unwrap();
        let run = answer["JobRun"].clone();
        if run.get("CompletedOn").is_some() {
            return run;
        }
        changes.changed().await.unwrap();
    }
}

#[tokio::test]
async fn a_job_is_made_read_changed_and_removed() {
    let fixture = Fixture::new(1);
    let made = with(job(&fixture, "a"), json!({"Tags": {"k": "v"}, "GlueVersion": "5.0"}));
    does(&fixture, "CreateJob", made.clone()).await.unwrap();
    // The same again is no mistake, another under the name is.
    does(&fixture, "CreateJob", made.clone()).await.unwrap();
    let other = with(made, json!({"MaxRetries": 1}));
    assert_eq!(refusal(&fixture, "CreateJob", other).await, "IdempotentParameterMismatchException");
    let shown = does(&fixture, "GetJob", json!({"JobName": "a"})).await.unwrap();
    let shown = &shown["Job"];
    assert_eq!((&shown["Timeout"], &shown["MaxRetries"]), (&json!(480), &json!(0)));
    assert_eq!(shown["ExecutionProperty"]["MaxConcurrentRuns"], 1);
    assert!(shown.get("Tags").is_none());
    let mut update = job(&fixture, "a");
    update.as_object_mut().unwrap().remove("Name");
    let update = with(update, json!({"WorkerType": "G.2X", "NumberOfWorkers": 5}));
    does(&fixture, "UpdateJob", json!({"JobName": "a", "JobUpdate": update})).await.unwrap();
    let shown = does(&fixture, "GetJob", json!({"JobName": "a"})).await.unwrap();
    assert_eq!(shown["Job"]["MaxCapacity"], 10.0);
    assert!(shown["Job"].get("GlueVersion").is_none());
    let missing = json!({"JobName": "b", "JobUpdate": job(&fixture, "b")});
    assert_eq!(refusal(&fixture, "UpdateJob", missing).await, "EntityNotFoundException");
    does(&fixture, "DeleteJob", json!({"JobName": "a"})).await.unwrap();
    does(&fixture, "DeleteJob", json!({"JobName": "a"})).await.unwrap();
    assert_eq!(
        refusal(&fixture, "GetJob", json!({"JobName": "a"})).await,
        "EntityNotFoundException"
    );
}

#[tokio::test]
async fn jobs_are_listed_in_pages_and_by_tags() {
    let fixture = Fixture::new(1);
    for (name, tag) in [("a", "x"), ("b", "y"), ("c", "x")] {
        let made = with(job(&fixture, name), json!({"Tags": {"k": tag}}));
        does(&fixture, "CreateJob", made).await.unwrap();
    }
    let first = does(&fixture, "GetJobs", json!({"MaxResults": 2})).await.unwrap();
    assert_eq!(first["Jobs"].as_array().unwrap().len(), 2);
    let next = json!({"MaxResults": 2, "NextToken": first["NextToken"]});
    let second = does(&fixture, "GetJobs", next).await.unwrap();
    assert_eq!(second["Jobs"][0]["Name"], "c");
    assert!(second.get("NextToken").is_none());
    let tagged = does(&fixture, "ListJobs", json!({"Tags": {"k": "x"}})).await.unwrap();
    assert_eq!(tagged, json!({"JobNames": ["a", "c"]}));
    let batch = does(&fixture, "BatchGetJobs", json!({"JobNames": ["b", "z"]})).await.unwrap();
    assert_eq!((&batch["Jobs"][0]["Name"], &batch["JobsNotFound"]), (&json!("b"), &json!(["z"])));
    let bad = json!({"NextToken": "nonsense"});
    assert_eq!(refusal(&fixture, "GetJobs", bad).await, "InvalidInputException");
    tag(&fixture.runs, "a", [("k".to_string(), "z".to_string())].into()).await.unwrap();
    untag(&fixture.runs, "c", vec!["k".into()]).await.unwrap();
    assert_eq!(tags(&fixture.runs, "a").await.unwrap()["k"], "z");
    assert!(tags(&fixture.runs, "c").await.unwrap().is_empty());
    assert_eq!(tags(&fixture.runs, "z").await.unwrap_err().code, "EntityNotFoundException");
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_when_the_job_is_made() {
    let fixture = Fixture::new(1);
    let good = job(&fixture, "a");
    for bad in [
        json!({"Command": {"ScriptLocation": "s3://b/etl.py"}}),
        json!({"Command": {}}),
        json!({"Command": {"ScriptLocation": "northstar:dance"}}),
        json!({"Name": ""}),
        json!({"Name": "x".repeat(256)}),
        json!({"Role": null}),
        json!({"JobMode": "VISUAL"}),
        json!({"MaxRetries": 11}),
        json!({"MaxRetries": -1}),
        json!({"Timeout": 0}),
        json!({"Timeout": 10_080}),
        json!({"ExecutionProperty": {"MaxConcurrentRuns": 0}}),
        json!({"WorkerType": "H.1X"}),
        json!({"MaxCapacity": 2.0, "WorkerType": "G.1X", "NumberOfWorkers": 2}),
        json!({"DefaultArguments": {"no-dashes": "x"}}),
        json!({"DefaultArguments": {"--job-bookmark-option": "maybe"}}),
        json!({"NonOverridableArguments": {"--scriptLocation": "s3://b/x"}}),
        json!({"DefaultArguments": {"--a": "x".repeat(270_000)}}),
        json!({"Command": {"ScriptLocation": "northstar:expire"}, "DefaultArguments": {"--x": "y"}}),
    ] {
        let made = with(good.clone(), bad.clone());
        assert_eq!(refusal(&fixture, "CreateJob", made).await, "InvalidInputException", "{bad}");
    }
    let Err(fault) = does(
        &fixture,
        "CreateJob",
        with(
            good,
            json!({"Command":
        {"ScriptLocation": "s3://b/etl.py"}}),
        ),
    )
    .await
    else {
        panic!("it was taken")
    };
    assert!(fault.message.contains("northstar:merge"), "{}", fault.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_the_arguments_of_three_places_and_ends() {
    let mut fixture = Fixture::new(1);
    let made = with(
        job(&fixture, "a"),
        json!({"DefaultArguments": {"--x": "default", "--y": "default", "--z": "default"},
            "NonOverridableArguments": {"--z": "fixed"}}),
    );
    does(&fixture, "CreateJob", made).await.unwrap();
    fixture.supervise();
    let input = json!({"JobName": "a", "Arguments": {"--y": "run", "--z": "run"}, "Timeout": 7});
    let id = started(&fixture, input).await;
    assert!(id.starts_with("jr_") && id.len() == 67, "{id}");
    let run = over(&fixture, "a", &id).await;
    let arguments = json!({"--x": "default", "--y": "run", "--z": "fixed"});
    assert_eq!((&run["JobRunState"], &run["Arguments"]), (&json!("SUCCEEDED"), &arguments));
    assert_eq!((&run["Attempt"], &run["Timeout"]), (&json!(0), &json!(7)));
    assert!(run.get("ErrorMessage").is_none() && run["ExecutionTime"].as_i64().unwrap() >= 0);
    let log = crate::runs::AttemptFolder::of(fixture.folder.path(), &id, 1).path().join("stdout");
    let given: Value = serde_json::from_str(&std::fs::read_to_string(log).unwrap()).unwrap();
    assert_eq!((&given["z"], &given["JOB_NAME"]), (&json!("fixed"), &json!("a")));
    assert_eq!(given["JOB_RUN_ID"], json!(id));
    fixture.stop().await;
}

/// A job whose runs fail: the program knows no command of the maintenance.
fn failing(name: &str, more: Value) -> Value {
    with(
        json!({"Name": name, "Role": "r", "Command": {"ScriptLocation": "northstar:expire"},
            "DefaultArguments": {"--table": "a.b"}}),
        more,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_is_tried_again_under_names_of_its_own() {
    let mut fixture = Fixture::new(1);
    does(&fixture, "CreateJob", failing("a", json!({"MaxRetries": 2}))).await.unwrap();
    fixture.supervise();
    let id = started(&fixture, json!({"JobName": "a"})).await;
    fixture.until(|tx| crate::runs::Attempt::numbered(tx, 1, 3).unwrap()).await;
    let last = over(&fixture, "a", &format!("{id}_attempt_2")).await;
    assert_eq!((&last["JobRunState"], &last["Attempt"]), (&json!("FAILED"), &json!(2)));
    assert_eq!(last["PreviousRunId"], json!(format!("{id}_attempt_1")));
    assert!(last["ErrorMessage"].as_str().unwrap().contains("exit code 70"));
    let all = does(&fixture, "GetJobRuns", json!({"JobName": "a"})).await.unwrap();
    let ids: Vec<&str> =
        all["JobRuns"].as_array().unwrap().iter().map(|run| run["Id"].as_str().unwrap()).collect();
    assert_eq!(ids, [format!("{id}_attempt_2"), format!("{id}_attempt_1"), id.clone()]);
    let page = json!({"JobName": "a", "MaxResults": 2});
    let first = does(&fixture, "GetJobRuns", page.clone()).await.unwrap();
    let next = with(page, json!({"NextToken": first["NextToken"]}));
    let second = does(&fixture, "GetJobRuns", next).await.unwrap();
    assert_eq!(second["JobRuns"][0]["Id"], json!(id));
    assert!(second.get("NextToken").is_none());
    // What failed is made good by a run that names it.
    let again = started(&fixture, json!({"JobName": "a", "JobRunId": id})).await;
    assert_eq!(over(&fixture, "a", &again).await["PreviousRunId"], json!(id));
    for wrong in [format!("{id}_attempt_3"), "jr_none".to_string(), format!("{id}_attempt_x")] {
        let input = json!({"JobName": "a", "RunId": wrong});
        assert_eq!(refusal(&fixture, "GetJobRun", input).await, "EntityNotFoundException");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn runs_at_once_are_bounded_or_wait() {
    let fixture = Fixture::new(1);
    does(&fixture, "CreateJob", job(&fixture, "a")).await.unwrap();
    started(&fixture, json!({"JobName": "a"})).await;
    let again = json!({"JobName": "a"});
    assert_eq!(
        refusal(&fixture, "StartJobRun", again.clone()).await,
        "ConcurrentRunsExceededException"
    );
    started(&fixture, with(again, json!({"JobRunQueuingEnabled": true}))).await;
    assert_eq!(
        refusal(&fixture, "StartJobRun", json!({"JobName": "b"})).await,
        "EntityNotFoundException"
    );
    std::fs::remove_file(fixture.path("job.sql")).unwrap();
    let again = json!({"JobName": "a", "JobRunQueuingEnabled": true});
    assert_eq!(refusal(&fixture, "StartJobRun", again).await, "InvalidInputException");
}

#[tokio::test]
async fn runs_are_stopped_and_those_that_cannot_be_are_told() {
    let fixture = Fixture::new(1);
    does(&fixture, "CreateJob", job(&fixture, "a")).await.unwrap();
    let id = started(&fixture, json!({"JobName": "a"})).await;
    let input = json!({"JobName": "a", "JobRunIds": [id, "jr_none"]});
    let answer = does(&fixture, "BatchStopJobRun", input.clone()).await.unwrap();
    assert_eq!(answer["SuccessfulSubmissions"], json!([{"JobName": "a", "JobRunId": id}]));
    assert_eq!(answer["Errors"][0]["ErrorDetail"]["ErrorCode"], "EntityNotFoundException");
    let run = over(&fixture, "a", &id).await;
    assert_eq!(run["JobRunState"], "STOPPED");
    let answer = does(&fixture, "BatchStopJobRun", input).await.unwrap();
    assert_eq!(answer["Errors"].as_array().unwrap().len(), 2);
    let many = json!({"JobName": "a", "JobRunIds": vec!["jr_x"; 26]});
    assert_eq!(refusal(&fixture, "BatchStopJobRun", many).await, "InvalidInputException");
    let none = json!({"JobName": "b", "JobRunIds": ["jr_x"]});
    let answer = does(&fixture, "BatchStopJobRun", none).await.unwrap();
    assert_eq!(answer["Errors"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bookmark_is_read_set_back_and_goes_with_its_job() {
    let mut fixture = Fixture::new(1);
    let enabled = json!({"DefaultArguments": {"--job-bookmark-option": "job-bookmark-enable"}});
    does(&fixture, "CreateJob", with(job(&fixture, "a"), enabled.clone())).await.unwrap();
    let named = json!({"JobName": "a"});
    assert_eq!(refusal(&fixture, "GetJobBookmark", named.clone()).await, "EntityNotFoundException");
    fixture.supervise();
    let id = started(&fixture, named.clone()).await;
    over(&fixture, "a", &id).await;
    let answer = does(&fixture, "GetJobBookmark", named.clone()).await.unwrap();
    let entry = json!({"JobName": "a", "Version": 1, "Run": 1, "Attempt": 0, "RunId": id,
        "JobBookmark": r#"{"a.b":{"snapshot-id":"9"}}"#});
    assert_eq!(answer["JobBookmarkEntry"], entry);
    let answer = does(&fixture, "ResetJobBookmark", named.clone()).await.unwrap();
    let reset = json!({"JobName": "a", "Version": 2, "Run": 0, "Attempt": 0,
        "PreviousRunId": id, "JobBookmark": "{}"});
    assert_eq!(answer["JobBookmarkEntry"], reset);
    let to = json!({"JobName": "a", "RunId": id});
    let answer = does(&fixture, "ResetJobBookmark", to.clone()).await.unwrap();
    assert_eq!(answer["JobBookmarkEntry"]["JobBookmark"], entry["JobBookmark"]);
    assert_eq!(answer["JobBookmarkEntry"]["Version"], 3);
    let none = json!({"JobName": "a", "RunId": "jr_none"});
    assert_eq!(refusal(&fixture, "GetJobBookmark", none).await, "EntityNotFoundException");
    does(&fixture, "DeleteJob", named.clone()).await.unwrap();
    does(&fixture, "CreateJob", with(job(&fixture, "a"), enabled)).await.unwrap();
    assert_eq!(refusal(&fixture, "GetJobBookmark", named).await, "EntityNotFoundException");
    fixture.stop().await;
}

#[tokio::test]
async fn every_state_is_one_of_glue() {
    let fixture = Fixture::new(1);
    does(&fixture, "CreateJob", job(&fixture, "a")).await.unwrap();
    let id = started(&fixture, json!({"JobName": "a"})).await;
    for state in State::ALL {
        fixture
            .runs
            .write(move |tx| {
                tx.execute("UPDATE attempts SET state = ?1", [state]).unwrap();
                Ok(())
            })
            .await
            .unwrap();
        does(&fixture, "GetJobRun", json!({"JobName": "a", "RunId": id})).await.unwrap();
    }
}

#[tokio::test]
async fn requests_that_are_made_up_are_answered_or_refused_as_the_model_says() {
    let fixture = Fixture::new(1);
    let maker =
        crate::api::shape::made_up::Maker { model: model().unwrap(), ids: SeededIds::new(11) };
    let mut done = 0;
    for _ in 0..100 {
        for action in maker.operations() {
            done += usize::from(does(&fixture, &action, maker.input(&action)).await.is_ok());
        }
    }
    assert!(done > 100, "only {done} were taken, which tests little");
}
