//! Lost and refused replies.

use super::service::Fault;
use super::{connect, with_lab};
use crate::contract::{metadata, name};
use crate::{Catalog, ErrorKind, Retry};

#[tokio::test]
async fn reading_goes_on_until_there_is_an_answer() {
    let (service, catalog) = with_lab().await;
    for fault in [Fault::LoseBefore, Fault::Refuse(503), Fault::Refuse(429)] {
        service.fault("GET namespaces/b/tables/lab", fault);
        service.forget_calls();
        assert_eq!(catalog.pointer(&name("b.lab")).await.unwrap().metadata_location, "m0");
        assert_eq!(service.calls().len(), 2);
    }
    for _ in 0..3 {
        service.fault("GET namespaces/b/tables/lab", Fault::Refuse(500));
    }
    let error = catalog.pointer(&name("b.lab")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again), "{error}");
    assert_eq!(error.context("on"), Some("b.lab"));
}

#[tokio::test]
async fn a_refusal_has_its_kind() {
    let (service, catalog) = with_lab().await;
    for (status, kind) in [
        (400, ErrorKind::InvalidInput),
        (401, ErrorKind::PermissionDenied),
        (403, ErrorKind::PermissionDenied),
        (406, ErrorKind::Unsupported),
        (418, ErrorKind::Storage),
    ] {
        service.fault("GET namespaces/b/tables/lab", Fault::Refuse(status));
        service.forget_calls();
        let error = catalog.pointer(&name("b.lab")).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, Retry::Never), "{error}");
        assert_eq!(error.context("status"), Some(status.to_string().as_str()));
        assert_eq!(error.context("it says").is_some(), status != 401, "{error}");
        assert_eq!(service.calls().len(), 1);
    }
}

#[tokio::test]
async fn a_lost_change_is_settled_by_reading_or_unknown() {
    let lab = name("b.lab");
    for (after, before) in
        [(Fault::LoseAfter, Fault::LoseBefore), (Fault::RefuseAfter(500), Fault::Refuse(502))]
    {
        let (service, catalog) = with_lab().await;
        service.fault("POST namespaces", after);
        assert!(catalog.create_namespace("c").await.unwrap());
        service.fault("POST namespaces", before);
        assert_eq!(catalog.create_namespace("d").await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    let (service, catalog) = with_lab().await;
    let new = name("b.new");
    service.fault("POST namespaces/b/register", Fault::LoseBefore);
    let unknown = catalog.register(&new, "n0", &metadata()).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::CommitUnknown, "{unknown}");
    service.fault("POST namespaces/b/register", Fault::LoseAfter);
    catalog.register(&new, "n0", &metadata()).await.unwrap();
    // What another writer registered there is not ours.
    service.fault("POST namespaces/b/register", Fault::Refuse(500));
    let theirs = catalog.register(&new, "n1", &metadata()).await.unwrap_err();
    assert_eq!(theirs.kind(), ErrorKind::CommitUnknown, "{theirs}");

    let moved = name("b.moved");
    service.fault("POST tables/rename", Fault::LoseBefore);
    let unknown = catalog.rename_table(&lab, &moved).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::CommitUnknown, "{unknown}");
    service.fault("POST tables/rename", Fault::RefuseAfter(504));
    catalog.rename_table(&lab, &moved).await.unwrap();

    service.fault("DELETE namespaces/b/tables/moved", Fault::LoseBefore);
    let unknown = catalog.drop_table(&moved).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::CommitUnknown, "{unknown}");
    service.fault("DELETE namespaces/b/tables/moved", Fault::LoseAfter);
    catalog.drop_table(&moved).await.unwrap();
    catalog.drop_table(&new).await.unwrap();

    service.fault("DELETE namespaces/b", Fault::LoseAfter);
    catalog.drop_namespace("b").await.unwrap();
}

#[tokio::test]
async fn a_throttled_change_is_sent_again() {
    let (service, catalog) = with_lab().await;
    service.fault("POST namespaces/b/register", Fault::Refuse(429));
    catalog.register(&name("b.new"), "n0", &metadata()).await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_no_catalog_is_told() {
    let server = crate::listening::Listening::start(|_| {
        crate::listening::Reply::Answer(200, "<html>".to_owned())
    });
    let place = format!("rest://{}", server.url().replace("http://", ""));
    let place = super::RestPlace::parse(&place).unwrap();
    let catalog = super::RestCatalog::connect(place, crate::Patience::default(), 7).unwrap();
    let error = catalog.list_namespaces().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("Iceberg REST catalog?"), "{error}");
}

#[tokio::test]
async fn a_dropped_namespace_that_got_a_table_is_refused_by_the_server() {
    let (service, catalog) = with_lab().await;
    let other = connect(&service, "");
    // As if the list were older than the table.
    service.state().hide_tables_once = true;
    let error = other.drop_namespace("b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(catalog.list_tables("b").await.unwrap().len(), 1);
}
