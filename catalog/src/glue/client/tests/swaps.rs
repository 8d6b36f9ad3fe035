//! The swap: what is sent, and what comes of each answer to UpdateTable, given, late or lost.

use serde_json::json;

use super::service::{Fault, Service, State};
use super::{SECRET, connect, location, options, place, swap, with_lab};
use crate::contract::{metadata, name};
use crate::glue::{GlueCatalog, GlueOptions, GluePlace};
use crate::{Catalog, ErrorKind, Patience, Retry, Swap};

fn updates(service: &Service) -> usize {
    service.bodies("UpdateTable").len()
}

#[tokio::test]
async fn an_update_says_its_version_and_keeps_what_others_wrote() {
    let (service, catalog) = with_lab().await;
    {
        let mut state = service.state();
        let lab = state.lab();
        lab["Owner"] = json!("lake");
        lab["Parameters"]["classification"] = json!("parquet");
        lab["Parameters"]["table_type"] = json!("iceberg");
        lab["StorageDescriptor"]["SchemaReference"] = json!({ "SchemaVersionNumber": 3 });
        lab["VersionId"] = json!("41");
    }
    assert!(matches!(swap(&catalog).await.unwrap(), Swap::Committed));
    let sent = service.bodies("UpdateTable").remove(0);
    assert_eq!(sent["VersionId"], "41");
    assert_eq!(sent["SkipArchive"], true);
    assert_eq!(sent["DatabaseName"], "b");
    let input = &sent["TableInput"];
    assert_eq!(input["Owner"], "lake");
    assert_eq!(input["TableType"], "EXTERNAL_TABLE");
    assert_eq!(
        input["Parameters"],
        json!({
            "classification": "parquet", "table_type": "ICEBERG",
            "metadata_location": "m1", "previous_metadata_location": "m0",
        })
    );
    let stored = &input["StorageDescriptor"];
    assert_eq!(stored["SchemaReference"], json!({ "SchemaVersionNumber": 3 }));
    assert_eq!(stored["Columns"][0]["Parameters"]["iceberg.field.id"], "1");
    assert_eq!(service.actions(), ["GetTable", "UpdateTable"]);
}

#[tokio::test]
async fn a_writer_in_between_makes_a_conflict() {
    for others in [
        (|state| state.commit("m9")) as fn(&mut State),
        // Another change than a commit: the same pointer at another version.
        |state| state.lab()["VersionId"] = json!("7"),
        |state| drop(state.databases.get_mut("b").unwrap().remove("lab")),
    ] {
        let (service, catalog) = with_lab().await;
        service.fault("UpdateTable", Fault::Meanwhile(others));
        let ended = swap(&catalog).await.unwrap();
        assert!(matches!(ended, Swap::Conflicted), "{ended:?}");
        assert_eq!(updates(&service), 1);
    }
}

#[tokio::test]
async fn a_lost_reply_is_settled_by_reading() {
    // The fault, and how often UpdateTable is sent: again if it did not take effect.
    for (fault, sent) in [
        (Fault::LoseAfter, 1),
        (Fault::LoseBefore, 2),
        (Fault::RefuseAfter(500, "InternalServiceException"), 1),
        (Fault::RefuseAfter(400, "OperationTimeoutException"), 1),
        (Fault::Refuse(503, "ServiceUnavailable"), 2),
        (Fault::Refuse(500, "InternalServiceException"), 2),
        // It arrives after the entry was read: the second one fails, and reading shows the first.
        (Fault::Late(503, "ServiceUnavailable"), 2),
    ] {
        let (service, catalog) = with_lab().await;
        service.fault("UpdateTable", fault);
        let ended = swap(&catalog).await.unwrap();
        assert!(matches!(ended, Swap::Committed), "{ended:?}");
        assert_eq!(updates(&service), sent);
        assert_eq!(location(&catalog).await, "m1");
        // Once: another version would have been a second commit.
        assert_eq!(service.state().lab()["VersionId"], "1");
    }
}

#[tokio::test]
async fn after_a_lost_reply_another_writers_commit_tells_what_it_can() {
    // On top of ours: it names ours as the one before.
    let (service, catalog) = with_lab().await;
    service.fault("UpdateTable", Fault::LoseAfter);
    service.fault("GetTable", Fault::Meanwhile(|_| {}));
    service.fault("GetTable", Fault::Meanwhile(|state| state.commit("m2")));
    let ended = swap(&catalog).await.unwrap();
    assert!(matches!(ended, Swap::Committed), "{ended:?}");

    // Two of them, or one instead of ours: the entry alone does not tell.
    let two: fn(&mut State) = |state| {
        state.commit("m2");
        state.commit("m3");
    };
    let gone: fn(&mut State) = |state| drop(state.databases.get_mut("b").unwrap().remove("lab"));
    for (fault, others) in
        [(Fault::LoseAfter, two), (Fault::LoseBefore, two), (Fault::LoseAfter, gone)]
    {
        let (service, catalog) = with_lab().await;
        service.fault("UpdateTable", fault);
        service.fault("GetTable", Fault::Meanwhile(|_| {}));
        service.fault("GetTable", Fault::Meanwhile(others));
        match swap(&catalog).await.unwrap() {
            Swap::Unknown(error) => assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}"),
            ended => panic!("{ended:?}"),
        }
        assert_eq!(updates(&service), 1);
    }

    // A change that is no commit: ours was sent for a version that is gone.
    let (service, catalog) = with_lab().await;
    service.fault("UpdateTable", Fault::LoseBefore);
    service.fault("GetTable", Fault::Meanwhile(|_| {}));
    service.fault("GetTable", Fault::Meanwhile(|state| state.lab()["VersionId"] = json!("8")));
    let ended = swap(&catalog).await.unwrap();
    assert!(matches!(ended, Swap::Conflicted), "{ended:?}");
    assert_eq!(updates(&service), 1);
}

#[tokio::test]
async fn what_is_never_answered_is_unknown() {
    let (service, catalog) = with_lab().await;
    for _ in 0..3 {
        service.fault("UpdateTable", Fault::LoseBefore);
    }
    match swap(&catalog).await.unwrap() {
        Swap::Unknown(error) => {
            assert_eq!(error.kind(), ErrorKind::CommitUnknown);
            assert!(error.to_string().contains("glue:UpdateTable"), "{error}");
        }
        ended => panic!("{ended:?}"),
    }
    assert_eq!(updates(&service), 3);

    let (service, catalog) = with_lab().await;
    service.fault("UpdateTable", Fault::LoseAfter);
    service.fault("GetTable", Fault::Meanwhile(|_| {}));
    for _ in 0..3 {
        service.fault("GetTable", Fault::LoseBefore);
    }
    let ended = swap(&catalog).await.unwrap();
    assert!(matches!(ended, Swap::Unknown(_)), "{ended:?}");
    assert_eq!(location(&catalog).await, "m1");
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_given_up_and_settled() {
    let (service, _) = with_lab().await;
    let patience = Patience { attempt_timeout_ms: 200, ..options().patience };
    let impatient = GlueOptions { patience, ..options() };
    let catalog = GlueCatalog::connect(place(&service), impatient).await;
    service.fault("UpdateTable", Fault::Stall);
    let ended = swap(&catalog).await.unwrap();
    assert!(matches!(ended, Swap::Committed), "{ended:?}");
    assert_eq!(updates(&service), 2);
}

#[tokio::test]
async fn a_throttled_update_is_sent_again_and_changed_nothing_when_given_up() {
    for (status, code) in [
        (400, "ThrottlingException"),
        (429, "TooManyRequestsException"),
        (503, "RequestLimitExceeded"),
    ] {
        let (service, catalog) = with_lab().await;
        service.fault("GetTable", Fault::Refuse(status, code));
        service.fault("UpdateTable", Fault::Refuse(status, code));
        service.fault("UpdateTable", Fault::Refuse(status, code));
        let ended = swap(&catalog).await.unwrap();
        assert!(matches!(ended, Swap::Committed), "{ended:?}");
        assert_eq!(updates(&service), 3);

        let (service, catalog) = with_lab().await;
        for _ in 0..3 {
            service.fault("UpdateTable", Fault::Refuse(status, code));
        }
        let error = swap(&catalog).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again));
        assert_eq!(location(&catalog).await, "m0");
    }
}

#[tokio::test]
async fn a_refusal_is_an_error_that_names_the_action_and_no_secret() {
    for (code, kind) in [
        ("AccessDeniedException", ErrorKind::PermissionDenied),
        ("UnrecognizedClientException", ErrorKind::PermissionDenied),
        ("ExpiredTokenException", ErrorKind::PermissionDenied),
        ("GlueEncryptionException", ErrorKind::PermissionDenied),
        ("InvalidInputException", ErrorKind::InvalidInput),
        ("ResourceNumberLimitExceededException", ErrorKind::Unavailable),
        ("UnknownOperationException", ErrorKind::Unsupported),
    ] {
        let (service, catalog) = with_lab().await;
        service.fault("UpdateTable", Fault::Refuse(400, code));
        let error = swap(&catalog).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, Retry::Never), "{error}");
        let text = format!("{error} {error:?} {catalog:?}");
        assert!(text.contains("glue:UpdateTable"), "{text}");
        assert_eq!(error.context("on"), Some("b.lab"));
        assert_eq!(error.context("region"), Some("eu-west-2"));
        assert_eq!(error.context("request"), Some("request-1"));
        assert!(!text.contains(SECRET) && !text.contains("AKID"), "{text}");
        assert_eq!(updates(&service), 1);
    }
}

#[tokio::test]
async fn a_table_without_a_version_is_swapped_only_if_the_url_allows_it() {
    let service = Service::start();
    service.state().unversioned = true;
    let catalog = connect(&service).await;
    catalog.create_namespace("b").await.unwrap();
    catalog.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
    let error = swap(&catalog).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("unversioned=allow"), "{error}");
    let renamed = catalog.rename_table(&name("b.lab"), &name("b.new")).await.unwrap_err();
    assert_eq!(renamed.kind(), ErrorKind::Unsupported);

    let careless = GluePlace { unversioned: true, ..place(&service) };
    let careless = GlueCatalog::connect(careless, options()).await;
    assert!(matches!(swap(&careless).await.unwrap(), Swap::Committed));
    assert!(service.bodies("UpdateTable")[0].get("VersionId").is_none());
    // Then a lost reply is never followed by a second update.
    service.fault("UpdateTable", Fault::LoseBefore);
    let ended = careless.swap(&name("b.lab"), "m1", "m2", &metadata()).await.unwrap();
    assert!(matches!(ended, Swap::Unknown(_)), "{ended:?}");
    assert_eq!(updates(&service), 2);
}

#[tokio::test]
async fn a_view_that_glue_keeps_is_not_committed_to() {
    let (service, catalog) = with_lab().await;
    service.state().lab()["IsMaterializedView"] = json!(true);
    assert_eq!(location(&catalog).await, "m0");
    assert_eq!(swap(&catalog).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(updates(&service), 0);
}
