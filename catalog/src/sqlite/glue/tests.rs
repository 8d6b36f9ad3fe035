use std::sync::Arc;

use tokio::task::JoinSet;

use super::*;
use crate::contract::{metadata, name};
use crate::{Catalog, OpenMode, Swap};

/// A catalog with a table that Glue numbers, opened twice, and its folder.
async fn numbered() -> (SqliteCatalog, SqliteCatalog, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path, OpenMode::Create).await.unwrap();
    catalog.create_namespace("b").await.unwrap();
    catalog.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
    catalog.number_versions().await.unwrap();
    catalog.number_versions().await.unwrap();
    let other = SqliteCatalog::open(&path, OpenMode::Existing).await.unwrap();
    (catalog, other, folder)
}

fn input(location: &str, previous: Option<&str>) -> TableInput {
    let pointer = Pointer {
        metadata_location: location.to_string(),
        previous_metadata_location: previous.map(str::to_string),
    };
    crate::glue::table_input(&name("b.lab"), &pointer, &metadata(), None)
}

async fn version(catalog: &SqliteCatalog) -> u64 {
    catalog.glue_entry(&name("b.lab")).await.unwrap().version
}

#[tokio::test]
async fn each_change_is_a_version_whoever_makes_it() {
    let (catalog, other, _folder) = numbered().await;
    let lab = name("b.lab");
    assert_eq!(version(&catalog).await, 0);
    // A program that knows nothing of Glue.
    let swap = other.swap(&lab, "m0", "m1", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed));
    assert_eq!(version(&catalog).await, 1);
    let update = catalog.update_from_glue(&lab, &input("m2", None), Some(1), false, 7).await;
    assert_eq!(update.unwrap(), GlueUpdate::Updated(2));
    let entry = catalog.glue_entry(&lab).await.unwrap();
    assert_eq!((entry.version, entry.updated_ms), (2, 7));
    assert_eq!(entry.pointer.metadata_location, "m2");
    assert_eq!(entry.pointer.previous_metadata_location.as_deref(), Some("m1"));
    assert_eq!(other.pointer(&lab).await.unwrap(), entry.pointer);
    // What is said of a table may change without its pointer.
    let mut owned = input("m2", None);
    owned.owner = Some("lake".to_string());
    let update = catalog.update_from_glue(&lab, &owned, Some(2), false, 8).await.unwrap();
    assert_eq!(update, GlueUpdate::Updated(3));
    assert_eq!(catalog.glue_entry(&lab).await.unwrap().input, Some(owned));
    assert_eq!(catalog.glue_versions(&lab).await.unwrap(), []);
}

#[tokio::test]
async fn w2_a_client_that_read_an_older_state_changes_nothing() {
    let (catalog, other, _folder) = numbered().await;
    let lab = name("b.lab");
    let swap = other.swap(&lab, "m0", "m1", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed));
    for (stale, expected) in [
        (input("m2", Some("m0")), Some(0)),
        (input("m2", Some("m0")), None),
        (input("m2", None), None),
    ] {
        let update = catalog.update_from_glue(&lab, &stale, expected, true, 7).await.unwrap();
        assert_eq!(update, GlueUpdate::Conflicted);
    }
    assert_eq!(version(&catalog).await, 1);
    assert_eq!(catalog.pointer(&lab).await.unwrap().metadata_location, "m1");
    assert_eq!(catalog.glue_versions(&lab).await.unwrap(), []);
    let fresh = catalog.update_from_glue(&lab, &input("m2", Some("m1")), None, true, 7).await;
    assert_eq!(fresh.unwrap(), GlueUpdate::Updated(2));
    let archived = catalog.glue_versions(&lab).await.unwrap();
    assert_eq!(archived.len(), 1);
    assert_eq!((archived[0].version, archived[0].pointer.metadata_location.as_str()), (1, "m1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn w2_of_racing_clients_and_commits_exactly_one_wins() {
    let (catalog, other, _folder) = numbered().await;
    let (catalog, other) = (Arc::new(catalog), Arc::new(other));
    let lab = name("b.lab");
    for round in 0..20 {
        let entry = catalog.glue_entry(&lab).await.unwrap();
        let mut writers = JoinSet::new();
        for writer in 0..8 {
            let (catalog, other) = (Arc::clone(&catalog), Arc::clone(&other));
            let (lab, entry) = (lab.clone(), entry.clone());
            writers.spawn(async move {
                let (now, next) = (entry.pointer.metadata_location, format!("m{round}-{writer}"));
                let won = if writer % 2 == 0 {
                    let input = input(&next, Some(&now));
                    let expected = Some(entry.version);
                    let update = catalog.update_from_glue(&lab, &input, expected, false, 1);
                    update.await.unwrap() != GlueUpdate::Conflicted
                } else {
                    let swap = other.swap(&lab, &now, &next, &metadata()).await.unwrap();
                    matches!(swap, Swap::Committed)
                };
                won.then_some(next)
            });
        }
        let won: Vec<String> = writers.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "round {round}: {won:?}");
        let now = catalog.glue_entry(&lab).await.unwrap();
        assert_eq!((now.version, now.pointer.metadata_location), (round + 1, won[0].clone()));
    }
}

#[tokio::test]
async fn versions_go_with_a_table_that_is_renamed_and_end_with_one_that_is_dropped() {
    let (catalog, other, _folder) = numbered().await;
    let (lab, moved) = (name("b.lab"), name("b.result"));
    let update = catalog.update_from_glue(&lab, &input("m1", None), Some(0), true, 1).await;
    assert_eq!(update.unwrap(), GlueUpdate::Updated(1));
    other.rename_table(&lab, &moved).await.unwrap();
    assert_eq!(catalog.glue_entry(&moved).await.unwrap().version, 1);
    assert_eq!(catalog.glue_versions(&moved).await.unwrap().len(), 1);
    let gone = catalog.glue_entry(&lab).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
    other.drop_table(&moved).await.unwrap();
    assert_eq!(catalog.glue_entry(&moved).await.unwrap_err().kind(), ErrorKind::NotFound);
    other.register(&moved, "n0", &metadata()).await.unwrap();
    assert_eq!(catalog.glue_entry(&moved).await.unwrap().version, 0, "a new table");
    assert_eq!(catalog.glue_versions(&moved).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_no_iceberg_table_is_refused() {
    let (catalog, _, _folder) = numbered().await;
    let mut view = input("m1", None);
    view.parameters = None;
    let refused = catalog.update_from_glue(&name("b.lab"), &view, None, false, 1).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    let (gone, first) = (name("b.no"), input("m1", None));
    let missing = catalog.update_from_glue(&gone, &first, None, false, 1).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(version(&catalog).await, 0);
}
