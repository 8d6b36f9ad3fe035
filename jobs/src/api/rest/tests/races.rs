//! Clients that commit at once.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Served, commit, updates};

const LAB: &str = "/v1/namespaces/b/tables/lab";
const CLIENTS: i64 = 8;
const ROUNDS: i64 = 20;

/// A snapshot on the head of what was read, with the same files.
fn next(read: &Value, id: i64, now_ms: i64) -> Value {
    let head = &read["current-snapshot-id"];
    let is_head = |snapshot: &&Value| snapshot["snapshot-id"] == *head;
    let mut next = read["snapshots"].as_array().unwrap().iter().find(is_head).unwrap().clone();
    next["snapshot-id"] = json!(id);
    next["parent-snapshot-id"] = head.clone();
    next["sequence-number"] = json!(read["last-sequence-number"].as_i64().unwrap() + 1);
    next["timestamp-ms"] = json!(now_ms);
    next
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn m5_of_racing_commits_one_wins_each_round_and_none_is_lost() {
    let served = Arc::new(Served::with_lab().await);
    let mut winners: Vec<Value> = Vec::new();
    for round in 0..ROUNDS {
        let read = served.metadata("lab").await;
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let served = Arc::clone(&served);
            let id = 1_000 + round * CLIENTS + client;
            let mut wanted = commit(&read, next(&read, id, served.now_ms()));
            // Half of them assert nothing.
            if client % 2 == 1 {
                wanted["requirements"] = json!([]);
            }
            clients.spawn(async move { (id, served.post(LAB, &wanted).await) });
        }
        let mut won = Vec::new();
        for (id, called) in clients.join_all().await {
            match called.0.status.as_u16() {
                200 => won.push(json!(id)),
                _ => drop(called.error(409, "CommitFailedException")),
            }
        }
        assert_eq!(won.len(), 1, "round {round}: {won:?}");
        winners.extend(won);
    }
    let after = served.metadata("lab").await;
    let snapshots = after["snapshots"].as_array().unwrap();
    let mut chain = Vec::new();
    let mut at = after["current-snapshot-id"].clone();
    while let Some(found) = snapshots.iter().find(|snapshot| snapshot["snapshot-id"] == at) {
        chain.push(at.clone());
        at = found["parent-snapshot-id"].clone();
    }
    chain.reverse();
    assert_eq!(chain[1..], winners, "each winner is on top of the one before");
    assert_eq!(served.rows("lab").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_that_need_nothing_are_all_made() {
    let served = Arc::new(Served::with_lab().await);
    let mut clients = JoinSet::new();
    for client in 0..3 {
        let served = Arc::clone(&served);
        let change = updates(&[json!({"action": "set-properties", "updates": {
            format!("client-{client}"): "done"}})]);
        clients.spawn(async move { served.post(LAB, &change).await.expect(200) });
    }
    clients.join_all().await;
    let properties = served.metadata("lab").await["properties"].clone();
    for client in 0..3 {
        assert_eq!(properties[format!("client-{client}")], "done");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_clients_that_make_the_same_table_one_does() {
    let served = Arc::new(Served::new().await);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let served = Arc::clone(&served);
        clients.spawn(async move {
            let body = super::new_table("lab", json!({}));
            served.post("/v1/namespaces/b/tables", &body).await
        });
    }
    let mut made = 0;
    for called in clients.join_all().await {
        match called.0.status.as_u16() {
            200 => made += 1,
            _ => drop(called.error(409, "AlreadyExistsException")),
        }
    }
    assert_eq!(made, 1);
    // What the others wrote is gone.
    let folder = served.folder.path().join("tables/b");
    let files = std::fs::read_dir(folder).unwrap().flat_map(|folder| {
        let metadata = folder.unwrap().path().join("metadata");
        std::fs::read_dir(metadata).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>()
    });
    assert_eq!(files.count(), 1);
}
