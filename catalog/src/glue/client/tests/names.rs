//! Namespaces and tables: pages, what is not Iceberg's, and what is in the way.

use serde_json::json;

use super::service::{Fault, Service};
use super::{connect, with_lab};
use crate::contract::{metadata, name};
use crate::{Catalog, ErrorKind};

#[tokio::test]
async fn lists_are_read_to_their_end_and_sorted() {
    let service = Service::start();
    let catalog = connect(&service).await;
    // In the service, five are three pages.
    for namespace in ["e", "d", "c", "b", "a"] {
        assert!(catalog.create_namespace(namespace).await.unwrap());
        let table = name(&format!("c.{namespace}"));
        if namespace <= "c" {
            catalog.register(&table, "m0", &metadata()).await.unwrap();
        }
    }
    service.state().databases.insert("Upper".to_owned(), Default::default());
    assert_eq!(catalog.list_namespaces().await.unwrap(), ["a", "b", "c", "d", "e"]);
    assert_eq!(catalog.list_tables("c").await.unwrap(), [name("c.a"), name("c.b"), name("c.c")]);
    let tokens: Vec<_> =
        service.bodies("GetDatabases").into_iter().map(|b| b["NextToken"].clone()).collect();
    assert_eq!(tokens, [json!(null), json!("2"), json!("4")]);
}

#[tokio::test]
async fn what_is_not_icebergs_is_neither_listed_nor_changed_but_in_the_way() {
    let (service, catalog) = with_lab().await;
    service.state().lab()["Parameters"]["table_type"] = json!("delta");
    assert_eq!(catalog.list_tables("b").await.unwrap(), []);
    let lab = name("b.lab");
    for error in [
        catalog.pointer(&lab).await.unwrap_err(),
        catalog.drop_table(&lab).await.unwrap_err(),
        catalog.rename_table(&lab, &name("b.new")).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.message().contains("not an Iceberg table"), "{error}");
    }
    let taken = catalog.register(&lab, "m1", &metadata()).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    let full = catalog.drop_namespace("b").await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::InvalidInput);
    assert_eq!(service.bodies("DeleteTable").len() + service.bodies("DeleteDatabase").len(), 0);
    assert!(service.state().lab().is_object());
}

#[tokio::test]
async fn an_entry_without_a_pointer_is_damaged() {
    let (service, catalog) = with_lab().await;
    service.state().lab()["Parameters"].as_object_mut().unwrap().remove("metadata_location");
    let error = catalog.pointer(&name("b.lab")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert_eq!(catalog.list_tables("b").await.unwrap(), [name("b.lab")]);
}

#[tokio::test]
async fn a_service_that_lists_nothing_for_a_missing_database_is_asked_for_it() {
    let (service, catalog) = with_lab().await;
    // As if it were there for the one action and not for the other.
    service.fault(
        "GetTables",
        Fault::Meanwhile(|state| {
            state.databases.insert("gone".to_owned(), Default::default());
        }),
    );
    service.fault("GetDatabase", Fault::Meanwhile(|state| drop(state.databases.remove("gone"))));
    let error = catalog.list_tables("gone").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn who_may_not_list_still_learns_that_a_table_is_missing() {
    let (service, catalog) = with_lab().await;
    service.fault("GetTables", Fault::Refuse(400, "AccessDeniedException"));
    let error = catalog.pointer(&name("b.labs")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("glue:GetTables"), "{error}");
}

#[tokio::test]
async fn a_list_that_repeats_its_page_ends_in_an_error() {
    let (service, catalog) = with_lab().await;
    service.state().endless = true;
    let error = catalog.list_namespaces().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(service.bodies("GetDatabases").len(), 2);
}
