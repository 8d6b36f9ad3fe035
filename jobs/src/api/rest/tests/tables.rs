//! Tables: listed, made, loaded, registered, renamed, dropped.

use serde_json::{Value, json};

use super::{Served, new_table, properties, updates};

#[tokio::test]
async fn a_table_is_made_in_a_folder_of_its_own_with_what_was_asked_for() {
    let served = Served::new().await;
    let made = served
        .create(
            "lab",
            json!({
                "partition-spec": {"spec-id": 0, "type": "struct", "fields": [
                    {"source-id": 1, "field-id": 1000, "name": "id_bucket", "transform": "bucket[4]"},
                ]},
                "write-order": {"order-id": 1, "fields": [
                    {"source-id": 1, "transform": "identity", "direction": "asc",
                     "null-order": "nulls-first"},
                ]},
                "properties": {"owner": "lab", "write.parquet.compression-codec": "gzip"},
                "location": null, "stage-create": false,
            }),
        )
        .await;
    let metadata = &made["metadata"];
    let location = metadata["location"].as_str().unwrap();
    assert!(location.starts_with(&format!("{}/b/lab-", served.lake.warehouse)), "{location}");
    let file = made["metadata-location"].as_str().unwrap();
    assert!(file.starts_with(&format!("{location}/metadata/00000-")), "{file}");
    assert_eq!(metadata["format-version"], 2);
    assert_eq!(metadata["partition-specs"][0]["fields"][0]["transform"], "bucket[4]");
    assert_eq!(metadata["sort-orders"][0]["fields"][0]["source-id"], 1);
    let properties = properties(metadata);
    assert_eq!(properties["owner"], "lab");
    assert_eq!(properties["write.parquet.compression-codec"], "gzip", "what is asked for stands");
    assert_eq!(properties["write.metadata.previous-versions-max"], "100", "a default of ours");
    let loaded = served.get("/v1/namespaces/b/tables/lab").await.expect(200);
    assert_eq!(loaded["metadata"], made["metadata"]);
    assert_eq!(loaded["config"], json!({}));
    assert_eq!(served.head("/v1/namespaces/b/tables/lab").await.expect(204), Value::Null);
    let actions: Vec<String> =
        served.access.records().into_iter().map(|record| record.action).collect();
    assert_eq!(actions, ["create", "open"]);
}

#[tokio::test]
async fn versions_1_and_2_are_made_and_what_needs_3_is_refused() {
    let served = Served::new().await;
    for version in [1, 2] {
        let name = format!("v{version}");
        let asked = json!({"properties": {"format-version": version.to_string()}});
        let made = served.create(&name, asked).await;
        assert_eq!(made["metadata"]["format-version"], version);
        assert!(!properties(&made["metadata"]).contains_key("format-version"));
    }
    let nanos = json!({"type": "struct", "schema-id": 0, "fields": [
        {"id": 1, "name": "at", "required": false, "type": "timestamp_ns"}]});
    let default = json!({"type": "struct", "schema-id": 0, "fields": [
        {"id": 1, "name": "n", "required": false, "type": "int", "initial-default": 1}]});
    for asked in [
        json!({"properties": {"format-version": "3"}}),
        json!({"schema": nanos}),
        json!({"schema": default}),
    ] {
        let body = new_table("v3", asked);
        let refused = served.post("/v1/namespaces/b/tables", &body).await;
        refused.error(400, "UnsupportedOperationException");
    }
    served.get("/v1/namespaces/b/tables/v3").await.error(404, "NoSuchTableException");
}

#[tokio::test]
async fn what_cannot_be_a_table_is_refused() {
    let served = Served::with_lab().await;
    let lab = served.metadata("lab").await["location"].as_str().unwrap().to_string();
    let warehouse = served.lake.warehouse.clone();
    for asked in [
        json!({"name": "Lab"}),
        json!({"schema": {"type": "struct", "fields": [{"id": 1, "name": "_pos",
            "required": false, "type": "int"}]}}),
        json!({"location": "file:///tmp/elsewhere/t"}),
        json!({"location": "s3://bucket/t"}),
        json!({"location": format!("{warehouse}/b/../../t")}),
        json!({"location": warehouse}),
        json!({"location": format!("{warehouse}/t")}),
        json!({"location": format!("{warehouse}/b")}),
        json!({"location": lab}),
        json!({"location": format!("{lab}/data")}),
        json!({"properties": {"uuid": "x"}}),
        json!({"partition-spec": {"fields": [
            {"source-id": 9, "name": "p", "transform": "identity"}]}}),
        json!({"sort": []}),
    ] {
        let mut body = new_table("new", asked.clone());
        body["name"] = asked.get("name").cloned().unwrap_or("new".into());
        let refused = served.post("/v1/namespaces/b/tables", &body).await;
        refused.error(400, "BadRequestException");
    }
    let listed = served.get("/v1/namespaces/b/tables").await.expect(200);
    assert_eq!(listed["identifiers"], json!([{"namespace": ["b"], "name": "lab"}]));
    let again = served.post("/v1/namespaces/b/tables", &new_table("lab", json!({}))).await;
    again.error(409, "AlreadyExistsException");
    let nowhere = served.post("/v1/namespaces/no/tables", &new_table("t", json!({}))).await;
    nowhere.error(404, "NoSuchNamespaceException");
    let below = json!({"location": format!("{warehouse}/b/chosen/")});
    let made = served.create("chosen", below).await;
    assert_eq!(made["metadata"]["location"], json!(format!("{warehouse}/b/chosen")));
}

#[tokio::test]
async fn tables_are_listed_in_pages() {
    let served = Served::new().await;
    for name in ["t1", "t2", "t3"] {
        served.create(name, json!({})).await;
    }
    let page = served.get("/v1/namespaces/b/tables?pageToken=&pageSize=2").await.expect(200);
    assert_eq!(page["identifiers"].as_array().unwrap().len(), 2);
    assert_eq!(page["next-page-token"], "t2");
    let last = served.get("/v1/namespaces/b/tables?pageToken=t2&pageSize=2").await.expect(200);
    assert_eq!(last["identifiers"], json!([{"namespace": ["b"], "name": "t3"}]));
    assert_eq!(last["next-page-token"], Value::Null);
}

#[tokio::test]
async fn snapshots_are_shown_all_or_those_of_refs() {
    let served = Served::with_lab().await;
    let more = served.client("lab").await.insert("(3, 'c')").await;
    served.post("/v1/namespaces/b/tables/lab", &more).await.expect(200);
    for (query, shown) in [("", 2), ("?snapshots=all", 2), ("?snapshots=refs", 1)] {
        let loaded = served.get(&format!("/v1/namespaces/b/tables/lab{query}")).await.expect(200);
        assert_eq!(loaded["metadata"]["snapshots"].as_array().unwrap().len(), shown, "{query}");
    }
    let other = served.get("/v1/namespaces/b/tables/lab?snapshots=some").await;
    other.error(400, "BadRequestException");
}

#[tokio::test]
async fn a_table_gets_another_name_and_keeps_its_rows() {
    let served = Served::with_lab().await;
    let rename = |from: &str, to: [&str; 2]| {
        json!({"source": {"namespace": ["b"], "name": from},
               "destination": {"namespace": [to[0]], "name": to[1]}})
    };
    served.create("other", json!({})).await;
    let path = "/v1/tables/rename";
    for (body, status, name) in [
        (rename("no", ["b", "x"]), 404, "NoSuchTableException"),
        (rename("lab", ["no", "x"]), 404, "NoSuchNamespaceException"),
        (rename("lab", ["b", "other"]), 409, "AlreadyExistsException"),
        (rename("lab", ["b", "Upper"]), 400, "BadRequestException"),
    ] {
        served.post(path, &body).await.error(status, name);
    }
    served.post(path, &rename("lab", ["b", "result"])).await.expect(204);
    assert_eq!(served.rows("result").await, 2);
    served.get("/v1/namespaces/b/tables/lab").await.error(404, "NoSuchTableException");
}

#[tokio::test]
async fn a_dropped_table_keeps_its_files_also_if_they_should_be_purged_and_comes_back() {
    let served = Served::with_lab().await;
    let loaded = served.get("/v1/namespaces/b/tables/lab").await.expect(200);
    let register = json!({"name": "again", "metadata-location": loaded["metadata-location"]});
    let path = "/v1/namespaces/b/register";
    let shared = served.post(path, &register).await.error(400, "BadRequestException");
    assert!(shared.contains("`b.lab`"), "two names for the same files: {shared}");
    let dropped = served.delete("/v1/namespaces/b/tables/lab?purgeRequested=true").await;
    assert_eq!(dropped.expect(204), Value::Null);
    served.delete("/v1/namespaces/b/tables/lab").await.error(404, "NoSuchTableException");
    let registered = served.post(path, &register).await.expect(200);
    assert_eq!(registered["metadata"], loaded["metadata"]);
    assert_eq!(served.rows("again").await, 2);
    served.post(path, &register).await.error(409, "AlreadyExistsException");
}

#[tokio::test]
async fn what_is_no_metadata_of_a_table_in_the_warehouse_is_not_registered() {
    let served = Served::with_lab().await;
    let loaded = served.get("/v1/namespaces/b/tables/lab").await.expect(200);
    let good = loaded["metadata-location"].as_str().unwrap().to_string();
    let (folder, _) = good.rsplit_once('/').unwrap();
    let path = northstar_iceberg::storage::local_path(&good).unwrap();
    let outside = served.folder.path().join("metadata");
    std::fs::create_dir(&outside).unwrap();
    let outside = outside.join(path.file_name().unwrap());
    std::fs::copy(&path, &outside).unwrap();
    std::fs::copy(&path, path.with_file_name("v1.metadata.json")).unwrap();
    let broken = "00009-00000000-0000-4000-8000-000000000000.metadata.json";
    std::fs::write(path.with_file_name(broken), "{}").unwrap();
    served.delete("/v1/namespaces/b/tables/lab").await.expect(204);
    let register = |location: String, overwrite: bool| json!({"name": "x", "metadata-location": location, "overwrite": overwrite});
    let at = "/v1/namespaces/b/register";
    for location in [
        "file:///etc/passwd".to_string(),
        format!("file://{}", outside.display()),
        format!("{folder}/v1.metadata.json"),
        format!("{folder}/{broken}"),
        good.replace("00001-", "00008-"),
    ] {
        let refused = served.post(at, &register(location.clone(), false)).await;
        let text = refused.error(400, "BadRequestException");
        assert!(!text.contains("passwd"), "{text}");
    }
    let over = served.post(at, &register(good.clone(), true)).await;
    over.error(400, "UnsupportedOperationException");
    served.post(at, &register(good, false)).await.expect(200);
}

#[tokio::test]
async fn a_staged_table_is_nowhere_until_its_commit() {
    let served = Served::new().await;
    let staged = served.create("lab", json!({"stage-create": true})).await;
    assert!(staged.get("metadata-location").is_none());
    served.get("/v1/namespaces/b/tables/lab").await.error(404, "NoSuchTableException");
    let metadata = &staged["metadata"];
    let (schema, spec) = (&metadata["schemas"][0], &metadata["partition-specs"][0]);
    let mut create = updates(&[
        json!({"action": "assign-uuid", "uuid": metadata["table-uuid"]}),
        json!({"action": "upgrade-format-version", "format-version": 2}),
        json!({"action": "add-schema", "schema": schema, "last-column-id": 2}),
        json!({"action": "set-current-schema", "schema-id": -1}),
        json!({"action": "add-spec", "spec": spec}),
        json!({"action": "set-default-spec", "spec-id": -1}),
        json!({"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}}),
        json!({"action": "set-default-sort-order", "sort-order-id": -1}),
        json!({"action": "set-location", "location": metadata["location"]}),
        json!({"action": "set-properties", "updates": {"owner": "lab"}}),
    ]);
    let path = "/v1/namespaces/b/tables/lab";
    served.post(path, &create).await.error(404, "NoSuchTableException");
    create["requirements"] = json!([{"type": "assert-create"}]);
    let made = served.post(path, &create).await.expect(200);
    assert_eq!(made["metadata"]["table-uuid"], metadata["table-uuid"]);
    assert_eq!(made["metadata"]["location"], metadata["location"]);
    assert_eq!(made["metadata"]["schemas"], metadata["schemas"]);
    assert_eq!(properties(&made["metadata"])["owner"], "lab");
    served.post(path, &create).await.error(409, "AlreadyExistsException");
    let nowhere = served.post("/v1/namespaces/no/tables/lab", &create).await;
    nowhere.error(404, "NoSuchNamespaceException");
    // Files that were written with other ids would not be found again.
    create["updates"][2]["schema"]["fields"][1]["id"] = json!(7);
    let renumbered = served.post("/v1/namespaces/b/tables/new", &create).await;
    let text = renumbered.error(400, "BadRequestException");
    assert!(text.contains("stage-create"), "{text}");
}

#[tokio::test]
async fn metrics_are_taken_and_not_kept() {
    let served = Served::with_lab().await;
    let report = json!({"report-type": "scan-report", "filter": {"term": "name", "value": "Jane"}});
    served.post("/v1/namespaces/b/tables/lab/metrics", &report).await.expect(204);
    let not_json = b"{";
    let path = "/v1/namespaces/b/tables/lab/metrics";
    let cut = served.call(axum::http::Method::POST, path, not_json).await;
    cut.error(400, "BadRequestException");
}
