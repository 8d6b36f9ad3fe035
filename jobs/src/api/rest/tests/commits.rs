//! Commits: requirements, updates, and what is refused.

use serde_json::{Value, json};

use super::{Client, Served, commit, properties, updates};

const LAB: &str = "/v1/namespaces/b/tables/lab";

/// The new snapshot of a commit.
fn snapshot(commit: &mut Value) -> &mut Value {
    &mut commit["updates"][0]["snapshot"]
}

#[tokio::test]
async fn rows_that_a_client_wrote_are_there_and_their_snapshot_is_the_clients() {
    let served = Served::with_lab().await;
    let before = served.metadata("lab").await;
    let client = served.client("lab").await;
    let mut inserted = client.insert("(3, 'c'), (4, 'd')").await;
    let sent = snapshot(&mut inserted).clone();
    let done = served.post(LAB, &inserted).await.expect(200);
    assert!(done.get("config").is_none());
    assert_eq!(served.rows("lab").await, 4);
    let after = served.metadata("lab").await;
    assert_eq!(done["metadata"], after);
    assert_eq!(after["current-snapshot-id"], sent["snapshot-id"]);
    assert!(after["snapshots"].as_array().unwrap().contains(&sent));
    let log = after["snapshot-log"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(log["timestamp-ms"], sent["timestamp-ms"], "a client finds it by its time");
    assert!(after["last-updated-ms"].as_i64() > before["last-updated-ms"].as_i64());
    let deleted = served.client("lab").await.changed("DELETE FROM b.lab WHERE id < 3").await;
    served.post(LAB, &deleted).await.expect(200);
    assert_eq!(served.rows("lab").await, 2);
}

#[tokio::test]
async fn w2_each_requirement_that_does_not_hold_stops_the_commit() {
    let served = Served::with_lab().await;
    let before = served.metadata("lab").await;
    for requirement in [
        json!({"type": "assert-table-uuid", "uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1"}),
        json!({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 7}),
        json!({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": null}),
        json!({"type": "assert-ref-snapshot-id", "ref": "no", "snapshot-id": 7}),
        json!({"type": "assert-last-assigned-field-id", "last-assigned-field-id": 9}),
        json!({"type": "assert-current-schema-id", "current-schema-id": 9}),
        json!({"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 9}),
        json!({"type": "assert-default-spec-id", "default-spec-id": 9}),
        json!({"type": "assert-default-sort-order-id", "default-sort-order-id": 9}),
    ] {
        let mut change = updates(&[json!({"action": "set-properties", "updates": {"owner": "x"}})]);
        change["requirements"] = json!([requirement]);
        served.post(LAB, &change).await.error(409, "CommitFailedException");
    }
    assert_eq!(served.metadata("lab").await, before);
}

#[tokio::test]
async fn m5_a_client_that_read_an_older_state_loses_whatever_it_asserts() {
    let served = Served::with_lab().await;
    let (first, second) = (served.client("lab").await, served.client("lab").await);
    let mut late = second.insert("(4, 'd')").await;
    served.post(LAB, &first.insert("(3, 'c')").await).await.expect(200);
    served.post(LAB, &late).await.error(409, "CommitFailedException");
    late["requirements"] = json!([]);
    let text = served.post(LAB, &late).await.error(409, "CommitFailedException");
    assert!(text.contains("sequence number"), "{text}");
    // Nor by a number of its own choice: its parent is not the head.
    let next = served.metadata("lab").await["last-sequence-number"].as_i64().unwrap() + 1;
    snapshot(&mut late)["sequence-number"] = json!(next);
    let text = served.post(LAB, &late).await.error(409, "CommitFailedException");
    assert!(text.contains("head of its branch"), "{text}");
    assert_eq!(served.rows("lab").await, 3);
}

#[tokio::test]
async fn an_update_that_is_not_known_or_not_taken_changes_nothing() {
    let served = Served::with_lab().await;
    let before = served.metadata("lab").await;
    let bad = "BadRequestException";
    let unsupported = "UnsupportedOperationException";
    let key = json!({"key-id": "k", "encrypted-key-metadata": "AA=="});
    for (update, name) in [
        (json!({"action": "enable-row-lineage"}), bad),
        (json!({"action": "set-properties", "updates": {}, "only-if": "x"}), bad),
        (json!({"action": "set-properties", "updates": {"format-version": "1"}}), bad),
        (json!({"action": "assign-uuid", "uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1"}), bad),
        (json!({"action": "upgrade-format-version", "format-version": 1}), bad),
        (json!({"action": "upgrade-format-version", "format-version": 3}), unsupported),
        (json!({"action": "set-location", "location": "file:///tmp/x"}), unsupported),
        (json!({"action": "remove-partition-specs", "spec-ids": [1]}), unsupported),
        (json!({"action": "add-encryption-key", "encryption-key": key}), unsupported),
        (json!({"action": "set-current-schema", "schema-id": 9}), bad),
        (
            json!({"action": "set-snapshot-ref", "ref-name": "t", "type": "tag",
            "snapshot-id": 9}),
            bad,
        ),
        (
            json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "tag",
            "snapshot-id": before["current-snapshot-id"]}),
            bad,
        ),
        (
            json!({"action": "remove-snapshots",
            "snapshot-ids": [before["current-snapshot-id"]]}),
            bad,
        ),
    ] {
        let kept = json!({"action": "set-properties", "updates": {"owner": "x"}});
        let refused = served.post(LAB, &updates(&[kept, update.clone()])).await;
        refused.error(400, name);
    }
    let nothing = updates(&[json!({"action": "set-properties", "updates": {}})]);
    served.post(LAB, &nothing).await.expect(200);
    assert_eq!(served.metadata("lab").await, before);
    let mut other = nothing.clone();
    other["identifier"] = json!({"namespace": ["b"], "name": "other"});
    served.post(LAB, &other).await.error(400, bad);
    let missing = served.post("/v1/namespaces/b/tables/no", &nothing).await;
    missing.error(404, "NoSuchTableException");
}

#[tokio::test]
async fn a_snapshot_whose_files_are_not_there_or_elsewhere_is_refused() {
    let served = Served::with_lab().await;
    let before = served.metadata("lab").await;
    let client = served.client("lab").await;
    let good = client.insert("(3, 'c')").await;
    let list = good["updates"][0]["snapshot"]["manifest-list"].as_str().unwrap().to_string();
    let hour_ms = 3_600_000;
    for (member, value) in [
        ("manifest-list", json!(format!("{list}.gone"))),
        ("manifest-list", json!("file:///etc/passwd")),
        ("manifest-list", before["metadata-log"][0]["metadata-file"].clone()),
        ("schema-id", json!(9)),
        ("timestamp-ms", json!(served.now_ms() + hour_ms)),
        ("timestamp-ms", json!(served.now_ms() - hour_ms)),
    ] {
        let mut changed = good.clone();
        snapshot(&mut changed)[member] = value;
        served.post(LAB, &changed).await.error(400, "BadRequestException");
    }
    let mut newer = good.clone();
    snapshot(&mut newer)["key-id"] = json!("k");
    served.post(LAB, &newer).await.error(400, "UnsupportedOperationException");
    // A data file that is gone, or cut.
    let path = data_file(&served, &client).await;
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[1..]).unwrap();
    served.post(LAB, &good).await.error(400, "BadRequestException");
    std::fs::remove_file(&path).unwrap();
    served.post(LAB, &good).await.error(400, "BadRequestException");
    assert_eq!(served.metadata("lab").await, before);
    std::fs::write(&path, &bytes).unwrap();
    served.post(LAB, &good).await.expect(200);
    assert_eq!(served.rows("lab").await, 3);
}

/// The newest data file of the table.
async fn data_file(served: &Served, client: &Client) -> std::path::PathBuf {
    let folder = client.metadata["location"].as_str().unwrap();
    let folder = northstar_iceberg::storage::local_path(folder).unwrap();
    let mut folders = vec![folder];
    let mut newest = None;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                let modified = path.metadata().unwrap().modified().unwrap();
                newest = newest.max(Some((modified, path)));
            }
        }
    }
    assert_eq!(served.rows("lab").await, 2);
    newest.unwrap().1
}

#[tokio::test]
async fn w3_watermarks_outlive_the_snapshots_that_a_client_expires_and_tags_hold_theirs() {
    let served = Served::with_lab().await;
    let mut marked = served.client("lab").await.insert("(3, 'c')").await;
    snapshot(&mut marked)["summary"]["northstar.watermark.lab"] = json!("42");
    served.post(LAB, &marked).await.expect(200);
    for rows in ["(4, 'd')", "(5, 'e')"] {
        let inserted = served.client("lab").await.insert(rows).await;
        served.post(LAB, &inserted).await.expect(200);
    }
    let metadata = served.metadata("lab").await;
    let current = metadata["current-snapshot-id"].clone();
    let old: Vec<Value> = metadata["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|snapshot| snapshot["snapshot-id"].clone())
        .filter(|id| *id != current)
        .collect();
    let tag = json!({"action": "set-snapshot-ref", "ref-name": "close", "type": "tag",
        "snapshot-id": old[0]});
    let owner = json!({"action": "set-properties", "updates": {
        "northstar.ref.close.owner": "finance"}});
    served.post(LAB, &updates(&[tag, owner])).await.expect(200);
    let expire = json!({"action": "remove-snapshots", "snapshot-ids": old});
    let held = served.post(LAB, &updates(std::slice::from_ref(&expire))).await;
    let text = held.error(400, "BadRequestException");
    assert!(text.contains("`close`"), "{text}");
    let drop_tag = json!({"action": "remove-snapshot-ref", "ref-name": "close"});
    served.post(LAB, &updates(&[drop_tag, expire])).await.expect(200);
    let after = served.metadata("lab").await;
    assert_eq!(after["snapshots"].as_array().unwrap().len(), 1);
    let properties = properties(&after);
    let base = format!("northstar.base.{current}.northstar.watermark.lab");
    assert_eq!(properties.get(&base).map(String::as_str), Some("42"));
    assert!(!properties.contains_key("northstar.ref.close.owner"), "{properties:?}");
    assert_eq!(served.rows("lab").await, 5);
}

#[tokio::test]
async fn e1_columns_change_and_what_hides_them_follows() {
    let served = Served::with_lab().await;
    let hidden = json!({"action": "set-properties", "updates": {
        "northstar.phi.direct": "name", "write.metadata.metrics.column.name": "counts"}});
    served.post(LAB, &updates(&[hidden])).await.expect(200);
    let schema = |id: i32, fields: Value| {
        json!({"action": "add-schema", "schema":
            {"type": "struct", "schema-id": id, "fields": fields}})
    };
    let current = json!({"action": "set-current-schema", "schema-id": -1});
    let text = json!([
        {"id": 1, "name": "id", "required": false, "type": "string"},
        {"id": 2, "name": "name", "required": false, "type": "string"}]);
    let narrowed = updates(&[schema(1, text), current.clone()]);
    served.post(LAB, &narrowed).await.error(400, "BadRequestException");
    let renamed = json!([
        {"id": 1, "name": "id", "required": false, "type": "long"},
        {"id": 2, "name": "full_name", "required": false, "type": "string"},
        {"id": 3, "name": "ward", "required": false, "type": "string"}]);
    served.post(LAB, &updates(&[schema(1, renamed), current])).await.expect(200);
    let metadata = served.metadata("lab").await;
    assert_eq!(metadata["last-column-id"], 3);
    let now = properties(&metadata);
    assert_eq!(now["northstar.phi.direct"], "full_name");
    assert_eq!(now["write.metadata.metrics.column.full_name"], "counts");
    assert!(!now.contains_key("write.metadata.metrics.column.name"));
    let spec = json!({"action": "add-spec", "spec": {"spec-id": 1, "fields": [
        {"source-id": 2, "field-id": 1000, "name": "by_name", "transform": "identity"}]}});
    let default = json!({"action": "set-default-spec", "spec-id": -1});
    let shown = served.post(LAB, &updates(&[spec, default])).await;
    let text = shown.error(400, "BadRequestException");
    assert!(text.contains("identifies people"), "{text}");
    assert_eq!(served.rows("lab").await, 2);
}

#[tokio::test]
async fn several_tables_are_committed_to_in_one_step_or_not_at_all() {
    let served = Served::with_lab().await;
    served.create("other", json!({})).await;
    let changed = |name: &str, mut commit: Value| {
        commit["identifier"] = json!({"namespace": ["b"], "name": name});
        commit
    };
    let (lab, other) = (served.client("lab").await, served.client("other").await);
    let stale = changed("other", other.insert("(9, 'z')").await);
    let first = changed("other", other.insert("(8, 'y')").await);
    let path = "/v1/transactions/commit";
    let both = json!({"table-changes": [changed("lab", lab.insert("(3, 'c')").await), first]});
    assert_eq!(served.post(path, &both).await.expect(204), Value::Null);
    assert_eq!((served.rows("lab").await, served.rows("other").await), (3, 2));
    let lab = served.client("lab").await;
    let one_stale = json!({"table-changes": [changed("lab", lab.insert("(4, 'd')").await), stale]});
    served.post(path, &one_stale).await.error(409, "CommitFailedException");
    assert_eq!((served.rows("lab").await, served.rows("other").await), (3, 2));
    let twice = changed("lab", updates(&[]));
    let twice = json!({"table-changes": [twice.clone(), twice]});
    served.post(path, &twice).await.error(400, "BadRequestException");
    let unnamed = json!({"table-changes": [updates(&[])]});
    served.post(path, &unnamed).await.error(400, "BadRequestException");
}

#[tokio::test]
async fn a_branch_is_made_filled_and_dropped_beside_main() {
    let served = Served::with_lab().await;
    let client = served.client("lab").await;
    let mut filled = client.insert("(3, 'c')").await;
    filled["requirements"] =
        json!([{"type": "assert-ref-snapshot-id", "ref": "audit", "snapshot-id": null}]);
    filled["updates"][1]["ref-name"] = json!("audit");
    served.post(LAB, &filled).await.expect(200);
    assert_eq!(served.rows("lab").await, 2);
    let metadata = served.metadata("lab").await;
    assert_ne!(metadata["refs"]["audit"], metadata["refs"]["main"]);
    let publish = json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
        "snapshot-id": metadata["refs"]["audit"]["snapshot-id"]});
    served.post(LAB, &updates(&[publish])).await.expect(200);
    assert_eq!(served.rows("lab").await, 3);
    let back = commit(&metadata, metadata["snapshots"][0].clone());
    let text = served.post(LAB, &back).await.error(409, "CommitFailedException");
    assert!(text.contains("main"), "{text}");
}
