//! A rename that another writer or a lost reply meets at each of its steps.

use serde_json::json;

use super::service::{Fault, Service, State};
use super::{location, swap, with_lab};
use crate::contract::name;
use crate::glue::GlueCatalog;
use crate::{Catalog, Error, ErrorKind, Swap};

async fn rename(catalog: &GlueCatalog) -> crate::Result<()> {
    catalog.rename_table(&name("b.lab"), &name("b.new")).await
}

/// Where a table stands, if it is one.
async fn at(catalog: &GlueCatalog, table: &str) -> Option<String> {
    match catalog.pointer(&name(table)).await {
        Ok(pointer) => Some(pointer.metadata_location),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

async fn ends_with_an_error(service: &Service, catalog: &GlueCatalog) -> Error {
    let error = rename(catalog).await.unwrap_err();
    // Whatever happened, a writer of before commits to a table that is there, or not at all.
    let swapped = swap(catalog).await.unwrap();
    let there = service.state().databases["b"].contains_key("lab");
    assert!(there || matches!(swapped, Swap::Conflicted), "{swapped:?}");
    error
}

#[tokio::test]
async fn a_rename_keeps_what_others_wrote_and_retires_the_old_entry_first() {
    let (service, catalog) = with_lab().await;
    service.state().lab()["Owner"] = json!("lake");
    rename(&catalog).await.unwrap();
    assert_eq!(service.actions(), ["GetTable", "CreateTable", "UpdateTable", "DeleteTable"]);
    let retired = service.bodies("UpdateTable").remove(0);
    assert_eq!(retired["VersionId"], "0");
    assert_eq!(
        retired["TableInput"]["Parameters"],
        json!({ "northstar.renamed-to": "b.new", "northstar.renamed-at": "m0" })
    );
    assert_eq!(service.state().databases["b"]["new"]["Owner"], "lake");
    assert_eq!(
        (at(&catalog, "b.lab").await, at(&catalog, "b.new").await),
        (None, Some("m0".into()))
    );
}

#[tokio::test]
async fn a_commit_during_a_rename_is_kept_under_the_old_name() {
    for others in [(|state| state.commit("m9")) as fn(&mut State), |state| {
        state.lab()["VersionId"] = json!("7")
    }] {
        let (service, catalog) = with_lab().await;
        service.fault("UpdateTable", Fault::Meanwhile(others));
        let error = ends_with_an_error(&service, &catalog).await;
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert_eq!(at(&catalog, "b.new").await, None);
    }
}

#[tokio::test]
async fn a_writer_of_before_conflicts_with_a_rename_in_the_middle() {
    let (service, catalog) = with_lab().await;
    // The end of the rename is lost, thrice; the old entry stays, retired.
    for _ in 0..3 {
        service.fault("DeleteTable", Fault::LoseBefore);
    }
    let error = rename(&catalog).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
    let late = swap(&catalog).await.unwrap();
    assert!(matches!(late, Swap::Conflicted), "{late:?}");
    assert_eq!(
        (at(&catalog, "b.lab").await, at(&catalog, "b.new").await),
        (None, Some("m0".into()))
    );
    assert_eq!(catalog.list_tables("b").await.unwrap(), [name("b.new")]);
}

#[tokio::test]
async fn lost_replies_are_settled_at_each_step() {
    for (action, faults) in [
        ("CreateTable", [Fault::LoseAfter, Fault::LoseBefore]),
        ("UpdateTable", [Fault::LoseAfter, Fault::LoseBefore]),
        ("DeleteTable", [Fault::LoseAfter, Fault::LoseBefore]),
    ] {
        for fault in faults {
            let (service, catalog) = with_lab().await;
            service.fault(action, fault);
            rename(&catalog).await.unwrap();
            let there = (at(&catalog, "b.lab").await, at(&catalog, "b.new").await);
            assert_eq!(there, (None, Some("m0".into())), "{action}");
        }
    }
}

#[tokio::test]
async fn a_rename_that_is_refused_is_undone() {
    for action in ["CreateTable", "UpdateTable", "DeleteTable"] {
        let (service, catalog) = with_lab().await;
        service.fault(action, Fault::Refuse(400, "AccessDeniedException"));
        let error = rename(&catalog).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        let there = (at(&catalog, "b.lab").await, at(&catalog, "b.new").await);
        assert_eq!(there, (Some("m0".into()), None), "{action}");
    }
}

#[tokio::test]
async fn a_rename_that_cannot_be_undone_says_what_stands_where() {
    let (service, catalog) = with_lab().await;
    service.fault("DeleteTable", Fault::Refuse(400, "AccessDeniedException"));
    service.fault("DeleteTable", Fault::Refuse(400, "AccessDeniedException"));
    let error = rename(&catalog).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
    assert!(error.message().contains("`b.new`"), "{error}");
    // The table is there once, under its new name.
    assert_eq!(
        (at(&catalog, "b.lab").await, at(&catalog, "b.new").await),
        (None, Some("m0".into()))
    );

    let (service, catalog) = with_lab().await;
    service.fault("DeleteTable", Fault::Refuse(400, "AccessDeniedException"));
    service.fault("UpdateTable", Fault::Meanwhile(|_| {}));
    service.fault("UpdateTable", Fault::Refuse(400, "AccessDeniedException"));
    let error = rename(&catalog).await.unwrap_err();
    assert_eq!(error.context("metadata"), Some("m0"), "{error}");
}

#[tokio::test]
async fn a_commit_under_the_new_name_is_not_taken_back() {
    let (service, catalog) = with_lab().await;
    // Another writer finds the new entry, commits to it, and to the old one.
    service.fault(
        "UpdateTable",
        Fault::Meanwhile(|state| {
            let theirs = state.lab().clone();
            state.commit("m9");
            let new = state.databases.get_mut("b").unwrap().get_mut("new").unwrap();
            *new = theirs;
            new["Parameters"]["metadata_location"] = json!("m8");
        }),
    );
    let error = rename(&catalog).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
    assert_eq!(location(&catalog).await, "m9");
    assert_eq!(at(&catalog, "b.new").await, Some("m8".into()));
}
