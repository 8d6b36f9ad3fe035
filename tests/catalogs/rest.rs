//! `rest://` over the catalog that Iceberg's own tests run against. Another client makes and changes the
//! tables there.

use northstar_catalog::contract::{metadata, name};
use northstar_catalog::rest::{RestCatalog, RestPlace};
use northstar_catalog::{Catalog, ErrorKind, Patience};
use serde_json::{Value, json};

use crate::stand_in::Server;

fn connect(options: &str) -> RestCatalog {
    let url = Server::iceberg_rest().url().replace("http://", "rest://");
    let place = RestPlace::parse(&format!("{url}/{options}")).unwrap();
    RestCatalog::connect(place, Patience::default(), 7).unwrap()
}

/// Another client's request; what the server answers.
async fn send(path: &str, body: &Value) -> Value {
    let url = format!("{}/v1/{path}", Server::iceberg_rest().url());
    let request = reqwest::Client::new().post(url).header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// Another client makes a table; where its metadata file is.
async fn create(namespace: &str, table: &str) -> String {
    let id = json!({ "id": 1, "name": "id", "type": "long", "required": true });
    let schema = json!({ "type": "struct", "schema-id": 0, "fields": [id] });
    let body = json!({ "name": table, "schema": schema });
    let made = send(&format!("namespaces/{namespace}/tables"), &body).await;
    made["metadata-location"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_table_is_found_where_another_client_has_moved_it() {
    let catalog = connect("");
    assert!(catalog.create_namespace("moved").await.unwrap());
    assert!(!catalog.create_namespace("moved").await.unwrap());
    let lab = name("moved.lab");
    let first = create("moved", "lab").await;
    let pointer = catalog.pointer(&lab).await.unwrap();
    assert_eq!(
        (pointer.metadata_location, pointer.previous_metadata_location),
        (first.clone(), None)
    );
    let change = json!({ "action": "set-properties", "updates": { "a": "b" } });
    let body = json!({ "requirements": [], "updates": [change] });
    let moved = send("namespaces/moved/tables/lab", &body).await;
    let pointer = catalog.pointer(&lab).await.unwrap();
    assert_eq!(json!(pointer.metadata_location), moved["metadata-location"]);
    assert_eq!(pointer.previous_metadata_location, Some(first));
    // What cannot be done changes nothing.
    let swap = catalog.swap(&lab, &pointer.metadata_location, "m1", &metadata()).await.unwrap_err();
    assert_eq!(swap.kind(), ErrorKind::Unsupported);
    let now = catalog.pointer(&lab).await.unwrap().metadata_location;
    assert_eq!(now, pointer.metadata_location);
}

#[tokio::test]
async fn tables_are_listed_renamed_dropped_and_registered_again() {
    let catalog = connect("");
    for namespace in ["from_here", "to_there"] {
        catalog.create_namespace(namespace).await.unwrap();
    }
    let names = catalog.list_namespaces().await.unwrap();
    assert!(names.contains(&"from_here".to_owned()) && names.is_sorted(), "{names:?}");
    let at = create("from_here", "lab").await;
    create("from_here", "patient").await;
    let tables = catalog.list_tables("from_here").await.unwrap();
    assert_eq!(tables, [name("from_here.lab"), name("from_here.patient")]);

    let full = catalog.drop_namespace("from_here").await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::InvalidInput);
    assert!(full.message().contains("2 stand in it, `lab`"), "{full}");
    let near = catalog.pointer(&name("from_here.labs")).await.unwrap_err();
    assert_eq!(near.kind(), ErrorKind::NotFound);
    assert!(near.message().contains("did you mean `lab`?"), "{near}");

    let lab = name("from_here.lab");
    for (to, kind) in [
        ("from_here.patient", ErrorKind::AlreadyExists),
        ("from_here.lab", ErrorKind::AlreadyExists),
        ("not_there.lab", ErrorKind::NotFound),
    ] {
        let error = catalog.rename_table(&lab, &name(to)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{to}: {error}");
    }
    let moved = name("to_there.lab_result");
    catalog.rename_table(&lab, &moved).await.unwrap();
    assert_eq!(catalog.pointer(&moved).await.unwrap().metadata_location, at);
    assert_eq!(catalog.pointer(&lab).await.unwrap_err().kind(), ErrorKind::NotFound);

    catalog.drop_table(&moved).await.unwrap();
    assert_eq!(catalog.drop_table(&moved).await.unwrap_err().kind(), ErrorKind::NotFound);
    // Its files stay.
    catalog.register(&lab, &at, &metadata()).await.unwrap();
    assert_eq!(catalog.pointer(&lab).await.unwrap().metadata_location, at);
    let taken = catalog.register(&lab, &at, &metadata()).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists, "{taken}");
    let nowhere = catalog.register(&name("not_there.lab"), &at, &metadata()).await.unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::NotFound, "{nowhere}");

    catalog.drop_namespace("to_there").await.unwrap();
    assert_eq!(catalog.drop_namespace("to_there").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_client_asks_for_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credential");
    std::fs::write(&path, "catalog:12345").unwrap();
    let catalog = connect(&format!("?credential=file:{}", path.display()));
    assert!(catalog.create_namespace("with_token").await.unwrap());
}
