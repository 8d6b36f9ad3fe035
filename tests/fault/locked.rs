//! A catalog file that another process holds: an error that a retry may mend, and nothing changed.

use northstar_catalog::{ErrorKind, Retry};

use super::contents::Contents;
use super::files::below;
use super::place::load;
use super::writers::two_batches;

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_another_process_locks_is_unavailable_and_works_later() {
    let (_folder, place, from) = two_batches().await;
    let lake = place.lake(2).await;
    let before = (Contents::read(&lake).await, below(&place.path().join("tables")));
    let holder = rusqlite::Connection::open(place.path().join("catalog.db")).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = load(&lake, &from).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again), "{error}");
    assert!(error.to_string().contains("catalog.db"), "{error}");
    // Readers do not wait for the writer.
    assert_eq!((Contents::read(&lake).await, below(&place.path().join("tables"))), before);
    holder.execute_batch("ROLLBACK").unwrap();
    load(&lake, &from).await.unwrap();
    assert_eq!(Contents::read(&lake).await.batches["visit"], (2, 2));
}
