//! Lost, late and refused replies to all calls but the swap's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::credential_fn::provide_credentials_fn;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;

use super::service::Fault;
use super::{location, options, place, with_lab};
use crate::contract::{metadata, name};
use crate::glue::{GlueCatalog, GlueOptions};
use crate::{Catalog, ErrorKind, Retry};

#[tokio::test]
async fn reading_goes_on_until_there_is_an_answer() {
    for fault in [
        Fault::LoseBefore,
        Fault::Refuse(503, "ServiceUnavailable"),
        Fault::Refuse(500, "InternalServiceException"),
        Fault::Refuse(400, "OperationTimeoutException"),
        Fault::Refuse(400, "ThrottlingException"),
    ] {
        let (service, catalog) = with_lab().await;
        service.fault("GetTable", fault);
        assert_eq!(location(&catalog).await, "m0");
        assert_eq!(service.actions(), ["GetTable", "GetTable"]);
    }
    let (service, catalog) = with_lab().await;
    for _ in 0..3 {
        service.fault("GetTable", Fault::Refuse(503, "ServiceUnavailable"));
    }
    let error = catalog.pointer(&name("b.lab")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again), "{error}");
    assert_eq!(service.actions().len(), 3);
    let (service, catalog) = with_lab().await;
    service.fault("GetTable", Fault::Refuse(400, "AccessDeniedException"));
    let error = catalog.pointer(&name("b.lab")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(service.actions().len(), 1);
}

#[tokio::test]
async fn without_credentials_nothing_is_sent_or_tried_again() {
    let (service, _) = with_lab().await;
    let none = provide_credentials_fn(|| async { Err(CredentialsError::not_loaded("none here")) });
    let credentials = Some(SharedCredentialsProvider::new(none));
    let options = GlueOptions { credentials, ..options() };
    let catalog = GlueCatalog::connect(place(&service), options).await;
    let error = catalog.pointer(&name("b.lab")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::PermissionDenied, Retry::Never),
        "{error}"
    );
    assert!(error.message().contains("gives credentials"), "{error}");
    assert_eq!(service.actions(), Vec::<String>::new());
}

#[tokio::test]
async fn credentials_that_have_run_out_are_asked_for_again() {
    let (service, _) = with_lab().await;
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let renewed = provide_credentials_fn(move || {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        let past = Some(UNIX_EPOCH + Duration::from_secs(1));
        async move { Ok(Credentials::new(format!("AKID{number}"), "hunter2", None, past, "test")) }
    });
    let credentials = Some(SharedCredentialsProvider::new(renewed));
    let catalog =
        GlueCatalog::connect(place(&service), GlueOptions { credentials, ..options() }).await;
    for _ in 0..2 {
        assert_eq!(location(&catalog).await, "m0");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_lost_registration_is_found_or_made_once() {
    for fault in [
        Fault::LoseAfter,
        Fault::LoseBefore,
        Fault::RefuseAfter(500, "InternalServiceException"),
        Fault::Late(503, "ServiceUnavailable"),
        Fault::Refuse(400, "ThrottlingException"),
    ] {
        let (service, catalog) = with_lab().await;
        service.fault("CreateTable", fault);
        catalog.register(&name("b.new"), "n0", &metadata()).await.unwrap();
        let pointer = catalog.pointer(&name("b.new")).await.unwrap();
        assert_eq!(pointer.metadata_location, "n0");
    }
    let (service, catalog) = with_lab().await;
    for _ in 0..3 {
        service.fault("CreateTable", Fault::LoseBefore);
    }
    let error = catalog.register(&name("b.new"), "n0", &metadata()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
}

#[tokio::test]
async fn a_lost_registration_is_not_taken_for_another_writers() {
    let (service, catalog) = with_lab().await;
    service.fault("CreateTable", Fault::LoseBefore);
    // Another writer takes the name before it is looked at.
    service.fault(
        "GetTable",
        Fault::Meanwhile(|state| {
            let theirs = state.lab().clone();
            state.databases.get_mut("b").unwrap().insert("new".to_owned(), theirs);
        }),
    );
    let error = catalog.register(&name("b.new"), "n0", &metadata()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
    assert_eq!(catalog.pointer(&name("b.new")).await.unwrap().metadata_location, "m0");
}

#[tokio::test]
async fn a_lost_removal_is_found_or_repeated() {
    for fault in [
        Fault::LoseAfter,
        Fault::LoseBefore,
        Fault::Late(500, "InternalServiceException"),
        Fault::Refuse(503, "ServiceUnavailable"),
    ] {
        let (service, catalog) = with_lab().await;
        service.fault("DeleteTable", fault);
        catalog.drop_table(&name("b.lab")).await.unwrap();
        assert_eq!(catalog.list_tables("b").await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_lost_removal_is_not_repeated_on_what_another_writer_made() {
    let (service, catalog) = with_lab().await;
    service.fault("DeleteTable", Fault::LoseBefore);
    service.fault("GetTable", Fault::Meanwhile(|_| {}));
    service.fault("GetTable", Fault::Meanwhile(|state| state.commit("m9")));
    let error = catalog.drop_table(&name("b.lab")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
    assert_eq!(location(&catalog).await, "m9");
    assert_eq!(service.bodies("DeleteTable").len(), 1);
}

#[tokio::test]
async fn a_namespace_is_made_and_dropped_through_lost_replies() {
    for fault in [Fault::LoseAfter, Fault::LoseBefore, Fault::Late(500, "InternalServiceException")]
    {
        let (service, catalog) = with_lab().await;
        service.fault("CreateDatabase", fault);
        assert!(catalog.create_namespace("c").await.unwrap());
        assert!(!catalog.create_namespace("c").await.unwrap());
        assert_eq!(catalog.list_namespaces().await.unwrap(), ["b", "c"]);
    }
    for fault in [Fault::LoseAfter, Fault::LoseBefore, Fault::Refuse(503, "ServiceUnavailable")] {
        let (service, catalog) = with_lab().await;
        catalog.create_namespace("c").await.unwrap();
        service.fault("DeleteDatabase", fault);
        catalog.drop_namespace("c").await.unwrap();
        assert_eq!(catalog.list_namespaces().await.unwrap(), ["b"]);
    }
}

#[tokio::test]
async fn a_namespace_that_got_a_table_after_a_lost_reply_is_not_dropped() {
    let (service, catalog) = with_lab().await;
    catalog.create_namespace("c").await.unwrap();
    service.fault("DeleteDatabase", Fault::LoseBefore);
    service.fault("GetTables", Fault::Meanwhile(|_| {}));
    service.fault(
        "GetTables",
        Fault::Meanwhile(|state| {
            let lab = state.lab().clone();
            state.databases.get_mut("c").unwrap().insert("lab".to_owned(), lab);
        }),
    );
    let error = catalog.drop_namespace("c").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(service.bodies("DeleteDatabase").len(), 1);
}
