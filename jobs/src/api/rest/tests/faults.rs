//! Lost replies, other writers, and a catalog that does not answer.

use axum::http::StatusCode;
use northstar_catalog::faulty::Fault;
use northstar_iceberg::ErrorKind;
use serde_json::{Value, json};

use super::{Served, new_table, updates};

const LAB: &str = "/v1/namespaces/b/tables/lab";

fn owner(name: &str) -> Value {
    updates(&[json!({"action": "set-properties", "updates": {"owner": name}})])
}

#[tokio::test]
async fn w4_a_commit_whose_reply_is_lost_is_found_by_reading() {
    let served = Served::with_lab().await;
    let inserted = served.client("lab").await.insert("(3, 'c')").await;
    served.faulty.on_swap([Fault::LoseReply]);
    served.post(LAB, &inserted).await.expect(200);
    assert_eq!(served.faulty.unplayed(), 0);
    assert_eq!(served.rows("lab").await, 3);
}

#[tokio::test]
async fn w4_a_commit_that_may_arrive_later_is_unknown_and_keeps_its_files() {
    let served = Served::with_lab().await;
    let before = served.metadata("lab").await;
    let inserted = served.client("lab").await.insert("(3, 'c')").await;
    served.faulty.on_swap([Fault::LoseRequest]);
    let lost = served.post(LAB, &inserted).await;
    lost.error(500, "CommitStateUnknownException");
    assert_eq!(served.metadata("lab").await, before);
    // The client reads, finds that it was not done, and asks again.
    served.post(LAB, &inserted).await.expect(200);
    assert_eq!(served.rows("lab").await, 3);
    assert_eq!(served.faulty.unplayed(), 0);
}

#[tokio::test]
async fn the_server_tries_again_as_long_as_the_requirements_hold() {
    let served = Served::with_lab().await;
    served.faulty.on_swap([Fault::Stale, Fault::Fail(ErrorKind::Unavailable)]);
    let done = served.post(LAB, &owner("x")).await.expect(200);
    assert_eq!(done["metadata"]["properties"]["owner"], "x");
    assert_eq!(served.faulty.unplayed(), 0);
    // Another client comes first, to the same branch.
    let (late, first) = (served.client("lab").await, served.client("lab").await);
    let (late, first) = (late.insert("(3, 'c')").await, first.insert("(4, 'd')").await);
    served.faulty.on_swap([Fault::Stale]);
    served.post(LAB, &first).await.expect(200);
    served.post(LAB, &late).await.error(409, "CommitFailedException");
    assert_eq!(served.rows("lab").await, 3);
}

#[tokio::test]
async fn other_writers_that_keep_coming_first_are_a_conflict_in_the_end() {
    let served = Served::with_lab().await;
    let before = served.metadata("lab").await;
    served.faulty.on_swap((0..5).map(|_| Fault::Stale));
    served.post(LAB, &owner("x")).await.error(409, "CommitFailedException");
    assert_eq!(served.faulty.unplayed(), 0);
    assert_eq!(served.metadata("lab").await, before);
    served.faulty.on_swap((0..5).map(|_| Fault::Fail(ErrorKind::Unavailable)));
    served.post(LAB, &owner("x")).await.error(503, "ServiceUnavailableException");
    assert_eq!(served.metadata("lab").await, before);
}

#[tokio::test]
async fn w4_a_disk_that_is_full_is_not_taken_for_a_commit_that_may_be_there() {
    let served = Served::with_lab().await;
    served.faulty.on_swap([Fault::Fail(ErrorKind::StorageFull)]);
    let full = served.post(LAB, &owner("x")).await;
    assert_eq!(full.0.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn w4_a_new_table_is_settled_like_a_commit() {
    let served = Served::new().await;
    served.faulty.on_register([Fault::LoseReply]);
    served.create("made", json!({})).await;
    served.faulty.on_register([Fault::LoseRequest]);
    let body = new_table("lost", json!({}));
    let lost = served.post("/v1/namespaces/b/tables", &body).await;
    lost.error(500, "CommitStateUnknownException");
    served.faulty.on_register([Fault::Stale]);
    let taken = served.post("/v1/namespaces/b/tables", &body).await;
    taken.error(409, "AlreadyExistsException");
    served.create("lost", json!({})).await;
    // The same by a commit.
    let staged = served.create("staged", json!({"stage-create": true})).await;
    let mut create = updates(&[
        json!({"action": "add-schema", "schema": staged["metadata"]["schemas"][0]}),
        json!({"action": "set-current-schema", "schema-id": -1}),
    ]);
    create["requirements"] = json!([{"type": "assert-create"}]);
    let path = "/v1/namespaces/b/tables/staged";
    served.faulty.on_register([Fault::LoseRequest]);
    served.post(path, &create).await.error(500, "CommitStateUnknownException");
    served.faulty.on_register([Fault::LoseReply]);
    served.post(path, &create).await.expect(200);
    assert_eq!(served.faulty.unplayed(), 0);
    assert_eq!(served.rows("staged").await, 0);
}

#[tokio::test]
async fn w4_a_transaction_is_settled_as_a_whole() {
    let served = Served::with_lab().await;
    served.create("other", json!({})).await;
    let change = |name: &str, value: &str| {
        let mut change = owner(value);
        change["identifier"] = json!({"namespace": ["b"], "name": name});
        change
    };
    let path = "/v1/transactions/commit";
    let both = |value| json!({"table-changes": [change("lab", value), change("other", value)]});
    served.faulty.on_swap([Fault::LoseReply, Fault::LoseRequest]);
    served.post(path, &both("x")).await.expect(204);
    served.post(path, &both("y")).await.error(500, "CommitStateUnknownException");
    for name in ["lab", "other"] {
        assert_eq!(served.metadata(name).await["properties"]["owner"], "x", "{name}");
    }
    assert_eq!(served.faulty.unplayed(), 0);
}
