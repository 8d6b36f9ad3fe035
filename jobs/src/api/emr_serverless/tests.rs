//! The operations, held against the service's model.

use northstar_iceberg::clock::SteppingClock;
use northstar_iceberg::ids::SeededIds;
use serde_json::json;

use super::*;
use crate::runs::State;
use crate::runs::tests::Fixture;

const ROLE: &str = "arn:aws:iam::123456789012:role/lake";

/// Does what a request asks for; its answer or refusal is one of the model's.
async fn does(fixture: &Fixture, method: &str, address: &str, body: Value) -> Result<Value, Fault> {
    let method: Method = method.parse().unwrap();
    let (path, query) = match address.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (address, None),
    };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let (operation, _) = route::route(&method, path, query).unwrap();
    let answer = call(&fixture.runs, &method, path, query, &body, "dr Jane").await;
    match &answer {
        Ok((status, answer)) => {
            assert_eq!(*status, StatusCode::OK);
            model().unwrap().assert_answer(operation, answer);
        }
        Err(fault) => model().unwrap().assert_refusal(operation, fault),
    }
    answer.map(|(_, answer)| answer)
}

async fn refusal(
    fixture: &Fixture,
    method: &str,
    address: &str,
    body: Value,
) -> (u16, &'static str) {
    let fault = does(fixture, method, address, body).await.unwrap_err();
    (fault.status.as_u16(), fault.code)
}

const INVALID: (u16, &str) = (400, "ValidationException");

async fn application(fixture: &Fixture, token: &str, more: Value) -> String {
    let mut body = json!({"releaseLabel": "emr-7.9.0", "type": "SPARK", "clientToken": token});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = does(fixture, "POST", "/applications", body).await.unwrap();
    answer["applicationId"].as_str().unwrap().to_string()
}

/// A job run of the launcher, which the fixture's program does not know, so that it fails.
fn job(token: &str, more: Value) -> Value {
    let mut body = json!({"clientToken": token, "executionRoleArn": ROLE, "jobDriver":
        {"sparkSubmit": {"entryPoint": "/opt/launcher.py", "entryPointArguments": ["tables"]}}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// One that succeeds: a script, which is there.
fn script(fixture: &Fixture, token: &str) -> Value {
    let path = fixture.path("job.sql");
    std::fs::write(&path, "SELECT 1").unwrap();
    job(
        token,
        json!({"jobDriver": {"sparkSubmit": {"entryPoint": path,
        "entryPointArguments": ["--day", "2024-05-01"]}}}),
    )
}

async fn started(fixture: &Fixture, application: &str, body: Value) -> String {
    let address = format!("/applications/{application}/jobruns");
    let answer = does(fixture, "POST", &address, body).await.unwrap();
    answer["jobRunId"].as_str().unwrap().to_string()
}

/// Waits until a job run is in one of some states; it, as the service shows it.
async fn in_state(fixture: &Fixture, address: &str, states: &[&str]) -> Value {
    let mut changes = fixture.runs.changes();
    loop {
        changes.borrow_and_update();
        let run = does(fixture, "GET", address, Value::Null).await.unwrap()["jobRun"].clone();
        if states.iter().any(|state| run["state"] == *state) {
            return run;
        }
        changes.changed().await.unwrap();
    }
}

#[tokio::test]
async fn an_application_lives_from_creation_to_its_end() {
    let fixture = Fixture::new(1);
    let image = json!({"imageConfiguration": {}, "workerTypeSpecifications":
        {"Driver": {"imageConfiguration": {"applicationLevelDigestResolution": true}}}});
    let imaged = application(&fixture, "t0", image).await;
    does(&fixture, "GET", &format!("/applications/{imaged}"), Value::Null).await.unwrap();
    let id = application(&fixture, "t1", json!({"name": "lake", "tags": {"k": "v"}})).await;
    assert_eq!(application(&fixture, "t1", json!({"name": "lake", "tags": {"k": "v"}})).await, id);
    let other = json!({"releaseLabel": "emr-7.9.0", "type": "SPARK", "clientToken": "t1"});
    let conflict = refusal(&fixture, "POST", "/applications", other).await;
    assert_eq!(conflict, (409, "ConflictException"));
    let address = format!("/applications/{id}");
    let state = async || {
        let answer = does(&fixture, "GET", &address, Value::Null).await.unwrap();
        answer["application"]["state"].as_str().unwrap().to_string()
    };
    assert_eq!(state().await, "CREATED");
    does(&fixture, "POST", &format!("{address}/start"), Value::Null).await.unwrap();
    assert_eq!(state().await, "STARTED");
    let change =
        json!({"clientToken": "t2", "maximumCapacity": {"cpu": "4 vCPU", "memory": "8 GB"}});
    assert_eq!(refusal(&fixture, "PATCH", &address, change.clone()).await, INVALID);
    assert_eq!(refusal(&fixture, "DELETE", &address, Value::Null).await, INVALID);
    does(&fixture, "POST", &format!("{address}/stop"), json!({})).await.unwrap();
    let changed = does(&fixture, "PATCH", &address, change).await.unwrap();
    assert_eq!(changed["application"]["maximumCapacity"]["cpu"], "4 vCPU");
    assert_eq!(changed["application"]["name"], "lake");
    does(&fixture, "DELETE", &address, Value::Null).await.unwrap();
    assert_eq!(state().await, "TERMINATED");
    let run = refusal(&fixture, "POST", &format!("{address}/jobruns"), job("t", json!({}))).await;
    assert_eq!(run, INVALID);
    let missing = refusal(&fixture, "GET", "/applications/00none", Value::Null).await;
    assert_eq!(missing, (404, "ResourceNotFoundException"));
}

#[tokio::test]
async fn applications_are_listed_by_state_and_in_pages() {
    let fixture = Fixture::new(1);
    let first = application(&fixture, "t1", json!({})).await;
    let second = application(&fixture, "t2", json!({})).await;
    does(&fixture, "POST", &format!("/applications/{second}/start"), Value::Null).await.unwrap();
    let list = async |query: &str| {
        let address = format!("/applications?{query}");
        let answer = does(&fixture, "GET", &address, Value::Null).await.unwrap();
        let listed = answer["applications"].as_array().unwrap().clone();
        let ids: Vec<String> =
            listed.iter().map(|one| one["id"].as_str().unwrap().to_string()).collect();
        (ids, answer["nextToken"].as_str().map(str::to_string))
    };
    assert_eq!(list("states=STARTED").await, (vec![second.clone()], None));
    let (page, next) = list("maxResults=1").await;
    assert_eq!(page, [first]);
    assert_eq!(list(&format!("nextToken={}", next.unwrap())).await, (vec![second], None));
    for bad in ["maxResults=0", "maxResults=51", "states=SLEEPING", "nextToken=nonsense"] {
        let address = format!("/applications?{bad}");
        assert_eq!(refusal(&fixture, "GET", &address, Value::Null).await, INVALID, "{bad}");
    }
}

#[tokio::test]
async fn what_is_not_run_here_is_refused() {
    let fixture = Fixture::new(1);
    for more in [
        json!({"type": "HIVE"}),
        json!({"releaseLabel": null}),
        json!({"schedulerConfiguration": {"maxConcurrentRuns": 0}}),
        json!({"schedulerConfiguration": {"queueTimeoutMinutes": 14}}),
        json!({"architecture": "SPARC"}),
        json!({"clientToken": "a b"}),
    ] {
        let mut body = json!({"releaseLabel": "emr-7.9.0", "type": "SPARK", "clientToken": "t"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(refusal(&fixture, "POST", "/applications", body).await, INVALID, "{more}");
    }
    let id = application(&fixture, "t", json!({})).await;
    let address = format!("/applications/{id}/jobruns");
    for more in [
        json!({"mode": "STREAMING"}),
        json!({"executionRoleArn": "lake"}),
        json!({"jobDriver": {"hive": {"query": "SELECT 1"}}}),
        json!({"jobDriver": {"sparkSubmit": {"entryPoint": "s3://b/etl.py"}}}),
        json!({"jobDriver": {"sparkSubmit": {"entryPoint": " "}}}),
        json!({"retryPolicy": {"maxAttempts": 11}}),
        json!({"retryPolicy": {"maxAttempts": 0}}),
        json!({"executionTimeoutMinutes": 10_081}),
        json!({"executionTimeoutMinutes": -1}),
        json!({"jobDriver": {"sparkSubmit": {"entryPoint": "/launcher.py",
            "sparkSubmitParameters": "--conf spark.driver.cores=3"}}}),
    ] {
        let body = job("t", more.clone());
        assert_eq!(refusal(&fixture, "POST", &address, body).await, INVALID, "{more}");
    }
    let Err(fault) = call(&fixture.runs, &Method::POST, &address, None, b"{\"Jane", "dr").await
    else {
        panic!("it was taken")
    };
    assert!(!fault.message.contains("Jane"), "{}", fault.message);
}

#[tokio::test]
async fn a_token_is_of_one_job_run() {
    let fixture = Fixture::new(1);
    let id = application(&fixture, "t", json!({})).await;
    let address = format!("/applications/{id}/jobruns");
    let run = started(&fixture, &id, job("t1", json!({"name": "a"}))).await;
    assert_eq!(started(&fixture, &id, job("t1", json!({"name": "a"}))).await, run);
    let other = refusal(&fixture, "POST", &address, job("t1", json!({"name": "b"}))).await;
    assert_eq!(other, (409, "ConflictException"));
    let scripted = started(&fixture, &id, script(&fixture, "t3")).await;
    let again = script(&fixture, "t3");
    std::fs::remove_file(fixture.path("job.sql")).unwrap();
    assert_eq!(started(&fixture, &id, again).await, scripted);
    let wrong = job("t1", json!({"retryPolicy": {"maxAttempts": 11}}));
    assert_eq!(refusal(&fixture, "POST", &address, wrong).await, (409, "ConflictException"));
    let fixture = fixture.restart();
    assert_eq!(started(&fixture, &id, job("t1", json!({"name": "a"}))).await, run);
    assert_ne!(started(&fixture, &id, job("t2", json!({"name": "a"}))).await, run);
    let all = does(&fixture, "GET", &address, Value::Null).await.unwrap();
    assert_eq!(all["jobRuns"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_run_succeeds_and_says_what_it_used() {
    let mut fixture = Fixture::new(1);
    let id = application(&fixture, "t", json!({})).await;
    fixture.supervise();
    let run = started(&fixture, &id, script(&fixture, "t1")).await;
    let address = format!("/applications/{id}/jobruns/{run}");
    let shown = in_state(&fixture, &address, &["SUCCESS", "FAILED"]).await;
    assert_eq!((&shown["state"], &shown["attempt"]), (&json!("SUCCESS"), &json!(1)));
    assert_eq!(shown["createdBy"], "arn:aws:iam::123456789012:user/dr_Jane");
    assert_eq!((&shown["mode"], &shown["executionTimeoutMinutes"]), (&json!("BATCH"), &json!(720)));
    // A minute of 4 vCPU and 16 GB.
    let billed = json!({"vCPUHour": 0.067, "memoryGBHour": 0.267, "storageGBHour": 0.0});
    assert_eq!(shown["billedResourceUtilization"], billed);
    let dashboard = does(&fixture, "GET", &format!("{address}/dashboard"), Value::Null).await;
    let url = dashboard.unwrap()["url"].as_str().unwrap().to_string();
    let log = std::fs::read_to_string(format!("{}/stdout", url.strip_prefix("file://").unwrap()));
    assert!(log.unwrap().contains("2024-05-01"));
    let cancelled = refusal(&fixture, "DELETE", &address, Value::Null).await;
    assert_eq!(cancelled, INVALID);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_run_is_tried_as_often_as_its_policy_says() {
    let mut fixture = Fixture::new(1);
    let id = application(&fixture, "t", json!({})).await;
    fixture.supervise();
    let body = job("t1", json!({"retryPolicy": {"maxAttempts": 2}}));
    let run = started(&fixture, &id, body).await;
    let address = format!("/applications/{id}/jobruns/{run}");
    in_state(&fixture, &format!("{address}?attempt=1"), &["FAILED"]).await;
    let mut changes = fixture.runs.changes();
    let last = loop {
        changes.borrow_and_update();
        let last = in_state(&fixture, &address, &["FAILED"]).await;
        if last["attempt"] == 2 {
            break last;
        }
        changes.changed().await.unwrap();
    };
    assert_eq!(last["billedResourceUtilization"]["vCPUHour"], 0.133);
    let all = does(&fixture, "GET", &format!("{address}/attempts"), Value::Null).await.unwrap();
    let numbers: Vec<i64> = all["jobRunAttempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["attempt"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2]);
    let page = format!("{address}/attempts?maxResults=1");
    let first = does(&fixture, "GET", &page, Value::Null).await.unwrap();
    let next = format!("{page}&nextToken={}", first["nextToken"].as_str().unwrap());
    let second = does(&fixture, "GET", &next, Value::Null).await.unwrap();
    assert_eq!(second["jobRunAttempts"][0]["attempt"], 2);
    let none = refusal(&fixture, "GET", &format!("{address}?attempt=3"), Value::Null).await;
    assert_eq!(none, (404, "ResourceNotFoundException"));
    fixture.stop().await;
}

#[tokio::test]
async fn job_runs_are_listed_by_state_time_and_mode() {
    let clock = Arc::new(SteppingClock::new(1_000_000, 0));
    let fixture = Fixture::with_clock(1, Arc::<SteppingClock>::clone(&clock) as _);
    let id = application(&fixture, "t", json!({})).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        clock.set(1_000_000 + number * 10_000);
        ids.push(started(&fixture, &id, job(&format!("t{number}"), json!({}))).await);
    }
    let address = format!("/applications/{id}/jobruns");
    does(&fixture, "DELETE", &format!("{address}/{}", ids[0]), Value::Null).await.unwrap();
    let list = async |query: &str| {
        let answer =
            does(&fixture, "GET", &format!("{address}?{query}"), Value::Null).await.unwrap();
        let listed = answer["jobRuns"].as_array().unwrap().clone();
        let ids: Vec<String> =
            listed.iter().map(|one| one["id"].as_str().unwrap().to_string()).collect();
        (ids, answer["nextToken"].as_str().map(str::to_string))
    };
    let of = |places: &[usize]| places.iter().map(|at| ids[*at].clone()).collect::<Vec<_>>();
    assert_eq!(list("").await, (of(&[2, 1, 0]), None));
    assert_eq!(list("states=CANCELLED").await, (of(&[0]), None));
    assert_eq!(list("states=SUBMITTED&states=RUNNING").await, (of(&[2, 1]), None));
    assert_eq!(list("createdAtAfter=1970-01-01T00:16:45Z").await, (of(&[2, 1]), None));
    assert_eq!(list("createdAtBefore=1970-01-01T00:16:45Z&mode=BATCH").await, (of(&[0]), None));
    assert_eq!(list("mode=STREAMING").await, (vec![], None));
    let (page, next) = list("maxResults=2").await;
    assert_eq!(page, of(&[2, 1]));
    let next = next.unwrap();
    assert_eq!(list(&format!("maxResults=2&nextToken={next}")).await, (of(&[0]), None));
}

#[tokio::test]
async fn cancelling_has_a_grace_period_in_bounds() {
    let fixture = Fixture::new(1);
    let id = application(&fixture, "t", json!({})).await;
    let run = started(&fixture, &id, job("t1", json!({}))).await;
    let address = format!("/applications/{id}/jobruns/{run}");
    for bad in ["14", "1801", "-1", "soon"] {
        let address = format!("{address}?shutdownGracePeriodInSeconds={bad}");
        let method = Method::DELETE;
        let (path, query) = address.split_once('?').unwrap();
        let answer = call(&fixture.runs, &method, path, Some(query), b"", "dr").await;
        assert_eq!(answer.unwrap_err().code, "ValidationException", "{bad}");
    }
    // A run with a process keeps the time that it was given.
    let name = run.clone();
    fixture
        .runs
        .write(move |tx| {
            tx.execute("UPDATE attempts SET state = ?1", [State::Running]).unwrap();
            Ok(())
        })
        .await
        .unwrap();
    let graceful = format!("{address}?shutdownGracePeriodInSeconds=15");
    let answer = does(&fixture, "DELETE", &graceful, Value::Null).await.unwrap();
    assert_eq!(answer, json!({"applicationId": id, "jobRunId": name}));
    let shown = does(&fixture, "GET", &address, Value::Null).await.unwrap();
    assert_eq!(shown["jobRun"]["state"], "CANCELLING");
}

#[tokio::test]
async fn an_application_starts_by_itself_if_it_may_and_stops_when_it_is_idle() {
    let clock = Arc::new(SteppingClock::new(1_000_000, 0));
    let fixture = Fixture::with_clock(1, Arc::<SteppingClock>::clone(&clock) as _);
    let manual = json!({"autoStartConfiguration": {"enabled": false}});
    let manual = application(&fixture, "t1", manual).await;
    let jobs = format!("/applications/{manual}/jobruns");
    assert_eq!(refusal(&fixture, "POST", &jobs, job("t", json!({}))).await, INVALID);
    let id = application(&fixture, "t2", json!({})).await;
    let run = started(&fixture, &id, job("t", json!({}))).await;
    let address = format!("/applications/{id}");
    let state = async || {
        let answer = does(&fixture, "GET", &address, Value::Null).await.unwrap();
        answer["application"]["state"].as_str().unwrap().to_string()
    };
    assert_eq!(state().await, "STARTED");
    let stop = format!("{address}/stop");
    assert_eq!(refusal(&fixture, "POST", &stop, Value::Null).await, INVALID);
    clock.set(1_000_000 + 16 * 60_000);
    assert_eq!(state().await, "STARTED");
    does(&fixture, "DELETE", &format!("{address}/jobruns/{run}"), Value::Null).await.unwrap();
    assert_eq!(state().await, "STOPPED");
}

#[tokio::test]
async fn applications_and_job_runs_have_tags() {
    let fixture = Fixture::new(1);
    let id = application(&fixture, "t", json!({"tags": {"a": "1"}})).await;
    let run = started(&fixture, &id, job("t", json!({"tags": {"b": "2"}}))).await;
    let arn = format!("arn:aws:emr-serverless:eu-west-2:123456789012:/applications/{id}");
    for (arn, before) in
        [(arn.clone(), json!({"a": "1"})), (format!("{arn}/jobruns/{run}"), json!({"b": "2"}))]
    {
        let address = format!("/tags/{}", arn.replace('/', "%2F").replace(':', "%3A"));
        let tags =
            async || does(&fixture, "GET", &address, Value::Null).await.unwrap()["tags"].clone();
        assert_eq!(tags().await, before);
        does(&fixture, "POST", &address, json!({"tags": {"c": "3"}})).await.unwrap();
        let key = before.as_object().unwrap().keys().next().unwrap();
        does(&fixture, "DELETE", &format!("{address}?tagKeys={key}"), Value::Null).await.unwrap();
        assert_eq!(tags().await, json!({"c": "3"}));
    }
    let none = "/tags/arn:aws:emr-serverless:eu-west-2:123456789012:/applications/00none";
    let missing = refusal(&fixture, "GET", none, Value::Null).await;
    assert_eq!(missing, (404, "ResourceNotFoundException"));
}

#[tokio::test]
async fn every_state_is_one_of_the_service() {
    let fixture = Fixture::new(1);
    let id = application(&fixture, "t", json!({})).await;
    let run = started(&fixture, &id, job("t1", json!({}))).await;
    for state in State::ALL {
        fixture
            .runs
            .write(move |tx| {
                tx.execute("UPDATE attempts SET state = ?1", [state]).unwrap();
                Ok(())
            })
            .await
            .unwrap();
        let address = format!("/applications/{id}/jobruns/{run}");
        does(&fixture, "GET", &address, Value::Null).await.unwrap();
    }
}

#[tokio::test]
async fn requests_that_are_made_up_are_answered_or_refused_as_the_model_says() {
    let fixture = Fixture::new(1);
    let id = application(&fixture, "t", json!({})).await;
    let run = started(&fixture, &id, job("t", json!({}))).await;
    let maker =
        crate::api::shape::made_up::Maker { model: model().unwrap(), ids: SeededIds::new(11) };
    let application = format!("/applications/{id}");
    let jobs = format!("{application}/jobruns");
    let one = format!("{jobs}/{run}");
    let arn = "/tags/arn:aws:emr-serverless:eu-west-2:123456789012:";
    let addresses = [
        ("POST", "/applications", "CreateApplication"),
        ("PATCH", &application, "UpdateApplication"),
        ("POST", &format!("{application}/start"), "StartApplication"),
        ("POST", &format!("{application}/stop"), "StopApplication"),
        ("POST", &jobs, "StartJobRun"),
        ("GET", &jobs, "ListJobRuns"),
        ("GET", &one, "GetJobRun"),
        ("DELETE", &one, "CancelJobRun"),
        ("GET", &format!("{one}/attempts"), "ListJobRunAttempts"),
        ("POST", &format!("{arn}{application}"), "TagResource"),
    ];
    let mut done = 0;
    for _ in 0..100 {
        for (method, address, operation) in addresses {
            let body = maker.input(operation);
            // What stands in the path is not said twice.
            let address = match maker.below(20) {
                0 => format!("{address}?states=%41&maxResults={}", maker.below(60)),
                1 => format!("{address}?attempt=0&nextToken=%2e"),
                _ => address.to_string(),
            };
            done += usize::from(does(&fixture, method, &address, body).await.is_ok());
        }
    }
    assert!(done > 100, "only {done} were taken, which tests little");
}
