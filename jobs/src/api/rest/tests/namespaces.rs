//! Namespaces and their properties, and what is said of the server.

use axum::http::Method;
use serde_json::{Value, json};

use super::Served;

#[tokio::test]
async fn a_client_is_told_what_is_served_whatever_warehouse_it_names() {
    let served = Served::new().await;
    for path in ["/v1/config", "/v1/config?warehouse=123456789012", "/v1/config?warehouse="] {
        let config = served.get(path).await.expect(200);
        assert_eq!((&config["defaults"], &config["overrides"]), (&json!({}), &json!({})));
        let endpoints = config["endpoints"].as_array().unwrap();
        assert!(endpoints.contains(&json!("POST /v1/{prefix}/transactions/commit")));
        assert!(!endpoints.iter().any(|endpoint| endpoint.to_string().contains("views")));
    }
}

#[tokio::test]
async fn a_namespace_lives_from_its_making_to_its_drop() {
    let served = Served::new().await;
    let body = json!({"namespace": ["silver"], "properties": {"comment": "x", "location": "y"}});
    let made = served.post("/v1/namespaces", &body).await.expect(200);
    assert_eq!(made, body);
    served.post("/v1/namespaces", &body).await.error(409, "AlreadyExistsException");
    assert_eq!(served.get("/v1/namespaces/silver").await.expect(200), body);
    assert_eq!(served.head("/v1/namespaces/silver").await.expect(204), Value::Null);
    let update = json!({"removals": ["comment", "no"], "updates": {"owner": "lab"}});
    let path = "/v1/catalogs/123456789012/namespaces/silver/properties";
    let done = served.post(path, &update).await.expect(200);
    assert_eq!(done, json!({"updated": ["owner"], "removed": ["comment"], "missing": ["no"]}));
    let loaded = served.get("/v1/namespaces/silver").await.expect(200);
    assert_eq!(loaded["properties"], json!({"location": "y", "owner": "lab"}));
    let both = json!({"removals": ["owner"], "updates": {"owner": "x"}});
    served.post(path, &both).await.error(422, "UnprocessableEntityException");
    served.delete("/v1/namespaces/silver").await.expect(204);
    assert_eq!(served.head("/v1/namespaces/silver").await.expect(404), Value::Null);
    for path in ["/v1/namespaces/silver", "/v1/namespaces/silver/tables"] {
        served.get(path).await.error(404, "NoSuchNamespaceException");
    }
    served.delete("/v1/namespaces/silver").await.error(404, "NoSuchNamespaceException");
    served.post(path, &update).await.error(404, "NoSuchNamespaceException");
}

#[tokio::test]
async fn namespaces_are_listed_in_pages_and_have_no_children() {
    let served = Served::new().await;
    for name in ["a", "c"] {
        served.post("/v1/namespaces", &json!({"namespace": [name]})).await.expect(200);
    }
    let all = served.get("/v1/namespaces").await.expect(200);
    assert_eq!(all["namespaces"], json!([["a"], ["b"], ["c"]]));
    let page = served.get("/v1/namespaces?pageSize=2&pageToken=").await.expect(200);
    assert_eq!(page["namespaces"], json!([["a"], ["b"]]));
    let token = page["next-page-token"].as_str().unwrap();
    let last =
        served.get(&format!("/v1/namespaces?pageSize=2&pageToken={token}")).await.expect(200);
    assert_eq!(last, json!({"namespaces": [["c"]], "next-page-token": null}));
    let within = served.get("/v1/namespaces?parent=a").await.expect(200);
    assert_eq!(within["namespaces"], json!([]));
    served.get("/v1/namespaces?parent=no").await.error(404, "NoSuchNamespaceException");
}

#[tokio::test]
async fn what_cannot_be_a_namespace_is_refused() {
    let served = Served::new().await;
    for body in [
        json!({"namespace": ["a", "b"]}),
        json!({"namespace": []}),
        json!({"namespace": ["Silver"]}),
        json!({"namespace": "silver"}),
        json!({"namespace": ["silver"], "properties": {"exists": "no"}}),
        json!({"namespace": ["silver"], "properties": {"a": 1}}),
        json!({"namespace": ["silver"], "comment": "x"}),
        json!({}),
    ] {
        served.post("/v1/namespaces", &body).await.error(400, "BadRequestException");
    }
    let cut = served.call(Method::POST, "/v1/namespaces", b"{\"namespace\": [").await;
    cut.error(400, "BadRequestException");
    let all = served.get("/v1/namespaces").await.expect(200);
    assert_eq!(all["namespaces"], json!([["b"]]));
    served.get("/v1/namespaces/a%1Fb").await.error(404, "NoSuchNamespaceException");
}

#[tokio::test]
async fn a_namespace_with_tables_stays() {
    let served = Served::with_lab().await;
    served.delete("/v1/namespaces/b").await.error(409, "NamespaceNotEmptyException");
    assert_eq!(served.rows("lab").await, 2);
}
