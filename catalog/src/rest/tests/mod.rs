//! The client beside a small REST catalog of the tests' own, whose answers can be made to go wrong.

mod replies;
mod service;
mod tokens;

use std::sync::Arc;

use self::service::Service;
use super::{RestCatalog, RestPlace};
use crate::contract::{self, Fixture, metadata, name};
use crate::{Catalog, ErrorKind, Patience};

// All of the contract that needs no swap.
contract::tests! { fixture:
    a_namespace_is_made_once_listed_and_dropped,
    a_namespace_with_tables_is_not_dropped,
    a_registered_table_has_its_pointer_and_no_previous_one,
    a_name_is_registered_once_and_only_in_a_namespace_that_is_there,
    a_missing_name_is_answered_with_near_ones,
    a_dropped_table_is_gone_and_its_name_free,
    a_rename_never_replaces_a_table,
    a_name_of_the_wrong_case_is_refused,
}

async fn fixture() -> Fixture {
    let service = Service::start();
    Fixture {
        first: Arc::new(connect(&service, "")),
        second: Arc::new(connect(&service, "")),
        keep: Box::new(service),
    }
}

/// Three attempts with hardly a wait.
fn connect(service: &Service, options: &str) -> RestCatalog {
    let patience =
        Patience { attempts: 3, first_wait_ms: 1, longest_wait_ms: 2, ..Patience::default() };
    let url = format!("rest://{}/api{options}", service.address());
    RestCatalog::connect(RestPlace::parse(&url).unwrap(), patience, 7).unwrap()
}

/// A service with the table `b.lab` at `m0`.
async fn with_lab() -> (Service, RestCatalog) {
    let service = Service::start();
    let catalog = connect(&service, "");
    catalog.create_namespace("b").await.unwrap();
    catalog.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
    service.forget_calls();
    (service, catalog)
}

#[tokio::test]
async fn a_table_has_the_pointer_that_the_server_gives_it_and_the_last_of_its_log() {
    let (service, catalog) = with_lab().await;
    service.state().log("b.lab", &["m-2", "m-1"]);
    let pointer = catalog.pointer(&name("b.lab")).await.unwrap();
    assert_eq!(pointer.metadata_location, "m0");
    assert_eq!(pointer.previous_metadata_location.as_deref(), Some("m-1"));
}

#[tokio::test]
async fn a_renamed_table_keeps_its_pointer() {
    let (_service, catalog) = with_lab().await;
    catalog.create_namespace("c").await.unwrap();
    catalog.rename_table(&name("b.lab"), &name("c.new")).await.unwrap();
    assert_eq!(catalog.pointer(&name("c.new")).await.unwrap().metadata_location, "m0");
    assert_eq!(catalog.pointer(&name("b.lab")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_swap_is_refused_and_sends_nothing() {
    let (service, catalog) = with_lab().await;
    let error = catalog.swap(&name("b.lab"), "m0", "m1", &metadata()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("glue://"), "{error}");
    assert_eq!(service.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn lists_are_read_to_their_end_and_the_prefix_is_asked_for_once() {
    let service = Service::start();
    let catalog = connect(&service, "?warehouse=one%20of%20two");
    for namespace in ["e", "d", "c", "b", "a"] {
        assert!(catalog.create_namespace(namespace).await.unwrap());
    }
    service.state().insert_namespace(&["a", "nested"]);
    service.state().insert_namespace(&["Upper"]);
    service.forget_calls();
    assert_eq!(catalog.list_namespaces().await.unwrap(), ["a", "b", "c", "d", "e"]);
    assert_eq!(
        service.calls(),
        [
            "GET /api/v1/in/one/namespaces",
            "GET /api/v1/in/one/namespaces?pageToken=2",
            "GET /api/v1/in/one/namespaces?pageToken=4",
            "GET /api/v1/in/one/namespaces?pageToken=6",
        ]
    );
    let again = connect(&service, "?warehouse=one%20of%20two");
    service.forget_calls();
    again.list_tables("a").await.unwrap();
    again.list_tables("b").await.unwrap();
    assert_eq!(service.calls()[0], "GET /api/v1/config?warehouse=one+of+two");
    assert_eq!(service.calls().len(), 3);
}

#[tokio::test]
async fn views_keep_a_namespace_too() {
    let (service, catalog) = with_lab().await;
    catalog.create_namespace("c").await.unwrap();
    service.state().views.push(("c".to_owned(), "seen".to_owned()));
    let error = catalog.drop_namespace("c").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.message().contains("`seen`"), "{error}");
    assert!(!service.calls().iter().any(|call| call.starts_with("DELETE")));
}
